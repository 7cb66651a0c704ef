"""The timelines of a page, as a person sees them: what they say, that they are painted, that they grow."""

import io
import re

from PIL import Image
from playwright.sync_api import Error

TIMELINE = ".partita-timeline"

# Notes, from now on, what every timeline says of its job in words: how many tasks of which job are done.
WATCH = """(selector) => {
    const seen = (window.timelinesSeen = []);
    const known = new WeakMap();
    setInterval(() => {
        for (const view of document.querySelectorAll(selector)) {
            const done = /[\\d,]+ (?:of [\\d,]+ )?tasks/.exec(view.querySelector('.pt-summary').textContent);
            if (!done) continue;
            if (!known.has(view)) seen.push(known.set(view, new Set()).get(view));
            known.get(view).add(`${view.querySelector('[data-pt=title]').textContent}: ${done[0]}`);
        }
    }, 20);
}"""


def grows(page, opened, number, path):
    """Runs a code cell and watches its timeline to the end: it is painted each time that it says more."""
    page.evaluate(WATCH, TIMELINE)
    cell = opened.run_cell(number)
    timeline = cell.locator(f"{TIMELINE}:not([data-before])")
    timeline.wait_for()
    said, pictures = [], []
    while len(pictures) < 4:
        news = page.wait_for_function(
            """([cell, before]) => cell.querySelector('.jp-InputPrompt').textContent.includes('*')
                ? window.timelinesSeen.map((texts) => [...texts]).find((texts) => texts.length > before)
                : ['ended']""",
            arg=[cell.element_handle(), len(said)],
        ).json_value()
        if news == ["ended"]:
            break
        said = news
        try:
            pictures.append(painted(timeline, f"{path}-grows-{len(pictures)}.png"))
        except Error:
            # The cell has ended meanwhile, and its timeline is folded.
            break
    assert len(set(pictures)) >= 2, f"the picture stays the same: it said {said}"


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
    seen = timeline.locator("canvas").first.screenshot(path=path, timeout=5_000)
    image = Image.open(io.BytesIO(seen)).convert("RGB")
    colours = image.getcolors(image.width * image.height)
    assert len(colours) > 4, "nothing is painted"
    return seen


def saved_pictures(page):
    """The pictures of timelines in an exported notebook."""
    inline = page.locator("svg").filter(has_text=re.compile("Job|jobs"))
    return inline.or_(page.locator("img[src^='data:image/svg']")).all()
