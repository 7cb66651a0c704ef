// How events come to a notebook: the starts and ends of tasks, of which there are many, as rows of whole
// numbers, times in microseconds; everything else as it is. Zeros at a row's end are left out.

const STARTED = 0;
const FINISHED = 1;

/** The events that rows stand for. */
export function eventsOf(rows) {
  return rows.map((row) => (Array.isArray(row) ? taskOf(row) : row));
}

function taskOf([kind, ...row]) {
  let next = 0;
  const number = () => row[next++] ?? 0;
  const time = () => number() / 1e6;
  const [job, stage, partition, attempt, worker, slot] = [number(), number(), number(), number(), number(), number()];
  const at = time();
  const task = { job, stage, partition, attempt, worker, at };
  if (kind === STARTED) return { TaskStarted: { ...task, slot } };
  if (kind !== FINISHED) return null;
  const metrics = { slot };
  for (const name of ["run", "cpu", "queue", "fetch", "write"]) metrics[name] = time();
  for (const name of ["rows_in", "rows_out", "bytes_read", "row_groups_skipped", "shuffle_in", "shuffle_out", "spilled", "cache_hits"]) {
    metrics[name] = number();
  }
  return { TaskFinished: { ...task, metrics } };
}
