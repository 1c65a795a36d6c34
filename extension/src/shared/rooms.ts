/** The tape as rooms: modules that hold the operations of one call, parameters docked at their first use.
 * A room is an unbroken run of the tape inside one scope, so contracting rooms cannot make a cycle. */

import type { TapeNode, TapeSnapshot } from './protocol';

export interface Op {
  kind: 'op';
  node: TapeNode;
  docked: TapeNode[];
}

export interface Room {
  kind: 'room';
  key: string;
  depth: number;
  path: string;
  type: string;
  children: Item[];
}

/** An input that feeds the first operations stands for itself, before them. */
export interface Source {
  kind: 'source';
  node: TapeNode;
}

export type Item = Op | Room | Source;

/** The scopes around a node, outermost first; only those that a module was called for. */
function enclosing(scope: string, known: Map<string, string>): string[] {
  const parts = scope === '' ? [] : scope.split('.');
  return parts.map((_, k) => parts.slice(0, k + 1).join('.')).filter(path => known.has(path));
}

/** The room of the whole tape. */
export function rooms(tape: TapeSnapshot): Room {
  const known = new Map(tape.scopes.map(scope => [scope.path, scope.type]));
  const root: Room = { kind: 'room', key: '', depth: 0, path: '', type: '', children: [] };
  const byId = new Map(tape.nodes.map(node => [node.id, node]));
  const docks = new Map<number, TapeNode[]>();
  const placed = new Set<number>();
  for (const [source, target] of tape.edges) {
    const node = byId.get(source);
    const user = byId.get(target);
    if (!node || !user || node.kind === 'op' || placed.has(source)) {
      continue;
    }
    placed.add(source);
    const first = !tape.edges.some(([a, b]) => b === target && byId.get(a)?.kind === 'op');
    if (node.kind === 'input' && first) {
      root.children.push({ kind: 'source', node });
    } else {
      docks.set(target, [...(docks.get(target) ?? []), node]);
    }
  }
  const visits = new Map<string, number>();
  let open: Room[] = [root];
  for (const node of tape.nodes) {
    if (node.kind !== 'op') {
      if (!placed.has(node.id)) {
        root.children.push({ kind: 'source', node });
      }
      continue;
    }
    const paths = enclosing(node.scope, known);
    let depth = 0;
    while (depth < paths.length && open[depth + 1]?.path === paths[depth]) {
      depth++;
    }
    open = open.slice(0, depth + 1);
    for (const path of paths.slice(depth)) {
      const visit = (visits.get(path) ?? 0) + 1;
      visits.set(path, visit);
      const room: Room = { kind: 'room', key: `${path}#${visit}`, depth: open.length, path, type: known.get(path) ?? '', children: [] };
      open[open.length - 1].children.push(room);
      open.push(room);
    }
    open[open.length - 1].children.push({ kind: 'op', node, docked: docks.get(node.id) ?? [] });
  }
  return root;
}

/** All nodes of an item, docked ones too. */
export function members(item: Item): TapeNode[] {
  if (item.kind === 'room') {
    return item.children.flatMap(members);
  }
  return item.kind === 'op' ? [item.node, ...item.docked] : [item.node];
}

/** How many rooms deep the tape is; 0 without rooms. */
export function depthOf(room: Room): number {
  return Math.max(0, ...room.children.map(child => (child.kind === 'room' ? 1 + depthOf(child) : 0)));
}
