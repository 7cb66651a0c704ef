// A session's events, folded into what a picture needs: workers, jobs, stages, attempts at tasks.
// Events are those of the bridge as JSON: {"TaskStarted": {"job": 0, …, "at": 1.25}}, times in seconds
// from the session's start. Nothing is drawn here, and no event can do harm: numbers are bounded.

const JOBS_KEPT = 100;
const ATTEMPTS_KEPT = 200_000;
const SLOTS_SHOWN = 1024;

/** What is known of a session. */
export class SessionModel {
  /** `id` tells sessions apart where there are several. */
  constructor(id = 0) {
    this.id = id;
    this.jobs = new Map();
    this.workers = new Map();
    /** Time of the latest event, or a later one that is known to have come. */
    this.now = 0;
    /** When that was, on the page's clock. */
    this.heard = performance.now();
  }

  /** Takes the session's next events. */
  apply(events, now = 0) {
    if (Number.isFinite(now)) this.now = Math.max(this.now, now);
    this.heard = performance.now();
    for (const event of events) {
      if (event === null || typeof event !== "object") continue;
      for (const [kind, body] of Object.entries(event)) {
        if (body === null || typeof body !== "object") continue;
        const take = FOLDS[kind];
        if (!take) continue;
        if (Number.isFinite(body.at)) this.now = Math.max(this.now, body.at);
        take(this, body);
      }
    }
  }

  /** The job submitted last, if there is one. */
  latest() {
    let last = null;
    for (const job of this.jobs.values()) last = job;
    return last;
  }
}

let submissions = 0;

/** One action. */
export class JobModel {
  constructor(session, { job, action, slots, at }) {
    /** The session it is a job of. */
    this.session = session;
    /** Its place among the jobs of all sessions. */
    this.order = submissions += 1;
    this.job = job;
    this.action = String(action);
    this.slots = Math.min(slots | 0, SLOTS_SHOWN);
    this.submitted = at;
    /** Time of its latest event. */
    this.last = at;
    this.finished = false;
    this.error = null;
    this.cancelled = false;
    /** Stages by number, in the order they were submitted. */
    this.stages = new Map();
    /** Every attempt at a task, in the order they began. */
    this.attempts = [];
    /** Attempts that are not drawn, because there are too many. */
    this.dropped = 0;
    /** Attempts by worker and slot, by time. */
    this.lanes = new Map();
    this.byKey = new Map();
    /** Grows with every change, for those who keep what they computed. */
    this.version = 0;
  }

  /** Seconds from its submission to its end, or to its latest event. */
  get wall() {
    return Math.max(this.last - this.submitted, 0);
  }

  /** "running", "done", "failed" or "cancelled". */
  get state() {
    if (!this.finished) return "running";
    if (this.error === null || this.error === undefined) return "done";
    return this.cancelled ? "cancelled" : "failed";
  }

  stage(number) {
    return this.stages.get(number);
  }

  /** The attempts at one partition of a stage, in the order they began. */
  attemptsAt(stage, partition) {
    return this.attempts.filter((a) => a.stage === stage && a.partition === partition);
  }
}

function stageModel({ stage, name, tasks, at }, order) {
  return {
    stage,
    name: String(name),
    tasks,
    /** Its place among the job's stages, for its colour. */
    order,
    submitted: at,
    ended: null,
    finished: false,
    /** Why some of it was run again, if it was: {cause, tasks, at}. */
    resubmitted: [],
    /** The attempt whose output counts, by partition. */
    won: new Map(),
    running: 0,
    failures: 0,
    copies: 0,
    totals: {
      rowsIn: 0, rowsOut: 0, read: 0, skipped: 0, shuffleIn: 0, shuffleOut: 0, spilled: 0, cacheHits: 0,
      run: 0, cpu: 0, fetch: 0, write: 0,
    },
  };
}

const keyOf = (e) => `${e.stage}/${e.partition}/${e.attempt ?? 0}`;
const jobOf = (session, event) => session.jobs.get(event.job);

function touch(job, at) {
  if (Number.isFinite(at)) job.last = Math.max(job.last, at);
  job.version += 1;
}

