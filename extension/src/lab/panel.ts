/** The side panel: the live views of the notebook in front. */

import { Widget } from '@lumino/widgets';
import { h, sentence } from '../shared/dom';
import type { ViewEntry } from '../shared/protocol';
import { isDark, onTheme } from '../shared/theme';

export interface PanelText {
  caption: string;
  noNotebook: string;
  noViews: string;
  hint: string;
}

export class Panel extends Widget {
  private readonly list = h('ul', { class: 'ts-panel-list' });
  private readonly notebook = h('span', { class: 'ts-what' });
  private shown = '';

  constructor(private readonly text: PanelText, private readonly reveal: (view: ViewEntry) => void) {
    super();
    this.id = 'tapescope-panel';
    this.addClass('ts-view');
    this.addClass('ts-panel');
    this.title.caption = text.caption;
    this.title.iconClass = 'ts-panel-icon jp-SideBar-tabIcon';
    this.node.setAttribute('role', 'region');
    this.node.setAttribute('aria-label', text.caption);
    this.node.append(h('header', { class: 'ts-head' }, h('b', {}, 'Tapescope'), this.notebook), this.list);
    const theme = (): void => void this.node.classList.toggle('ts-dark', isDark());
    this.disposed.connect(onTheme(theme));
    theme();
    this.setViews(null, []);
  }

  /** List the views of a notebook; null where none is in front. */
  setViews(notebook: string | null, views: ViewEntry[]): void {
    const key = JSON.stringify([notebook, views]);
    if (key === this.shown) {
      return; // what is being clicked must not be replaced under the pointer
    }
    this.shown = key;
    this.notebook.textContent = notebook ?? '';
    this.list.replaceChildren(...(views.length ? views.map(view => this.item(view)) : [this.emptyItem(notebook)]));
  }

  private item(view: ViewEntry): HTMLElement {
    const dot = h('span', { class: 'ts-state' }, h('i', { 'aria-hidden': 'true' }), view.state);
    const open = h('button', { type: 'button', class: 'ts-panel-open' }, h('b', {}, view.view), h('span', { class: 'ts-what' }, view.title), dot);
    open.addEventListener('click', () => this.reveal(view));
    const says = h('div', { class: 'ts-panel-says' }, ...sentence(view.sentence, [view.site], [], false));
    return h('li', { class: 'ts-panel-item', 'data-view': view.view, 'data-id': view.id, 'data-state': view.state }, open, says);
  }

  private emptyItem(notebook: string | null): HTMLElement {
    const item = h('li', { class: 'ts-empty' }, h('div', {}, notebook === null ? this.text.noNotebook : this.text.noViews));
    if (notebook !== null) {
      item.append(h('div', {}, this.text.hint, ' '), h('code', { class: 'ts-code' }, 'ts.watch(model)'));
    }
    return item;
  }
}
