/** Memory over time, stacked by role, the budget as a line; below, who holds it, largest first, or which lines made it. */

import { chip, h, s } from './dom';
import * as format from './format';
import { choice, empty, type MakePicture, type Picture } from './frame';
import type { Frame, MemorySnapshot } from './protocol';

type Mode = 'by holder' | 'by line';

const HEIGHT = 150;
const LEFT = 8;
const TOP = 18;
const BOTTOM = 14;
const NAMES: Record<string, string> = { saved: 'saved for backward', other: 'other tensors' };

/** Running sums: the upper edge of each role's area. */
export function stacked(rows: Float32Array[]): Float64Array[] {
  const sum = new Float64Array(rows[0]?.length ?? 0);
  return rows.map(row => {
    row.forEach((value, k) => (sum[k] += Number.isFinite(value) ? value : 0));
    return sum.slice();
  });
}

class MemoryPicture implements Picture {
  private readonly chart = s('svg', { class: 'ts-memory-svg', role: 'img' });
  private readonly legend = h('div', { class: 'ts-legend' });
  private readonly table = h('div', { class: 'ts-holders', role: 'table' });
  private readonly main = h('div', { class: 'ts-memory' }, h('div', { class: 'ts-memory-chart' }, this.chart, this.legend), this.table);
  private mode: Mode = 'by holder';
  private top = 0;
  private listed = '';

  constructor(private readonly body: HTMLElement, controls: HTMLElement, redraw: () => void) {
    choice<Mode>(controls, ['by line', 'by holder'], 'by holder', mode => {
      this.mode = mode;
      redraw();
    });
  }

  about({ snapshot }: Frame): string {
    const memory = snapshot as MemorySnapshot;
    return `${memory.title} · ${format.bytes(memory.total)} now · ${format.bytes(memory.peak)} at the peak`;
  }

  names({ snapshot }: Frame): string[] {
    return (snapshot as MemorySnapshot).holders.map(holder => holder.name);
  }

  trouble({ snapshot }: Frame): boolean {
    return (snapshot as MemorySnapshot).holders.some(holder => holder.trouble);
  }

  draw(frame: Frame, width: number): void {
    const memory = frame.snapshot as MemorySnapshot;
    if (memory.columns === 0 && memory.holders.length === 0) {
      this.body.replaceChildren(empty('No tensor is alive yet. Make one, or train under', 'ts.memory()'));
      return;
    }
    if (this.main.parentElement !== this.body) {
      this.body.replaceChildren(this.main);
    }
    const wide = width >= 860;
    this.main.classList.toggle('ts-wide', wide);
    this.drawChart(memory, frame.history, (wide ? Math.floor(width / 2) : width) - 16);
    this.drawLegend(memory, frame.history);
    this.drawTable(memory);
  }

  private drawChart(memory: MemorySnapshot, history: Float32Array[], width: number): void {
    if (history[0]?.length === 1) {
      history = history.map(row => new Float32Array([row[0], row[0]])); // one moment: level bands
    }
    const times = history[0] ?? new Float32Array(0);
    const edges = stacked(history.slice(1, 1 + memory.roles.length));
    const highest = Math.max(memory.peak, ...(edges[edges.length - 1] ?? []));
    const budget = memory.budget !== null && memory.budget <= 4 * highest ? memory.budget : null;
    this.top = Math.max(this.top, format.ceiling(1.04 * Math.max(highest, budget ?? 0, 1024), 2));
    const first = times[0] ?? 0;
    const span = Math.max(1e-9, (times[times.length - 1] ?? 1) - first);
    const moment = times.length < 2 || times[times.length - 1] === first;
    const x = (k: number): number => LEFT + (width - 2 * LEFT) * (moment ? k : (times[k] - first) / span);
    const y = (value: number): number => HEIGHT - BOTTOM - ((HEIGHT - BOTTOM - TOP) * value) / this.top;
    const parts: SVGElement[] = [grid(width, y(0)), grid(width, y(this.top))];
    let below: Float64Array = new Float64Array(times.length);
    edges.forEach((edge, role) => {
      parts.push(area(edge, below, x, y, memory.roles[role]));
      below = edge;
    });
    parts.push(label(width - LEFT, y(this.top) - 4, 'end', format.bytes(this.top)));
    if (budget !== null) {
      parts.push(...line(width, y(budget), 'ts-budget', LEFT, `budget ${format.bytes(budget)}`));
    } else if (memory.budget !== null) {
      parts.push(label(LEFT, y(this.top) - 4, 'start', `budget ${format.bytes(memory.budget)}, far above`));
    }
    parts.push(...line(width, y(memory.peak), 'ts-peak', width / 2, `peak ${format.bytes(memory.peak)}`));
    if (moment) {
      parts.push(label(LEFT, HEIGHT - 2, 'start', 'now'));
    } else {
      parts.push(label(LEFT, HEIGHT - 2, 'start', first < span / 100 ? '0 s' : `${format.number(first)} s`));
      parts.push(label(width - LEFT, HEIGHT - 2, 'end', `${format.number(first + span)} s`));
    }
    this.chart.setAttribute('viewBox', `0 0 ${width} ${HEIGHT}`);
    this.chart.setAttribute('width', String(width));
    this.chart.setAttribute('height', String(HEIGHT));
    this.chart.setAttribute('aria-label', memory.sentence);
    this.chart.replaceChildren(...parts);
  }

