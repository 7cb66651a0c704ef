// The master's page: the pool, its sessions, and one job's timeline. All of it comes over one stream of
// events, so that a tab takes one connection.

import { bytes, count, plural, seconds } from "./figures.js";
import { Timeline } from "./timeline.js";

const AWAY_MS = 30_000;
const at = (id) => document.getElementById(id);

let timeline = null;
let source = null;
let chosen = null;
let known = null;
let away = null;
/** Whether the page follows the latest job, until a person chooses one. */
let following = true;

/** The job the address names: #session-…/3. */
function fromAddress() {
  const [session, job] = decodeURIComponent(location.hash.slice(1)).split("/");
  return session && /^\d+$/.test(job ?? "") ? { session, job: Number(job) } : null;
}

function open(job) {
  const same = chosen && job && chosen.session === job.session && chosen.job === job.job;
  if (same && source) return;
  chosen = job;
  timeline?.destroy();
  timeline = null;
  if (job) {
    timeline = new Timeline(at("timeline"), { live: true });
    globalThis.partitaTimeline = timeline;
    at("job-note").hidden = true;
  } else note("Choose a job to see its tasks.");
  listen();
  if (known) sessions(known);
}

function note(text) {
  at("job-note").textContent = text;
  at("job-note").hidden = false;
}

function listen() {
  source?.close();
  const path = chosen ? `/api/v1/events/${encodeURIComponent(chosen.session)}/${chosen.job}` : "/api/v1/events";
  source = new EventSource(path);
  source.addEventListener("open", () => {
    // A stream that was cut off begins anew, and so does the job in it.
    timeline?.setLive(true);
    line("live");
  });
  source.addEventListener("error", () => {
    line("off");
    timeline?.setLive(false, "connection lost");
    if (source.readyState === EventSource.CLOSED) setTimeout(ask, 2000);
  });
  source.addEventListener("pool", (message) => show(JSON.parse(message.data)));
  source.addEventListener("changes", (message) => timeline?.receive(JSON.parse(message.data)));
  source.addEventListener("end", (message) => {
    const how = JSON.parse(message.data);
    if (how === "ended") timeline?.setLive(false);
    else {
      timeline?.destroy();
      timeline = null;
      if (how === "unknown") note("There is no such job here any more.");
      else if (how === "forgotten") note("This job's events are not kept in memory any more. A master that is given --history-dir keeps them in files.");
      else note(how);
    }
  });
}

/** Refused: is it the token, or is the master gone? */
async function ask() {
  try {
    const answer = await fetch("/api/v1/pool");
    if (answer.status === 401) location.assign("/login");
    else listen();
  } catch {
    setTimeout(ask, 2000);
  }
}

function line(state) {
  const text = { live: known?.replay ? "" : "live", off: "no connection to the master; trying again" }[state];
  at("line").dataset.state = known?.replay && state === "live" ? "" : state;
  if (at("line").textContent !== text) at("line").textContent = text;
}

function show(now) {
  known = now;
  const { pool } = now;
  document.title = now.replay ? "Partita history" : "Partita";
  at("what").textContent = now.replay ? "history" : pool ? "pool" : "";
  at("version").textContent = `Partita ${now.partita}`;
  if (now.log_dropped > 0) at("version").textContent += `; the event log lost ${plural(now.log_dropped, "line")}`;
  at("pool").hidden = !pool;
  if (pool) workers(pool, now.sessions);
  line(at("line").dataset.state === "off" ? "off" : "live");
  const latest = latestJob(now);
  if (following && latest && (!chosen || chosen.session !== latest.session || chosen.job !== latest.job)) open(latest);
  else sessions(now);
}

function latestJob(now) {
  let latest = null;
  for (const session of now.sessions) {
    const [job] = session.jobs;
    if (job && (latest === null || job.at > latest.at)) latest = { session: session.id, job: job.job, at: job.at };
  }
  return latest;
}

function workers(pool, sessions) {
  const slots = pool.workers.reduce((n, w) => n + w.slots, 0);
  const busy = pool.workers.reduce((n, w) => n + w.busy, 0);
  const queued = sessions.reduce((n, s) => n + (s.queued ?? 0), 0);
  const memory = pool.workers.reduce((n, w) => n + (w.status ? w.status.tasks + w.status.shuffle + w.status.cache : 0), 0);
  const limit = pool.workers.reduce((n, w) => n + w.memory_limit, 0);
  const figures = [
    ["workers", count(pool.workers.length), pool.lost.length ? `, ${pool.lost.length} lost` : ""],
    ["slots busy", count(busy), ` of ${count(slots)}`],
    ["tasks waiting", count(queued), ""],
    ["memory", bytes(memory), limit ? ` of ${bytes(limit)}` : ""],
    ["open sessions", count(sessions.filter((s) => s.closed === null).length), ""],
    ["tasks run", count(pool.tasks_succeeded), pool.tasks_failed ? `, ${count(pool.tasks_failed)} otherwise` : ""],
  ];
  at("figures").replaceChildren(
    ...figures.map(([name, value, more]) => node("div", {}, node("dt", {}, name), node("dd", {}, value, node("small", {}, more)))),
  );
  at("no-workers").hidden = pool.workers.length > 0;
  at("workers").replaceChildren(...pool.workers.map(worker));
  at("lost").hidden = pool.lost.length === 0;
  at("lost").querySelector("summary").textContent = `${plural(pool.lost.length, "worker")} lost`;
  at("lost").querySelector("ul").replaceChildren(
    ...pool.lost.map((w) => node("li", {}, `${w.name} at ${clock(w.at)}: ${w.reason}${w.tasks ? `; it ran ${plural(w.tasks, "task")}` : ""}`)),
  );
}

