import assert from 'node:assert/strict';
import { test } from 'node:test';
import { layout, type Box, type Layout } from '../src/shared/layout';
import type { TapeNode, TapeSnapshot } from '../src/shared/protocol';
import { depthOf, members, rooms } from '../src/shared/rooms';
import { golden } from './golden';

const everything = (): boolean => true;
const nothing = (): boolean => false;

function node(id: number, scope: string, kind: TapeNode['kind'] = 'op'): TapeNode {
  return { id, kind, label: `op${id}`, name: null, shape: [2], dtype: 'float32', bytes: 8, saved: 0, scope, site: null, inputs: [], value: null, grad: null, time_us: null };
}

function tape(scopes: string[], edges: [number, number][]): TapeSnapshot {
  const paths = [...new Set(scopes)].filter(scope => scope !== '');
  return {
    v: 1, view: 'tape', seq: 1, state: 'idle', title: '', step: null, sentence: '', sentence_sites: [], folded: 0, saved_bytes: 0,
    nodes: scopes.map((scope, id) => node(id, scope)),
    edges: edges.map(([a, b]) => [a, b, 8]),
    scopes: paths.map(path => ({ path, type: 'Block' }))
  };
}

function overlapping({ boxes }: Layout): [Box, Box][] {
  const pairs = boxes.flatMap((a, k) => boxes.slice(k + 1).map((b): [Box, Box] => [a, b]));
  return pairs.filter(([a, b]) => a.x < b.x + b.width && b.x < a.x + a.width && a.y < b.y + b.height && b.y < a.y + a.height);
}

test('the golden tape: operations run left to right on one line, parameters hang below', () => {
  const snapshot = golden('tape').snapshot as TapeSnapshot;
  const laid = layout(rooms(snapshot), snapshot.edges, everything, Infinity);
  const operations = laid.boxes.filter(box => box.kind === 'op');
  assert.equal(laid.boxes.length, snapshot.nodes.length);
  assert.ok(operations.every((box, k) => k === 0 || (box.x > operations[k - 1].x && box.y === operations[0].y)));
  assert.ok(laid.boxes.filter(box => box.kind === 'parameter').every(box => box.y > operations[0].y));
  assert.deepEqual(overlapping(laid), []);
  assert.deepEqual(laid.frames.map(frame => frame.room.path), ['0', '1', '2', '3', '4']);
});

test('closed rooms are one box each, and their wires are joined', () => {
  const snapshot = golden('tape').snapshot as TapeSnapshot;
  const laid = layout(rooms(snapshot), snapshot.edges, nothing, Infinity);
  assert.deepEqual(laid.boxes.filter(box => box.kind === 'closed').map(box => box.room?.path), ['0', '1', '2', '3', '4']);
  assert.equal(laid.wires.length, 7);
});

test('a module called twice is two rooms, so that no wire runs back', () => {
  const root = rooms(tape(['cell', '', 'cell'], [[0, 1], [1, 2]]));
  assert.deepEqual(root.children.map(child => (child.kind === 'room' ? child.key : 'op')), ['cell#1', 'op', 'cell#2']);
});

test('rooms nest, and hold exactly their members', () => {
  const snapshot = tape(['a', 'a.b', 'a.b.c', 'a', ''], [[0, 1], [1, 2], [2, 3], [0, 3], [3, 4]]);
  const root = rooms(snapshot);
  assert.equal(depthOf(root), 3);
  assert.deepEqual(members(root.children[0]).map(one => one.id), [0, 1, 2, 3]);
  const laid = layout(root, snapshot.edges, everything, Infinity);
  for (const frame of laid.frames) {
    const inside = new Set(members(frame.room).map(one => one.id));
    for (const box of laid.boxes) {
      const within = box.x >= frame.x && box.x + box.width <= frame.x + frame.width && box.y >= frame.y && box.y + box.height <= frame.y + frame.height;
      assert.equal(within, inside.has(box.node!.id), `${frame.room.path} and op${box.node!.id}`);
    }
  }
});

test('a long chain breaks into rows that fit', () => {
  const count = 400;
  const snapshot = tape(Array<string>(count).fill(''), Array.from({ length: count - 1 }, (_, k) => [k, k + 1]));
  const laid = layout(rooms(snapshot), snapshot.edges, everything, 800);
  assert.ok(laid.width <= 800);
  assert.deepEqual(overlapping(laid), []);
  assert.equal(laid.wires.length, count - 1);
});

test('parallel branches stand above one another', () => {
  const snapshot = tape(['', '', '', ''], [[0, 1], [0, 2], [1, 3], [2, 3]]);
  const laid = layout(rooms(snapshot), snapshot.edges, everything, Infinity);
  assert.equal(laid.boxes[1].x, laid.boxes[2].x);
  assert.deepEqual(overlapping(laid), []);
});

test('an empty tape and a lone node are laid out too', () => {
  assert.equal(layout(rooms(tape([], [])), [], everything, 800).boxes.length, 0);
  assert.equal(layout(rooms(tape([''], [])), [], everything, 800).boxes.length, 1);
});
