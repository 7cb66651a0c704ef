// An attempt at a task as it is sent: a row of whole numbers, times in microseconds. Zeros at a row's end are
// left out. `runtime/events/src/changes.rs` writes the rows.

const STATES = ["running", "done", "failed", "beaten", "cut", "unknown"];
const SPECULATIVE = 1;
const RETRIED = 2;
const COUNTS = 4;
const HAS_METRICS = 8;
const TIMES = ["run", "cpu", "queue", "fetch", "write"];
const NUMBERS = [
  "rows_in", "rows_out", "bytes_read", "row_groups_skipped", "shuffle_in", "shuffle_out", "spilled", "cache_hits",
];

/** Microseconds as seconds. */
export function secondsOf(micros) {
  return micros / 1e6;
}

/** The attempt that a row describes; times are seconds on the session's clock. */
export function attemptOf(row) {
  let next = 0;
  const number = () => row[next++] ?? 0;
  const time = () => secondsOf(number());
  const [stage, partition, attempt, worker, slot] = [number(), number(), number(), number(), number()];
  const [start, took, state, flags] = [time(), time(), STATES[number()], number()];
  let metrics = null;
  if (flags & HAS_METRICS) {
    metrics = {};
    for (const name of TIMES) metrics[name] = time();
    for (const name of NUMBERS) metrics[name] = number();
  }
  return {
    stage, partition, attempt, worker, slot, start, state, metrics, cause: null,
    /** `null` while it runs. */
    end: state === "running" ? null : start + took,
    /** It started while another attempt at the same task was running. */
    copy: Boolean(flags & SPECULATIVE),
    /** It failed, and the job goes on. */
    retried: Boolean(flags & RETRIED),
    /** Its output is the one that counts. */
    counts: Boolean(flags & COUNTS),
  };
}
