"""The timelines of a page, as a person sees them: what they say, that they are painted, that they grow."""

import io
import re

from PIL import Image

TIMELINE = ".partita-timeline"

# Notes, from now on, what every timeline says while its job runs: how many tasks are done, by timeline and job.
WATCH = """(selector) => {
    const seen = (window.timelinesSeen = new Map());
    const names = new WeakMap();
    let last = 0;
    setInterval(() => {
        for (const view of document.querySelectorAll(selector)) {
            if (view.querySelector('.pt-state')?.textContent !== 'running') continue;
            const done = /([\\d,]+) of [\\d,]+ tasks/.exec(view.querySelector('.pt-summary').textContent);
            if (!done) continue;
            if (!names.has(view)) names.set(view, (last += 1));
            const job = `${names.get(view)} ${view.querySelector('[data-pt=title]').textContent}`;
            const counts = seen.get(job) ?? seen.set(job, []).get(job);
            const count = Number(done[1].replaceAll(',', ''));
            if (counts.at(-1) !== count) counts.push(count);
        }
    }, 20);
}"""


def watch(page):
    """From now on what timelines say is noted."""
    page.evaluate(WATCH, TIMELINE)


def seen_growing(page):
    """The most that was seen of one job while it ran: how many tasks were done, each time that changed."""
    return max(page.evaluate("() => [...window.timelinesSeen.values()]"), key=len, default=[])


def pictures_while_running(page, opened, path, most=4):
    """Pictures of the page, some time apart, while cells run and a timeline says that its job does."""
    taken = []
    running = page.locator(f"{TIMELINE}:visible").filter(has=page.locator(".pt-state", has_text=re.compile("^running$")))
    while len(taken) < most and not opened.is_idle():
        if running.count() > 0:
            # It may have ended meanwhile; what is seen then is no less true.
            running.first.evaluate("(view) => view.scrollIntoView({block: 'center'})", timeout=2000)
            taken.append(page.screenshot(path=f"{path}-running-{len(taken)}.png"))
            page.wait_for_timeout(1500)
        page.wait_for_timeout(20)
    return taken


def tasks_done(timeline):
    """How many tasks the summary says are done."""
    found = re.search(r"([\d,]+) of [\d,]+ tasks", timeline.locator(".pt-summary").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def jobs_known(timeline):
    """How many jobs can be picked."""
    return max(timeline.locator("[data-pt=picker] option").count() - 1, 1)


def grown(page, timeline, beyond):
    """Waits until more tasks are done than these; how many."""
    page.wait_for_function(
        """([selector, beyond]) => {
            const summaries = [...document.querySelectorAll(`${selector} .pt-summary`)];
            const done = summaries.map((summary) => /([\\d,]+) of [\\d,]+ tasks/.exec(summary.textContent));
            return done.some((found) => found && Number(found[1].replaceAll(',', '')) > beyond);
        }""",
        arg=[TIMELINE, beyond],
    )
    return tasks_done(timeline)


def painted(timeline, path):
    """What the canvas shows; it must be painted in several colours."""
    seen = timeline.locator("canvas").first.screenshot(path=path)
    image = Image.open(io.BytesIO(seen)).convert("RGB")
    colours = image.getcolors(image.width * image.height)
    assert len(colours) > 4, "nothing is painted"
    return seen


def saved_pictures(page):
    """The pictures of timelines in an exported notebook."""
    inline = page.locator("svg").filter(has_text=re.compile("Job|jobs"))
    return inline.or_(page.locator("img[src^='data:image/svg']")).all()
