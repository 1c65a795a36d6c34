/** A saved notebook shows a view's last state: where the kernel no longer has the widget, the picture saved beside it.
 * Only outputs with our own still are touched, and of them only the dead widget's entry goes; an unsure answer changes nothing. */

import type { CodeCellModel, ICellModel } from '@jupyterlab/cells';
import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';

const WIDGET_MIME = 'application/vnd.jupyter.widget-view+json';
const WIDGET_TARGET = 'jupyter.widget';
const STILL = 'tapescope-still'; // the class that jupyter/display.py gives to its HTML

type Output = ReturnType<CodeCellModel['outputs']['get']>;
type Bundle = Output['data'];

/** The id of the widget in an output that also keeps a still of it; else null. */
export function widgetOf(data: Bundle): string | null {
  const html = data['text/html'];
  const text = Array.isArray(html) ? html.join('') : html;
  const id = (data[WIDGET_MIME] as { model_id?: unknown } | undefined)?.model_id;
  return typeof id === 'string' && typeof text === 'string' && text.includes(STILL) ? id : null;
}

/** The same output without its widget. */
export function withoutWidget(data: Bundle): Bundle {
  return Object.fromEntries(Object.entries(data).filter(([type]) => type !== WIDGET_MIME));
}

/** Show the stills of a notebook: now, when its kernel has gone, and when cells have come (read anew, pasted, restored).
 * After a restart that the user asked for, the views on the page stay, to be looked into: they say that they are stale. */
export function showStills(panel: NotebookPanel): void {
  const { context, sessionContext: session } = panel;
  let ready = false; // until then, no kernel only means: not yet
  const check = (): void => {
    if (ready) {
      replaceDead(panel).catch(error => console.warn('Tapescope: could not tell which saved views are live.', error));
    }
  };
  let crashed = false;
  let waiting = false;
  session.kernelChanged.connect((_, { oldValue, newValue }) => {
    if (oldValue !== newValue) { // a restart changes a kernel into itself
      check();
    }
  });
  session.statusChanged.connect((_, status) => {
    if (status === 'autorestarting') {
      crashed = true;
    } else if (status === 'dead' || (status === 'idle' && crashed)) {
      crashed = false;
      check();
    }
  });
  context.model.cells.changed.connect((_, change) => {
    if (!waiting && change.type === 'add' && stills(change.newValues).size > 0) {
      waiting = true; // they come one by one
      setTimeout(() => {
        waiting = false;
        check();
      });
    }
  });
  void Promise.all([context.ready, session.ready]).then(
    () => {
      ready = true;
      check();
    },
    () => undefined
  );
}

async function replaceDead(panel: NotebookPanel): Promise<void> {
  if (panel.isDisposed) {
    return;
  }
  // The outputs come first: a widget shown after the question may be missing from the answer.
  const shown = stills(panel.context.model.cells);
  if (shown.size === 0) {
    return;
  }
  const kernel = panel.sessionContext.session?.kernel ?? null;
  const alive = await widgetsOf(kernel);
  const same = !panel.isDisposed && (panel.sessionContext.session?.kernel ?? null) === kernel;
  if (!alive || !same) {
    return;
  }
  const now = stills(panel.context.model.cells);
  const dead = [...shown].filter(([output, id]) => !alive.has(id) && now.get(output) === id);
  if (dead.length === 0) {
    return;
  }
  const { model } = panel.context;
  const { dirty } = model;
  // Last first: a change of a cell's first output renders all of its outputs again.
  dead.reverse().forEach(([output]) => output.setData({ data: withoutWidget(output.data) }));
  model.dirty = dirty; // to look at a notebook is not to change it
}

/** Which outputs of these cells show a widget beside a still of it, and which widget. */
function stills(cells: Iterable<ICellModel>): Map<Output, string> {
  const found = new Map<Output, string>();
  for (const cell of cells) {
    const outputs = cell.type === 'code' ? (cell as CodeCellModel).outputs : null;
    for (let index = 0; index < (outputs?.length ?? 0); index++) {
      const output = outputs!.get(index);
      const id = widgetOf(output.data);
      if (id !== null) {
        found.set(output, id);
      }
    }
  }
  return found;
}

/** The ids of a kernel's widgets: none without a kernel; null where the kernel does not say. */
async function widgetsOf(kernel: Kernel.IKernelConnection | null): Promise<Set<string> | null> {
  if (!kernel || kernel.status === 'dead') {
    return new Set();
  }
  await kernel.info;
  const { content } = await kernel.requestCommInfo({ target_name: WIDGET_TARGET });
  return content.status === 'ok' ? new Set(Object.keys(content.comms)) : null;
}
