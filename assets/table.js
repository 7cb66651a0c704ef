// Below a timeline: which marks are in the picture, and a row per stage with how evenly its tasks' times are
// spread.

import { bytes, count, plural, ratio, seconds } from "./figures.js";
import { set, stageRow } from "./elements.js";
import { stageColour, tints } from "./picture.js";

/** Only marks that are in the picture are explained. */
export function showMarks(legend, job) {
  const has = (test) => job.attempts.some(test);
  const sum = (name) => job.stages.some((stage) => stage.totals[name] > 0);
  const shown = {
    fetch: sum("fetch"), write: sum("write"), failed: has((a) => a.state === "failed"),
    retried: has((a) => a.attempt > 0 && !a.copy), copy: has((a) => a.copy),
    beaten: has((a) => a.state === "beaten"), lost: job.workers.some((w) => w.lost !== null),
  };
  for (const mark of legend.querySelectorAll("[data-mark]")) {
    const { mark: name } = mark.dataset;
    if (name in shown) mark.hidden = !shown[name];
  }
}

/** The job's stages in the table's body; `until` is the job's end, or now. */
export function showStages(body, job, until, theme) {
  const rows = job.stages;
  while (body.rows.length > rows.length) body.deleteRow(-1);
  rows.forEach((stage, place) => {
    const { skew } = stage;
    const skewed = job.isSkewed(stage);
    const row = body.rows[place] ?? body.appendChild(stageRow());
    row.dataset.stage = stage.stage;
    row.classList.toggle("pt-skewed", skewed);
    const [name, tasks, time, median, max, spread, strip, rowsOut, read, shuffled, spilled, hits] = row.cells;
    row.querySelector(".pt-swatch").style.background = stageColour(theme, stage);
    set(name.querySelector(".pt-name"), `${stage.stage} · ${stage.name}`);
    name.title = [stage.name, ...stage.resubmissions.map((r) => `${plural(r.tasks, "task")} again: ${r.cause}`)].join("\n");
    const notes = [];
    if (stage.failed > 0) notes.push(`${count(stage.failed)} failed`);
    if (stage.copies > 0) notes.push(stage.copies === 1 ? "1 copy" : `${count(stage.copies)} copies`);
    if (stage.resubmitted > 0) notes.push(`${count(stage.resubmitted)} again`);
    set(tasks.firstChild, `${count(stage.done)} / ${count(stage.tasks)}`);
    set(tasks.lastChild, notes.join(", "));
    set(time, seconds(stage.finished || job.finished ? stage.wall : until - stage.submitted));
    set(median, skew ? seconds(skew.median) : "–");
    set(max.firstChild, skew ? seconds(skew.max) : "–");
    const button = max.lastChild;
    button.hidden = !skew || skew.tasks < 2;
    set(button, skew ? `partition ${skew.worst}` : "");
    button.dataset.partition = skew?.worst ?? "";
    set(spread, skew && skew.tasks > 1 ? ratio(skew.ratio) : "–");
    spread.title = skewed ? "Skewed: one partition took much longer than most" : "";
    showStrip(strip.firstChild, job, stage, theme);
    set(rowsOut, count(stage.totals.rows_out));
    set(read, stage.totals.bytes_read > 0 ? bytes(stage.totals.bytes_read) : "–");
    set(shuffled, stage.totals.shuffle_out > 0 ? bytes(stage.totals.shuffle_out) : "–");
    set(spilled, stage.totals.spilled > 0 ? bytes(stage.totals.spilled) : "–");
    set(hits, stage.totals.cache_hits > 0 ? count(stage.totals.cache_hits) : "–");
  });
  showColumns(body);
}

/** Hides the columns in which there is nothing. */
function showColumns(body) {
  const heads = body.parentElement.tHead.rows[0].cells;
  for (let place = 8; place < heads.length; place += 1) {
    const empty = [...body.rows].every((row) => row.cells[place].textContent === "–");
    heads[place].hidden = empty;
    for (const row of body.rows) row.cells[place].hidden = empty;
  }
}

/** Draws each task's time as a tick on one line, and marks the median. */
function showStrip(canvas, job, stage, theme) {
  const { skew } = stage;
  const key = `${job.job}/${job.attempts.length}/${stage.done}/${skew?.max}/${theme.mark}/${theme.background}/${stageColour(theme, stage)}`;
  if (canvas.dataset.key === key) return;
  canvas.dataset.key = key;
  const [width, height, density] = [96, 16, Math.min(globalThis.devicePixelRatio || 1, 3)];
  canvas.width = width * density;
  canvas.height = height * density;
  if (!skew || skew.max <= 0) return;
  const context = canvas.getContext("2d");
  context.setTransform(density, 0, 0, density, 0, 0);
  const x = (time) => 2 + (time / skew.max) * (width - 4);
  context.fillStyle = theme.line;
  context.fillRect(2, height - 3, width - 4, 1);
  context.fillStyle = tints(theme, stage).compute;
  context.globalAlpha = Math.max(0.25, Math.min(0.9, 24 / skew.tasks));
  for (const attempt of job.attempts) {
    if (attempt.counts && attempt.stage === stage.stage) context.fillRect(x(attempt.metrics.run) - 1, 4, 2, height - 7);
  }
  context.globalAlpha = 1;
  context.fillStyle = theme.mark;
  context.fillRect(x(skew.median) - 0.75, 1, 1.5, height - 2);
  canvas.setAttribute("aria-label", `Times from ${seconds(skew.min)} to ${seconds(skew.max)}, median ${seconds(skew.median)}`);
}