function addAttempt(job, attempt) {
  if (job.attempts.length >= ATTEMPTS_KEPT) {
    job.dropped += 1;
    return null;
  }
  job.attempts.push(attempt);
  job.byKey.set(keyOf(attempt), attempt);
  const lane = laneKey(attempt.worker, attempt.slot);
  if (!job.lanes.has(lane)) job.lanes.set(lane, []);
  const bars = job.lanes.get(lane);
  // Almost always the last one; an attempt whose start was lost on the way may come late.
  let place = bars.length;
  while (place > 0 && bars[place - 1].start > attempt.start) place -= 1;
  bars.splice(place, 0, attempt);
  return attempt;
}

/** The name of a lane in `JobModel.lanes`. */
export function laneKey(worker, slot) {
  return `${worker}/${slot}`;
}

function endAttempt(job, attempt, state, at) {
  if (attempt.state === "running") {
    const stage = job.stage(attempt.stage);
    if (stage) stage.running -= 1;
  }
  attempt.state = state;
  attempt.end = at;
}

function addTotals(totals, metrics) {
  const add = (name, value) => {
    if (Number.isFinite(value)) totals[name] += value;
  };
  add("rowsIn", metrics.rows_in);
  add("rowsOut", metrics.rows_out);
  add("read", metrics.bytes_read);
  add("skipped", metrics.row_groups_skipped);
  add("shuffleIn", metrics.shuffle_in);
  add("shuffleOut", metrics.shuffle_out);
  add("spilled", metrics.spilled);
  add("cacheHits", metrics.cache_hits);
  add("run", metrics.run);
  add("cpu", metrics.cpu);
  add("fetch", metrics.fetch);
  add("write", metrics.write);
}

const FOLDS = {
  WorkerJoined(session, { worker, name, slots, at }) {
    session.workers.set(worker, {
      worker, name: String(name), slots: Math.min(slots | 0, SLOTS_SHOWN), joined: at, lost: null, cause: null,
    });
    const job = session.latest();
    if (job && !job.finished) touch(job, at);
  },
  WorkerLost(session, { worker, cause, at }) {
    const known = session.workers.get(worker);
    if (known) Object.assign(known, { lost: at, cause: String(cause) });
    else session.workers.set(worker, { worker, name: `worker ${worker}`, slots: 0, joined: 0, lost: at, cause: String(cause) });
    const job = session.latest();
    if (job && !job.finished) touch(job, at);
  },
  JobSubmitted(session, event) {
    session.jobs.delete(event.job);
    session.jobs.set(event.job, new JobModel(session, event));
    if (session.jobs.size > JOBS_KEPT) session.jobs.delete(session.jobs.keys().next().value);
  },
  StageSubmitted(session, event) {
    const job = jobOf(session, event);
    if (!job) return;
    job.stages.set(event.stage, stageModel(event, job.stage(event.stage)?.order ?? job.stages.size));
    touch(job, event.at);
  },
  StageResubmitted(session, { job: number, stage: stageNumber, tasks, cause, at }) {
    const job = session.jobs.get(number);
    const stage = job?.stage(stageNumber);
    if (!stage) return;
    stage.finished = false;
    stage.ended = null;
    stage.resubmitted.push({ tasks, cause: String(cause), at });
    touch(job, at);
  },
  TaskStarted(session, event) {
    const job = jobOf(session, event);
    if (!job) return;
    const { stage: stageNumber, partition, attempt = 0, worker = 0, slot, at } = event;
    const stage = job.stage(stageNumber);
    // A second attempt while a first one runs is a speculative copy.
    const beside = attempt > 0 && job.attempts.some(
      (a) => a.stage === stageNumber && a.partition === partition && a.state === "running",
    );
    // Its output was there and is lost: the count of tasks done goes back.
    if (!beside) stage?.won.delete(partition);
    addAttempt(job, {
      stage: stageNumber, partition, attempt, worker, slot, start: at, end: null,
      state: "running", metrics: null, cause: null, retried: false, copy: beside,
    });
    if (stage) {
      stage.running += 1;
      if (beside) stage.copies += 1;
    }
    touch(job, at);
  },
  TaskFinished(session, event) {
    const job = jobOf(session, event);
    if (!job) return;
    const { stage: stageNumber, partition, attempt = 0, worker = 0, metrics = {}, at } = event;
    const bar = job.byKey.get(keyOf(event)) ?? addAttempt(job, {
      // Its start was lost on the way: the figures say when that was.
      stage: stageNumber, partition, attempt, worker, slot: metrics.slot ?? 0, start: at - (metrics.run ?? 0),
      end: at, state: "done", metrics, cause: null, retried: false, copy: false,
    });
    const stage = job.stage(stageNumber);
    if (bar) {
      endAttempt(job, bar, "done", at);
      bar.metrics = metrics;
      // The slot knows better when it began than who heard of it.
      bar.start = Math.min(bar.start, at - (metrics.run ?? 0));
    }
    if (stage) {
      stage.won.set(partition, bar ?? { partition, attempt, metrics, start: at - (metrics.run ?? 0), end: at });
      stage.ended = Math.max(stage.ended ?? at, at);
      addTotals(stage.totals, metrics);
    }
    touch(job, at);
  },
  TaskFailed(session, event) {
    const job = jobOf(session, event);
    if (!job) return;
    const { stage: stageNumber, partition, attempt = 0, worker = 0, cause, retried = false, at } = event;
    const bar = job.byKey.get(keyOf(event)) ?? addAttempt(job, {
      stage: stageNumber, partition, attempt, worker, slot: 0, start: at, end: at, state: "failed",
      metrics: null, cause: null, retried, copy: false,
    });
    const stage = job.stage(stageNumber);
    // When another attempt's output is there already, this one was not needed any more.
    const needless = stage?.won.has(partition) ?? false;
    if (bar) {
      endAttempt(job, bar, needless ? "beaten" : "failed", at);
      bar.cause = String(cause);
      bar.retried = Boolean(retried);
    }
    if (stage && !needless) stage.failures += 1;
    touch(job, at);
  },
  TasksLeftOut(session, { job: number, tasks }) {
    const job = session.jobs.get(number);
    if (!job) return;
    job.dropped += tasks;
    touch(job);
  },
  StageFinished(session, { job: number, stage: stageNumber, at }) {
    const job = session.jobs.get(number);
    const stage = job?.stage(stageNumber);
    if (!stage) return;
    stage.finished = true;
    stage.ended = at;
    closeRunning(job, at, (a) => a.stage === stageNumber);
    touch(job, at);
  },
  JobFinished(session, { job: number, error, cancelled, at }) {
    const job = session.jobs.get(number);
    if (!job) return;
    job.finished = true;
    job.error = error ?? null;
    job.cancelled = Boolean(cancelled);
    closeRunning(job, at, () => true);
    touch(job, at);
  },
};

