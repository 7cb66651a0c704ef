// The live timeline of a job: `new Timeline(element).apply(events)`. One lane a slot, one bar an attempt
// at a task; below it how even each stage's work was. It shows what the events say and nothing else.

import { SessionModel, workersOf } from "./model.js";
import { bytes, count, isSkewed, plural, ratio, seconds, skewOf, summaryOf } from "./figures.js";
import { DARK, LIGHT, barAt, layOut, paint, rowOf, stageColour, tints } from "./picture.js";
import { CanvasPen } from "./pens.js";
import { svgOf } from "./saved.js";
import { build, element, set, stageRow } from "./elements.js";

const LANES_PIXELS = 560;
const TABLE_MS = 250;
const CALM_MS = 1000;

const STATES = { running: "running", done: "done", failed: "failed", cancelled: "cancelled" };
const ENDS = {
  running: "running",
  done: "done",
  failed: "failed",
  beaten: "not needed: another attempt was faster",
  cut: "cancelled with its job",
  untold: "ended, but its figures were lost on the way",
};

/** A timeline inside of an element. */
export class Timeline {
  /** `live`: bars without an end grow with the clock, between events too. */
  constructor(element, { live = true } = {}) {
    this.session = new SessionModel();
    this.live = live;
    this.why = "interrupted";
    this.picked = null;
    this.range = null;
    this.dim = null;
    this.pinned = null;
    this.hovered = null;
    this.heard = performance.now();
    this.tabled = 0;
    this.painted = 0;
    /** Times of the last paints, in milliseconds: how long each took. */
    this.paints = [];
    this.root = build(element);
    this.parts = Object.fromEntries([...this.root.querySelectorAll("[data-pt]")].map((e) => [e.dataset.pt, e]));
    this.context = this.parts.canvas.getContext("2d");
    this.listen();
    this.retheme();
    this.table(true);
    this.ask();
  }

  /** Takes the session's next events. */
  apply(events) {
    const before = this.job()?.job;
    this.session.apply(events);
    this.heard = performance.now();
    if (this.job()?.job !== before) this.forget();
    const job = this.job();
    if (job?.finished) this.table(true);
    this.ask();
    return this;
  }

  /** Shows this job from now on; `null` for always the latest. */
  show(job) {
    this.picked = job;
    this.forget();
    this.table(true);
    this.ask();
  }

  /** The job shown. */
  job() {
    return (this.picked === null ? null : this.session.jobs.get(this.picked)) ?? this.session.latest();
  }

  /** Whether bars grow between events: not when nobody tells what happens any more, and why. */
  setLive(live, why = "interrupted") {
    if (this.live === live && this.why === why) return;
    this.live = live;
    this.why = why;
    this.heard = performance.now();
    this.table(true);
    this.ask();
  }

  /** The picture as it is now, as SVG text, with the whole of the job's time. */
  svg({ width = 1000, dark = this.dark } = {}) {
    const job = this.job();
    return job ? svgOf(this.session, job, { width, dark, until: this.until(job) }) : "";
  }

  /** The end of the time shown: the job's end, or now. */
  until(job) {
    if (!job) return 0;
    if (job.finished) return job.last;
    if (!this.live) return job.last;
    return Math.max(job.last, this.session.now) + (performance.now() - this.heard) / 1000;
  }

  /** Lets go of the page: no more frames, no more listeners. */
  destroy() {
    this.gone = true;
    this.observers?.forEach((observer) => observer.disconnect());
    this.listeners?.abort();
    cancelAnimationFrame(this.frame);
    clearTimeout(this.timer);
    this.root.remove();
  }

  forget() {
    this.range = null;
    this.pinned = null;
    this.hovered = null;
    this.dim = null;
    this.parts.scroll.scrollTop = 0;
    this.tell(null);
  }

