// The timeline as a picture: where everything lies, and painting it with a pen. There are two pens, a
// canvas and SVG text, so what is saved is what was seen. Nothing here touches the page.

import { laneKey } from "./model.js";
import { seconds } from "./figures.js";

// Okabe and Ito's colours, which people of any colour vision can tell apart; those too pale for a light
// page are left out. A stage's number is always written beside its colour.
const STAGE_COLOURS = ["#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#7f8b99"];

export const LIGHT = {
  ink: "#1c2128", muted: "#5b6570", line: "#e3e6ea", band: "#f5f6f8", background: "#ffffff", alarm: "#a3130f",
  mark: "#1c2128", deep: "#000000", stages: STAGE_COLOURS,
};
export const DARK = {
  ink: "#e8eaed", muted: "#a3abb5", line: "#343a42", band: "#22272e", background: "#1b1f24", alarm: "#ff9d94",
  mark: "#f4f5f7", deep: "#ffffff", stages: ["#3f9fdc", "#e8a922", "#1fb98c", "#d98fb7", "#7cc6f0", "#ee7a35", "#97a3b2"],
};

const AXIS = 22;
const RIBBON = 17;
const RIBBONS = 4;
const HEADING = 20;
const END = 14;
/** Pixels of a bar in which its parts cannot be told apart. */
const NARROW = 4;

/** The colour of a stage. */
export function stageColour(theme, stage) {
  return theme.stages[(stage?.order ?? 0) % theme.stages.length];
}

/** Tints of a stage's colour for the parts of a bar. */
export function tints(theme, stage) {
  const colour = stageColour(theme, stage);
  theme.mixed ??= new Map();
  let mixed = theme.mixed.get(colour);
  if (!mixed) {
    mixed = {
      compute: colour,
      fetch: mix(colour, theme.background, 0.52),
      write: mix(colour, theme.deep, 0.45),
      faint: mix(colour, theme.background, 0.78),
      wait: mix(colour, theme.background, 0.35),
      text: luminance(colour) > 0.3 ? "#101418" : "#ffffff",
    };
    theme.mixed.set(colour, mixed);
  }
  return mixed;
}

/**
 * Where everything lies. `range` is the piece of time to show, from the job's submission, in seconds;
 * `until` is the job's end, or now.
 */
export function layOut(job, { width, until, range }) {
  const { workers } = job;
  const lanes = workers.reduce((total, worker) => total + worker.slots, 0);
  const lane = lanes <= 12 ? 22 : lanes <= 32 ? 16 : lanes <= 96 ? 10 : 7;
  const headings = workers.length > 1 || workers.some((worker) => worker.name !== null);
  const gutter = Math.min(headings ? 74 : 60, Math.max(width * 0.18, 34));
  const ribbons = ribbonsOf(job, until);
  const head = AXIS + Math.max(ribbons.rows, 1) * RIBBON + 6;
  const rows = [];
  let y = 0;
  for (const worker of workers) {
    if (headings) {
      rows.push({ kind: "worker", worker, y, height: HEADING });
      y += HEADING;
    }
    for (let slot = 0; slot < worker.slots; slot += 1) {
      const bars = job.lanes.get(laneKey(worker.worker, slot)) ?? [];
      rows.push({ kind: "lane", worker, slot, bars, y, height: lane });
      y += lane;
    }
    y += headings ? 6 : 0;
  }
  const span = Math.max(until - job.submitted, 1e-6);
  const [from, to] = range ?? [0, span];
  const right = width - END;
  const scale = Math.max(right - gutter, 10) / Math.max(to - from, 1e-9);
  return {
    width, head, gutter, right, rows, workers, lane, ribbons, until, from, to, span,
    body: y,
    height: head + y + 6,
    x: (at) => gutter + (at - job.submitted - from) * scale,
    at: (x) => job.submitted + from + (x - gutter) / scale,
  };
}

/** Stages that overlap in time go below each other, as far as there is room. */
function ribbonsOf(job, until) {
  const ends = [];
  const pieces = [];
  for (const stage of job.stages) {
    const end = stage.finished || job.finished ? (stage.ended ?? stage.submitted) : until;
    let row = ends.findIndex((busy) => busy <= stage.submitted + 1e-9);
    if (row < 0) row = ends.length < RIBBONS ? ends.length : ends.indexOf(Math.min(...ends));
    ends[row] = end;
    pieces.push({ stage, row, start: stage.submitted, end });
  }
  return { pieces, rows: ends.length };
}

