/** The frame that every view shares: what it is, what it watches, its state and controls; the picture;
 * one sentence at the foot. A picture that fails is reported beside the last good one, with a button that copies it. */

import { button, h, sentence } from './dom';
import type { Frame, Site, Snapshot } from './protocol';
import { isDark } from './theme';

export interface Picture {
  /** What the head says after the title. */
  about(frame: Frame): string;
  /** Draw into the body at this width in pixels. */
  draw(frame: Frame, width: number): void;
  /** Names that the sentence may speak of. */
  names(frame: Frame): string[];
  /** Whether the sentence speaks of trouble. */
  trouble(frame: Frame): boolean;
}

export type MakePicture = (body: HTMLElement, controls: HTMLElement, redraw: () => void) => Picture;

const STATE: Record<string, string> = { live: 'live', idle: 'idle', ended: 'ended', stale: 'stale: the kernel is gone' };

export class ViewFrame {
  readonly node = h('section', { class: 'ts-view', role: 'group' });
  private readonly title = h('b');
  private readonly what = h('span', { class: 'ts-what' });
  private readonly dot = h('i', { 'aria-hidden': 'true' });
  private readonly stateText = h('span');
  private readonly state = h('span', { class: 'ts-state', role: 'status' }, this.dot, this.stateText);
  private readonly controls = h('div', { class: 'ts-controls', role: 'group', 'aria-label': 'show' });
  private readonly body = h('div', { class: 'ts-body' });
  private readonly error = h('div', { class: 'ts-error', role: 'alert', hidden: '' });
  private readonly foot = h('div', { class: 'ts-foot' });
  private picture: Picture | null = null;
  private frame: Frame | null = null;
  private said = '';
  private stale = false;

  constructor(view: string, make: MakePicture, redraw: () => void) {
    this.node.dataset.view = view;
    this.title.textContent = view;
    const head = h('header', { class: 'ts-head' }, this.title, this.what, this.state, h('span', { class: 'ts-grow' }), this.controls);
    this.node.append(head, this.body, this.error, this.foot);
    this.guard(() => {
      this.picture = make(this.body, this.controls, redraw);
    });
  }

  /** Paint a frame at a width; never throws. */
  paint(frame: Frame, width: number): void {
    this.frame = frame;
    const fresh = this.guard(() => {
      this.node.classList.toggle('ts-dark', isDark());
      this.node.classList.toggle('ts-narrow', width < 720);
      this.picture?.draw(frame, width);
      this.what.textContent = this.picture?.about(frame) ?? '';
      this.what.title = this.what.textContent;
      this.say(frame);
    });
    if (fresh) {
      this.error.hidden = true;
    }
    this.node.dataset.seq = String(frame.snapshot.seq);
    this.showState(frame.snapshot);
  }

  /** The kernel is gone: keep the picture, say that it is old. */
  markStale(stale: boolean): void {
    this.stale = stale;
    if (this.frame) {
      this.showState(this.frame.snapshot);
    }
  }

  /** Show an error beside the view. */
  fail(error: unknown): void {
    const text = error instanceof Error ? `${error.message}\n${error.stack ?? ''}` : String(error);
    const copy = button('copy', false, () => void navigator.clipboard?.writeText(text));
    copy.removeAttribute('aria-pressed');
    const line = error instanceof Error ? error.message : String(error);
    this.error.replaceChildren(h('span', {}, h('b', {}, 'This view failed. '), line), copy);
    this.error.hidden = false;
  }

  private guard(act: () => void): boolean {
    try {
      act();
      return true;
    } catch (error) {
      this.fail(error);
      return false;
    }
  }

  private showState(snapshot: Snapshot): void {
    const state = this.stale ? 'stale' : snapshot.state;
    const step = snapshot.step === null || this.stale ? '' : `, step ${snapshot.step}`;
    this.node.dataset.state = state;
    this.stateText.textContent = (STATE[state] ?? state) + step;
  }

  private say(frame: Frame): void {
    const snapshot = frame.snapshot;
    const trouble = this.picture?.trouble(frame) ?? false;
    const key = JSON.stringify([snapshot.sentence, snapshot.sentence_sites, trouble]);
    if (key === this.said) {
      return; // a chip that is being clicked must not be replaced under the pointer
    }
    this.said = key;
    const sites: (Site | null)[] = snapshot.sentence_sites ?? [];
    const nodes = sentence(snapshot.sentence, sites, this.picture?.names(frame) ?? [], trouble);
    this.foot.replaceChildren(...nodes);
    this.foot.hidden = snapshot.sentence === '';
    this.node.setAttribute('aria-label', `${snapshot.view}: ${snapshot.sentence}`);
  }
}

/** What an empty view says instead of a picture. */
export function empty(say: string, code: string): HTMLElement {
  const line = h('div', {}, say);
  if (code) {
    line.append(' ', h('code', { class: 'ts-code' }, code));
  }
  return h('div', { class: 'ts-empty' }, line);
}

/** A row of buttons of which one is pressed. */
export function choice<T extends string>(parent: HTMLElement, options: T[], now: T, chosen: (option: T) => void): (option: T) => void {
  const buttons = options.map(option => {
    const element = button(option, option === now, () => {
      show(option);
      chosen(option);
    });
    element.dataset.choice = option;
    return element;
  });
  const show = (option: T): void => buttons.forEach(one => one.setAttribute('aria-pressed', String(one.dataset.choice === option)));
  parent.append(...buttons);
  return show;
}
