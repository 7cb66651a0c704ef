// Figures for people: times, bytes, counts, and how unevenly a stage's work is spread.

/** 0.00123 → "1.2 ms"; always three figures at most, and a unit. */
export function seconds(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 0.0005) return value <= 0 ? "0 s" : `${Math.round(value * 1e6)} µs`;
  if (value < 0.9995) return `${short(value * 1e3)} ms`;
  if (value < 99.95) return `${short(value)} s`;
  const whole = Math.round(value);
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
}

/** 1536 → "1.54 kB", in steps of a thousand. */
export function bytes(value) {
  if (!Number.isFinite(value)) return "–";
  if (value < 1000) return `${Math.round(value)} B`;
  const units = ["kB", "MB", "GB", "TB", "PB"];
  let scaled = value / 1000;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit += 1;
  }
  return `${short(scaled)} ${units[unit]}`;
}

/** 1234567 → "1,234,567". */
export function count(value) {
  return Number.isFinite(value) ? Math.round(value).toLocaleString("en-US") : "–";
}

/** 1 task, 2 tasks. */
export function plural(number, word) {
  return `${count(number)} ${word}${number === 1 ? "" : "s"}`;
}

function short(value) {
  return value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2).replace(/0$/, "");
}

/** `max / median` as text; without a median there is no such number. */
export function ratio(value) {
  if (!Number.isFinite(value)) return value === Infinity ? "∞" : "–";
  return `${value >= 9.95 ? value.toFixed(0) : value.toFixed(1)} ×`;
}

/**
 * How unevenly the time of a stage's finished tasks is spread, as the reports of the library say it:
 * the largest over the median. `null` before a task has finished.
 */
export function skewOf(stage) {
  const key = `${stage.won.size}/${stage.totals.run}`;
  const kept = SKEWS.get(stage);
  if (kept?.key === key) return kept.skew;
  const skew = computeSkew(stage);
  SKEWS.set(stage, { key, skew });
  return skew;
}

// Sorted anew only when a task has finished.
const SKEWS = new WeakMap();

function computeSkew(stage) {
  const times = [];
  let worst = null;
  for (const attempt of stage.won.values()) {
    const run = attempt.metrics?.run;
    if (!Number.isFinite(run)) continue;
    times.push(run);
    if (worst === null || run > worst.run) worst = { run, partition: attempt.partition };
  }
  if (worst === null) return null;
  times.sort((a, b) => a - b);
  const n = times.length;
  const median = (times[(n - 1) >> 1] + times[n >> 1]) / 2;
  return {
    tasks: n,
    min: times[0],
    median,
    max: worst.run,
    ratio: worst.run === 0 ? 1 : worst.run / median,
    worst: worst.partition,
    times,
  };
}

/** Whether a person should be told: far from the median, and long enough to matter to the job. */
export function isSkewed(skew, jobSeconds) {
  return skew !== null && skew.tasks > 1 && skew.ratio >= 2 && skew.max - skew.median >= jobSeconds / 20;
}

/** What a job came to, in one line. `until` is its end, or now. */
export function summaryOf(job, workers, until) {
  const wall = Math.max(until - job.submitted, 0);
  const stages = [...job.stages.values()];
  const sum = (figure) => stages.reduce((total, stage) => total + figure(stage), 0);
  const done = sum((s) => s.won.size);
  const all = sum((s) => s.tasks);
  const slots = workers.reduce((total, worker) => total + worker.slots, 0);
  const parts = [];
  const head = {
    running: `Running for ${seconds(wall)}: ${count(done)} of ${plural(all, "task")}`,
    done: `Done in ${seconds(wall)}: ${plural(all, "task")}`,
    failed: `Failed after ${seconds(wall)}: ${count(done)} of ${plural(all, "task")} done`,
    cancelled: `Cancelled after ${seconds(wall)}: ${count(done)} of ${plural(all, "task")} done`,
  }[job.state];
  const pool = workers.some((worker) => worker.known) ? ` of ${plural(workers.length, "worker")}` : "";
  parts.push(`${head} in ${plural(stages.length, "stage")} on ${plural(slots, "slot")}${pool}`);
  if (wall > 0 && slots > 0 && job.finished) {
    const busy = job.attempts.reduce((total, a) => total + Math.max((a.end ?? until) - a.start, 0), 0);
    parts[0] += `, ${Math.min(Math.round((100 * busy) / (wall * slots)), 100)} % busy`;
  }
  const read = sum((s) => s.totals.read);
  const shuffled = sum((s) => s.totals.shuffleOut);
  const spilled = sum((s) => s.totals.spilled);
  const hits = sum((s) => s.totals.cacheHits);
  if (read > 0) parts.push(`${bytes(read)} read`);
  if (shuffled > 0) parts.push(`${bytes(shuffled)} shuffled`);
  if (spilled > 0) parts.push(`${bytes(spilled)} spilled to disk`);
  if (hits > 0) parts.push(plural(hits, "cache hit"));
  const failures = sum((s) => s.failures);
  const copies = sum((s) => s.copies);
  if (failures > 0) parts.push(plural(failures, "failed attempt"));
  if (copies > 0) parts.push(copies === 1 ? "1 speculative copy" : `${count(copies)} speculative copies`);
  const lost = workers.filter((w) => w.lost !== null && w.lost >= job.submitted && w.lost <= until).length;
  if (lost > 0) parts.push(`${plural(lost, "worker")} lost`);
  let worst = null;
  for (const stage of stages) {
    const skew = skewOf(stage);
    if (isSkewed(skew, wall) && (worst === null || skew.max - skew.median > worst.skew.max - worst.skew.median)) {
      worst = { stage, skew };
    }
  }
  if (worst !== null) {
    parts.push(`stage ${worst.stage.stage} is skewed: partition ${worst.skew.worst} took ${ratio(worst.skew.ratio)} the median`);
  }
  return `${parts.join("; ")}.`;
}

/** What several jobs came to, of which `longest` is the longest and `summary` says what it came to. */
export function summaryOfAll(jobs, longest, summary) {
  const total = jobs.reduce((sum, job) => sum + job.wall, 0);
  const of = (state) => jobs.filter((job) => job.state === state).length;
  const parts = [`${seconds(total)} in all`];
  for (const state of ["running", "failed", "cancelled"]) {
    if (of(state) > 0) parts.push(`${of(state)} ${state}`);
  }
  return `${parts.join(", ")}. Job ${longest.job} (${longest.action}): ${summary}`;
}
