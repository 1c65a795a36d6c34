/** One notebook's connection to its kernel: which views are live.
 * The kernel opens the stream comm (it arrives even in the middle of Run All); the page asks over a comm of its own. */

import type { NotebookPanel } from '@jupyterlab/notebook';
import type { Kernel } from '@jupyterlab/services';
import { Signal } from '@lumino/signaling';
import { REQUEST_TARGET, STREAM_TARGET, VERSION, type ViewEntry, type ViewsMessage } from '../shared/protocol';

const SUBSHELL_WAIT_MS = 3000;

export class Link {
  /** Emitted when the list of views has changed. */
  readonly changed = new Signal<this, void>(this);
  views: ViewEntry[] = [];
  private seq = -1;
  private request: Kernel.IComm | null = null;
  private kernel: Kernel.IKernelConnection | null = null;

  constructor(private readonly panel: NotebookPanel) {
    const session = panel.sessionContext;
    session.kernelChanged.connect((_, change) => this.attach(change.newValue ?? null));
    session.statusChanged.connect((_, status) => {
      if (status === 'restarting' || status === 'autorestarting' || status === 'dead') {
        this.forget();
      }
    });
    session.connectionStatusChanged.connect((_, status) => {
      if (status === 'connected') {
        void this.ask();
      }
    });
    this.attach(session.session?.kernel ?? null);
  }

  private attach(kernel: Kernel.IKernelConnection | null): void {
    this.forget();
    this.kernel = kernel;
    if (!kernel) {
      return;
    }
    kernel.registerCommTarget(STREAM_TARGET, (comm, open) => {
      this.seq = -1; // a new stream counts anew
      comm.onMsg = message => this.take(message.content.data);
      this.take(open.content.data);
    });
    void this.ask();
  }

  private forget(): void {
    this.request = null;
    this.seq = -1;
    this.views = [];
    this.changed.emit();
  }

  /** Ask for the list of views; a kernel without Tapescope closes the comm, which is no error. */
  async ask(): Promise<void> {
    const kernel = this.kernel;
    if (!kernel || kernel.isDisposed || this.panel.isDisposed) {
      return;
    }
    try {
      await kernel.info;
      if (!this.request || this.request.isDisposed) {
        await this.open(kernel);
      }
      this.request?.send({ type: 'views?' });
    } catch (error) {
      console.warn('Tapescope: the kernel did not take the question for its views.', error);
    }
  }

  private async open(kernel: Kernel.IKernelConnection): Promise<void> {
    const comm = kernel.createComm(REQUEST_TARGET);
    // Until its subshell has started, a comm's messages wait behind every cell on the main shell.
    const started = (comm as { subshellStarted?: Promise<void> }).subshellStarted;
    if (kernel.supportsSubshells && started) {
      await Promise.race([started, new Promise(resolve => setTimeout(resolve, SUBSHELL_WAIT_MS))]);
    }
    comm.onMsg = message => this.take(message.content.data);
    comm.onClose = () => {
      if (this.request === comm) {
        this.request = null;
      }
    };
    this.request = comm;
    comm.open({ v: VERSION });
  }

  private take(data: unknown): void {
    const message = data as ViewsMessage;
    if (message?.type !== 'views' || message.v !== VERSION || message.seq < this.seq) {
      return;
    }
    this.seq = message.seq;
    this.views = message.views;
    this.changed.emit();
  }
}
