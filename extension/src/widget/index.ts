/** The widget: one ES module that anywidget loads, for all three views.
 * It paints the newest frame once per animation frame and acknowledges it after, so that the kernel never runs ahead. */

import { h } from '../shared/dom';
import { ViewFrame, empty, type MakePicture } from '../shared/frame';
import { gradientsPicture } from '../shared/gradients';
import { memoryPicture } from '../shared/memory';
import { frameOf, type Frame, type Snapshot } from '../shared/protocol';
import { tapePicture } from '../shared/tape';
import { onTheme } from '../shared/theme';
import './widget.css';

/** What this module uses of anywidget's model. */
export interface Model {
  get(name: string): unknown;
  on(name: string, call: (...args: never[]) => void): void;
  off(name: string, call: (...args: never[]) => void): void;
  send(content: unknown): void;
}

interface Message {
  type?: string;
  snapshot?: Snapshot;
  state?: Snapshot['state'];
}

const PICTURES: Record<string, MakePicture> = {
  tape: tapePicture,
  gradients: gradientsPicture,
  memory: memoryPicture
};

class View {
  private frame: Frame | null = null;
  private shell: ViewFrame | null = null;
  private scheduled = 0;
  private owed: number | null = null;
  private width = 0;

  constructor(private readonly model: Model, private readonly root: HTMLElement) {}

  /** Take a state or a live frame; a frame older than the one shown is dropped, but still acknowledged. */
  take(message: unknown, buffer: ArrayBuffer | ArrayBufferView | null, live: boolean): void {
    try {
      const frame = frameOf(message, buffer);
      if (live) {
        this.owed = frame.snapshot.seq;
        this.shell?.markStale(false);
      }
      if (!this.frame || frame.snapshot.seq >= this.frame.snapshot.seq) {
        this.frame = frame;
      }
    } catch (error) {
      const view = (message as { view?: string } | null)?.view ?? '';
      this.shellFor(view in PICTURES ? view : 'tape').fail(error);
    }
    this.schedule();
  }

  setState(state: Snapshot['state']): void {
    if (this.frame) {
      this.frame.snapshot.state = state;
      this.schedule();
    }
  }

  markStale(): void {
    this.shell?.markStale(true);
  }

  readonly schedule = (): void => {
    this.scheduled ||= requestAnimationFrame(() => {
      this.scheduled = 0;
      this.paint();
    });
  };

  resized(width: number): void {
    if (Math.abs(width - this.width) >= 1) {
      this.schedule();
    }
  }

  stop(): void {
    cancelAnimationFrame(this.scheduled);
  }

  private shellFor(view: string): ViewFrame {
    if (!this.shell) {
      this.shell = new ViewFrame(view, PICTURES[view], this.schedule);
      this.root.replaceChildren(this.shell.node);
    }
    return this.shell;
  }

  private paint(): void {
    const width = this.root.clientWidth;
    this.width = width; // 0 while a windowed notebook keeps the view out of the page: it paints on its return
    if (this.frame && width > 0) {
      this.shellFor(this.frame.snapshot.view).paint(this.frame, width - 2); // without the border
    }
    const { owed } = this;
    this.owed = null;
    if (owed !== null) {
      try {
        this.model.send({ type: 'ack', seq: owed });
      } catch {
        this.markStale(); // the kernel behind the model has gone: nobody waits for it any more
      }
    }
  }
}

/** anywidget's entry: show the model in `el` until the returned function is called. */
function render({ model, el }: { model: Model; el: HTMLElement }): () => void {
  const root = h('div', { class: 'ts-root' });
  el.append(root);
  const view = new View(model, root);
  const state = (): void => {
    const snapshot = model.get('snapshot') as object | null;
    if (snapshot && Object.keys(snapshot).length > 0) {
      view.take(snapshot, model.get('history') as DataView | null, false);
    } else if (root.childElementCount === 0) {
      root.append(empty('Waiting for the first picture from the kernel.', ''));
    }
  };
  const custom = (message: Message, buffers: DataView[] = []): void => {
    if (message.type === 'frame') {
      view.take(message.snapshot, buffers[0] ?? null, true);
    } else if (message.type === 'state' && message.state) {
      view.setState(message.state);
    }
  };
  const gone = (): void => view.markStale();
  const events: [string, (...args: never[]) => void][] = [
    ['change:snapshot', state],
    ['msg:custom', custom],
    ['comm:close', gone],
    ['comm_live_update', gone] // @jupyter-widgets/base: told once, when the kernel behind a model has gone
  ];
  events.forEach(([name, call]) => model.on(name, call));
  const sizes = new ResizeObserver(() => view.resized(root.clientWidth));
  sizes.observe(root);
  const leaveTheme = onTheme(view.schedule);
  state();
  return () => {
    events.forEach(([name, call]) => model.off(name, call));
    sizes.disconnect();
    leaveTheme();
    view.stop();
  };
}

export default { render };
