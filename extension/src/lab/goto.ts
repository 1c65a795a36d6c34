/** Going to a line of a notebook: activate its cell, scroll, set the cursor, flash the line. */

import type { CodeMirrorEditor } from '@jupyterlab/codemirror';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Cell, CodeCell } from '@jupyterlab/cells';
import { StateEffect, StateField, type Extension } from '@codemirror/state';
import { Decoration, EditorView, type DecorationSet } from '@codemirror/view';

const FLASH_MS = 1500;

/** What a `tapescope:goto` event carries. */
export interface Place {
  cell: string | null;
  line: number;
  count: number | null;
  file: string | null;
}

const flash = StateEffect.define<number>(); // a line, from 1; 0 clears

const flashField = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(now, transaction) {
    let next = now.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(flash)) {
        const known = effect.value >= 1 && effect.value <= transaction.state.doc.lines;
        const mark = Decoration.line({ class: 'ts-flash' });
        next = known ? Decoration.set([mark.range(transaction.state.doc.line(effect.value).from)]) : Decoration.none;
      }
    }
    return next;
  },
  provide: field => EditorView.decorations.from(field)
});

/** What every editor needs before a line of it can flash. */
export function flashExtension(): Extension {
  return flashField;
}

/** The cell with this id; else the one that ran last under this execution count; -1 for neither. */
export function findCell(cells: readonly Cell[], place: Place): number {
  const byId = place.cell ? cells.findIndex(cell => cell.model.id === place.cell) : -1;
  if (byId >= 0 || place.count === null || place.file) {
    return byId;
  }
  return cells.findIndex(cell => cell.model.type === 'code' && (cell as CodeCell).model.executionCount === place.count);
}

/** Scroll to a place and flash it; whether the notebook has it. */
export async function goTo(panel: NotebookPanel, place: Place): Promise<boolean> {
  const notebook = panel.content;
  const index = findCell(notebook.widgets, place);
  if (index < 0) {
    return false;
  }
  notebook.activeCellIndex = index;
  await notebook.scrollToItem(index, 'smart');
  const cell = notebook.widgets[index];
  await cell.ready; // a windowed notebook makes the editor late
  const editor = cell.editor as CodeMirrorEditor | null;
  if (!editor) {
    return true;
  }
  const line = Math.max(1, Math.min(place.line, editor.lineCount));
  const position = { line: line - 1, column: 0 };
  editor.setCursorPosition(position);
  editor.revealPosition(position);
  editor.editor.dispatch({ effects: flash.of(line) });
  setTimeout(() => {
    if (!editor.isDisposed) {
      editor.editor.dispatch({ effects: flash.of(0) });
    }
  }, FLASH_MS);
  return true;
}
