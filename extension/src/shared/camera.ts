/** Pan and zoom of an SVG scene. The wheel scrolls the page unless the picture is larger than its frame. */

import { button } from './dom';

export class Camera {
  /** Whether the pointer has just moved the picture; a click that ends a drag is none. */
  dragged = false;
  /** Whether the picture is larger than its frame. */
  pans = false;
  private scale = 1;
  private x = 0;
  private y = 0;
  private home = { scale: 1, x: 0, y: 0 };
  private size = { width: 1, height: 1 };
  private readonly reset: HTMLButtonElement;

  constructor(private readonly svg: SVGSVGElement, private readonly scene: SVGGElement, controls: HTMLElement) {
    this.reset = button('fit', false, () => this.goHome());
    this.reset.removeAttribute('aria-pressed');
    this.reset.hidden = true;
    controls.append(this.reset);
    svg.addEventListener('wheel', event => this.wheel(event), { passive: false });
    svg.addEventListener('pointerdown', event => this.press(event));
  }

  /** Show a scene of the given size in a frame of width × height. */
  frame(width: number, height: number, sceneWidth: number, sceneHeight: number, scale: number): void {
    this.svg.setAttribute('width', String(width));
    this.svg.setAttribute('height', String(height));
    this.size = { width, height };
    this.pans = sceneWidth * scale > width || sceneHeight * scale > height;
    const x = Math.max(16, (width - sceneWidth * scale) / 2);
    const y = Math.max(16, (height - sceneHeight * scale) / 2);
    this.home = { scale, x, y };
    this.svg.classList.toggle('ts-pans', this.pans);
    this.goHome();
  }

  private goHome(): void {
    Object.assign(this, this.home);
    this.apply();
  }

  private apply(): void {
    this.scene.setAttribute('transform', `translate(${this.x},${this.y}) scale(${this.scale})`);
    const moved = this.scale !== this.home.scale || this.x !== this.home.x || this.y !== this.home.y;
    this.reset.hidden = !moved;
  }

  private wheel(event: WheelEvent): void {
    if (!this.pans && !event.ctrlKey && this.reset.hidden) {
      return;
    }
    event.preventDefault();
    const next = Math.max(0.1, Math.min(3, this.scale * Math.exp(-event.deltaY * 0.0015)));
    const factor = next / this.scale;
    const bounds = this.svg.getBoundingClientRect();
    const px = event.clientX - bounds.left;
    const py = event.clientY - bounds.top;
    this.x = px - (px - this.x) * factor;
    this.y = py - (py - this.y) * factor;
    this.scale = next;
    this.apply();
  }

  private press(down: PointerEvent): void {
    this.dragged = false;
    if (down.button !== 0 || (!this.pans && this.reset.hidden)) {
      return;
    }
    const start = { x: this.x, y: this.y };
    const move = (event: PointerEvent): void => {
      const dx = event.clientX - down.clientX;
      const dy = event.clientY - down.clientY;
      this.dragged ||= Math.abs(dx) + Math.abs(dy) > 4;
      if (this.dragged) {
        this.x = Math.max(40 - this.size.width * 4, start.x + dx);
        this.y = start.y + dy;
        this.apply();
      }
    };
    const up = (): void => {
      window.removeEventListener('pointermove', move);
      window.removeEventListener('pointerup', up);
      setTimeout(() => (this.dragged = false)); // after the click that follows
    };
    window.addEventListener('pointermove', move);
    window.addEventListener('pointerup', up);
  }
}
