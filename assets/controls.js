// A timeline's pointer and keys: pointing at tasks, pinning one, zooming, walking from task to task.

import { element } from "./elements.js";
import { barAt, rowOf } from "./picture.js";

const MOVES = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

/** What a person does to a timeline. */
export class Controls {
  constructor(timeline) {
    this.timeline = timeline;
    this.parts = timeline.parts;
    this.dragging = null;
  }

  /** Listens until `signal` is aborted. */
  listen(signal) {
    const { canvas, picker, stages, fit, closer, wider, save, toggle } = this.parts;
    const { timeline } = this;
    const on = (target, name, take, more) => target.addEventListener(name, take, { signal, ...more });
    // Whatever around it is scrolled, a task's figures stay at the task.
    on(document, "scroll", () => timeline.tooltip.place(), { capture: true, passive: true });
    on(canvas, "pointermove", (event) => (this.dragging ? this.drag(event) : this.hover(this.under(event))));
    on(canvas, "pointerleave", () => this.hover(null));
    on(canvas, "pointerdown", (event) => this.startDrag(event));
    on(canvas, "pointerup", (event) => this.endDrag(event));
    on(canvas, "pointercancel", () => (this.dragging = null));
    on(canvas, "dblclick", () => this.zoom(null));
    on(canvas, "wheel", (event) => {
      // With Ctrl or ⌘ as elsewhere; alone the wheel scrolls the page.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY / 300), event.offsetX);
    }, { passive: false });
    on(canvas, "keydown", (event) => this.key(event));
    on(canvas, "blur", () => this.hover(null));
    on(picker, "change", () => {
      const [session, job] = picker.value.split("/").map(Number);
      timeline.show(picker.value === "" ? null : job, session);
    });
    on(toggle, "click", () => timeline.fold(!timeline.folded));
    on(stages, "pointerover", (event) => this.highlight(event.target.closest("tr")?.dataset.stage));
    on(stages, "pointerleave", () => this.highlight(undefined));
    on(stages, "click", (event) => {
      const button = event.target.closest("button[data-partition]");
      if (button) this.find(Number(button.closest("tr").dataset.stage), Number(button.dataset.partition));
    });
    on(fit, "click", () => this.zoom(null));
    on(closer, "click", () => this.zoom(0.5));
    on(wider, "click", () => this.zoom(2));
    on(save, "click", () => this.save());
  }

  under(event) {
    const { layout } = this.timeline;
    if (!layout || event.offsetY < layout.head) return null;
    return barAt(layout, event.offsetX, event.offsetY - layout.head + this.parts.scroll.scrollTop);
  }

  // ---- one task ----

  hover(bar) {
    const { timeline } = this;
    if (timeline.hovered === bar) return;
    timeline.hovered = bar;
    timeline.tooltip.show(bar ?? timeline.pinned);
    timeline.painter.ask();
  }

  pin(bar) {
    const { timeline } = this;
    timeline.pinned = bar !== null && bar === timeline.pinned ? null : bar;
    timeline.hovered = null;
    timeline.tooltip.show(timeline.pinned);
    timeline.painter.ask();
  }

  /** Shows one partition's task, pinned; from the table below. */
  find(stage, partition) {
    const { timeline } = this;
    const bar = timeline.job()?.attempts.find((a) => a.counts && a.stage === stage && a.partition === partition);
    if (!bar || !timeline.layout) return;
    timeline.range = null;
    timeline.dim = null;
    timeline.pinned = null;
    this.pin(bar);
    this.reveal(bar);
    this.parts.view.scrollIntoView({ block: "nearest" });
  }

  reveal(bar) {
    const { layout } = this.timeline;
    const row = layout && rowOf(layout, bar);
    const { scroll } = this.parts;
    if (!row) return;
    const seen = scroll.clientHeight - layout.head;
    if (row.y < scroll.scrollTop) scroll.scrollTop = row.y - 4;
    else if (row.y + row.height > scroll.scrollTop + seen) scroll.scrollTop = row.y + row.height - seen + 4;
  }

