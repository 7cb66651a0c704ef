// The texts around a timeline: title, state, summary, the jobs to choose from, and the table of stages.

import { element, set } from "./elements.js";
import { plural } from "./figures.js";
import { lastLineOf, lineOf } from "./model.js";
import { showMarks, showStages } from "./table.js";

const INTERVAL_MS = 250;

/** Writes a timeline's texts, not more often than they can be read. */
export class Texts {
  constructor(timeline) {
    this.timeline = timeline;
    this.written = 0;
  }

  /** Writes them if it is time, or `now`. */
  write(now) {
    const time = performance.now();
    if (!now && time - this.written < INTERVAL_MS) return;
    this.written = time;
    const { timeline } = this;
    const jobs = timeline.jobs();
    this.writeChoices(jobs);
    const job = timeline.job();
    if (!job) return;
    const { parts, folded } = timeline;
    const until = timeline.until(job);
    const stopped = !job.finished && !timeline.live;
    const several = folded && jobs.length > 1;
    parts.title.textContent = several ? plural(jobs.length, "job") : `Job ${job.job}: ${job.action}`;
    parts.state.textContent = stopped ? timeline.why : job.state;
    parts.state.dataset.state = stopped ? "cancelled" : job.state;
    let summary = stopped ? lastLineOf(job) : lineOf(job, until);
    if (job.leftOut > 0) summary += ` ${plural(job.leftOut, "attempt")} more than can be drawn.`;
    const all = several && timeline.together ? `${timeline.together}. Job ${job.job} (${job.action}): ${summary}` : summary;
    set(parts.summary, all);
    parts.error.hidden = !job.error;
    set(parts.error, job.error ?? "");
    parts.canvas.setAttribute(
      "aria-label",
      `Timeline of job ${job.job}: ${plural(job.attempts.length, "task attempt")} on ${plural(job.workers.length, "worker")}. Arrow keys move from task to task, Enter pins one, Escape unpins it.`,
    );
    if (!folded) {
      showStages(parts.stages, job, until, timeline.theme);
      showMarks(parts.legend, job);
    }
    if (this.spoken !== job.state + job.job) {
      // Screen readers speak it once when a job begins and once when it ends.
      this.spoken = job.state + job.job;
      set(parts.live, `Job ${job.job}: ${summary}`);
    }
  }

  writeChoices(jobs) {
    const { parts, sessions, picked, settled } = this.timeline;
    const { picker } = parts;
    picker.parentElement.hidden = jobs.length < 2;
    const several = sessions.size > 1;
    const key = (job) => `${job.session.id}/${job.job}`;
    const chosen = picked === null ? "" : `${picked.session}/${picked.job}`;
    const wanted = jobs.map((job) => `${key(job)}:${job.state}`).join() + chosen + settled;
    if (jobs.length < 2 || this.listed === wanted) return;
    this.listed = wanted;
    picker.replaceChildren(
      element("option", { value: "" }, settled ? "longest job" : "latest job"),
      ...jobs.toReversed().map((job) => element(
        "option", { value: key(job) },
        `job ${job.job}${several ? ` of session ${job.session.id}` : ""}: ${job.action} (${job.state})`,
      )),
    );
    picker.value = chosen;
  }
}
