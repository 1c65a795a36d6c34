import assert from 'node:assert/strict';
import { test } from 'node:test';
import { bandPlace, columnEdges, Extent } from '../src/shared/gradients';
import { stacked } from '../src/shared/memory';
import { frameOf, rowsOf, type GradientsSnapshot, type MemorySnapshot, type TapeSnapshot } from '../src/shared/protocol';
import { tints, wireWidth } from '../src/shared/tape';
import { luminance } from '../src/shared/theme';
import { golden, pack } from './golden';

test('the golden tape is in order and whole', () => {
  const tape = golden('tape').snapshot as TapeSnapshot;
  const place = new Map(tape.nodes.map((node, k) => [node.id, k]));
  assert.ok(tape.edges.every(([a, b]) => place.get(a)! < place.get(b)!));
  assert.equal(tape.nodes.reduce((sum, node) => sum + node.saved, 0), tape.saved_bytes);
});

test('the golden gradients have a row for each number they promise', () => {
  const { snapshot, history } = golden('gradients');
  const gradients = snapshot as GradientsSnapshot;
  assert.equal(history.length, 2 + 2 * gradients.parameters.length);
  assert.ok(history.every(row => row.length === gradients.columns));
  assert.ok(Number.isNaN(history[2 + gradients.parameters.length][0]), 'no update before the first step');
});

test('the golden memory stacks up to its total', () => {
  const { snapshot, history } = golden('memory');
  const memory = snapshot as MemorySnapshot;
  assert.equal(history.length, 1 + memory.roles.length);
  const top = stacked(history.slice(1)).pop()!;
  assert.ok(Math.abs(top[top.length - 1] - memory.total) <= memory.total * 1e-6);
});

test('another version, an unknown view and no snapshot are refused in words', () => {
  const tape = golden('tape').snapshot;
  assert.throws(() => frameOf({ ...tape, v: 2 }), /version 2 .* version 1/);
  assert.throws(() => frameOf({ ...tape, view: 'loom' }), /no view called "loom"/);
  assert.throws(() => frameOf(null), /no snapshot/);
});

test('a buffer is cut into rows wherever it starts', () => {
  const packed = pack([[0, 1], [2, null]]);
  const rows = rowsOf(new DataView(packed, 4, 8), 2);
  assert.deepEqual(rows.map(row => [...row]), [[1, 2]]);
  assert.deepEqual(rowsOf(null, 2), []);
});

test('hue and width follow the numbers', () => {
  const tape = golden('tape').snapshot as TapeSnapshot;
  const depth = tints(tape.nodes);
  assert.equal(depth.get(13), 1);
  assert.ok(depth.get(3)! < depth.get(11)! && depth.get(3)! >= 0.25);
  assert.ok(!depth.has(0), 'x has no gradient');
  assert.ok(wireWidth(4) === 1 && wireWidth(1e12) === 7 && wireWidth(32768) > wireWidth(4096));
  assert.ok(bandPlace(1e-4) === 0.5 && bandPlace(0) === 0 && bandPlace(1e9) === 1);
});

test('an extent only grows', () => {
  const extent = new Extent();
  extent.take([-3, -1, NaN, Infinity]);
  assert.equal(extent.place(-1, 1), 1);
  extent.take([-2]);
  assert.equal(extent.low, -3);
});

test('light and dark are told by luminance', () => {
  assert.ok(luminance('#111')! < 0.4 && luminance('rgb(255, 255, 255)')! > 0.9);
  assert.equal(luminance(''), null);
});

test('columns are as wide as the steps that they stand for', () => {
  assert.deepEqual(columnEdges([4, 8, 12, 16]), [0, 0.25, 0.5, 0.75, 1]);
  assert.deepEqual(columnEdges([1, 2, 4]), [0, 0.25, 0.5, 1]);
  assert.deepEqual(columnEdges([7]), [0, 1]);
});
