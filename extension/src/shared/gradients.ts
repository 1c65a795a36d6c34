/** Gradients over time: the loss curve over one strip per parameter. In `norm` a strip is orange, deep where the
 * gradient is large on a log scale; in `update` it is green where the update-to-weight ratio is healthy. */

import { goTo, h, s } from './dom';
import * as format from './format';
import { choice, empty, type MakePicture, type Picture } from './frame';
import type { Frame, GradientsSnapshot, ParameterRow } from './protocol';

type Mode = 'norm' | 'update';

export const HEALTHY: [number, number] = [1e-4, 1e-2];
const BAND: [number, number] = [-8, 0]; // log10 of the update-to-weight ratio, ends of its axis
const LOSS_HEIGHT = 56;
const STRIP_HEIGHT = 17;
const BAD = new Set(['vanishing', 'exploding', 'nonfinite']);

interface Row {
  node: HTMLElement;
  name: HTMLElement;
  status: HTMLElement;
  strip: HTMLCanvasElement;
  norm: HTMLElement;
  dot: HTMLElement;
  band: HTMLElement;
  update: HTMLElement;
}

/** An axis that only grows, so that a live picture never jumps. */
export class Extent {
  low = Infinity;
  high = -Infinity;

  take(values: Iterable<number>): void {
    for (const value of values) {
      if (Number.isFinite(value)) {
        this.low = Math.min(this.low, value);
        this.high = Math.max(this.high, value);
      }
    }
  }

  /** 0 to 1 within the extent, whose span is at least `least`. */
  place(value: number, least: number): number {
    const low = Math.min(this.low, this.high - least);
    return this.high > low ? Math.max(0, Math.min(1, (value - low) / (this.high - low))) : 0.5;
  }
}

/** Where a ratio stands on the axis of the healthy band, 0 to 1. */
export function bandPlace(ratio: number): number {
  const log = ratio > 0 ? Math.log10(ratio) : BAND[0];
  return Math.max(0, Math.min(1, (log - BAND[0]) / (BAND[1] - BAND[0])));
}

/** Where each column begins and ends on the axis of steps, 0 to 1: column k reaches from the step before to its own. */
export function columnEdges(steps: ArrayLike<number>): number[] {
  const count = steps.length;
  const first = count > 1 ? 2 * steps[0] - steps[1] : 0;
  const span = count > 1 ? steps[count - 1] - first : 0;
  return Array.from({ length: count + 1 }, (_, k) => (k === 0 ? 0 : span > 0 ? (steps[k - 1] - first) / span : k / count));
}

class GradientsPicture implements Picture {
  private readonly table = h('div', { class: 'ts-grads', role: 'table' });
  private readonly curve = s('svg', { class: 'ts-loss', role: 'img', preserveAspectRatio: 'none' });
  private readonly lossValue = h('span', { class: 'ts-mono ts-number' });
  private readonly ends = [h('span'), h('span', { class: 'ts-readout' }), h('span')];
  private readonly axis = h('div', { class: 'ts-axis ts-mono' }, ...this.ends);
  private readonly list = h('div', { class: 'ts-rows', role: 'rowgroup' });
  private rows = new Map<string, Row>();
  private mode: Mode = 'norm';
  private readonly lossExtent = new Extent();
  private readonly normExtent = new Extent();
  private frame: Frame | null = null;
  private edges: number[] = [];

  constructor(private readonly body: HTMLElement, controls: HTMLElement, redraw: () => void) {
    choice<Mode>(controls, ['norm', 'update'], 'norm', mode => {
      this.mode = mode;
      redraw();
    });
    const lossRow = h(
      'div', { class: 'ts-row ts-loss-row' },
      h('span', { class: 'ts-name' }, 'loss'), this.curve,
      h('span', { class: 'ts-loss-cell' }, h('span', { class: 'ts-grad-head' }, '‖grad‖'), this.lossValue),
      h('span', { class: 'ts-grad-head ts-band-head' }, 'update / weight'), h('span', { class: 'ts-grad-head ts-last' }, 'last step')
    );
    const axisRow = h('div', { class: 'ts-row ts-axis-row' }, h('span'), this.axis);
    this.table.append(lossRow, this.list, axisRow);
    this.list.addEventListener('pointermove', event => this.readOut(event));
    this.list.addEventListener('pointerleave', () => (this.ends[1].textContent = ''));
  }

  about({ snapshot }: Frame): string {
    return `${snapshot.title} · ${format.count((snapshot as GradientsSnapshot).parameters.length, 'parameter')}`;
  }

