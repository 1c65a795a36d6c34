/** A layered layout of our own, left to right: tape order is topological, so columns are longest paths.
 * Rooms are laid out inside out, so none overlaps another; a room too wide for the page breaks into rows. */

import { shape } from './format';
import type { TapeNode } from './protocol';
import { members, type Item, type Op, type Room } from './rooms';

export interface Rectangle {
  x: number;
  y: number;
  width: number;
  height: number;
}

export interface Box extends Rectangle {
  key: string;
  kind: 'op' | 'parameter' | 'input' | 'closed';
  node: TapeNode | null;
  room: Room | null;
}

/** An open room; outer rooms come before those in them. */
export interface Frame extends Rectangle {
  room: Room;
}

export interface Wire {
  sources: number[];
  target: number;
  bytes: number;
  path: string;
}

export interface Layout {
  boxes: Box[];
  frames: Frame[];
  wires: Wire[];
  width: number;
  height: number;
}

export type Edge = [number, number, number];

const OP_HEIGHT = 26;
const GAP_X = 22;
const GAP_Y = 16;
const ROW_GAP = 34;
const PADDING = 10;
const TITLE = 24;
const SHAPE = 15;
const DOCK = 62;
const LANE = 7;

/** One item, laid out at its own origin; `port` is the height at which its main line enters and leaves. */
interface Block {
  width: number;
  height: number;
  port: number;
  boxes: Box[];
  frames: Frame[];
  arcs: { from: number; to: number; y: number }[];
}

/** Widths are estimated, not measured, so that a layout needs no page. */
function opWidth(node: TapeNode): number {
  return Math.max(62, Math.min(150, node.label.length * 6.7 + 24), shape(node.shape).length * 5.9 + 4);
}

export function dockLabel(node: TapeNode): string {
  const last = node.kind === 'parameter' ? (node.name ?? node.label).split('.').pop() ?? '' : node.label;
  return last.length > 12 ? `${last.slice(0, 11)}…` : last;
}

function dockWidth(node: TapeNode): number {
  return Math.max(50, dockLabel(node).length * 6.5 + 14, shape(node.shape).length * 5.9);
}

function boxOf(node: TapeNode, x: number, y: number, width: number): Box {
  return { key: `n${node.id}`, kind: node.kind, node, room: null, x, y, width, height: node.kind === 'op' ? OP_HEIGHT : 22 };
}

function block(width: number, height: number, port: number, boxes: Box[]): Block {
  return { width, height, port, boxes, frames: [], arcs: [] };
}

function opBlock(item: Op): Block {
  const own = opWidth(item.node);
  const docks = item.docked.map(dockWidth);
  const below = docks.reduce((sum, width) => sum + width, 0) + 8 * Math.max(0, docks.length - 1);
  const width = Math.max(own, below);
  const boxes = [boxOf(item.node, (width - own) / 2, 0, own)];
  let x = (width - below) / 2;
  item.docked.forEach((node, k) => {
    boxes.push(boxOf(node, x, OP_HEIGHT + DOCK - 22, docks[k]));
    x += docks[k] + 8;
  });
  return block(width, docks.length ? OP_HEIGHT + DOCK + SHAPE : OP_HEIGHT + SHAPE, OP_HEIGHT / 2, boxes);
}

function closedBlock(room: Room): Block {
  const label = `${room.path} ${room.type}`;
  const width = Math.max(84, Math.min(190, label.length * 6.1 + 24));
  const box: Box = { key: `r${room.key}`, kind: 'closed', node: null, room, x: 0, y: 0, width, height: 44 };
  return block(width, 44, 22, [box]);
}

/** Which column each item stands in: one after its last source; sources just before their first use. */
function columnsOf(count: number, edges: { from: number; to: number }[]): number[] {
  const column = new Array<number>(count).fill(0);
  const sorted = [...edges].sort((a, b) => a.to - b.to);
  const fed = new Set(sorted.map(edge => edge.to));
  for (const { from, to } of sorted) {
    column[to] = Math.max(column[to], column[from] + 1);
  }
  for (let k = 0; k < count; k++) {
    const uses = sorted.filter(edge => edge.from === k).map(edge => column[edge.to]);
    if (!fed.has(k) && uses.length) {
      column[k] = Math.min(...uses) - 1;
    }
  }
  return column;
}

/** Order the items of a column by where their sources are, and push them apart around their line. */
function stack(column: number[], blocks: Block[], wanted: (k: number) => number): Map<number, number> {
  const order = [...column].sort((a, b) => wanted(a) - wanted(b) || a - b);
  const top = new Map<number, number>();
  let free = -Infinity;
  let shift = 0;
  for (const k of order) {
    const y = Math.max(wanted(k) - blocks[k].port, free);
    top.set(k, y);
    free = y + blocks[k].height + GAP_Y;
    shift += y + blocks[k].port - wanted(k);
  }
  const back = column.length > 1 ? shift / column.length : 0;
  order.forEach(k => top.set(k, (top.get(k) ?? 0) - back));
  return top;
}

