/** The tape as a picture: rooms, round operations, square parameters, wires as wide as their bytes,
 * orange where a gradient has arrived. Click or Enter shows a node and goes to its line. */

import { goTo, h, s } from './dom';
import * as format from './format';
import { choice, empty, type MakePicture, type Picture } from './frame';
import { inspector } from './inspector';
import { dockLabel, layout, type Box, type Layout } from './layout';
import { Camera } from './camera';
import type { Frame, TapeNode, TapeSnapshot } from './protocol';
import { depthOf, members, rooms, type Room } from './rooms';

const INSPECTOR = 268;
const MAXIMUM_HEIGHT = 520;
const ONE_ROW = 0.78; // the scale down to which a tape stays in one row
const READABLE = 0.6; // rooms start closed where the open tape would be smaller than this

/** Wire width in pixels: 1 up to 64 bytes, then a third of a pixel for each doubling. */
export function wireWidth(bytes: number): number {
  return bytes <= 64 ? 1 : Math.min(7, 1 + 0.33 * (Math.log2(bytes) - 6));
}

/** How deep the orange of each gradient norm is, 0.25 to 1 on a log scale between the smallest and the largest. */
export function tints(nodes: TapeNode[]): Map<number, number> {
  const logs = new Map<number, number>();
  for (const node of nodes) {
    if (node.grad) {
      const norm = node.grad.norm;
      logs.set(node.id, norm && Number.isFinite(norm) ? Math.log10(norm) : norm === 0 ? -45 : 2);
    }
  }
  const known = [...logs.values()].filter(log => log > -45);
  const high = Math.max(...known, -8);
  const low = Math.max(Math.min(...known, high - 1), high - 8);
  return new Map([...logs].map(([id, log]) => [id, 0.25 + 0.75 * Math.max(0, Math.min(1, (log - low) / (high - low)))]));
}

function broken(node: TapeNode): boolean {
  return (node.grad?.nonfinite ?? 0) > 0 || (node.value?.nonfinite ?? 0) > 0;
}

class TapePicture implements Picture {
  private readonly svg = s('svg', { class: 'ts-tape-svg', 'data-lm-suppress-shortcuts': 'true' }); // its arrows are not the notebook's
  private readonly scene = s('g');
  private readonly stage = h('div', { class: 'ts-stage' });
  private readonly side = h('aside', { class: 'ts-inspector', 'aria-label': 'selected node' });
  private readonly legend = h('div', { class: 'ts-legend' });
  private readonly camera: Camera;
  private readonly show: (mode: 'modules' | 'nodes') => void;
  private readonly opened = new Map<string, boolean>();
  private tape: TapeSnapshot | null = null;
  private laid: Layout | null = null;
  private held: TapeNode[] = []; // the layout's own nodes; a frame of the same shape brings them new numbers
  private shape = '';
  private mode: 'modules' | 'nodes' | null = null;
  private selected: string | null = null;

  constructor(private readonly body: HTMLElement, controls: HTMLElement, private readonly redraw: () => void) {
    this.svg.append(this.scene);
    this.stage.append(this.svg, this.legend);
    this.camera = new Camera(this.svg, this.scene, controls);
    this.show = choice<'modules' | 'nodes'>(controls, ['modules', 'nodes'], 'nodes', mode => {
      this.opened.clear();
      this.mode = mode;
      this.redraw();
    });
    this.svg.addEventListener('keydown', event => this.key(event));
  }

  about({ snapshot }: Frame): string {
    const tape = snapshot as TapeSnapshot;
    const folded = tape.folded ? ` · ${tape.folded} folded` : '';
    return `${tape.title} · ${format.count(tape.nodes.length, 'node')}${folded} · ${format.bytes(tape.saved_bytes)} saved`;
  }

  names({ snapshot }: Frame): string[] {
    const tape = snapshot as TapeSnapshot;
    return tape.nodes.filter(node => node.name).map(node => node.name as string);
  }

