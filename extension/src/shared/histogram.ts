/** A histogram of 32 counts with its two ends, blue for a value and orange for a gradient. */

import { h, s } from './dom';
import * as format from './format';
import type { Stats } from './protocol';

const WIDTH = 246;
const HEIGHT = 40;

export function histogram(what: string, stats: Stats, hue: 'value' | 'grad'): HTMLElement {
  const facts = [`‖${hue === 'grad' ? 'g' : 'x'}‖ ${format.number(stats.norm)}`];
  const level = stats.lo !== null && stats.lo === stats.hi; // one value, or the same everywhere: nothing to draw
  if (level) {
    facts.push(...(stats.lo === stats.norm ? [] : [`all ${format.number(stats.lo)}`]));
  } else if (stats.std !== null && stats.hist) {
    facts.push(`${format.number(stats.mean)} ± ${format.number(stats.std)}`);
  }
  const head = h('div', { class: 'ts-hist-head' }, h('span', {}, what), h('span', { class: 'ts-mono' }, facts.join('  ')));
  const box = h('div', { class: 'ts-hist' }, head);
  if (stats.nonfinite > 0) {
    box.append(h('div', { class: 'ts-trouble' }, `${format.count(stats.nonfinite, 'value')} not finite`));
  }
  const counts = stats.hist;
  if (level || !counts || counts.length === 0) {
    return box;
  }
  const most = Math.max(1, ...counts);
  const step = WIDTH / counts.length;
  const label = `${what}: ${facts.join(', ')}, from ${format.number(stats.lo)} to ${format.number(stats.hi)}`;
  const picture = s('svg', { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: `ts-fill-${hue}`, role: 'img', 'aria-label': label, preserveAspectRatio: 'none' });
  counts.forEach((value, k) => {
    const size = value === 0 ? 0 : Math.max(1, (HEIGHT * value) / most);
    picture.append(s('rect', { x: k * step, y: HEIGHT - size, width: step - 0.9, height: size }));
  });
  box.append(picture);
  box.append(h('div', { class: 'ts-hist-ends ts-mono' }, h('span', {}, format.number(stats.lo)), h('span', {}, format.number(stats.hi))));
  return box;
}
