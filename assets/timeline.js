// The live timeline of a job: `new Timeline(element).receive(changes)`. It has one lane per slot and one bar
// per attempt at a task; below, how evenly each stage's work is spread. It shows what it is sent. This file
// chooses which job is shown; a painter, texts, a tooltip and controls do the rest.

import { Controls } from "./controls.js";
import { build } from "./elements.js";
import { receive } from "./model.js";
import { Painter } from "./painter.js";
import { svgOf } from "./svg_export.js";
import { Texts } from "./texts.js";
import { Tooltip } from "./tooltip.js";

/** A timeline inside an element. */
export class Timeline {
  /**
   * `live`: bars without an end grow with the clock, between messages too. `sessions`: what is known, where
   * several timelines show the same. `folds`: it can be folded to one line. `hold`: a job stays in view for
   * so many milliseconds after it has ended, though others have begun, so that short jobs can be seen.
   * `quiet`: nothing is shown while there is no job.
   */
  constructor(element, { live = true, sessions = new Map(), folds = false, hold = 0, quiet = false } = {}) {
    /** Sessions by id. */
    this.sessions = sessions;
    this.live = live;
    /** Why it is not live, when it is not. */
    this.why = "interrupted";
    this.folds = folds;
    this.hold = hold;
    this.quiet = quiet;
    this.folded = false;
    /** What several jobs came to together. */
    this.together = null;
    /** The job followed while none is picked, and since when. */
    this.followed = null;
    this.since = 0;
    /** The job picked by a person: {session, job}. */
    this.picked = null;
    this.settled = false;
    /** The piece of time shown, from the job's submission; `null` is all of it. */
    this.range = null;
    /** The stage whose tasks are not dimmed, if others are. */
    this.dim = null;
    /** The bars that a person pinned and points at. */
    this.pinned = null;
    this.hovered = null;
    /** Where everything was last painted. */
    this.layout = null;
    this.root = build(element);
    this.parts = Object.fromEntries([...this.root.querySelectorAll("[data-pt]")].map((e) => [e.dataset.pt, e]));
    this.texts = new Texts(this);
    this.tooltip = new Tooltip(this);
    this.painter = new Painter(this);
    this.controls = new Controls(this);
    this.listeners = new AbortController();
    this.painter.retheme();
    this.painter.observe(this.listeners.signal);
    this.controls.listen(this.listeners.signal);
    this.fold(false);
  }

  /** Takes messages about jobs. */
  receive(changes) {
    receive(this.sessions, changes);
    return this.refresh();
  }

  /** Shows what was received. */
  refresh() {
    const job = this.job();
    // A job that began anew has other bars.
    const shown = (bar) => bar === null || job?.attempts.includes(bar);
    if (!shown(this.pinned) || !shown(this.hovered)) this.forget();
    if (job?.finished) this.texts.write(true);
    this.painter.ask();
    return this;
  }

  /** Shows this job from now on; `null` for always the latest. */
  show(job, session = 0) {
    this.picked = job === null ? null : { session, job };
    this.followed = null;
    this.forget();
    this.texts.write(true);
    this.painter.ask();
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
    // The sessions may have begun anew meanwhile.
    const known = followed && this.sessions.get(followed.session.id)?.jobs.get(followed.job) === followed;
    const now = performance.now();
    if (known && (this.settled || (this.hold > 0 && (!followed.finished || now - this.since < this.hold)))) return followed;
    this.followed = latest;
    this.since = now;
    if (followed) this.forget();
    return latest;
  }

  /** Whether another job waits until this one was long enough in view. */
  isHolding(job) {
    return this.followed === job && !this.settled && this.jobs().at(-1) !== job;
  }

  /** No more jobs follow: the one that took longest is shown, until one is picked. */
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
    this.texts.write(true);
    this.painter.ask();
  }

  /** Folds it to one line, or opens it. */
  fold(folded) {
    this.folded = this.folds && folded;
    this.root.classList.toggle("pt-folded", this.folded);
    this.parts.toggle.hidden = !this.folds;
    this.parts.toggle.setAttribute("aria-expanded", String(!this.folded));
    this.texts.write(true);
    this.painter.ask();
  }

  /** Whether a person looks at it closely, so that it should not change under their hands. */
  inUse() {
    return this.pinned !== null || this.picked !== null || this.root.matches(":hover, :focus-within");
  }

  /** Whether bars grow between messages. They do not when no more messages come; `why` says why. */
  setLive(live, why = "interrupted") {
    if (this.live === live && this.why === why) return;
    this.live = live;
    this.why = why;
    for (const session of this.sessions.values()) session.received = performance.now();
    this.texts.write(true);
    this.painter.ask();
  }

  /** The picture as it is now, as SVG text, with the whole of the job's time. */
  svg({ width = 1000, dark = this.dark } = {}) {
    const job = this.job();
    return job ? svgOf(job, { width, dark, until: this.until(job) }) : "";
  }

  /** The end of the time shown: the job's end, or now. */
  until(job) {
    if (!job) return 0;
    if (job.finished || !this.live) return job.last;
    const { now, received } = job.session;
    return Math.max(job.last, now) + (performance.now() - received) / 1000;
  }

  /** Removes it from the page: no more frames, no more listeners. */
  destroy() {
    this.listeners.abort();
    this.root.remove();
  }

  /** Another job comes into view: nothing of the last one stays selected. */
  forget() {
    this.range = null;
    this.pinned = null;
    this.hovered = null;
    this.dim = null;
    this.parts.scroll.scrollTop = 0;
    this.tooltip.show(null);
  }
}