  trouble({ snapshot }: Frame): boolean {
    return (snapshot as TapeSnapshot).nodes.some(broken);
  }

  draw({ snapshot }: Frame, width: number): void {
    const tape = snapshot as TapeSnapshot;
    this.tape = tape;
    if (tape.nodes.length === 0) {
      this.body.replaceChildren(empty('Nothing recorded yet. Compute something with requires_grad, then', 'ts.tape(loss)'));
      this.shape = '';
      return;
    }
    if (this.stage.parentElement !== this.body) {
      this.body.replaceChildren(h('div', { class: 'ts-tape' }, this.stage, this.side));
    }
    const room = width < 720 ? width : width - INSPECTOR;
    const shape = JSON.stringify([room, this.mode, [...this.opened], tape.edges, tape.nodes.map(n => [n.id, n.label, n.scope, n.shape])]);
    if (shape !== this.shape) {
      this.shape = shape;
      this.held = tape.nodes.map(node => ({ ...node }));
      this.arrange({ ...tape, nodes: this.held }, room);
    } else {
      tape.nodes.forEach((node, k) => Object.assign(this.held[k], node));
    }
    this.paint(tape);
    this.inspect();
  }

  /** Choose which rooms are open, lay out, and set the camera. */
  private arrange(tape: TapeSnapshot, width: number): void {
    const root = rooms(tape);
    const deepest = depthOf(root);
    const frame = width - 40;
    const auto = this.mode === null;
    let depth = this.mode === 'modules' ? Math.max(0, deepest - 1) : deepest;
    let fitted = this.fit(root, tape, depth, frame);
    while (depth > 0 && (auto || this.mode === 'modules') && fitted.scale < READABLE) {
      fitted = this.fit(root, tape, --depth, frame);
    }
    this.mode ??= depth === deepest ? 'nodes' : 'modules';
    this.show(this.mode);
    this.laid = fitted.laid;
    const { laid } = fitted;
    const scale = Math.max(0.5, fitted.scale);
    const height = Math.min(MAXIMUM_HEIGHT, laid.height * scale) + 32;
    this.camera.frame(width, height, laid.width, laid.height, scale);
  }

  /** Lay out in one row where that stays readable, else in rows at the largest scale that fits. */
  private fit(root: Room, tape: TapeSnapshot, depth: number, frame: number): { laid: Layout; scale: number } {
    const open = (room: Room): boolean => this.opened.get(room.key) ?? room.depth <= depth;
    let laid = layout(root, tape.edges, open, Infinity);
    let scale = Math.min(1, frame / laid.width, MAXIMUM_HEIGHT / laid.height);
    for (const wanted of scale < ONE_ROW ? [1, 0.85, 0.7, 0.6, 0.5] : []) {
      laid = layout(root, tape.edges, open, frame / wanted);
      scale = Math.min(wanted, frame / laid.width, MAXIMUM_HEIGHT / laid.height);
      if (laid.height * wanted <= MAXIMUM_HEIGHT) {
        break;
      }
    }
    return { laid, scale };
  }

  private paint(tape: TapeSnapshot): void {
    const laid = this.laid as Layout;
    const focused = this.scene.contains(document.activeElement);
    const depth = tints(tape.nodes);
    const byKey = new Map(laid.boxes.map(box => [box.key, box]));
    if (!this.selected || !byKey.has(this.selected)) {
      const operations = laid.boxes.filter(box => box.kind === 'op');
      this.selected = (operations[operations.length - 1] ?? laid.boxes[laid.boxes.length - 1]).key;
    }
    this.scene.replaceChildren();
    for (const frame of laid.frames) {
      this.scene.append(this.roomFrame(frame));
    }
    for (const wire of laid.wires) {
      const tint = Math.max(0, ...wire.sources.map(id => depth.get(id) ?? 0));
      const hue = tint > 0 ? 'ts-wire ts-wire-grad' : 'ts-wire';
      const path = { class: hue, d: wire.path, 'stroke-width': wireWidth(wire.bytes).toFixed(2), 'stroke-opacity': tint ? 0.3 + 0.65 * tint : null };
      this.scene.append(s('path', path));
    }
    for (const box of laid.boxes) {
      this.scene.append(box.node ? this.node(box, box.node, depth) : this.closed(box, depth));
    }
    this.svg.setAttribute('role', 'group');
    this.svg.setAttribute('aria-label', tape.sentence);
    this.writeLegend(depth.size > 0, tape.nodes.some(broken));
    if (focused) {
      this.element()?.focus();
    }
  }