/** Attempts nobody told the end of: beaten by another one, cancelled, or the message was lost. */
function closeRunning(job, at, which) {
  for (const attempt of job.attempts) {
    if (attempt.state !== "running" || !which(attempt)) continue;
    const stage = job.stage(attempt.stage);
    const beaten = stage?.won.has(attempt.partition);
    const cut = job.finished && !(stage?.finished ?? false);
    endAttempt(job, attempt, beaten ? "beaten" : cut ? "cut" : "untold", at);
  }
}

/** The workers a job was run on, with the slots to draw a lane for, in the order of their numbers. */
export function workersOf(job, until) {
  const { session } = job;
  const rows = new Map();
  for (const worker of session.workers.values()) {
    const there = worker.joined <= until && (worker.lost === null || worker.lost >= job.submitted);
    if (there) rows.set(worker.worker, { ...worker, known: true });
  }
  // Without workers of their own the slots are threads of the session's process.
  if (rows.size === 0 && job.slots > 0) {
    rows.set(0, { worker: 0, name: "", slots: job.slots, joined: 0, lost: null, cause: null, known: false });
  }
  for (const key of job.lanes.keys()) {
    const [worker, slot] = key.split("/").map(Number);
    const known = session.workers.get(worker);
    const row = rows.get(worker)
      ?? { worker, name: known?.name ?? `worker ${worker}`, slots: 0, joined: 0, lost: known?.lost ?? null, cause: known?.cause ?? null, known: true };
    row.slots = Math.min(Math.max(row.slots, slot + 1), SLOTS_SHOWN);
    rows.set(worker, row);
  }
  return [...rows.values()].sort((a, b) => a.worker - b.worker);
}
