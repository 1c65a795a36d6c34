/** Light or dark: what the page says, and being told when it changes. */

/** Relative luminance of a CSS colour such as #16191c or rgb(22, 25, 28); null where it is neither. */
export function luminance(colour: string): number | null {
  const hex = /^#([0-9a-f]{3}|[0-9a-f]{6})$/i.exec(colour.trim());
  const rgb = /^rgba?\((\d+)[ ,]+(\d+)[ ,]+(\d+)/.exec(colour.trim());
  let parts: number[];
  if (hex) {
    const digits = hex[1].length === 3 ? [...hex[1]].map(digit => digit + digit).join('') : hex[1];
    parts = [0, 2, 4].map(at => parseInt(digits.slice(at, at + 2), 16));
  } else if (rgb) {
    parts = rgb.slice(1, 4).map(Number);
  } else {
    return colour.trim() === 'white' ? 1 : colour.trim() === 'black' ? 0 : null;
  }
  return (0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]) / 255;
}

export function isDark(): boolean {
  const said = document.body.dataset.jpThemeLight;
  if (said !== undefined) {
    return said === 'false';
  }
  const light = luminance(getComputedStyle(document.body).getPropertyValue('--jp-layout-color0'));
  return light === null ? document.body.classList.contains('vscode-dark') : light < 0.4;
}

/** Call `changed` after each change of theme, until the returned function is called. */
export function onTheme(changed: () => void): () => void {
  const observer = new MutationObserver(changed);
  for (const element of [document.body, document.documentElement]) {
    observer.observe(element, { attributes: true, attributeFilter: ['class', 'style', 'data-jp-theme-name', 'data-jp-theme-light'] });
  }
  return () => observer.disconnect();
}
