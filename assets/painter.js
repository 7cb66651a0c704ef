// Paints a timeline's canvas: when, how large, in which colours.

import { layOut, paint } from "./picture.js";
import { CanvasPen } from "./pens.js";
import { isDark, themeOf } from "./theme.js";

const LANES_PIXELS = 560;
const CALM_MS = 1000;
const PAINTS_KEPT = 240;

/** Repaints a timeline in the page's next frame when asked to, and as long as bars grow. */
export class Painter {
  constructor(timeline) {
    this.timeline = timeline;
    this.context = timeline.parts.canvas.getContext("2d");
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.systemIsDark = matchMedia("(prefers-color-scheme: dark)");
    this.visible = true;
    /** How long each of the last paints took, in milliseconds. */
    this.paints = [];
  }

  /** Repaints when the page's theme, size or scrolling changes, until `signal` is aborted. */
  observe(signal) {
    const { root, parts } = this.timeline;
    const themed = () => {
      this.retheme();
      this.ask();
    };
    this.systemIsDark.addEventListener("change", themed, { signal });
    parts.scroll.addEventListener("scroll", () => this.ask(), { signal });
    const themes = new MutationObserver(themed);
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
    if (document.body) themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-theme"] });
    const sizes = new ResizeObserver(() => this.ask());
    sizes.observe(parts.scroll);
    const seen = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible) this.ask();
    });
    seen.observe(root);
    signal.addEventListener("abort", () => {
      [themes, sizes, seen].forEach((observer) => observer.disconnect());
      this.gone = true;
      cancelAnimationFrame(this.frame);
      clearTimeout(this.timer);
    });
  }

  /** Takes the colours of the page. */
  retheme() {
    const { timeline, context } = this;
    const { root } = timeline;
    timeline.dark = isDark(root, this.systemIsDark.matches);
    root.dataset.dark = String(timeline.dark);
    timeline.theme = themeOf(root, context, timeline.dark);
    this.font = getComputedStyle(root).fontFamily;
    this.patterns = new Map();
    timeline.texts.write(true);
  }

  /** Paints in the next frame. */
  ask() {
    if (this.gone || this.asked) return;
    this.asked = true;
    this.frame = requestAnimationFrame(() => {
      this.asked = false;
      this.paint();
    });
  }

  paint() {
    if (this.gone) return;
    const { timeline } = this;
    const { root, parts, folded } = timeline;
    const job = timeline.job();
    const began = performance.now();
    root.hidden = timeline.quiet && !job;
    parts.empty.hidden = Boolean(job);
    parts.body.hidden = !job || folded;
    if (!job || folded) {
      timeline.texts.write(false);
      if (job) this.again(job);
      return;
    }
    const { scroll } = parts;
    if (scroll.clientWidth < 40) {
      // It has no size while the page changes its theme. The observer reports when it is seen again; if it
      // was never out of sight, nothing does.
      clearTimeout(this.timer);
      if (this.visible && root.isConnected) this.timer = setTimeout(() => this.ask(), 100);
      return;
    }
    const width = Math.max(Math.floor(scroll.clientWidth), 120);
    const layout = layOut(job, { width, until: timeline.until(job), range: timeline.range });
    timeline.layout = layout;
    const height = Math.min(layout.height, layout.head + LANES_PIXELS);
    const density = this.resize(width, height);
    parts.space.style.height = `${Math.max(layout.height - height, 0)}px`;
    this.context.setTransform(density, 0, 0, density, 0, 0);
    const pen = new CanvasPen(this.context, this.font);
    pen.patterns = this.patterns;
    paint(pen, job, layout, timeline.theme, {
      scroll: scroll.scrollTop, height, dim: timeline.dim, chosen: timeline.hovered ?? timeline.pinned,
    });
    this.paints.push(performance.now() - began);
    if (this.paints.length > PAINTS_KEPT) this.paints.shift();
    timeline.texts.write(false);
    timeline.tooltip.place();
    this.again(job);
  }

  /** Gives the canvas its size. Returns how many of its pixels there are in one of the page's. */
  resize(width, height) {
    const { canvas, scroll } = this.timeline.parts;
    const density = Math.min(globalThis.devicePixelRatio || 1, 3);
    const size = `${width}×${height}×${density}`;
    if (this.size === size) return density;
    this.size = size;
    canvas.width = Math.round(width * density);
    canvas.height = Math.round(height * density);
    canvas.style.width = `${width}px`;
    canvas.style.height = `${height}px`;
    scroll.style.height = `${height}px`;
    return density;
  }

  /** While a job runs its bars grow: slowly for those who want little motion. */
  again(job) {
    clearTimeout(this.timer);
    if ((job.finished && !this.timeline.isHolding(job)) || !this.timeline.live || !this.visible) return;
    if (this.calm.matches) this.timer = setTimeout(() => this.ask(), CALM_MS);
    else this.ask();
  }
}
