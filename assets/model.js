// The jobs of some sessions as they are sent, in the messages that `runtime/events/src/changes.rs` describes.
// Counts, sums, skew and texts come with the messages; nothing is computed from them here. Attempts are
// arranged in lanes, for drawing.

import { seconds } from "./figures.js";
import { attemptOf, secondsOf } from "./wire.js";

const JOBS_KEPT = 100;

/** Takes messages about jobs; `sessions` has a `Session` by id. */
export function receive(sessions, messages) {
  for (const message of messages) {
    const { session } = message;
    if (!sessions.has(session)) sessions.set(session, new Session(session));
    sessions.get(session).receive(message);
  }
}

class Session {
  constructor(id) {
    this.id = id;
    /** Jobs by number, in the order they were submitted. */
    this.jobs = new Map();
    /** The session's clock when its latest message was made. */
    this.now = 0;
    /** When that message came, on the page's clock. */
    this.received = performance.now();
  }

  receive(message) {
    this.now = Math.max(this.now, secondsOf(message.now));
    this.received = performance.now();
    let job = this.jobs.get(message.job);
    if (!job) {
      job = new Job(this, message.job);
      this.jobs.set(message.job, job);
      if (this.jobs.size > JOBS_KEPT) this.jobs.delete(this.jobs.keys().next().value);
    }
    job.receive(message);
  }

  /** The job submitted last, if there is one. */
  latest() {
    return [...this.jobs.values()].at(-1) ?? null;
  }
}

let jobs = 0;

class Job {
  constructor(session, job) {
    /** The session that runs it. */
    this.session = session;
    /** Its place among the jobs of all sessions. */
    this.order = jobs += 1;
    this.job = job;
    this.begin();
  }

  /** Drops what is known of it. */
  begin() {
    /** Stages, in the order they were submitted. */
    this.stages = [];
    this.byNumber = new Map();
    /** Attempts at tasks, by number. */
    this.attempts = [];
    /** Attempts by worker and slot, in the order they started. */
    this.lanes = new Map();
  }

  receive(message) {
    if (message.first === 0) this.begin();
    this.action = message.action;
    this.submitted = secondsOf(message.submitted);
    /** The time of its latest event. */
    this.last = secondsOf(message.last);
    this.state = message.state;
    this.finished = message.state !== "running";
    this.error = message.error;
    /** A sentence: its beginning, the time taken (`null` while the job runs), and the rest. */
    this.opening = message.opening;
    this.took = message.took;
    this.summary = message.summary;
    /** Attempts that are counted but not sent, because there are too many. */
    this.leftOut = message.left_out;
    this.workers = message.workers.map(workerOf);
    this.skewed = new Set(message.skewed);
    for (const stage of message.stages) this.setStage(stage);
    for (const row of message.added) this.add(attemptOf(row));
    for (const [number = 0, ...row] of message.changed) this.change(number, attemptOf(row));
    for (const [number, cause] of Object.entries(message.causes)) {
      if (this.attempts[number]) this.attempts[number].cause = cause;
    }
  }

  /** A stage by its number. */
  stage(number) {
    return this.byNumber.get(number);
  }

  /** Whether a stage's skew is worth telling. */
  isSkewed(stage) {
    return this.skewed.has(stage.order);
  }

  /** From its submission to its end, or to its latest event. */
  get wall() {
    return Math.max(this.last - this.submitted, 0);
  }

  setStage(message) {
    const stage = {
      ...message, submitted: secondsOf(message.submitted),
      ended: message.ended === null ? null : secondsOf(message.ended),
    };
    // JSON has no infinity.
    if (stage.skew) stage.skew = { ...stage.skew, ratio: stage.skew.ratio ?? Infinity };
    this.stages[stage.order] = stage;
    this.byNumber.set(stage.stage, stage);
  }

  add(attempt) {
    this.attempts.push(attempt);
    const lane = laneKey(attempt.worker, attempt.slot);
    if (!this.lanes.has(lane)) this.lanes.set(lane, []);
    const bars = this.lanes.get(lane);
    bars.push(attempt);
    sortIn(bars, bars.length - 1);
  }

  change(number, now) {
    const attempt = this.attempts[number];
    if (!attempt) return;
    const started = attempt.start;
    Object.assign(attempt, now, { cause: attempt.cause });
    if (attempt.start === started) return;
    const bars = this.lanes.get(laneKey(attempt.worker, attempt.slot));
    sortIn(bars, bars.indexOf(attempt));
  }
}

/** Moves a bar that may start earlier than those before it. Almost always it does not. */
function sortIn(bars, place) {
  while (place > 0 && bars[place - 1].start > bars[place].start) {
    [bars[place - 1], bars[place]] = [bars[place], bars[place - 1]];
    place -= 1;
  }
}

function workerOf({ worker, name, slots, lost }) {
  // Slots without a worker of their own are threads of the session's process.
  return { worker, name, slots, lost: lost && secondsOf(lost.at), cause: lost && lost.cause };
}

/** The name of a lane in a job's `lanes`. */
export function laneKey(worker, slot) {
  return `${worker}/${slot}`;
}

/** What a job came to, in one line; while it runs, so far. `until` is now. */
export function lineOf(job, until) {
  return `${job.opening} ${timeOf(job, until)}: ${job.summary}`;
}

/** What is known of a job whose end will never be known. */
export function lastLineOf(job) {
  const known = job.summary.replace(/\.$/, "");
  return `Seen for ${timeOf(job, job.last)}: ${known}; then nothing more was received.`;
}

function timeOf(job, until) {
  return job.took ?? seconds(Math.max(until - job.submitted, 0));
}
