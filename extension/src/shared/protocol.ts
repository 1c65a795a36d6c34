/** What goes over the wire, version 1: the snapshots that the kernel builds in observe/, and how they are read.
 * Python checks the same golden files (tests/protocol); the two sides may not drift. */

export const VERSION = 1;
export const STREAM_TARGET = 'tapescope.v1';
export const REQUEST_TARGET = 'tapescope.v1.req';
export const GOTO_EVENT = 'tapescope:goto';

/** A line of code, as a cell's or a file's. */
export interface Site {
  label: string;
  text: string;
  cell: string | null;
  count: number | null;
  line: number;
  file: string | null;
  source: string;
}

export type State = 'live' | 'idle' | 'ended';

interface Common {
  v: number;
  seq: number;
  state: State;
  title: string;
  step: number | null;
  sentence: string;
  sentence_sites: (Site | null)[];
}

export interface Stats {
  norm: number | null;
  mean: number | null;
  std: number | null;
  min: number | null;
  max: number | null;
  nonfinite: number;
  hist: number[] | null;
  lo: number | null;
  hi: number | null;
}

export interface TapeNode {
  id: number;
  kind: 'op' | 'parameter' | 'input';
  label: string;
  name: string | null;
  shape: number[];
  dtype: string;
  bytes: number;
  saved: number;
  scope: string;
  site: Site | null;
  inputs: { name: string; shape: number[]; dtype: string }[];
  value: Stats | null;
  grad: Stats | null;
  time_us: number | null;
}

export interface TapeSnapshot extends Common {
  view: 'tape';
  nodes: TapeNode[];
  edges: [number, number, number][];
  scopes: { path: string; type: string }[];
  folded: number;
  saved_bytes: number;
}

export type Status = 'ok' | 'vanishing' | 'exploding' | 'nonfinite' | 'none' | 'frozen';

export interface ParameterRow {
  name: string;
  shape: number[];
  norm: number | null;
  update: number | null;
  status: Status;
  site: Site | null;
}

export interface GradientsSnapshot extends Common {
  view: 'gradients';
  parameters: ParameterRow[];
  columns: number;
  first_step: number;
  last_step: number;
  loss: number | null;
}

export interface Holder {
  name: string;
  detail: string;
  bytes: number;
  site: Site | null;
  trouble: boolean;
}

export interface MemorySnapshot extends Common {
  view: 'memory';
  device: string;
  total: number;
  peak: number;
  budget: number | null;
  roles: string[];
  columns: number;
  holders: Holder[];
  lines: { site: Site | null; bytes: number; count: number }[];
}

export type Snapshot = TapeSnapshot | GradientsSnapshot | MemorySnapshot;

/** A snapshot with its rows of numbers: each `columns` long, NaN where there is no value. */
export interface Frame {
  snapshot: Snapshot;
  history: Float32Array[];
}

export interface ViewEntry {
  id: string;
  view: string;
  title: string;
  state: string;
  sentence: string;
  site: Site | null;
  cell: string | null;
}

export interface ViewsMessage {
  type: 'views';
  v: number;
  seq: number;
  views: ViewEntry[];
}

/** Cut a buffer of little-endian float32 into rows; an incomplete last row is left out. */
export function rowsOf(buffer: ArrayBuffer | ArrayBufferView | null | undefined, columns: number): Float32Array[] {
  if (!buffer || columns < 1) {
    return [];
  }
  const view = buffer instanceof ArrayBuffer ? new DataView(buffer) : new DataView(buffer.buffer, buffer.byteOffset, buffer.byteLength);
  const rows: Float32Array[] = [];
  for (let at = 0; at + 4 * columns <= view.byteLength; at += 4 * columns) {
    const row = new Float32Array(columns);
    for (let k = 0; k < columns; k++) {
      row[k] = view.getFloat32(at + 4 * k, true);
    }
    rows.push(row);
  }
  return rows;
}

/** Read a message and its buffer as a frame; throws where this page cannot draw it. */
export function frameOf(message: unknown, buffer?: ArrayBuffer | ArrayBufferView | null): Frame {
  const snapshot = message as Snapshot;
  if (!snapshot || typeof snapshot !== 'object' || !('view' in snapshot)) {
    throw new Error('The kernel sent no snapshot.');
  }
  if (snapshot.v !== VERSION) {
    throw new Error(`The kernel speaks version ${snapshot.v} of the protocol, this page version ${VERSION}: reload the page.`);
  }
  if (!['tape', 'gradients', 'memory'].includes(snapshot.view)) {
    throw new Error(`This page has no view called "${(snapshot as { view: string }).view}".`);
  }
  return { snapshot, history: snapshot.view === 'tape' ? [] : rowsOf(buffer, snapshot.columns) };
}
