// The live timeline of a job: `new Timeline(element).apply(events)`. One lane a slot, one bar an attempt
// at a task; below it how even each stage's work was. It shows what the events say and nothing else.

import { SessionModel, workersOf } from "./model.js";
import { plural, summaryOf, summaryOfAll } from "./figures.js";
import { DARK, LIGHT, barAt, layOut, paint, rowOf } from "./picture.js";
import { CanvasPen } from "./pens.js";
import { svgOf } from "./saved.js";
import { build, element, set } from "./elements.js";
import { showMarks, showStages } from "./table.js";
import { figuresOf } from "./task.js";

const LANES_PIXELS = 560;
const TABLE_MS = 250;
const CALM_MS = 1000;

const STATES = { running: "running", done: "done", failed: "failed", cancelled: "cancelled" };

/** A timeline inside of an element. */
export class Timeline {
  /**
   * `live`: bars without an end grow with the clock, between events too. `sessions`: what is known, where
   * several timelines show the same. `folds`: it can be folded to one line. `hold`: for so many milliseconds
   * a job stays in view when it has ended, though others have begun; who looks at short jobs sees something.
   * `quiet`: while there is no job there is nothing to see.
   */
  constructor(element, { live = true, sessions = new Map(), folds = false, hold = 0, quiet = false } = {}) {
    /** Sessions by id. */
    this.sessions = sessions;
    this.live = live;
    this.why = "interrupted";
    this.folds = folds;
    this.hold = hold;
    this.quiet = quiet;
    this.folded = false;
    /** The job followed while none is picked, and since when. */
    this.followed = null;
    this.since = 0;
    /** The job picked by a person: {session, job}. */
    this.picked = null;
    this.range = null;
    this.dim = null;
    this.pinned = null;
    this.hovered = null;
    this.tabled = 0;
    this.painted = 0;
    /** Times of the last paints, in milliseconds: how long each took. */
    this.paints = [];
    this.root = build(element);
    this.parts = Object.fromEntries([...this.root.querySelectorAll("[data-pt]")].map((e) => [e.dataset.pt, e]));
    this.context = this.parts.canvas.getContext("2d");
    this.settled = false;
    this.listen();
    this.retheme();
    this.fold(false);
  }

  /** Takes a session's next events. */
  apply(events, session = 0) {
    if (!this.sessions.has(session)) this.sessions.set(session, new SessionModel(session));
    this.sessions.get(session).apply(events);
    return this.refresh();
  }

  /** Something is known that was not before. */
  refresh() {
    if (this.job()?.finished) this.table(true);
    this.ask();
    return this;
  }

  /** Shows this job from now on; `null` for always the latest. */
  show(job, session = 0) {
    this.picked = job === null ? null : { session, job };
    this.followed = null;
    this.forget();
    this.table(true);
    this.ask();
  }

  /** Every job known, in the order they were submitted. */
  jobs() {
    return [...this.sessions.values()].flatMap((session) => [...session.jobs.values()]).sort((a, b) => a.order - b.order);
  }

  /** The job shown. */
  job() {
    const picked = this.picked && this.sessions.get(this.picked.session)?.jobs.get(this.picked.job);
    if (picked) return picked;
    let latest = null;
    for (const session of this.sessions.values()) {
      const last = session.latest();
      if (last && (latest === null || last.order > latest.order)) latest = last;
    }
    const { followed } = this;
    if (followed === latest) return latest;
    // Everything may have been told anew meanwhile.
    const kept = followed && this.sessions.get(followed.session.id)?.jobs.get(followed.job) === followed;
    const now = performance.now();
    if (kept && (this.settled || (this.hold > 0 && (!followed.finished || now - this.since < this.hold)))) return followed;
    this.followed = latest;
    this.since = now;
    if (followed) this.forget();
    return latest;
  }

  /** No job follows: the one that took longest is shown, until one is picked. */
  settle(settled) {
    if (this.settled === settled) return;
    this.settled = settled;
    if (settled) {
      const longest = this.jobs().reduce((a, b) => (a === null || b.wall > a.wall ? b : a), null);
      if (longest && longest !== this.followed) {
        this.followed = longest;
        this.forget();
      }
    }
    this.table(true);
    this.ask();
  }

  /** Folds it to one line, or opens it. */
  fold(folded) {
    this.folded = this.folds && folded;
    this.root.classList.toggle("pt-folded", this.folded);
    this.parts.toggle.hidden = !this.folds;
    this.parts.toggle.setAttribute("aria-expanded", String(!this.folded));
    this.table(true);
    this.ask();
  }

  /** Whether a person looks at it closely, so that it should not change under their hands. */
  inUse() {
    return this.pinned !== null || this.picked !== null || this.root.matches(":hover, :focus-within");
  }

  /** Whether bars grow between events: not when nobody tells what happens any more, and why. */
  setLive(live, why = "interrupted") {
    if (this.live === live && this.why === why) return;
    this.live = live;
    this.why = why;
    for (const session of this.sessions.values()) session.heard = performance.now();
    this.table(true);
    this.ask();
  }

  /** The picture as it is now, as SVG text, with the whole of the job's time. */
  svg({ width = 1000, dark = this.dark } = {}) {
    const job = this.job();
    return job ? svgOf(job, { width, dark, until: this.until(job) }) : "";
  }

