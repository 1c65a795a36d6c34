/** Making elements. Text from the user goes through textContent only: names are shown, never parsed. */

import * as format from './format';
import { GOTO_EVENT, type Site } from './protocol';

const SVG = 'http://www.w3.org/2000/svg';

export type Attributes = Record<string, string | number | null | undefined>;

function dress<E extends Element>(element: E, attributes: Attributes, children: (Node | string)[]): E {
  for (const [name, value] of Object.entries(attributes)) {
    if (value !== null && value !== undefined) {
      element.setAttribute(name, String(value));
    }
  }
  element.append(...children);
  return element;
}

export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  return dress(document.createElement(tag), attributes, children);
}

export function s<K extends keyof SVGElementTagNameMap>(
  tag: K, attributes: Attributes = {}, ...children: (Node | string)[]
): SVGElementTagNameMap[K] {
  return dress(document.createElementNS(SVG, tag), attributes, children);
}

export function button(label: string, pressed: boolean, act: () => void): HTMLButtonElement {
  const element = h('button', { type: 'button', class: 'ts-button', 'aria-pressed': String(pressed) }, label);
  element.addEventListener('click', act);
  return element;
}

/** Ask whoever listens (the lab extension) to go to a line; nothing happens where nobody does. */
export function goTo(from: Element, site: Site): void {
  const detail = { cell: site.cell, line: site.line, count: site.count, file: site.file };
  from.dispatchEvent(new CustomEvent(GOTO_EVENT, { bubbles: true, composed: true, detail }));
}

/** A line of code, the same in every view. */
export function chip(site: Site | null, trouble = false): HTMLElement {
  if (!site) {
    return h('span', { class: 'ts-dim' }, '–');
  }
  const element = h(
    'button',
    {
      type: 'button',
      class: trouble ? 'ts-chip ts-chip-trouble' : 'ts-chip',
      title: site.source ? `${site.text}: ${site.source}` : site.text,
      'aria-label': `go to ${site.text}`,
      'data-cell': site.cell,
      'data-count': site.count,
      'data-line': site.line
    },
    format.shorten(site.label, 28)
  );
  element.addEventListener('click', () => goTo(element, site));
  return element;
}

/** A sentence with its lines as chips where it names them, else after it; `names` stand out. */
export function sentence(text: string, sites: (Site | null)[], names: string[], trouble: boolean): Node[] {
  const known = sites.filter((site): site is Site => site !== null);
  const unused = new Set(known);
  const words = [...new Set(names.filter(name => name.length > 1))].sort((a, b) => b.length - a.length).slice(0, 200);
  const parts = [...known.flatMap(site => [site.text, site.label]), ...words].filter(part => part.length > 0);
  const nodes: Node[] = [];
  if (parts.length === 0) {
    nodes.push(document.createTextNode(text));
  } else {
    const escaped = parts.map(part => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    const pattern = new RegExp(`(?<![\\w.])(${escaped.join('|')})(?![\\w(]|\\.\\w)`);
    text.split(pattern).forEach((piece, k) => {
      const site = known.find(one => one.text === piece || one.label === piece);
      if (k % 2 && site) {
        unused.delete(site);
        nodes.push(chip(site, trouble));
      } else if (piece) {
        nodes.push(k % 2 ? h('em', {}, piece) : document.createTextNode(piece));
      }
    });
  }
  unused.forEach(site => nodes.push(document.createTextNode(' '), chip(site, trouble)));
  return nodes;
}
