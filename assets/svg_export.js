// A job's timeline as a picture to keep: SVG text, made without a page.

import { count, plural } from "./figures.js";
import { lineOf } from "./model.js";
import { DARK, LIGHT, layOut, paint, stageColour } from "./picture.js";
import { SvgPen } from "./pens.js";

/** The picture of a job as SVG text: title, summary, lanes, and a line a stage. */
export function svgOf(job, { width = 1000, dark = false, until = job.last } = {}) {
  const theme = { ...(dark ? DARK : LIGHT), mixed: undefined };
  const pen = new SvgPen();
  const layout = layOut(job, { width, until });
  const summary = lineOf(job, until);
  const title = `Job ${job.job}: ${job.action}`;
  const top = 46;
  const { stages } = job;
  const height = top + layout.height + 12 + stages.length * 18 + 10;
  pen.rect(0, 0, width, height, theme.background);
  pen.text(8, 20, title, { colour: theme.ink, size: 15, weight: 600 });
  const room = Math.floor((width - 16) / 6.3);
  pen.text(8, 38, summary.length > room ? `${summary.slice(0, room - 1)}…` : summary, { colour: theme.muted, size: 12 });
  pen.parts.push(`<g transform="translate(0 ${top})">`);
  paint(pen, job, layout, theme);
  pen.parts.push("</g>");
  stages.forEach((stage, i) => {
    const y = top + layout.height + 12 + i * 18;
    pen.rect(8, y, 10, 10, stageColour(theme, stage));
    const tasks = `${stage.stage} · ${stage.name}: ${count(stage.done)} of ${plural(stage.tasks, "task")}`;
    pen.text(24, y + 9, [tasks, ...stage.figures].join("; "), { colour: theme.ink, size: 11 });
  });
  return pen.document(width, height, title, summary);
}