/** A wire within a room, by the places of its two items; it may come from outside the room. */
interface Inner {
  from: number;
  to: number;
  source: number;
  target: number;
}

const OUTSIDE = -1;

/** Lay out the items of one room in columns, and the columns in rows that fit `maximum`. */
function content(items: Item[], edges: Edge[], open: (room: Room) => boolean, maximum: number): Block {
  const blocks = items.map(item => itemBlock(item, edges, open, maximum - 2 * PADDING));
  const owner = new Map<number, number>();
  items.forEach((item, k) => members(item).forEach(node => owner.set(node.id, k)));
  const inner: Inner[] = [];
  for (const [source, target] of edges) {
    const from = owner.get(source);
    const to = owner.get(target);
    if (to !== undefined && from !== to) {
      inner.push({ from: from ?? OUTSIDE, to, source, target });
    }
  }
  inner.sort((a, b) => a.to - b.to);
  const column = columnsOf(items.length, inner.filter(edge => edge.from !== OUTSIDE));
  const columns: number[][] = [];
  column.forEach((c, k) => (columns[c] ??= []).push(k));
  const full = columns.map(c => c ?? []).filter(c => c.length);
  const result = block(0, 0, 0, []);
  let row: number[][] = [];
  let width = 0;
  const flush = (): void => {
    placeRow(row, blocks, inner, result);
    row = [];
    width = 0;
  };
  for (const c of full) {
    const wide = Math.max(...c.map(k => blocks[k].width));
    if (row.length && width + wide > maximum) {
      flush();
    }
    row.push(c);
    width += wide + GAP_X;
  }
  if (row.length) {
    flush();
  }
  return result;
}

/** Place one row of columns under what `result` holds; wires that skip a column get a lane above it. */
function placeRow(row: number[][], blocks: Block[], inner: Inner[], result: Block): void {
  const line = new Map<number, number>();
  const tops = new Map<number, number>();
  const index = new Map<number, number>();
  row.forEach((column, c) => {
    column.forEach(k => index.set(k, c));
    const wanted = (k: number): number => {
      const from = inner.filter(edge => edge.to === k && line.has(edge.from) && c - (index.get(edge.from) ?? 0) === 1);
      return from.length ? from.reduce((sum, edge) => sum + (line.get(edge.from) ?? 0), 0) / from.length : 0;
    };
    stack(column, blocks, wanted).forEach((top, k) => {
      tops.set(k, top);
      line.set(k, top + blocks[k].port);
    });
  });
  index.set(OUTSIDE, -1);
  const length = (edge: Inner): number => (index.get(edge.to) ?? -9) - (index.get(edge.from) ?? 99);
  const skips = inner.filter(edge => length(edge) > 1).sort((a, b) => length(a) - length(b));
  const lanes = new Map<string, number>();
  skips.forEach(edge => {
    if (!lanes.has(`${edge.source}`)) {
      lanes.set(`${edge.source}`, Math.min(lanes.size, 5));
    }
  });
  const least = Math.min(...tops.values());
  const first = result.height === 0;
  const start = (first ? 0 : result.height + ROW_GAP) + (lanes.size ? 8 + LANE * Math.min(lanes.size, 6) : 0);
  let x = 0;
  let bottom = 0;
  row.forEach(column => {
    const wide = Math.max(...column.map(k => blocks[k].width));
    column.forEach(k => {
      const y = start + (tops.get(k) ?? 0) - least;
      append(result, blocks[k], x + (wide - blocks[k].width) / 2, y);
      bottom = Math.max(bottom, y + blocks[k].height);
    });
    x += wide + GAP_X;
  });
  if (first) {
    const main = row[0][0];
    result.port = start + (line.get(main) ?? 0) - least;
  }
  for (const edge of skips) {
    const y = start - 8 - LANE * (lanes.get(`${edge.source}`) ?? 0);
    result.arcs.push({ from: edge.source, to: edge.target, y });
  }
  result.width = Math.max(result.width, x - GAP_X);
  result.height = bottom;
}

function append(into: Block, from: Block, x: number, y: number): void {
  from.boxes.forEach(box => into.boxes.push({ ...box, x: box.x + x, y: box.y + y }));
  from.frames.forEach(frame => into.frames.push({ ...frame, x: frame.x + x, y: frame.y + y }));
  from.arcs.forEach(arc => into.arcs.push({ ...arc, y: arc.y + y }));
}

