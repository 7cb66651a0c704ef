// What there is to say of one attempt at a task.

import { bytes, count, plural, seconds } from "./figures.js";

const ENDS = {
  running: "running",
  done: "done",
  failed: "failed",
  beaten: "not needed: another attempt was faster",
  cut: "cancelled with its job",
  untold: "ended, but its figures were lost on the way",
};

/** A title, and rows of a name and a value. `until` is the job's end, or now. */
export function figuresOf(bar, job, until) {
  const stage = job.stage(bar.stage);
  const worker = job.session.workers.get(bar.worker);
  const m = bar.metrics;
  const kind = bar.copy ? " (speculative copy)" : bar.attempt > 0 ? ` (attempt ${bar.attempt + 1})` : "";
  const rows = [["stage", `${bar.stage} · ${stage?.name ?? "?"}`]];
  rows.push(["where", worker ? `${worker.name}, slot ${bar.slot}` : `slot ${bar.slot}`]);
  rows.push(["state", bar.state === "failed" && bar.retried ? "failed, run again" : ENDS[bar.state]]);
  rows.push(["from", seconds(bar.start - job.submitted)]);
  rows.push([bar.end === null ? "so far" : "took", seconds(m?.run ?? (bar.end ?? until) - bar.start)]);
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
