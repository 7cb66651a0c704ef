// The timeline as a notebook's widget: what a model of anywidget knows, and its views. The kernel sends
// what happens as numbered messages; who has missed one asks for everything.

import { SessionModel } from "./model.js";
import { Timeline } from "./timeline.js";
import { eventsOf } from "./wire.js";

/** A job in view stays for so long, though others have begun. */
const HOLD_MS = 600;
/** A question is asked again after so long, then after twice as long, and so on, up to the last. */
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
    /** The number of the last message heard. */
    this.heard = -1;
    this.ended = false;
    /** While an answer is waited for: when the question is asked again. */
    this.asking = null;
    /** Whether the process whose jobs these are has ended. */
    this.gone = false;
    /** Whether the sessions make room for what comes next. */
    this.outdated = false;
  }

  begin(model) {
    this.model = model;
    /** Below a cell it is folded when the cell has ended; among controls it stays as it is. */
    this.folds = model.get("folds") ?? true;
    model.on("msg:custom", (message) => this.take(message));
    model.on("change:state", () => this.take(model.get("state")));
    this.take(model.get("state"));
    // What came before there was someone to hear it.
    this.ask();
  }

  /** Asks for everything that was missed; again, when no answer comes: servers drop what is too much for them. */
  ask(patience = ASK_AGAIN_MS) {
    if (this.asking !== null) return;
    this.model.send({ heard: this.heard });
    this.asking = setTimeout(() => {
      this.asking = null;
      if (!this.gone && patience < ASK_AGAIN_MOST_MS) this.ask(2 * patience);
    }, patience);
  }

  take(message) {
    // Whoever ran the jobs is no more; what was heard stays.
    if (message?.gone) {
      for (const view of this.views) view.setLive(false, "stopped");
      this.gone = true;
    }
    if (message === null || typeof message !== "object" || !Number.isFinite(message.number)) return;
    const { number, batches = [], whole = false, ended = false } = message;
    if (whole) {
      clearTimeout(this.asking);
      this.asking = null;
      if (number <= this.heard) return;
      this.outdated = true;
    } else if (number <= this.heard) return;
    else if (number > this.heard + 1) {
      this.ask();
      return;
    }
    this.heard = number;
    // What is there stays in view until there is something else to see.
    if (this.outdated && batches.length > 0) {
      this.outdated = false;
      this.sessions.clear();
    }
    for (const [session, now, rows] of batches) {
      if (!this.sessions.has(session)) this.sessions.set(session, new SessionModel(session));
      this.sessions.get(session).apply(eventsOf(rows), now / 1e6);
    }
    const over = ended && !this.ended;
    this.ended = ended;
    for (const view of this.views) {
      view.refresh();
      view.settle(ended);
      if (over && !view.inUse()) view.fold(true);
    }
  }

  show(element) {
    const view = new Timeline(element, {
      sessions: this.sessions, folds: this.folds, hold: HOLD_MS, quiet: true,
    });
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