  /** The end of the time shown: the job's end, or now. */
  until(job) {
    if (!job) return 0;
    if (job.finished) return job.last;
    if (!this.live) return job.last;
    const { now, heard } = job.session;
    return Math.max(job.last, now) + (performance.now() - heard) / 1000;
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
    this.root.hidden = this.quiet && !job;
    this.parts.empty.hidden = Boolean(job);
    this.parts.body.hidden = !job || this.folded;
    if (!job || this.folded) {
      this.table(false);
      if (job) this.again(job);
      return;
    }
    const { canvas, scroll, space } = this.parts;
    if (scroll.clientWidth < 40) {
      // Not laid out, as while the page changes its theme. Who sees it again is told; who never lost sight is not.
      clearTimeout(this.timer);
      if (this.visible && this.root.isConnected) this.timer = setTimeout(() => this.ask(), 100);
      return;
    }
    const width = Math.max(Math.floor(scroll.clientWidth), 120);
    const place = layOut(job, { width, until: this.until(job), range: this.range });
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
    // The next job may be waiting for its turn.
    const waiting = this.followed === job && !this.settled && this.jobs().at(-1) !== job;
    if ((job.finished && !waiting) || !this.live || !this.visible) return;
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
    // Themes name colours in any way; a canvas says them in the one that can be mixed.
    const of = (name, otherwise) => {
      this.context.fillStyle = otherwise;
      this.context.fillStyle = style.getPropertyValue(name).trim();
      return this.context.fillStyle;
    };
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
    const jobs = this.jobs();
    this.choices(jobs);
    if (!job) return;
    const until = this.until(job);
    const workers = workersOf(job, until);
    const stopped = !job.finished && !this.live;
    const several = this.folded && jobs.length > 1;
    this.parts.title.textContent = several ? plural(jobs.length, "job") : `Job ${job.job}: ${job.action}`;
    this.parts.state.textContent = stopped ? this.why : STATES[job.state];
    this.parts.state.dataset.state = stopped ? "cancelled" : job.state;
    let summary = summaryOf(job, workers, until);
    if (stopped) summary = summary.replace("Running for", "Heard of for").replace(/\.$/, "; then nothing more was heard.");
    if (job.dropped > 0) summary += ` ${plural(job.dropped, "attempt")} more than can be drawn.`;
    set(this.parts.summary, several ? summaryOfAll(jobs, job, summary) : summary);
    this.parts.error.hidden = !job.error;
    set(this.parts.error, job.error ?? "");
    this.parts.canvas.setAttribute(
      "aria-label",
      `Timeline of job ${job.job}: ${plural(job.attempts.length, "task attempt")} on ${plural(workers.length, "worker")}. Arrow keys move from task to task, Enter pins one, Escape lets go.`,
    );
    if (!this.folded) {
      showStages(this.parts.stages, job, until, this.theme);
      showMarks(this.parts.legend, job, workers);
    }
    if (this.told !== job.state + job.job) {
      // Once at a job's beginning and once at its end, for those who hear the page.
      this.told = job.state + job.job;
      set(this.parts.live, `Job ${job.job}: ${summary}`);
    }
  }

  choices(jobs) {
    const { picker } = this.parts;
    picker.parentElement.hidden = jobs.length < 2;
    const several = this.sessions.size > 1;
    const key = (job) => `${job.session.id}/${job.job}`;
    const picked = this.picked === null ? "" : `${this.picked.session}/${this.picked.job}`;
    const wanted = jobs.map((job) => `${key(job)}:${job.state}`).join() + picked + this.settled;
    if (jobs.length < 2 || this.listed === wanted) return;
    this.listed = wanted;
    picker.replaceChildren(
      element("option", { value: "" }, this.settled ? "longest job" : "latest job"),
      ...jobs.toReversed().map((job) => element(
        "option", { value: key(job) },
        `job ${job.job}${several ? ` of session ${job.session.id}` : ""}: ${job.action} (${STATES[job.state]})`,
      )),
    );
    picker.value = picked;
  }

  // ---- pointer and keys ----

  listen() {
    const { canvas, scroll, picker, stages, fit, closer, wider, save, toggle } = this.parts;
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
    // Whatever around it is scrolled, a task's figures stay at the task.
    on(document, "scroll", () => this.placeTip(), { capture: true, passive: true });
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
    on(picker, "change", () => {
      const [session, job] = picker.value.split("/").map(Number);
      this.show(picker.value === "" ? null : job, session);
    });
    on(toggle, "click", () => this.fold(!this.folded));
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
    // Above everything, because a notebook cuts off what reaches out of an output.
    if (tip.matches(":popover-open") !== Boolean(bar) && tip.isConnected) tip.togglePopover?.(Boolean(bar));
    if (!bar) return;
    const job = this.job();
    const lines = figuresOf(bar, job, this.until(job));
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

  placeTip() {
    const bar = this.hovered ?? this.pinned;
    const { tip, scroll, view } = this.parts;
    if (!bar || tip.hidden) return;
    if (bar.state === "running") this.tell(bar);
    const row = rowOf(this.place, bar);
    if (!row) return;
    const middle = (Math.max(this.place.x(bar.start), this.place.gutter) + Math.min(this.place.x(bar.end ?? this.place.until), this.place.right)) / 2;
    const area = view.getBoundingClientRect();
    const lane = area.top + this.place.head + row.y - scroll.scrollTop;
    const lowest = area.top + scroll.clientHeight + 6;
    let top = Math.min(lane + row.height + 6, lowest);
    // Where the window ends below, and there is room above, it goes there.
    const above = lane - tip.offsetHeight - 8;
    if (top + tip.offsetHeight > innerHeight && above > 0) top = above;
    const left = area.left + Math.min(Math.max(middle - tip.offsetWidth / 2, 4), Math.max(view.clientWidth - tip.offsetWidth - 4, 4));
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
