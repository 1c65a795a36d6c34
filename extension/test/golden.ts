/** The golden snapshots that Python and TypeScript share. */

import { readFileSync } from 'node:fs';
import { frameOf, type Frame } from '../src/shared/protocol';

export function pack(rows: (number | null)[][]): ArrayBuffer {
  const flat = rows.flat();
  const view = new DataView(new ArrayBuffer(4 * flat.length));
  flat.forEach((value, k) => view.setFloat32(4 * k, value ?? NaN, true));
  return view.buffer;
}

/** Read as `npm test` runs: from the folder extension/. */
export function golden(name: string): Frame {
  const file = JSON.parse(readFileSync(`../tests/protocol/${name}.json`, 'utf8'));
  return frameOf(file.message, file.buffers.history ? pack(file.buffers.history) : null);
}