/** Paints the picture. `scroll` is how far the lanes are scrolled, `height` what can be seen. */
export function paint(pen, job, layout, theme, { scroll = 0, height = layout.height, dim = null, chosen = null } = {}) {
  pen.rect(0, 0, layout.width, height, theme.background);
  const { head, gutter, right } = layout;
  const ticks = ticksOf(layout);
  pen.clip(0, head, layout.width, height - head, () => {
    for (const { x } of ticks) pen.rect(Math.round(x), head, 1, height - head, theme.line);
    for (const row of layout.rows) {
      const y = head + row.y - scroll;
      if (y + row.height < head || y > height) continue;
      if (row.kind === "worker") paintHeading(pen, job, layout, theme, row, y);
      else paintLane(pen, job, layout, theme, row, y, dim);
    }
    paintLosses(pen, layout, theme, scroll, height);
    if (chosen) paintChosen(pen, layout, theme, chosen, scroll);
  });
  pen.rect(0, head - 1, layout.width, 1, theme.line);
  for (const { x, label } of ticks) {
    pen.text(x, AXIS - 8, label, { colour: theme.muted, size: 11, align: x > right - 24 ? "end" : "middle" });
  }
  pen.clip(gutter, 0, right - gutter, head, () => {
    for (const piece of layout.ribbons.pieces) paintRibbon(pen, layout, theme, piece, dim);
  });
  if (layout.ribbons.rows > 0) pen.text(gutter - 8, AXIS + 11, "stages", { colour: theme.muted, size: 11, align: "end" });
}

function paintRibbon(pen, layout, theme, { stage, row, start, end }, dim) {
  const x0 = layout.x(start);
  const width = Math.max(layout.x(end) - x0, 2);
  const colours = tints(theme, stage);
  const y = AXIS + row * RIBBON;
  const faint = dim !== null && dim !== stage.stage;
  pen.rect(x0, y, Math.max(width - 1, 1), RIBBON - 3, faint ? colours.faint : colours.fetch);
  pen.rect(x0, y, Math.min(3, width), RIBBON - 3, faint ? colours.fetch : colours.compute);
  const left = Math.max(x0, layout.gutter) + 7;
  const room = Math.min(x0 + width, layout.right) - left - 3;
  if (room > 9) {
    const label = fit(`${stage.stage} · ${stage.name}`, room, 11) ?? fit(String(stage.stage), room, 11);
    if (label) pen.text(left, y + 11, label, { colour: theme.ink, size: 11 });
  }
}

function paintHeading(pen, job, layout, theme, row, y) {
  const { worker } = row;
  const gone = worker.lost !== null && worker.lost <= layout.until;
  const name = fit(worker.name ?? `worker ${worker.worker}`, layout.width * 0.4, 12) ?? "";
  pen.text(8, y + 14, name, { colour: gone ? theme.alarm : theme.ink, size: 12, weight: 600 });
  if (!gone) return;
  const lost = `✕ lost at ${seconds(worker.lost - job.submitted)}: ${worker.cause}`;
  const left = 8 + name.length * 7.4 + 12;
  const label = fit(lost, layout.right - left, 11);
  if (label) pen.text(left, y + 14, label, { colour: theme.alarm, size: 11 });
}

function paintLane(pen, job, layout, theme, row, y, dim) {
  const { gutter, right, lane } = layout;
  pen.rect(gutter, y, right - gutter, lane - 2, theme.band);
  if (lane >= 10) {
    pen.text(gutter - 8, y + lane / 2 + 3, `slot ${row.slot}`, { colour: theme.muted, size: Math.min(lane - 1, 11), align: "end" });
  }
  const { bars } = row;
  let drawn = -1;
  let free = -Infinity;
  // Many narrow bars of one colour side by side are one rectangle: a job of ten thousand tasks is painted
  // in a few milliseconds.
  let run = null;
  const flush = () => {
    if (run === null) return;
    const x0 = Math.max(run.x0, gutter);
    pen.rect(x0, y, Math.max(Math.min(run.x1, right) - x0, 1), lane - 2, run.colour);
    run = null;
  };
  for (let i = firstVisible(bars, layout); i < bars.length; i += 1) {
    const bar = bars[i];
    const x0 = layout.x(bar.start);
    if (x0 > right) break;
    const x1 = layout.x(bar.end ?? layout.until);
    const shown = dim === null || dim === bar.stage;
    if (bar.state === "done" && bar.attempt === 0 && x1 - x0 <= NARROW) {
      const tint = tints(theme, job.stage(bar.stage));
      const colour = shown ? tint.compute : tint.faint;
      if (run === null || run.colour !== colour || x0 - run.x1 > 0.75) {
        flush();
        if (shown) paintWait(pen, layout, bar, x0, y, free, tint.wait);
        run = { x0, x1, colour };
      } else if (x1 > run.x1) run.x1 = x1;
      free = Math.max(free, x1);
      continue;
    }
    flush();
    // Of many bars in one pixel one is drawn; a failure always is.
    if (x1 <= drawn && bar.state !== "failed") continue;
    paintBar(pen, job, layout, theme, bar, x0, x1, y, free, shown);
    drawn = Math.max(drawn, Math.ceil(Math.max(x1, x0 + 1)) - 0.5);
    free = Math.max(free, x1);
  }
  flush();
}