  private drawLegend(memory: MemorySnapshot, history: Float32Array[]): void {
    const items = memory.roles.map((role, k) => {
      const row = history[k + 1];
      const now = row?.length ? ` ${format.bytes(row[row.length - 1])}` : '';
      return h('span', {}, h('i', { class: 'ts-swatch', 'data-role': role }), NAMES[role] ?? role, h('span', { class: 'ts-dim' }, now));
    });
    this.legend.replaceChildren(...items);
  }

  private drawTable(memory: MemorySnapshot): void {
    const key = JSON.stringify([this.mode, memory.holders, memory.lines]);
    if (key === this.listed) {
      return; // a chip that is being clicked must not be replaced under the pointer
    }
    this.listed = key;
    const holders = this.mode === 'by holder';
    const head = holders ? ['held by', 'made at', 'bytes'] : ['made at', 'line', 'bytes'];
    this.table.replaceChildren(
      row('ts-holder ts-holders-head', head.map(text => h('span', { role: 'columnheader' }, text))),
      ...(holders ? holderRows(memory) : lineRows(memory))
    );
    this.table.dataset.mode = holders ? 'holder' : 'line';
  }
}

function row(className: string, cells: HTMLElement[]): HTMLElement {
  return h('div', { class: className, role: 'row' }, ...cells);
}

function holderRows(memory: MemorySnapshot): HTMLElement[] {
  return memory.holders.map(holder => {
    const name = h('span', { class: 'ts-holder-name', title: `${holder.name} ${holder.detail}` }, h('span', { class: 'ts-mono' }, holder.name), ' ', h('span', { class: 'ts-dim' }, holder.detail));
    const size = h('span', { class: 'ts-mono ts-number' }, format.bytes(holder.bytes));
    return row(holder.trouble ? 'ts-holder ts-row-trouble' : 'ts-holder', [name, chip(holder.site, holder.trouble), size]);
  });
}

function lineRows(memory: MemorySnapshot): HTMLElement[] {
  return memory.lines.map(made => {
    const source = h('span', { class: 'ts-mono ts-holder-name', title: made.site?.source ?? '' }, made.site?.source ?? 'unknown line');
    const size = h('span', { class: 'ts-mono ts-number' }, h('span', { class: 'ts-dim' }, `${made.count} × `), format.bytes(made.bytes));
    return row('ts-holder', [chip(made.site), source, size]);
  });
}

function area(edge: Float64Array, below: Float64Array, x: (k: number) => number, y: (value: number) => number, role: string): SVGElement {
  let top = '';
  let back = '';
  for (let k = 0; k < edge.length; k++) {
    top += `${k ? 'L' : 'M'}${x(k).toFixed(1)},${y(edge[k]).toFixed(2)}`;
    back = `L${x(k).toFixed(1)},${y(below[k]).toFixed(2)}${back}`;
  }
  return s('path', { d: top ? `${top}${back}Z` : '', class: 'ts-area', 'data-role': role });
}

function grid(width: number, y: number): SVGElement {
  return s('line', { class: 'ts-grid', x1: LEFT, x2: width - LEFT, y1: y, y2: y });
}

function line(width: number, y: number, className: string, x: number, text: string): SVGElement[] {
  return [s('line', { class: className, x1: LEFT, x2: width - LEFT, y1: y, y2: y }), label(x, y - 4, x === LEFT ? 'start' : 'middle', text)];
}

function label(x: number, y: number, anchor: string, text: string): SVGElement {
  return s('text', { class: 'ts-sub', x, y, 'text-anchor': anchor }, text);
}

export const memoryPicture: MakePicture = (body, controls, redraw) => new MemoryPicture(body, controls, redraw);