  names({ snapshot }: Frame): string[] {
    return (snapshot as GradientsSnapshot).parameters.map(row => row.name);
  }

  trouble({ snapshot }: Frame): boolean {
    return (snapshot as GradientsSnapshot).parameters.some(row => BAD.has(row.status));
  }

  draw(frame: Frame): void {
    const snapshot = frame.snapshot as GradientsSnapshot;
    this.frame = frame;
    if (snapshot.columns === 0 || frame.history.length < 2) {
      this.body.replaceChildren(empty('No step yet. The picture begins with the first', 'optimizer.step()'));
      return;
    }
    if (this.table.parentElement !== this.body) {
      this.body.replaceChildren(this.table);
    }
    const known = new Set(snapshot.parameters.map(row => row.name));
    if (this.rows.size !== known.size || [...known].some(name => !this.rows.has(name))) {
      this.rows = new Map(snapshot.parameters.map(row => [row.name, makeRow(row)]));
      this.list.replaceChildren(...[...this.rows.values()].map(row => row.node));
    }
    this.edges = columnEdges(frame.history[0]);
    this.drawLoss(frame.history[1], snapshot.loss);
    const count = snapshot.parameters.length;
    for (const norms of frame.history.slice(2, 2 + count)) {
      this.normExtent.take(Array.from(norms, value => (value > 0 ? Math.log10(value) : NaN)));
    }
    snapshot.parameters.forEach((row, k) => {
      const shown = this.rows.get(row.name) as Row;
      fillRow(shown, row);
      const values = frame.history[2 + k + (this.mode === 'update' ? count : 0)];
      this.drawStrip(shown.strip, values ?? new Float32Array(0), row);
    });
    this.ends[0].textContent = `step ${snapshot.first_step}`;
    this.ends[2].textContent = String(snapshot.last_step);
    this.table.dataset.mode = this.mode;
    this.table.classList.toggle('ts-long', snapshot.parameters.some(row => row.name.length > 14));
  }

  private drawLoss(values: Float32Array, last: number | null): void {
    this.lossExtent.take(values);
    let path = '';
    let pen = 'M';
    values.forEach((value, k) => {
      if (!Number.isFinite(value)) {
        pen = 'M';
        return;
      }
      const y = 3 + (LOSS_HEIGHT - 6) * (1 - this.lossExtent.place(value, 1e-12));
      path += `${pen}${(1000 * this.edges[k + 1]).toFixed(1)},${y.toFixed(2)}`;
      pen = 'L';
    });
    this.curve.setAttribute('viewBox', `0 0 1000 ${LOSS_HEIGHT}`);
    this.curve.setAttribute('aria-label', `loss, now ${format.number(last)}`);
    this.curve.replaceChildren(s('path', { d: path, class: 'ts-curve', 'vector-effect': 'non-scaling-stroke' }));
    this.lossValue.textContent = format.number(last);
  }

  private drawStrip(canvas: HTMLCanvasElement, values: Float32Array, row: ParameterRow): void {
    const pixels = window.devicePixelRatio || 1;
    const width = Math.round(canvas.clientWidth * pixels);
    const height = Math.round(STRIP_HEIGHT * pixels);
    const brush = canvas.getContext('2d');
    if (!brush || width === 0) {
      return;
    }
    canvas.width = width;
    canvas.height = height;
    const style = getComputedStyle(canvas);
    const hue = (name: string): string => style.getPropertyValue(name).trim() || '#888';
    const hues = { grad: hue('--ts-grad'), ok: hue('--ts-ok'), trouble: hue('--ts-trouble'), none: hue('--ts-none') };
    const typical = median(values);
    values.forEach((value, k) => {
      const x = Math.round(this.edges[k] * width);
      const [colour, alpha] = this.mode === 'norm' ? this.normInk(value, typical, row, hues) : updateInk(value, hues);
      brush.fillStyle = colour;
      brush.globalAlpha = alpha;
      brush.fillRect(x, 0, Math.round(this.edges[k + 1] * width) - x, height);
    });
    canvas.setAttribute('aria-label', `${row.name}: ${this.mode} over time, ${row.status}`);
  }

  private normInk(value: number, typical: number, row: ParameterRow, hues: Record<string, string>): [string, number] {
    if (value === Infinity || value === -Infinity || (row.status === 'exploding' && value > 10 * typical)) {
      return [hues.trouble, 1];
    }
    if (!(value > 0)) {
      return [hues.none, 1];
    }
    const place = this.normExtent.place(Math.log10(value), 3);
    return place <= 0 ? [hues.none, 1] : [hues.grad, 0.05 + 0.95 * place];
  }

