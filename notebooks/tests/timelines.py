"""Helpers for the timelines of a page as a person sees them: their text, their painting, their growth."""

import base64
import io
import json
import os
import re
import subprocess
from pathlib import Path

from PIL import Image

TIMELINE = ".partita-timeline"

# Records the state of a cell's timelines from now on: the number of jobs, the progress of the visible one, and the
# painted picture. The page records it, because a query from the test may arrive later than a short job takes.
WATCH = """([cell, selector]) => {
    const seen = (window.timelineSeen = []);
    setInterval(() => {
        for (const view of cell.querySelectorAll(`${selector}:not([data-before])`)) {
            const done = /[\\d,]+ (?:of [\\d,]+ )?tasks/.exec(view.querySelector('.pt-summary').textContent);
            const title = view.querySelector('[data-pt=title]').textContent;
            // Folded, it sums up all jobs, and the last picture is not seen.
            if (!done || !title.startsWith('Job ')) continue;
            const says = `${title}: ${done[0]}`;
            const jobs = view.querySelectorAll('[data-pt=picker] option').length;
            if (seen.some((before) => before.says === says && before.jobs === jobs)) continue;
            const now = { says, jobs, picture: null };
            seen.push(now);
            // The frame after the next one: this one's painting may be yet to come.
            const paint = () => (now.picture = view.querySelector('canvas').toDataURL());
            requestAnimationFrame(() => requestAnimationFrame(paint));
        }
    }, 20);
}"""


def grows(page, opened, number, path):
    """Runs a code cell and watches its timeline to the end: its text progresses, and when the text of the visible job
    changes, the painting changes too."""
    page.evaluate(WATCH, [page.locator(".jp-CodeCell").nth(number).element_handle(), TIMELINE])
    opened.run_cell(number)
    opened.all_ran()
    # A canvas without a size gives "data:,".
    seen = page.evaluate("() => window.timelineSeen.filter((moment) => moment.picture?.length > 8)")
    said = [(moment["jobs"], moment["says"]) for moment in seen]
    assert len(said) >= 2, f"it said {said} only"
    pictures = dict.fromkeys(base64.b64decode(moment["picture"].partition(",")[2]) for moment in seen)
    for moment, picture in enumerate(pictures):
        Path(f"{path}-grows-{moment}.png").write_bytes(picture)
    # Two changes within one frame are painted once.
    news = {moment["says"] for moment in seen}
    assert len(pictures) >= min(len(news), 2), f"it said {said} over {len(pictures)} pictures"
    assert any(in_several_colours(picture) for picture in pictures), "nothing is painted"


def in_several_colours(picture):
    """Whether more is painted than a background and a few lines."""
    image = Image.open(io.BytesIO(picture)).convert("RGB")
    return len(image.getcolors(image.width * image.height)) > 4


def tasks_done(timeline):
    """The number of tasks that the summary reports as done."""
    found = re.search(r"([\d,]+) of [\d,]+ tasks", timeline.locator(".pt-summary").inner_text())
    return int(found[1].replace(",", "")) if found else 0


def jobs_known(timeline):
    """The number of jobs in the picker."""
    return max(timeline.locator("[data-pt=picker] option").count() - 1, 1)


def grown(page, timeline, beyond):
    """Waits until more than `beyond` tasks are done. Returns how many are."""
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
    """A screenshot of the canvas, which must be painted in several colours."""
    seen = timeline.locator("canvas").first.screenshot(path=path, timeout=5_000)
    assert in_several_colours(seen), "nothing is painted"
    return seen


def saved_pictures(page):
    """The pictures of timelines in an exported notebook."""
    inline = page.locator("svg").filter(has_text=re.compile("Job|jobs"))
    return inline.or_(page.locator("img[src^='data:image/svg']")).all()


def changes(batches):
    """The messages that a page is sent after each batch of events."""
    program = os.path.join(os.environ["CARGO_TARGET_DIR"], "release/examples/changes")
    made = subprocess.run([program], input=json.dumps(batches), capture_output=True, text=True, check=True)
    return json.loads(made.stdout)
