// The timeline as a notebook's widget: a model of anywidget and its views. The kernel sends changes of jobs in
// numbered messages. A page that has missed one asks for everything.

import { receive } from "./model.js";
import { Timeline } from "./timeline.js";

/** How long a job stays in view, though others have begun. */
const HOLD_MS = 600;
/** How long until a question is asked again the first time. The time doubles up to the maximum. */
const ASK_AGAIN_MS = 1000;
const ASK_AGAIN_MOST_MS = 60_000;

/** A widget as anywidget wants it; `style` is the text of the style sheet. */
export function widget(style) {
  const feed = new Feed();
  return {
    initialize({ model }) {
      feed.begin(model);
    },
    render({ el }) {
      dress(el.ownerDocument, style);
      return feed.show(el);
    },
  };
}

/** The style sheet, once in a page. */
function dress(document, style) {
  const id = "partita-timeline-style";
  if (document.getElementById(id)) return;
  const element = document.createElement("style");
  element.id = id;
  element.textContent = style;
  document.head.append(element);
}

class Feed {
  constructor() {
    /** Sessions by id, shared by all views. */
    this.sessions = new Map();
    this.views = new Set();
    /** The number of the last message received. */
    this.received = -1;
    this.ended = false;
    /** What several jobs came to together. */
    this.together = null;
    /** While an answer is awaited: the timer that asks again. */
    this.asking = null;
    /** Whether the process that ran the jobs has ended. */
    this.gone = false;
    /** Whether the next jobs replace those that are shown. */
    this.outdated = false;
  }

  begin(model) {
    this.model = model;
    /** Below a cell it folds when the cell has ended; among controls it stays open. */
    this.folds = model.get("folds") ?? true;
    model.on("msg:custom", (message) => this.receive(message));
    model.on("change:state", () => this.receive(model.get("state")));
    this.receive(model.get("state"));
    // Messages may have been sent before this page listened.
    this.ask();
  }

  /** Asks for everything that was missed, and asks again if no answer comes: a busy server drops messages. */
  ask(patience = ASK_AGAIN_MS) {
    if (this.asking !== null) return;
    this.model.send({ received: this.received });
    this.asking = setTimeout(() => {
      this.asking = null;
      if (!this.gone && patience < ASK_AGAIN_MOST_MS) this.ask(2 * patience);
    }, patience);
  }

  receive(message) {
    // The process that ran the jobs has ended. What was received stays.
    if (message?.gone) {
      for (const view of this.views) view.setLive(false, "stopped");
      this.gone = true;
    }
    if (message === null || typeof message !== "object" || !Number.isFinite(message.number)) return;
    const { number, changes = [], whole = false, ended = false } = message;
    if (whole) {
      clearTimeout(this.asking);
      this.asking = null;
    }
    if (number <= this.received) return;
    if (!whole && number > this.received + 1) {
      this.ask();
      return;
    }
    this.received = number;
    this.outdated ||= whole;
    // The jobs that are shown stay in view until there are others.
    if (this.outdated && changes.length > 0) {
      this.outdated = false;
      this.sessions.clear();
    }
    receive(this.sessions, changes);
    this.together = message.together ?? this.together;
    const over = ended && !this.ended;
    this.ended = ended;
    for (const view of this.views) {
      view.together = this.together;
      view.refresh();
      view.settle(ended);
      if (over && !view.inUse()) view.fold(true);
    }
  }

  show(element) {
    const view = new Timeline(element, {
      sessions: this.sessions, folds: this.folds, hold: HOLD_MS, quiet: true,
    });
    view.together = this.together;
    const before = [...this.views].at(-1);
    if (this.gone) view.setLive(false, "stopped");
    view.settle(this.ended);
    view.fold(before ? before.folded : this.ended);
    if (before?.picked) view.show(before.picked.job, before.picked.session);
    this.views.add(view);
    return () => {
      this.views.delete(view);
      view.destroy();
    };
  }
}