  private roomFrame(frame: Layout['frames'][number]): SVGElement {
    const { room, x, y, width, height } = frame;
    const title = s('text', { class: 'ts-room-title', x: x + 10, y: y + 16 });
    title.textContent = format.shorten(`${room.path} ${room.type}`, Math.max(6, Math.floor((width - 12) / 5.9)));
    const box = s('rect', { x, y, width, height, rx: 8 });
    const hit = s('rect', { class: 'ts-room-hit', x, y, width, height: 22, rx: 8 });
    const group = s('g', { class: 'ts-room', 'data-room': room.path }, box, title, hit, s('title', {}, `close ${room.path} ${room.type}`));
    hit.addEventListener('click', () => this.toggle(room, false));
    return group;
  }

  private group(box: Box, label: string): SVGGElement {
    const chosen = box.key === this.selected;
    const group = s('g', { role: 'button', 'aria-label': label, tabindex: chosen ? 0 : -1, 'data-key': box.key });
    group.addEventListener('click', () => this.press(box));
    if (chosen) {
      const { x, y, width, height } = box;
      const round = box.kind === 'parameter' ? 6 : box.kind === 'closed' ? 11 : (height + 8) / 2;
      group.append(s('rect', { class: 'ts-ring', x: x - 4, y: y - 4, width: width + 8, height: height + 8, rx: round }));
    }
    return group;
  }

  private node(box: Box, node: TapeNode, depth: Map<number, number>): SVGElement {
    const tint = depth.get(node.id);
    const gradient = node.grad ? `, gradient norm ${format.number(node.grad.norm)}` : '';
    const group = this.group(box, `${node.name ?? node.label} ${format.shape(node.shape)}${gradient}`);
    const { x, y, width, height } = box;
    group.classList.add('ts-node');
    group.classList.toggle('ts-has-grad', tint !== undefined);
    group.classList.toggle('ts-broken', broken(node));
    group.dataset.id = String(node.id);
    group.dataset.kind = node.kind;
    const rx = node.kind === 'parameter' ? 3 : height / 2;
    group.append(s('rect', { class: 'ts-plate', x, y, width, height, rx }));
    if (tint !== undefined) {
      group.append(s('rect', { class: 'ts-tint', x, y, width, height, rx, 'fill-opacity': (0.06 + 0.5 * tint * tint).toFixed(3) }));
    }
    const text = node.kind === 'op' ? format.shorten(node.label, 20) : dockLabel(node);
    group.append(s('text', { class: 'ts-label', x: x + width / 2, y: y + height / 2 + 4 }, text));
    group.append(s('text', { class: 'ts-sub', x: x + width / 2, y: y + height + 11.5 }, format.shape(node.shape)));
    if (broken(node)) {
      group.append(s('circle', { class: 'ts-dot', cx: x + width - 5, cy: y, r: 4 }));
    }
    group.append(s('title', {}, `${node.name ?? node.label} ${format.shape(node.shape)} ${format.dtype(node.dtype)}${gradient}`));
    return group;
  }