function itemBlock(item: Item, edges: Edge[], open: (room: Room) => boolean, maximum: number): Block {
  if (item.kind === 'source') {
    const width = Math.max(52, dockWidth(item.node) + 8);
    return block(width, 22 + SHAPE, 11, [boxOf(item.node, 0, 0, width)]);
  }
  if (item.kind === 'op') {
    return opBlock(item);
  }
  if (!open(item)) {
    return closedBlock(item);
  }
  const ids = new Set(members(item).map(node => node.id));
  const own = edges.filter(([, target]) => ids.has(target));
  const inside = content(item.children, own, open, maximum);
  const title = `${item.path} ${item.type}`.length * 5.9 + 18;
  const width = Math.max(inside.width + 2 * PADDING, Math.min(title, 190));
  const height = inside.height + TITLE + PADDING;
  const result = block(width, height, inside.port + TITLE, []);
  result.frames.push({ room: item, x: 0, y: 0, width, height });
  append(result, inside, (width - inside.width) / 2, TITLE);
  return result;
}

/** Lay out a tape in a page `maximum` wide. */
export function layout(root: Room, edges: Edge[], open: (room: Room) => boolean, maximum: number): Layout {
  const placed = content(root.children, edges, open, Math.max(200, maximum));
  const at = new Map<number, Box>();
  for (const box of placed.boxes) {
    (box.node ? [box.node] : members(box.room!)).forEach(node => at.set(node.id, box));
  }
  const arcs = new Map(placed.arcs.map(arc => [`${arc.from}>${arc.to}`, arc.y]));
  const wires = new Map<string, Wire>();
  for (const [source, target, bytes] of edges) {
    const a = at.get(source);
    const b = at.get(target);
    if (!a || !b || a === b) {
      continue;
    }
    const wire = wires.get(`${a.key}>${b.key}`);
    if (wire) {
      wire.bytes += bytes;
      wire.sources.push(source);
    } else {
      const path = route(a, b, arcs.get(`${source}>${target}`), placed.frames);
      wires.set(`${a.key}>${b.key}`, { sources: [source], target, bytes, path });
    }
  }
  return { boxes: placed.boxes, frames: placed.frames, wires: [...wires.values()], width: placed.width, height: placed.height };
}

/** The outermost room around `a` that does not hold `b`; without one, `a` itself. */
function outside(a: Box, b: Box, frames: Frame[]): Rectangle {
  const holds = (frame: Frame, box: Box): boolean =>
    frame.x <= box.x && frame.y <= box.y && frame.x + frame.width >= box.x + box.width && frame.y + frame.height >= box.y + box.height;
  return frames.find(frame => holds(frame, a) && !holds(frame, b)) ?? a;
}

/** The path of a wire: up from a docked box, over the lane of a skip, straight on, or back to the next row. */
function route(a: Box, b: Box, lane: number | undefined, frames: Frame[]): string {
  const ax = a.x + a.width;
  const ay = a.y + a.height / 2;
  const bx = b.x;
  const by = b.y + b.height / 2;
  const middle = a.x + a.width / 2;
  const docked = Math.abs(a.y - b.y - OP_HEIGHT - DOCK + 22) < 1 || (a.y > b.y + b.height && ax > bx); // not a source beside it
  if (a.kind !== 'op' && a.kind !== 'closed' && docked && Math.abs(middle - bx - b.width / 2) < 160) {
    const end = bx + b.width / 2 + Math.max(-12, Math.min(12, (middle - bx - b.width / 2) / 5));
    const under = b.y + b.height + SHAPE; // below the shape that stands under the operation
    const half = (a.y + under) / 2;
    return `M${middle},${a.y}C${middle},${half} ${end},${half} ${end},${under}`;
  }
  if (lane !== undefined && bx > ax) {
    const r = Math.min(12, (bx - ax) / 4);
    return `M${ax},${ay}C${ax + r},${ay} ${ax + 4},${lane} ${ax + r + 10},${lane}${descent(b, lane)}`;
  }
  if (bx >= ax) {
    const reach = Math.min(40, (bx - ax) / 2);
    return `M${ax},${ay}C${ax + reach},${ay} ${bx - reach},${by} ${bx},${by}`;
  }
  return back(a, b, lane, outside(a, b, frames), outside(b, a, frames));
}

/** Along a lane, and down to a box. */
function descent(b: Box, lane: number): string {
  const by = b.y + b.height / 2;
  return `L${b.x - 22},${lane}C${b.x - 4},${lane} ${b.x - 12},${by} ${b.x},${by}`;
}

/** Out of the room at its right, through the gap between the rows, and into the other room at its left. */
function back(a: Box, b: Box, lane: number | undefined, from: Rectangle, to: Rectangle): string {
  const ay = a.y + a.height / 2;
  const by = lane ?? b.y + b.height / 2;
  const right = from.x + from.width + 10;
  const left = to.x - 10;
  const turn = to.y > ay ? Math.max(to.y - ROW_GAP / 2, ay + 18) : Math.min(from.y, to.y) - 12;
  const s = turn > ay ? 8 : -8;
  const e = by > turn ? 8 : -8;
  return (
    `M${a.x + a.width},${ay}H${right - 8}q8,0 8,${s}V${turn - s}q0,${s} -8,${s}H${left + 8}` +
    `q-8,0 -8,${e}V${by - e}q0,${e} 8,${e}` +
    (lane === undefined ? `H${b.x}` : descent(b, lane))
  );
}