  /** Dims the tasks of other stages. */
  highlight(stage) {
    const { timeline } = this;
    const dim = stage === undefined ? null : Number(stage);
    if (timeline.dim === dim) return;
    timeline.dim = dim;
    timeline.painter.ask();
  }

  // ---- the piece of time shown ----

  startDrag(event) {
    if (event.button !== 0) return;
    const { range } = this.timeline;
    this.dragging = { x: event.offsetX, range, moved: false };
    if (range) this.parts.canvas.setPointerCapture(event.pointerId);
  }

  endDrag(event) {
    const { moved } = this.dragging ?? {};
    this.dragging = null;
    if (!moved) this.pin(this.under(event));
  }

  drag(event) {
    const { dragging } = this;
    const { layout } = this.timeline;
    const moved = event.offsetX - dragging.x;
    if (Math.abs(moved) > 3) dragging.moved = true;
    if (!dragging.moved || !dragging.range) return;
    const [from, to] = dragging.range;
    const shift = (-moved / (layout.right - layout.gutter)) * (to - from);
    this.setRange(from + shift, to + shift);
  }

  /** Makes the piece of time shown `factor` as long, around a point; `null` shows all of it. */
  zoom(factor, x) {
    const { timeline } = this;
    const { layout } = timeline;
    if (!layout) return;
    if (factor === null) {
      timeline.range = null;
      timeline.painter.ask();
      return;
    }
    const middle = x === undefined ? (layout.from + layout.to) / 2 : layout.at(x) - timeline.job().submitted;
    const [from, to] = [layout.from, layout.to].map((t) => middle + (t - middle) * factor);
    this.setRange(from, to);
  }

  /** Shows a piece of the job's time, in seconds from its submission. */
  setRange(from, to) {
    const { timeline } = this;
    const { span } = timeline.layout;
    const length = Math.max(to - from, Math.min(span / 1e5, 1e-4));
    if (length >= span) timeline.range = null;
    else {
      const start = Math.min(Math.max(from, 0), span - length);
      timeline.range = [start, start + length];
    }
    timeline.painter.ask();
  }

  // ---- keys ----

  key(event) {
    const { timeline } = this;
    if (!timeline.job() || !timeline.layout) return;
    const current = timeline.hovered ?? timeline.pinned;
    const move = MOVES[event.key];
    if (move) this.step(current, ...move);
    else if (event.key === "Home" || event.key === "End") this.step(null, 0, 0, event.key === "End");
    else if (event.key === "Enter" || event.key === " ") this.pin(current ?? null);
    else if (event.key === "Escape") this.pin(null);
    else if (event.key === "+" || event.key === "=") this.zoom(0.5, current ? timeline.layout.x(current.start) : undefined);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.zoom(null);
    else return;
    event.preventDefault();
    timeline.painter.ask();
  }

  /** Goes to the next task along the lane, or to the nearest in time on the next lane. */
  step(current, along, across, last = false) {
    const { layout } = this.timeline;
    const lanes = layout.rows.filter((row) => row.kind === "lane" && row.bars.length > 0);
    if (lanes.length === 0) return;
    let lane = current ? lanes.indexOf(rowOf(layout, current)) : 0;
    let bar;
    if (!current || lane < 0) bar = last ? lanes.at(-1).bars.at(-1) : lanes[0].bars[0];
    else if (across !== 0) {
      lane = Math.min(Math.max(lane + across, 0), lanes.length - 1);
      bar = lanes[lane].bars.reduce((a, b) => (Math.abs(b.start - current.start) < Math.abs(a.start - current.start) ? b : a));
    } else {
      const { bars } = lanes[lane];
      bar = bars[Math.min(Math.max(bars.indexOf(current) + along, 0), bars.length - 1)];
    }
    this.reveal(bar);
    this.hover(bar);
  }

  // ---- the picture as a file ----

  save() {
    const { timeline } = this;
    const job = timeline.job();
    if (!job) return;
    const link = element("a", {
      href: URL.createObjectURL(new Blob([timeline.svg()], { type: "image/svg+xml" })), download: `job-${job.job}.svg`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}