/** How long a task waited, as far as the slot was free meanwhile: before that the slot had other work. */
function paintWait(pen, layout, bar, start, y, free, colour) {
  const waited = bar.metrics?.queue;
  if (!(waited > 0)) return;
  const from = Math.max(layout.x(bar.start - waited), free, layout.gutter);
  if (start - from > 1.5) pen.rect(from, y + layout.lane / 2 - 2, start - from, 2, colour);
}

/** Bars begin in order; of those that began before the range only the last few can reach into it. */
function firstVisible(bars, layout) {
  if (layout.from <= 0) return 0;
  let low = 0;
  let high = bars.length;
  const start = layout.at(layout.gutter);
  while (low < high) {
    const middle = (low + high) >> 1;
    if (bars[middle].start < start) low = middle + 1;
    else high = middle;
  }
  return Math.max(low - 2, 0);
}

function paintBar(pen, job, layout, theme, bar, start, end, y, free, shown) {
  const stage = job.stage(bar.stage);
  const colours = tints(theme, stage);
  const height = layout.lane - 2;
  const left = Math.max(start, layout.gutter);
  const x0 = Math.min(left, layout.right - 1);
  const x1 = Math.max(Math.min(end, layout.right), x0 + 1);
  const gap = x1 - x0 > 4 ? 1 : 0;
  const width = x1 - x0 - gap;
  const metrics = bar.metrics;
  if (shown) paintWait(pen, layout, bar, x0, y, free, colours.wait);
  if (!shown) {
    pen.rect(x0, y, width, height, colours.faint);
    return;
  }
  if (bar.state === "failed") {
    pen.rect(x0, y, width, height, colours.faint);
    if (width > 3) {
      pen.hatch(x0, y, width, height, theme.alarm);
      pen.frame(x0, y, width, height, theme.alarm, 1);
    } else pen.rect(x0, y, Math.max(width, 2), height, theme.alarm);
    if (width > 12 && height >= 12) pen.cross(x1 - gap - 6, y + height / 2, 3, theme.alarm);
  } else if (bar.state === "beaten" || bar.state === "cut" || bar.state === "unknown") {
    pen.rect(x0, y, width, height, colours.faint);
    if (width > 3) pen.frame(x0, y, width, height, colours.compute, 1, bar.state === "beaten" ? null : [2, 2]);
  } else {
    pen.rect(x0, y, width, height, colours.compute);
    const whole = end - start;
    if (metrics && width > 3 && metrics.run > 0) {
      const fetch = Math.min((metrics.fetch ?? 0) / metrics.run, 1) * whole;
      const write = Math.min((metrics.write ?? 0) / metrics.run, 1) * whole;
      piece(pen, start, start + fetch, x0, x0 + width, y, height, colours.fetch);
      piece(pen, end - gap - write, end - gap, x0, x0 + width, y, height, colours.write);
    }
    if (bar.state === "running") pen.rect(Math.max(x1 - gap - 2, x0), y, 2, height, theme.mark);
  }
  if (bar.copy && width > 3) pen.frame(x0, y, width, height, theme.mark, 1.5, [3, 2]);
  else if (bar.attempt > 0 && height >= 8) pen.notch(x0, y, Math.min(6, width), theme.mark);
  if (height >= 14 && width > 22) {
    const fetched = metrics?.run > 0 ? Math.min((metrics.fetch ?? 0) / metrics.run, 1) * (end - start) : 0;
    const label = `${bar.copy ? "» " : bar.attempt > 0 ? "↻ " : ""}${bar.partition}`;
    const from = x0 + (start + fetched - x0 < width - 24 ? Math.max(start + fetched - x0, 0) : 0);
    const solid = bar.state === "done" || bar.state === "running";
    const room = x0 + width - from - 8 - (bar.state === "failed" ? 10 : 0);
    if (label.length * 6.6 < room) {
      // Text on a hatch is hard to read.
      if (bar.state === "failed") pen.rect(x0 + 3, y + 2, label.length * 6.6 + (bar.attempt > 0 ? 8 : 4), height - 4, colours.faint);
      const colour = solid && from === x0 + Math.max(start + fetched - x0, 0) ? colours.text : theme.ink;
      pen.text(from + (bar.attempt > 0 && !bar.copy ? 7 : 5), y + height / 2 + 4, label, { colour, size: 11 });
    }
  }
}

function piece(pen, from, to, left, right, y, height, colour) {
  const x0 = Math.max(from, left);
  const x1 = Math.min(to, right);
  if (x1 - x0 >= 0.5) pen.rect(x0, y, x1 - x0, height, colour);
}

