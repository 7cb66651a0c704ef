// One attempt's figures, as text beside its bar.

import { element, set } from "./elements.js";
import { bytes, count, plural, seconds } from "./figures.js";
import { rowOf } from "./picture.js";

const ENDS = {
  running: "running",
  done: "done",
  failed: "failed",
  beaten: "not needed: another attempt was faster",
  cut: "cancelled with its job",
  unknown: "ended; its figures are not known",
};

/** What there is to say of an attempt: a title, and rows of a name and a value. `until` is the job's end, or now. */
function figuresOf(bar, job, until) {
  const stage = job.stage(bar.stage);
  const worker = job.workers.find((other) => other.worker === bar.worker)?.name;
  const m = bar.metrics;
  const kind = bar.copy ? " (speculative copy)" : bar.attempt > 0 ? ` (attempt ${bar.attempt + 1})` : "";
  const rows = [["stage", `${bar.stage} · ${stage?.name ?? "?"}`]];
  rows.push(["where", worker ? `${worker}, slot ${bar.slot}` : `slot ${bar.slot}`]);
  rows.push(["state", bar.state === "failed" && bar.retried ? "failed, run again" : ENDS[bar.state]]);
  rows.push(["from", seconds(bar.start - job.submitted)]);
  rows.push([bar.end === null ? "so far" : "took", seconds(m?.run ?? (bar.end ?? until) - bar.start)]);
  if (m) {
    const compute = Math.max(m.run - m.fetch - m.write, 0);
    rows.push(["waited", seconds(m.queue)]);
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

/** Shows the figures of the bar that is pointed at or pinned. */
export class Tooltip {
  constructor(timeline) {
    this.timeline = timeline;
  }

  /** Shows a bar's figures; `null` shows none. */
  show(bar) {
    const { parts, pinned } = this.timeline;
    const { tip, spoken } = parts;
    tip.hidden = !bar;
    // Above everything, because a notebook cuts off what reaches out of an output.
    if (tip.matches(":popover-open") !== Boolean(bar) && tip.isConnected) tip.togglePopover?.(Boolean(bar));
    if (!bar) return;
    const job = this.timeline.job();
    const { title, rows } = figuresOf(bar, job, this.timeline.until(job));
    tip.replaceChildren(
      element("strong", {}, title),
      element("dl", {}, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, value)])),
      ...(bar.cause ? [element("p", { class: "pt-cause" }, bar.cause)] : []),
      ...(pinned === bar ? [element("p", { class: "pt-pinned" }, "pinned; click again or press Escape to unpin")] : []),
    );
    if (document.activeElement === parts.canvas) {
      set(spoken, [title, ...rows.map(([name, value]) => `${name} ${value}`), bar.cause ?? ""].join("; "));
    }
  }

  /** Puts it at its bar, which may have moved. */
  place() {
    const { hovered, pinned, layout } = this.timeline;
    const bar = hovered ?? pinned;
    const { tip, scroll, view } = this.timeline.parts;
    if (!bar || tip.hidden || !layout) return;
    if (bar.state === "running") this.show(bar);
    const row = rowOf(layout, bar);
    if (!row) return;
    const start = Math.max(layout.x(bar.start), layout.gutter);
    const middle = (start + Math.min(layout.x(bar.end ?? layout.until), layout.right)) / 2;
    const area = view.getBoundingClientRect();
    const lane = area.top + layout.head + row.y - scroll.scrollTop;
    const lowest = area.top + scroll.clientHeight + 6;
    let top = Math.min(lane + row.height + 6, lowest);
    // It goes above the bar if there is room only there.
    const above = lane - tip.offsetHeight - 8;
    if (top + tip.offsetHeight > innerHeight && above > 0) top = above;
    const left = area.left + Math.min(Math.max(middle - tip.offsetWidth / 2, 4), Math.max(view.clientWidth - tip.offsetWidth - 4, 4));
    tip.style.left = `${left}px`;
    tip.style.top = `${top}px`;
  }
}
