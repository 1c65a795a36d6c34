/** What one node of the tape is: its line, inputs, output, what it saves, and the two histograms. */

import { chip, h } from './dom';
import * as format from './format';
import { histogram } from './histogram';
import type { TapeNode } from './protocol';

function tensor(shape: number[], dtype: string): string {
  return `${format.shape(shape)} ${format.dtype(dtype)}`;
}

function output(node: TapeNode): string {
  const value = node.shape.length === 0 && node.value ? ` = ${format.number(node.value.mean)}` : '';
  return tensor(node.shape, node.dtype) + value;
}

/** Rows of the list: a term and its lines. */
function facts(node: TapeNode): [string, string[]][] {
  const rows: [string, string[]][] = [];
  if (node.inputs.length) {
    rows.push(['inputs', node.inputs.map(input => `${tensor(input.shape, input.dtype)} ${input.name}`)]);
  }
  rows.push([node.kind === 'op' ? 'output' : 'value', [output(node), format.bytes(node.bytes)]]);
  if (node.kind === 'op') {
    rows.push(['saved', [node.saved ? format.bytes(node.saved) : 'nothing']]);
  }
  if (node.time_us !== null) {
    rows.push(['time', [format.duration(node.time_us)]]);
  }
  if (node.scope) {
    rows.push(['module', [node.scope]]);
  }
  return rows;
}

export function inspector(node: TapeNode): HTMLElement[] {
  const parts: HTMLElement[] = [h('h4', { title: node.name ?? node.label }, node.name ?? node.label)];
  if (node.site) {
    const source = h('span', { class: 'ts-source ts-mono', title: node.site.source }, node.site.source);
    parts.push(h('div', { class: 'ts-line' }, chip(node.site), ' ', source));
  }
  const list = h('dl');
  for (const [term, lines] of facts(node)) {
    list.append(h('dt', {}, term), h('dd', {}, ...lines.map(line => h('div', { title: line }, line))));
  }
  parts.push(list);
  if (node.value && (node.value.nonfinite || (node.value.hist && node.shape.length))) { // a number needs no histogram
    parts.push(histogram(node.kind === 'op' ? 'value of the output' : 'value', node.value, 'value'));
  }
  if (node.grad) {
    parts.push(histogram('gradient', node.grad, 'grad'));
  } else {
    parts.push(h('div', { class: 'ts-dim ts-hist' }, node.dtype.includes('float') ? 'no gradient has arrived' : 'takes no gradient'));
  }
  return parts;
}