  private readOut(event: PointerEvent): void {
    const canvas = (event.target as Element).closest?.('canvas');
    const name = canvas?.closest<HTMLElement>('.ts-row')?.dataset.name;
    const snapshot = this.frame?.snapshot as GradientsSnapshot | undefined;
    if (!canvas || !this.frame || !snapshot) {
      this.ends[1].textContent = '';
      return;
    }
    const bounds = canvas.getBoundingClientRect();
    const place = (event.clientX - bounds.left) / bounds.width;
    const after = this.edges.findIndex(edge => edge > place);
    const column = after < 0 ? snapshot.columns - 1 : Math.max(0, after - 1);
    const index = snapshot.parameters.findIndex(row => row.name === name);
    const value = this.frame.history[2 + index + (this.mode === 'update' ? snapshot.parameters.length : 0)]?.[column];
    const what = this.mode === 'norm' ? '‖grad‖' : 'update / weight';
    this.ends[1].textContent = `${format.shorten(name ?? '', 24)}, step ${this.frame.history[0][column]}: ${what} ${format.number(value)}`;
  }
}

function median(values: Float32Array): number {
  const known = values.filter(value => Number.isFinite(value)).sort();
  return known.length ? known[known.length >> 1] : NaN;
}

function updateInk(value: number, hues: Record<string, string>): [string, number] {
  if (Number.isNaN(value) || value === 0) {
    return [hues.none, 1];
  }
  if (!Number.isFinite(value) || value > 10 * HEALTHY[1]) {
    return [hues.trouble, 0.9];
  }
  const outside = value < HEALTHY[0] ? Math.log10(HEALTHY[0] / value) : value > HEALTHY[1] ? Math.log10(value / HEALTHY[1]) : 0;
  return outside === 0 ? [hues.ok, 0.8] : [value > HEALTHY[1] ? hues.trouble : hues.ok, Math.max(0.08, 0.55 - 0.18 * outside)];
}

function makeRow(row: ParameterRow): Row {
  const strip = h('canvas', { class: 'ts-strip', role: 'img', height: STRIP_HEIGHT });
  const label = h('span', { class: 'ts-name-text ts-mono' }, h('bdi', {}, row.name));
  const status = h('span', { class: 'ts-status' });
  const name = h('span', { class: 'ts-name', role: 'rowheader' }, label, status);
  const dot = h('i');
  const healthy = h('b', { style: `left:${100 * bandPlace(HEALTHY[0])}%;width:${100 * (bandPlace(HEALTHY[1]) - bandPlace(HEALTHY[0]))}%` });
  const band = h('span', { class: 'ts-band', role: 'img' }, healthy, dot);
  const norm = h('span', { class: 'ts-mono ts-number' });
  const update = h('span', { class: 'ts-mono ts-number ts-last' });
  const node = h('div', { class: 'ts-row', role: 'row', 'data-name': row.name }, name, strip, norm, band, update);
  label.title = `${row.name} ${format.shape(row.shape)}`;
  const { site } = row;
  if (site) {
    label.title += `, made at ${site.text}`;
    label.classList.add('ts-link');
    label.addEventListener('click', () => goTo(label, site));
  }
  return { node, name, status, strip, norm, dot, band, update };
}

function fillRow(shown: Row, row: ParameterRow): void {
  const bad = BAD.has(row.status);
  shown.node.dataset.status = row.status;
  shown.node.classList.toggle('ts-row-trouble', bad);
  shown.status.textContent = row.status === 'ok' ? '' : row.status === 'none' ? 'no gradient' : row.status === 'nonfinite' ? 'not finite' : row.status;
  shown.norm.textContent = row.status === 'nonfinite' && row.norm === null ? 'nan' : format.number(row.norm);
  shown.update.textContent = format.number(row.update);
  const ratio = row.update ?? NaN;
  shown.dot.hidden = Number.isNaN(ratio) || row.status === 'none' || row.status === 'frozen';
  shown.dot.style.left = `${100 * bandPlace(ratio)}%`;
  shown.dot.className = ratio >= HEALTHY[0] && ratio <= HEALTHY[1] ? 'ts-in' : 'ts-out';
  shown.band.setAttribute('aria-label', `update to weight ${format.number(row.update)}; healthy is 1e-4 to 1e-2`);
}

export const gradientsPicture: MakePicture = (body, controls, redraw) => new GradientsPicture(body, controls, redraw);