  // ---- painting ----

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
    const job = this.job();
    const began = performance.now();
    this.parts.empty.hidden = Boolean(job);
    this.parts.view.hidden = !job;
    if (!job) {
      this.table(false);
      return;
    }
    const { canvas, scroll, space } = this.parts;
    const width = Math.max(Math.floor(scroll.clientWidth), 120);
    const place = layOut(this.session, job, { width, until: this.until(job), range: this.range });
    this.place = place;
    const height = Math.min(place.height, place.head + LANES_PIXELS);
    const density = Math.min(globalThis.devicePixelRatio || 1, 3);
    if (this.sized !== `${width}×${height}×${density}`) {
      this.sized = `${width}×${height}×${density}`;
      canvas.width = Math.round(width * density);
      canvas.height = Math.round(height * density);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      scroll.style.height = `${height}px`;
    }
    space.style.height = `${Math.max(place.height - height, 0)}px`;
    this.context.setTransform(density, 0, 0, density, 0, 0);
    this.pen = new CanvasPen(this.context, this.font);
    this.pen.patterns = this.patterns;
    paint(this.pen, job, place, this.theme, {
      scroll: scroll.scrollTop, height, dim: this.dim, chosen: this.hovered ?? this.pinned,
    });
    const now = performance.now();
    this.paints.push(now - began);
    if (this.paints.length > 240) this.paints.shift();
    this.painted = now;
    this.table(false);
    this.placeTip();
    this.again(job);
  }

  /** While a job runs its bars grow; calmly for those who want little motion. */
  again(job) {
    clearTimeout(this.timer);
    if (job.finished || !this.live || !this.visible) return;
    if (this.calm.matches) this.timer = setTimeout(() => this.ask(), CALM_MS);
    else this.ask();
  }

  retheme() {
    const said = document.body?.dataset.jpThemeLight;
    this.dark = said === undefined ? this.prefersDark.matches : said === "false";
    const set = this.root.closest("[data-theme]")?.dataset.theme;
    if (set === "dark" || set === "light") this.dark = set === "dark";
    this.root.dataset.dark = String(this.dark);
    const style = getComputedStyle(this.root);
    const of = (name, otherwise) => style.getPropertyValue(name).trim() || otherwise;
    const base = this.dark ? DARK : LIGHT;
    this.theme = {
      ...base,
      ink: of("--pt-ink", base.ink),
      muted: of("--pt-muted", base.muted),
      line: of("--pt-line", base.line),
      band: of("--pt-band", base.band),
      background: of("--pt-background", base.background),
      alarm: of("--pt-alarm", base.alarm),
      mark: of("--pt-ink", base.mark),
      mixed: undefined,
    };
    this.font = style.fontFamily;
    this.patterns = new Map();
    this.table(true);
  }

  // ---- what is written below ----

  table(now) {
    const time = performance.now();
    if (!now && time - this.tabled < TABLE_MS) return;
    const job = this.job();
    // While nothing has happened the text stays as it is, but for the clock in it.
    this.tabled = time;
    this.jobs();
    if (!job) return;
    const until = this.until(job);
    const workers = workersOf(this.session, job, until);
    const stopped = !job.finished && !this.live;
    this.parts.title.textContent = `Job ${job.job}: ${job.action}`;
    this.parts.state.textContent = stopped ? this.why : STATES[job.state];
    this.parts.state.dataset.state = stopped ? "cancelled" : job.state;
    let summary = summaryOf(job, workers, until);
    if (stopped) summary = summary.replace("Running for", "Heard of for").replace(/\.$/, "; then nothing more was heard.");
    if (job.dropped > 0) summary += ` ${plural(job.dropped, "attempt")} more than can be drawn.`;
    set(this.parts.summary, summary);
    this.parts.error.hidden = !job.error;
    set(this.parts.error, job.error ?? "");
    this.parts.canvas.setAttribute(
      "aria-label",
      `Timeline of job ${job.job}: ${plural(job.attempts.length, "task attempt")} on ${plural(workers.length, "worker")}. Arrow keys move from task to task, Enter pins one, Escape lets go.`,
    );
    this.stages(job, until);
    this.columns();
    this.marks(job, workers);
    if (this.told !== job.state + job.job) {
      // Once at a job's beginning and once at its end, for those who hear the page.
      this.told = job.state + job.job;
      set(this.parts.live, `Job ${job.job}: ${summary}`);
    }
  }

  jobs() {
    const { picker } = this.parts;
    const jobs = [...this.session.jobs.values()];
    picker.parentElement.hidden = jobs.length < 2;
    const wanted = jobs.map((job) => `${job.job}:${job.state}`).join() + this.picked;
    if (jobs.length < 2 || this.listed === wanted) return;
    this.listed = wanted;
    picker.replaceChildren(
      element("option", { value: "" }, "latest job"),
      ...jobs.toReversed().map((job) => element("option", { value: job.job }, `job ${job.job}: ${job.action} (${STATES[job.state]})`)),
    );
    picker.value = this.picked === null ? "" : String(this.picked);
  }

  /** Only marks that are in the picture are explained. */
  marks(job, workers) {
    const has = (test) => job.attempts.some(test);
    const sum = (name) => [...job.stages.values()].some((stage) => stage.totals[name] > 0);
    const shown = {
      fetch: sum("fetch"), write: sum("write"), failed: has((a) => a.state === "failed"),
      retried: has((a) => a.attempt > 0 && !a.copy), copy: has((a) => a.copy),
      beaten: has((a) => a.state === "beaten"), lost: workers.some((w) => w.lost !== null),
    };
    for (const mark of this.parts.legend.querySelectorAll("[data-mark]")) {
      const { mark: name } = mark.dataset;
      if (name in shown) mark.hidden = !shown[name];
    }
  }

  stages(job, until) {
    const wall = Math.max(until - job.submitted, 0);
    const body = this.parts.stages;
    const rows = [...job.stages.values()];
    while (body.rows.length > rows.length) body.deleteRow(-1);
    rows.forEach((stage, place) => {
      const skew = skewOf(stage);
      const skewed = isSkewed(skew, wall);
      const row = body.rows[place] ?? body.appendChild(stageRow());
      row.dataset.stage = stage.stage;
      row.classList.toggle("pt-skewed", skewed);
      const [name, tasks, time, median, max, spread, strip, rowsOut, read, shuffled, spilled, hits] = row.cells;
      row.querySelector(".pt-swatch").style.background = stageColour(this.theme, stage);
      set(name.querySelector(".pt-name"), `${stage.stage} · ${stage.name}`);
      name.title = [stage.name, ...stage.resubmitted.map((r) => `${plural(r.tasks, "task")} again: ${r.cause}`)].join("\n");
      const notes = [];
      if (stage.failures > 0) notes.push(`${count(stage.failures)} failed`);
      if (stage.copies > 0) notes.push(stage.copies === 1 ? "1 copy" : `${count(stage.copies)} copies`);
      if (stage.resubmitted.length > 0) notes.push(`${count(stage.resubmitted.reduce((n, r) => n + r.tasks, 0))} again`);
      set(tasks.firstChild, `${count(stage.won.size)} / ${count(stage.tasks)}`);
      set(tasks.lastChild, notes.join(", "));
      const ended = stage.finished || job.finished ? stage.ended ?? stage.submitted : until;
      set(time, seconds(ended - stage.submitted));
      set(median, skew ? seconds(skew.median) : "–");
      set(max.firstChild, skew ? seconds(skew.max) : "–");
      const button = max.lastChild;
      button.hidden = !skew || skew.tasks < 2;
      set(button, skew ? `partition ${skew.worst}` : "");
      button.dataset.partition = skew?.worst ?? "";
      set(spread, skew && skew.tasks > 1 ? ratio(skew.ratio) : "–");
      spread.title = skewed ? "Skewed: one partition took much longer than most" : "";
      this.strip(strip, stage, skew);
      set(rowsOut, count(stage.totals.rowsOut));
      set(read, stage.totals.read > 0 ? bytes(stage.totals.read) : "–");
      set(shuffled, stage.totals.shuffleOut > 0 ? bytes(stage.totals.shuffleOut) : "–");
      set(spilled, stage.totals.spilled > 0 ? bytes(stage.totals.spilled) : "–");
      set(hits, stage.totals.cacheHits > 0 ? count(stage.totals.cacheHits) : "–");
    });
  }

  /** A column in which there is nothing takes no room. */
  columns() {
    const { rows } = this.parts.stages;
    const heads = this.parts.stages.parentElement.tHead.rows[0].cells;
    for (let place = 8; place < heads.length; place += 1) {
      const empty = [...rows].every((row) => row.cells[place].textContent === "–");
      heads[place].hidden = empty;
      for (const row of rows) row.cells[place].hidden = empty;
    }
  }

  /** Each task's time as a tick on one line, the median marked. */
  strip(cell, stage, skew) {
    const canvas = cell.firstChild;
    const key = `${stage.won.size}/${skew?.max}/${this.dark}`;
    if (canvas.dataset.key === key) return;
    canvas.dataset.key = key;
    const [width, height, density] = [96, 16, Math.min(globalThis.devicePixelRatio || 1, 3)];
    canvas.width = width * density;
    canvas.height = height * density;
    if (!skew || skew.max <= 0) return;
    const context = canvas.getContext("2d");
    context.setTransform(density, 0, 0, density, 0, 0);
    const x = (time) => 2 + (time / skew.max) * (width - 4);
    context.fillStyle = this.theme.line;
    context.fillRect(2, height - 3, width - 4, 1);
    const colours = tints(this.theme, stage);
    context.fillStyle = colours.compute;
    context.globalAlpha = Math.max(0.25, Math.min(0.9, 24 / skew.tasks));
    for (const time of skew.times) context.fillRect(x(time) - 1, 4, 2, height - 7);
    context.globalAlpha = 1;
    context.fillStyle = this.theme.mark;
    context.fillRect(x(skew.median) - 0.75, 1, 1.5, height - 2);
    canvas.setAttribute("aria-label", `Times from ${seconds(skew.min)} to ${seconds(skew.max)}, median ${seconds(skew.median)}`);
  }

  // ---- pointer and keys ----

  listen() {
    const { canvas, scroll, picker, stages, fit, closer, wider, save } = this.parts;
    this.listeners = new AbortController();
    const options = { signal: this.listeners.signal };
    const on = (target, name, take, more) => target.addEventListener(name, take, { ...options, ...more });
    this.calm = matchMedia("(prefers-reduced-motion: reduce)");
    this.prefersDark = matchMedia("(prefers-color-scheme: dark)");
    on(this.prefersDark, "change", () => (this.retheme(), this.ask()));
    this.visible = true;
    const themes = new MutationObserver(() => (this.retheme(), this.ask()));
    themes.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme", "class"] });
    if (document.body) themes.observe(document.body, { attributes: true, attributeFilter: ["data-jp-theme-light", "data-theme"] });
    const sizes = new ResizeObserver(() => this.ask());
    sizes.observe(scroll);
    const seen = new IntersectionObserver((entries) => {
      this.visible = entries.at(-1).isIntersecting;
      if (this.visible) this.ask();
    });
    seen.observe(this.root);
    this.observers = [themes, sizes, seen];
    on(scroll, "scroll", () => this.ask());
    on(canvas, "pointermove", (event) => this.dragging ? this.drag(event) : this.hover(event));
    on(canvas, "pointerleave", () => this.choose(null));
    on(canvas, "pointerdown", (event) => {
      if (event.button !== 0) return;
      this.dragging = { x: event.offsetX, range: this.range, moved: false };
      if (this.range) canvas.setPointerCapture(event.pointerId);
    });
    on(canvas, "pointerup", (event) => {
      const { moved } = this.dragging ?? {};
      this.dragging = null;
      if (!moved) this.pin(this.under(event));
    });
    on(canvas, "pointercancel", () => (this.dragging = null));
    on(canvas, "dblclick", () => this.zoom(null));
    on(canvas, "wheel", (event) => {
      // With Ctrl or ⌘ as elsewhere; alone the wheel scrolls the page.
      if (!event.ctrlKey && !event.metaKey) return;
      event.preventDefault();
      this.zoom(Math.exp(event.deltaY / 300), event.offsetX);
    }, { passive: false });
    on(canvas, "keydown", (event) => this.key(event));
    on(canvas, "blur", () => this.choose(null));
    on(picker, "change", () => this.show(picker.value === "" ? null : Number(picker.value)));
    on(stages, "pointerover", (event) => this.dimTo(event.target.closest("tr")?.dataset.stage));
    on(stages, "pointerleave", () => this.dimTo(undefined));
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
    const { place } = this;
    if (!place || event.offsetY < place.head) return null;
    return barAt(place, event.offsetX, event.offsetY - place.head + this.parts.scroll.scrollTop);
  }

  hover(event) {
    this.choose(this.under(event));
  }

  choose(bar) {
    if (this.hovered === bar) return;
    this.hovered = bar;
    this.tell(bar ?? this.pinned);
    this.ask();
  }

  pin(bar) {
    this.pinned = bar !== null && bar === this.pinned ? null : bar;
    this.hovered = null;
    this.tell(this.pinned);
    this.ask();
  }

  dimTo(stage) {
    const dim = stage === undefined ? null : Number(stage);
    if (this.dim === dim) return;
    this.dim = dim;
    this.ask();
  }

  /** Shows one partition's task, pinned; from the table below. */
  find(stage, partition) {
    const job = this.job();
    const bar = job?.stage(stage)?.won.get(partition);
    if (!bar || !this.place) return;
    this.range = null;
    this.dim = null;
    this.pinned = bar;
    this.hovered = null;
    this.reveal(bar);
    this.tell(bar);
    this.ask();
    this.parts.view.scrollIntoView({ block: "nearest" });
  }

  reveal(bar) {
    const row = this.place && rowOf(this.place, bar);
    const { scroll } = this.parts;
    if (!row) return;
    const seen = scroll.clientHeight - this.place.head;
    if (row.y < scroll.scrollTop) scroll.scrollTop = row.y - 4;
    else if (row.y + row.height > scroll.scrollTop + seen) scroll.scrollTop = row.y + row.height - seen + 4;
  }

  drag(event) {
    const { dragging, place } = this;
    const moved = event.offsetX - dragging.x;
    if (Math.abs(moved) > 3) dragging.moved = true;
    if (!dragging.moved || !dragging.range) return;
    const [from, to] = dragging.range;
    const shift = (-moved / (place.right - place.gutter)) * (to - from);
    this.setRange(from + shift, to + shift);
  }

  /** Makes the piece of time shown `factor` as long, around a point; `null` shows all of it. */
  zoom(factor, x) {
    const { place } = this;
    if (!place) return;
    if (factor === null) {
      this.range = null;
      this.ask();
      return;
    }
    const middle = x === undefined ? (place.from + place.to) / 2 : place.at(x) - this.job().submitted;
    const [from, to] = [place.from, place.to].map((t) => middle + (t - middle) * factor);
    this.setRange(from, to);
  }

  setRange(from, to) {
    const span = this.place.span;
    const length = Math.max(to - from, Math.min(span / 1e5, 1e-4));
    if (length >= span) this.range = null;
    else {
      const start = Math.min(Math.max(from, 0), span - length);
      this.range = [start, start + length];
    }
    this.ask();
  }

  key(event) {
    const job = this.job();
    if (!job || !this.place) return;
    const current = this.hovered ?? this.pinned;
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key];
    if (move) this.step(current, ...move);
    else if (event.key === "Home" || event.key === "End") this.step(null, 0, 0, event.key === "End");
    else if (event.key === "Enter" || event.key === " ") this.pin(current ?? null);
    else if (event.key === "Escape") {
      this.pinned = null;
      this.choose(null);
      this.tell(null);
    } else if (event.key === "+" || event.key === "=") this.zoom(0.5, current ? this.place.x(current.start) : undefined);
    else if (event.key === "-") this.zoom(2);
    else if (event.key === "0") this.zoom(null);
    else return;
    event.preventDefault();
    this.ask();
  }

  step(current, along, across, last = false) {
    const lanes = this.place.rows.filter((row) => row.kind === "lane" && row.bars.length > 0);
    if (lanes.length === 0) return;
    let lane = current ? lanes.indexOf(rowOf(this.place, current)) : 0;
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
    this.choose(bar);
  }

  // ---- one task's figures ----

  tell(bar) {
    const { tip, spoken } = this.parts;
    tip.hidden = !bar;
    if (!bar) return;
    const lines = this.figures(bar);
    tip.replaceChildren(
      element("strong", {}, lines.title),
      element("dl", {}, ...lines.rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
      ...(bar.cause ? [element("p", { class: "pt-cause" }, bar.cause)] : []),
      ...(this.pinned === bar ? [element("p", { class: "pt-pinned" }, "pinned; click again or Escape lets go")] : []),
    );
    if (document.activeElement === this.parts.canvas) {
      set(spoken, [lines.title, ...lines.rows.map(([name, value]) => `${name} ${value}`), bar.cause ?? ""].join("; "));
    }
  }

  /** What there is to say of an attempt. */
  figures(bar) {
    const job = this.job();
    const stage = job.stage(bar.stage);
    const worker = this.session.workers.get(bar.worker);
    const m = bar.metrics;
    const kind = bar.copy ? " (speculative copy)" : bar.attempt > 0 ? ` (attempt ${bar.attempt + 1})` : "";
    const rows = [["stage", `${bar.stage} · ${stage?.name ?? "?"}`]];
    rows.push(["where", worker ? `${worker.name}, slot ${bar.slot}` : `slot ${bar.slot}`]);
    rows.push(["state", bar.state === "failed" && bar.retried ? "failed, run again" : ENDS[bar.state]]);
    rows.push(["from", seconds(bar.start - job.submitted)]);
    const end = bar.end ?? this.until(job);
    rows.push([bar.end === null ? "so far" : "took", seconds(m?.run ?? end - bar.start)]);
    if (m) {
      const compute = Math.max((m.run ?? 0) - (m.fetch ?? 0) - (m.write ?? 0), 0);
      rows.push(["waited", seconds(m.queue ?? 0)]);
      if (m.fetch > 0) rows.push(["fetch", seconds(m.fetch)]);
      rows.push(["compute", seconds(compute)]);
      if (m.write > 0) rows.push(["write", seconds(m.write)]);
      rows.push(["processor", seconds(m.cpu)]);
      rows.push(["rows", `${count(m.rows_in)} in, ${count(m.rows_out)} out`]);
      if (m.bytes_read > 0) rows.push(["read", bytes(m.bytes_read)]);
      if (m.row_groups_skipped > 0) rows.push(["skipped", plural(m.row_groups_skipped, "row group")]);
      if (m.shuffle_in > 0 || m.shuffle_out > 0) rows.push(["shuffle", `${bytes(m.shuffle_in)} in, ${bytes(m.shuffle_out)} out`]);
      if (m.spilled > 0) rows.push(["spilled", bytes(m.spilled)]);
      if (m.cache_hits > 0) rows.push(["cache hits", count(m.cache_hits)]);
    }
    return { title: `Partition ${bar.partition}${kind}`, rows };
  }

  placeTip() {
    const bar = this.hovered ?? this.pinned;
    const { tip, scroll, view } = this.parts;
    if (!bar || tip.hidden) return;
    if (bar.state === "running") this.tell(bar);
    const row = rowOf(this.place, bar);
    if (!row) return;
    const middle = (Math.max(this.place.x(bar.start), this.place.gutter) + Math.min(this.place.x(bar.end ?? this.place.until), this.place.right)) / 2;
    const above = this.place.head + row.y - scroll.scrollTop - tip.offsetHeight - 8;
    let top = Math.min(this.place.head + row.y - scroll.scrollTop + row.height + 6, scroll.clientHeight + 6);
    // Where the window ends below, and there is room above, it goes there.
    const edge = view.getBoundingClientRect().top;
    if (edge + top + tip.offsetHeight > innerHeight && edge + above > 0) top = above;
    const left = Math.min(Math.max(middle - tip.offsetWidth / 2, 4), Math.max(view.clientWidth - tip.offsetWidth - 4, 4));
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  }

  save() {
    const job = this.job();
    if (!job) return;
    const link = element("a", {
      href: URL.createObjectURL(new Blob([this.svg()], { type: "image/svg+xml" })), download: `job-${job.job}.svg`,
    });
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10_000);
  }
}

/** For anywidget: events come as custom messages, `{events: […]}`, and those so far as a trait. */
export function render({ model, el }) {
  const timeline = new Timeline(el);
  timeline.apply(model.get("events") ?? []);
  const take = (message) => {
    if (Array.isArray(message?.events)) timeline.apply(message.events);
  };
  model.on("msg:custom", take);
  return () => {
    model.off("msg:custom", take);
    timeline.destroy();
  };
}

export default { render };