function paintLosses(pen, layout, theme, scroll, height) {
  for (const worker of layout.workers) {
    if (worker.lost === null || worker.lost > layout.until) continue;
    const lanes = layout.rows.filter((row) => row.kind === "lane" && row.worker === worker);
    if (lanes.length === 0) continue;
    const x = Math.min(Math.max(layout.x(worker.lost), layout.gutter), layout.right);
    const y = layout.head + lanes[0].y - scroll;
    const tall = lanes.length * layout.lane - 2;
    if (y > height || y + tall < layout.head) continue;
    if (layout.right - x > 2) pen.hatch(x, y, layout.right - x, tall, theme.line);
    pen.rect(x, y, 2, tall, theme.alarm);
  }
}

function paintChosen(pen, layout, theme, bar, scroll) {
  const row = rowOf(layout, bar);
  if (!row) return;
  const x0 = Math.max(layout.x(bar.start), layout.gutter);
  const x1 = Math.min(Math.max(layout.x(bar.end ?? layout.until), x0 + 2), layout.right);
  if (x1 < layout.gutter || x0 > layout.right) return;
  const y = layout.head + row.y - scroll;
  const waited = bar.metrics?.queue;
  if (waited > 0) {
    const from = Math.max(layout.x(bar.start - waited), layout.gutter);
    if (x0 - from > 1) pen.line(from, y + layout.lane / 2 - 1, x0, y + layout.lane / 2 - 1, theme.mark, 1.5, [3, 2]);
  }
  pen.frame(x0 - 1.5, y - 1.5, x1 - x0 + 3, layout.lane + 1, theme.mark, 2);
}

/** The row a bar lies in. */
export function rowOf(layout, bar) {
  return layout.rows.find((row) => row.kind === "lane" && row.slot === bar.slot && row.worker.worker === bar.worker);
}

/** The bar at a point, or the nearest within a few pixels; `y` counts from the lanes' top. */
export function barAt(layout, x, y) {
  const row = layout.rows.find((r) => r.kind === "lane" && y >= r.y && y < r.y + r.height);
  if (!row || x < layout.gutter - 3 || x > layout.right + 3) return null;
  let nearest = null;
  let distance = 4;
  for (const bar of row.bars) {
    const x0 = layout.x(bar.start);
    const x1 = Math.max(layout.x(bar.end ?? layout.until), x0 + 1);
    const off = x < x0 ? x0 - x : x > x1 ? x - x1 : 0;
    if (off < distance) {
      distance = off;
      nearest = bar;
    }
    if (off === 0 || x0 > x + 4) break;
  }
  return nearest;
}

function ticksOf(layout) {
  const span = layout.to - layout.from;
  const wanted = Math.max(Math.floor((layout.right - layout.gutter) / 90), 2);
  const raw = span / wanted;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => n >= raw) ?? raw;
  const ticks = [];
  for (let i = Math.ceil(layout.from / step - 1e-9); i * step <= layout.to + step * 1e-6; i += 1) {
    const time = i * step;
    const x = layout.gutter + ((time - layout.from) / span) * (layout.right - layout.gutter);
    ticks.push({ x, label: tickLabel(time, step) });
    if (ticks.length > 60) break;
  }
  return ticks;
}

function tickLabel(time, step) {
  if (Math.abs(time) < step / 2) return "0";
  if (step >= 60) return seconds(time);
  const [value, unit, size] = step < 0.001 ? [time * 1e6, "µs", step * 1e6] : step < 1 ? [time * 1e3, "ms", step * 1e3] : [time, "s", step];
  if (unit === "ms" && time >= 1) return `${trim(time.toFixed(3))} s`;
  return `${trim(value.toFixed(size < 1 ? 2 : 0))} ${unit}`;
}

const trim = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);

/** The text, shortened to the room there is; `null` if nothing sensible is left. */
function fit(text, room, size) {
  const most = Math.floor(room / (size * 0.56));
  if (text.length <= most) return text;
  return most >= 5 ? `${text.slice(0, most - 1)}…` : null;
}

function channels(colour) {
  const value = colour.trim();
  if (/^#[0-9a-f]{6}$/i.test(value)) return [1, 3, 5].map((i) => parseInt(value.slice(i, i + 2), 16));
  if (/^#[0-9a-f]{3}$/i.test(value)) return [1, 2, 3].map((i) => parseInt(value[i] + value[i], 16));
  const numbers = value.match(/[\d.]+/g)?.map(Number);
  return numbers?.length >= 3 ? numbers.slice(0, 3) : [128, 128, 128];
}

function mix(a, b, share) {
  const [x, y] = [channels(a), channels(b)];
  return `#${x.map((v, i) => Math.round(v * (1 - share) + y[i] * share).toString(16).padStart(2, "0")).join("")}`;
}

function luminance(colour) {
  const [r, g, b] = channels(colour).map((v) => {
    const c = v / 255;
    return c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