  private closed(box: Box, depth: Map<number, number>): SVGElement {
    const room = box.room as Room;
    const inside = members(room);
    const deepest = Math.max(0, ...inside.map(node => depth.get(node.id) ?? 0));
    const saved = inside.reduce((sum, node) => sum + node.saved, 0);
    const group = this.group(box, `${room.path} ${room.type}, ${format.count(inside.length, 'node')}, closed`);
    const { x, y, width, height } = box;
    group.classList.add('ts-closed');
    group.classList.toggle('ts-has-grad', deepest > 0);
    group.classList.toggle('ts-broken', inside.some(broken));
    group.dataset.room = room.path;
    group.append(s('rect', { class: 'ts-plate', x, y, width, height, rx: 8 }));
    if (deepest > 0) {
      group.append(s('rect', { class: 'ts-tint', x, y, width, height, rx: 8, 'fill-opacity': (0.06 + 0.4 * deepest * deepest).toFixed(3) }));
    }
    const title = format.shorten(`${room.path} ${room.type}`, Math.floor((width - 12) / 6.1));
    group.append(s('text', { class: 'ts-label', x: x + width / 2, y: y + 19 }, title));
    group.append(s('text', { class: 'ts-sub', x: x + width / 2, y: y + 34 }, `${inside.length} · ${format.bytes(saved)}`));
    group.append(s('title', {}, `open ${room.path} ${room.type}: ${format.count(inside.length, 'node')}, ${format.bytes(saved)} saved`));
    return group;
  }

  private writeLegend(gradients: boolean, trouble: boolean): void {
    const parts = [['wire', 'width: bytes'], ['operation', 'operation'], ['parameter', 'parameter']];
    if (gradients) {
      parts.push(['gradient', 'gradient has arrived, deeper: larger']);
    }
    if (trouble) {
      parts.push(['broken', 'not finite']);
    }
    if (this.camera.pans) {
      parts.push(['pan', 'drag to move, wheel to zoom']);
    }
    this.legend.replaceChildren(...parts.map(([key, text]) => h('span', {}, h('i', { class: 'ts-key', 'data-key': key }), text)));
  }

  private inspect(): void {
    const box = this.laid?.boxes.find(one => one.key === this.selected);
    const node = box?.node ?? (box?.room ? members(box.room).find(one => one.kind === 'op') : null);
    const state = JSON.stringify(node ?? null);
    if (node && this.side.dataset.state !== state) {
      this.side.dataset.state = state;
      this.side.replaceChildren(...inspector(node));
    }
  }

  private toggle(room: Room, open: boolean): void {
    if (this.camera.dragged) {
      return;
    }
    this.opened.set(room.key, open);
    this.redraw();
  }

  private select(box: Box): void {
    this.selected = box.key;
    if (this.tape) {
      this.paint(this.tape);
      this.inspect();
    }
  }

  private press(box: Box): void {
    if (this.camera.dragged) {
      return;
    }
    this.select(box);
    this.element()?.focus({ preventScroll: true });
    if (box.room) {
      this.toggle(box.room, true);
    } else if (box.node?.site) {
      goTo(this.svg, box.node.site);
    }
  }

  private element(): SVGGElement | null {
    return this.scene.querySelector<SVGGElement>('[tabindex="0"]');
  }

  private key(event: KeyboardEvent): void {
    const steps: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const boxes = this.laid?.boxes ?? [];
    const now = boxes.find(box => box.key === this.selected);
    const step = steps[event.key];
    if (!now || (!step && event.key !== 'Enter' && event.key !== ' ')) {
      return;
    }
    event.preventDefault();
    if (!step) {
      this.press(now);
      return;
    }
    const next = nearest(boxes, now, step);
    if (next) {
      this.select(next);
      this.element()?.focus();
    }
  }
}

/** The closest box in a direction; distance across it counts three times. */
function nearest(boxes: Box[], from: Box, [dx, dy]: [number, number]): Box | null {
  let best: Box | null = null;
  let least = Infinity;
  for (const box of boxes) {
    const x = box.x + box.width / 2 - from.x - from.width / 2;
    const y = box.y + box.height / 2 - from.y - from.height / 2;
    const along = x * dx + y * dy;
    const distance = along + 3 * Math.abs(x * dy + y * dx);
    if (along > 4 && distance < least) {
      best = box;
      least = distance;
    }
  }
  return best;
}

export const tapePicture: MakePicture = (body, controls, redraw) => new TapePicture(body, controls, redraw);
