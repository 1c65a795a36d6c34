/** The JupyterLab extension: the side panel, and going to a line from any view. */

import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { EditorExtensionRegistry, IEditorExtensionRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker, type NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';
import { GOTO_EVENT } from '../shared/protocol';
import { flashExtension, goTo, type Place } from './goto';
import { Link } from './link';
import { Panel } from './panel';
import { showStills } from './stills';

const GOTO = 'tapescope:goto';
const TOGGLE = 'tapescope:toggle-panel';

const PLACE_SCHEMA = {
  type: 'object',
  properties: {
    cell: { type: 'string', description: 'the id of the cell' },
    line: { type: 'number', description: 'the line in it, from 1' },
    count: { type: 'number', description: 'the execution count, where there is no id' },
    file: { type: 'string', description: 'the path, for a line that is in no cell' }
  },
  required: ['line']
} as const;

const plugin: JupyterFrontEndPlugin<void> = {
  id: 'tapescope:plugin',
  description: 'Live views of the tape, the gradients and the memory.',
  autoStart: true,
  requires: [INotebookTracker, IEditorExtensionRegistry],
  optional: [ICommandPalette, ILayoutRestorer, ITranslator],
  activate
};

function activate(
  app: JupyterFrontEnd,
  notebooks: INotebookTracker,
  editors: IEditorExtensionRegistry,
  palette: ICommandPalette | null,
  restorer: ILayoutRestorer | null,
  translator: ITranslator | null
): void {
  const trans = (translator ?? nullTranslator).load('tapescope');
  const links = new Map<string, Link>();
  const go = async (panel: NotebookPanel | null, place: Place): Promise<void> => {
    if (place.file && !place.cell) {
      await openFile(app, place);
    } else if (panel) {
      app.shell.activateById(panel.id);
      await goTo(panel, place);
    }
  };
  const text = {
    caption: trans.__('Tapescope'),
    noNotebook: trans.__('No notebook is open.'),
    noViews: trans.__('No live views.'),
    hint: trans.__('In a cell, type')
  };
  const panel = new Panel(text, view => void go(notebooks.currentWidget, { cell: view.cell, line: 1, count: null, file: null }));
  const refresh = (): void => {
    const notebook = notebooks.currentWidget;
    panel.setViews(notebook?.title.label ?? null, (notebook && links.get(notebook.id)?.views) || []);
  };
  const listen = (node: HTMLElement, of: () => NotebookPanel | null): void =>
    node.addEventListener(GOTO_EVENT, event => void go(of(), (event as CustomEvent<Place>).detail));

  editors.addExtension({
    name: 'tapescope:flash',
    factory: () => EditorExtensionRegistry.createImmutableExtension(flashExtension())
  });
  const watch = (notebook: NotebookPanel): void => {
    const link = new Link(notebook);
    links.set(notebook.id, link);
    link.changed.connect(refresh);
    notebook.disposed.connect(() => links.delete(notebook.id));
    listen(notebook.node, () => notebook);
    showStills(notebook);
  };
  notebooks.forEach(watch);
  notebooks.widgetAdded.connect((_, notebook) => watch(notebook));
  notebooks.currentChanged.connect(refresh);
  listen(panel.node, () => notebooks.currentWidget);

  app.shell.add(panel, 'right', { rank: 900 });
  restorer?.add(panel, panel.id);
  addCommands(app, panel, place => go(notebooks.currentWidget, place), trans.__('Go to a line of a cell'), trans.__('Show or hide the Tapescope panel'));
  palette?.addItem({ command: TOGGLE, category: 'Tapescope' });
}

function addCommands(app: JupyterFrontEnd, panel: Panel, go: (place: Place) => Promise<void>, goLabel: string, toggleLabel: string): void {
  app.commands.addCommand(GOTO, {
    label: goLabel,
    describedBy: { args: PLACE_SCHEMA },
    execute: args =>
      go({
        cell: (args.cell as string | undefined) ?? null,
        line: Number(args.line),
        count: (args.count as number | undefined) ?? null,
        file: (args.file as string | undefined) ?? null
      })
  });
  app.commands.addCommand(TOGGLE, {
    label: toggleLabel,
    describedBy: { args: { type: 'object', properties: {} } },
    execute: () => {
      const shell = app.shell as typeof app.shell & { collapseRight?: () => void };
      if (panel.isVisible && shell.collapseRight) {
        shell.collapseRight();
      } else {
        app.shell.activateById(panel.id);
      }
    }
  });
}

/** Open a file's line in the editor. The server knows paths below its root only; elsewhere nothing opens. */
async function openFile(app: JupyterFrontEnd, place: Place): Promise<void> {
  const root = (app as JupyterFrontEnd & { paths?: { directories?: { serverRoot?: string } } }).paths?.directories?.serverRoot ?? '';
  const path = place.file ?? '';
  if (!root || !path.startsWith(`${root}/`) || !app.commands.hasCommand('docmanager:open')) {
    return;
  }
  await app.commands.execute('docmanager:open', { path: path.slice(root.length + 1) });
  if (app.commands.hasCommand('fileeditor:go-to-line')) {
    await app.commands.execute('fileeditor:go-to-line', { line: place.line, column: 1 });
  }
}

export default plugin;