function worker(w) {
  const s = w.status;
  const label = `${w.busy} of ${plural(w.slots, "slot")} busy`;
  const slots = node("div", { class: "slots", role: "img", "aria-label": label, title: label });
  for (let i = 0; i < Math.min(w.slots, 256); i += 1) slots.append(node("i", i < w.busy ? { class: "busy" } : {}));
  const parts = [
    node("div", { class: "name" }, node("span", {}, w.name), node("small", { title: "where other workers reach it" }, w.address)),
    slots,
  ];
  if (s) {
    const used = s.tasks + s.shuffle + s.cache;
    const text = `${bytes(used)} of ${bytes(w.memory_limit)} used`;
    const meter = node("div", { class: "meter", role: "img", "aria-label": text, title: `${text}; ${bytes(s.resident)} resident` });
    for (const part of [s.tasks, s.shuffle, s.cache]) {
      const piece = node("i");
      piece.style.width = `${w.memory_limit ? Math.min((100 * part) / w.memory_limit, 100) : 0}%`;
      meter.append(piece);
    }
    const keys = node(
      "div", { class: "keys" }, node("span", { class: "tasks" }, `tasks ${bytes(s.tasks)}`),
      node("span", { class: "shuffle" }, `shuffle ${bytes(s.shuffle)}`), node("span", { class: "cache" }, `cache ${bytes(s.cache)}`),
      node("span", { class: "plain" }, `of ${bytes(w.memory_limit)}`),
    );
    const cached = s.cached_in_memory + s.cached_on_disk;
    const disk = s.disk_shuffle + s.disk_cache;
    const more = [];
    if (cached) more.push(`${plural(cached, "cached partition")}${s.cached_on_disk ? `, ${count(s.cached_on_disk)} of them on disk` : ""}`);
    if (disk) more.push(`${bytes(disk)} on disk`);
    parts.push(meter, keys, node("div", { class: "keys" }, node("span", { class: "plain" }, more.join("; "))));
  }
  if (w.silent >= 3) parts.push(node("div", { class: "silent" }, `silent for ${w.silent} s`));
  return node("li", {}, ...parts);
}

function sessions(now) {
  at("no-sessions").hidden = now.sessions.length > 0;
  at("no-sessions").textContent = now.replay ? "There are no sessions in these files." : "No session has opened yet.";
  const focused = document.activeElement?.getAttribute?.("href");
  at("sessions").replaceChildren(...now.sessions.map(session));
  // The list is made anew, and whoever walks it by keys stays where they were.
  if (focused?.startsWith("#")) at("sessions").querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
}

function session(s) {
  const about = [`opened ${clock(s.opened)}`];
  if (s.closed !== null) about.push(`closed ${clock(s.closed)}`);
  else {
    if (s.workers !== null) about.push(plural(s.workers, "worker") + (s.dynamic ? " (dynamic)" : ""));
    if (s.running) about.push(`${count(s.running)} running`);
    if (s.queued) about.push(`${count(s.queued)} waiting`);
    if (s.blob_bytes) about.push(`${bytes(s.blob_bytes)} broadcast`);
  }
  const list = node("ul", {}, ...s.jobs.map((job) => node("li", {}, link(s, job))));
  if (s.older_jobs > 0) {
    list.append(node("li", {}, node("a", { class: "job", href: `/api/v1/applications/${s.id}/jobs` }, `${plural(s.older_jobs, "older job")} as JSON`)));
  }
  return node(
    "section", { class: "session" },
    node("header", {}, node("h3", {}, s.name || `session ${s.session}`), node("p", {}, about.join(", "))),
    s.jobs.length ? list : node("p", { class: "hint" }),
  );
}

function link(s, job) {
  const current = chosen?.session === s.id && chosen?.job === job.job;
  const mark = { done: "✓", failed: "✕", cancelled: "cancelled", interrupted: "interrupted", running: "running" }[job.state];
  const figures = [`${count(job.done)} of ${plural(job.tasks, "task")}`, plural(job.stages, "stage")];
  if (job.failed) figures.push(`${count(job.failed)} failed`);
  const made = node(
    "a", { class: "job", href: `#${s.id}/${job.job}`, "data-state": job.state, "aria-current": String(current), title: job.error ?? "" },
    node("span", {}, `${job.job} · ${job.action}`),
    node("span", { class: "state", "aria-label": job.state }, job.seconds === null ? mark : `${mark} ${seconds(job.seconds)}`),
    node("small", {}, figures.join(", ")),
    node("small", {}, new Date(job.at * 1000).toLocaleTimeString()),
  );
  if (job.state === "running") made.append(node("progress", { max: Math.max(job.tasks, 1), value: job.done, "aria-label": "tasks done" }));
  return made;
}

/** The time of day; with the date if that is not today. */
function clock(at) {
  const time = new Date(at * 1000);
  const day = time.toDateString() === new Date().toDateString() ? "" : `${time.toLocaleDateString()} `;
  return day + time.toLocaleTimeString();
}

function node(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

addEventListener("hashchange", () => {
  const job = fromAddress();
  following = !job;
  if (job) open(job);
});

// A tab nobody looks at does not hold a connection for long.
document.addEventListener("visibilitychange", () => {
  clearTimeout(away);
  if (document.hidden) {
    away = setTimeout(() => {
      source?.close();
      source = null;
    }, AWAY_MS);
  } else if (!source) open(chosen && { ...chosen });
});

following = !fromAddress();
open(fromAddress());
