"""The timeline under a cell that runs a job, in real front ends: it grows, it survives a reload, a second page
shows it too, and the saved notebook shows it without a kernel."""

import re

import nbformat
from playwright.sync_api import expect

import lessons
from lab import PAGE_MILLISECONDS, NotebookPage, browser_page, drag_to_the_middle, exported
from test_notebook7 import open_and_run_all
from timelines import TIMELINE, grown, painted, saved_pictures

SESSION = "let session = Session::embedded(2)?;"
# Runs far longer than the test, which interrupts it.
ENDLESS = """session.range(0, 100_000_000_000, 20_000)
    .filter((col("id") % lit(1000)).eq(lit(0)))
    .group_by([col("id") % lit(97)]).agg([col("id").max().alias("max")]).collect()?"""
# Runs for a part of a second.
LONG = """session.range(0, 120_000_000, 12)
    .filter((col("id") % lit(1000)).eq(lit(0)))
    .group_by([col("id") % lit(97)]).agg([col("id").max().alias("max")]).collect()?.height()"""


def written(directory, *cells):
    """A notebook of these cells for Partita's kernel."""
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "partita", "display_name": "Partita (Rust)", "language": "rust"}
    directory.mkdir(exist_ok=True)
    nbformat.write(notebook, directory / "cells.ipynb")
    return directory / "cells.ipynb"


def all_ran(page):
    """Waits until no cell waits or runs."""
    page.wait_for_function(
        "() => ![...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')].some(p => p.textContent.includes('*'))"
    )


def test_in_jupyterlab_a_timeline_grows_survives_a_reload_and_is_seen_by_a_second_page(lab, browser, tmp_path, screenshots):
    notebook = written(tmp_path / "notebooks", SESSION, ENDLESS)
    address = lab.in_lab(notebook)
    with browser_page(browser, screenshots / "timeline-lab-end.png") as page:
        opened = NotebookPage(page, address)
        opened.menu("Run", "Run All Cells")
        timeline = page.locator(TIMELINE).first
        timeline.wait_for()
        seen, done = [], 0
        for moment in range(3):
            done = grown(page, timeline, done)
            seen.append(painted(timeline, screenshots / f"timeline-lab-grows-{moment}.png"))
        assert len(set(seen)) == 3, "the picture does not change though tasks end"
        assert timeline.locator(".pt-state").inner_text() == "running"

        # A reloaded page shows the current state and continues.
        opened.save(notebook)
        opened = NotebookPage(page, address, state="Busy")
        timeline = page.locator(TIMELINE).first
        timeline.wait_for()
        done = grown(page, timeline, done)
        done = grown(page, timeline, done)
        page.screenshot(path=screenshots / "timeline-lab-reloaded.png")

        # So does another browser.
        other = page.context.browser.new_context(viewport={"width": 1200, "height": 900}).new_page()
        # Two pages and a job that does not end share the cores with it.
        other.set_default_timeout(PAGE_MILLISECONDS)
        NotebookPage(other, address, state="Busy")
        again = other.locator(TIMELINE).first
        again.wait_for()
        grown(other, again, done)
        other.screenshot(path=screenshots / "timeline-lab-second-page.png")

        # Hover shows a task's figures, a click pins them, Escape unpins them.
        canvas = timeline.locator("canvas").first
        box = canvas.bounding_box()
        canvas.hover(position={"x": box["width"] / 3, "y": box["height"] - 20})
        tip = timeline.locator(".pt-tip")
        tip.get_by_text("compute").wait_for()
        canvas.click(position={"x": box["width"] / 3, "y": box["height"] - 20})
        tip.get_by_text("pinned").wait_for()
        page.screenshot(path=screenshots / "timeline-lab-pinned.png")
        canvas.press("Escape")
        tip.wait_for(state="hidden")

        opened.menu("Kernel", "Interrupt Kernel")
        timeline.locator(".pt-state").get_by_text("cancelled").wait_for()


def test_a_page_whose_question_is_lost_on_the_way_asks_again(lab, browser, tmp_path, screenshots):
    notebook = written(tmp_path / "notebooks", SESSION, ENDLESS)
    lost = []

    def pass_on(socket):
        server = socket.connect_to_server()

        def said(message):
            text = message if isinstance(message, bytes) else message.encode()
            if b'"received"' in text and not lost:
                lost.append(text)
            else:
                server.send(message)

        socket.on_message(said)

    address = lab.in_lab(notebook)
    with browser_page(browser, screenshots / "timeline-lost-question.png") as page:
        page.route_web_socket(re.compile("/api/kernels/.*/channels"), pass_on)
        opened = NotebookPage(page, address)
        opened.menu("Run", "Run All Cells")
        timeline = page.locator(TIMELINE).first
        timeline.wait_for()
        grown(page, timeline, grown(page, timeline, 0))
        assert lost, "the page asked nothing"
        opened.menu("Kernel", "Interrupt Kernel")
        timeline.locator(".pt-state").get_by_text("cancelled").wait_for()


def test_what_is_saved_shows_the_picture_without_a_kernel(lab, browser, tmp_path, screenshots):
    notebook = written(tmp_path / "notebooks", SESSION, LONG)
    address = lab.in_lab(notebook)
    with browser_page(browser, screenshots / "timeline-done-end.png") as page:
        opened = NotebookPage(page, address)
        opened.run_all()
        timeline = page.locator(f"{TIMELINE}:visible").first
        # When everything is done, the timeline is one line that can be opened.
        page.locator(".pt-folded").first.wait_for()
        assert "Done in" in timeline.locator(".pt-summary").inner_text()
        page.screenshot(path=screenshots / "timeline-folded.png")
        timeline.locator(".pt-toggle").click()
        painted(timeline, screenshots / "timeline-opened.png")
        # Also in the dark theme.
        opened.menu("Settings", "Theme")
        page.locator(".lm-Menu-itemLabel").get_by_text("JupyterLab Dark", exact=True).click()
        page.locator(f"{TIMELINE}[data-dark=true]:visible").first.wait_for()
        page.wait_for_function(
            """(selector) => [...document.querySelectorAll(selector)].some((view) =>
                view.querySelector('canvas').clientWidth > 0.9 * view.clientWidth && view.clientWidth > 300)""",
            arg=TIMELINE,
        )
        page.screenshot(path=screenshots / "timeline-dark.png")
        opened.save(notebook)

    (output,) = [
        output for output in lessons.outputs(nbformat.read(notebook, as_version=4))
        if "image/svg+xml" in output.get("data", {})
    ]
    assert "slot 1" in output.data["image/svg+xml"]
    with browser_page(browser, screenshots / "timeline-exported.png") as page:
        page.goto(exported(notebook).as_uri())
        (shown,) = saved_pictures(page)
        box = shown.bounding_box()
        assert box and box["width"] > 300 and box["height"] > 80, f"the picture has the size {box}"
        shown.scroll_into_view_if_needed()


def test_a_notebook_that_is_opened_again_with_another_kernel_has_its_timelines(lab, browser, tmp_path, screenshots):
    notebook = written(tmp_path / "notebooks", SESSION, LONG)
    address = lab.in_lab(notebook)
    with browser_page(browser, screenshots / "timeline-another-kernel-end.png") as page:
        opened = NotebookPage(page, address)
        opened.run_all()
        page.locator(".pt-folded").first.wait_for()
        said = page.locator(f"{TIMELINE}:visible .pt-summary").inner_text()
        opened.save(notebook)
        # The kernel ends, as it would overnight.
        (kernel,) = lab.kernels()
        lab.end_kernel(kernel)

        opened = NotebookPage(page, address)
        timeline = page.locator(f"{TIMELINE}:visible").first
        expect(timeline.locator(".pt-summary")).to_have_text(said)
        timeline.locator(".pt-toggle").click()
        painted(timeline, screenshots / "timeline-another-kernel.png")
        (other,) = lab.kernels()
        assert other["id"] != kernel["id"]
        # The new kernel's own jobs are shown in their place.
        opened.run_all()
        page.locator(".pt-folded").first.wait_for()
        assert page.locator(f"{TIMELINE}:visible").count() == 1


def test_in_notebook_7_a_timeline_grows(notebook7, browser, tmp_path, screenshots):
    notebook = written(tmp_path / "notebooks", SESSION, ENDLESS)
    with browser_page(browser, screenshots / "timeline-notebook7-end.png") as page:
        open_and_run_all(page, notebook7.in_notebook7(notebook), 2)
        timeline = page.locator(TIMELINE).first
        timeline.wait_for()
        first = grown(page, timeline, 0)
        before = painted(timeline, screenshots / "timeline-notebook7-0.png")
        grown(page, timeline, first)
        assert painted(timeline, screenshots / "timeline-notebook7-1.png") != before
        page.screenshot(path=screenshots / "timeline-notebook7.png")
        page.locator(".lm-MenuBar-item").get_by_text("Kernel", exact=True).click()
        page.locator(".lm-Menu-itemLabel").get_by_text("Interrupt Kernel", exact=True).click()
        timeline.locator(".pt-state").get_by_text("cancelled").wait_for()
        all_ran(page)


SLIDER = """use partita::widgets::{interact, slider};
let pool = session.clone();
interact(slider("partitions", 1..=64).at(4), move |n| -> partita::Result<Text> {
    let some = pool.range(0, 120_000_000, n).filter((col("id") % lit(1000)).eq(lit(0)));
    let rows = some.group_by([col("id") % lit(97)]).agg([col("id").max().alias("max")]).count()?;
    Ok(Text(format!("{rows} groups from {n} partitions")))
});"""


def test_dragging_a_slider_runs_the_job_again_and_the_timeline_follows(lab, browser, tmp_path, screenshots):
    notebook = written(tmp_path / "notebooks", SESSION, SLIDER)
    address = lab.in_lab(notebook)
    with browser_page(browser, screenshots / "slider-end.png") as page:
        opened = NotebookPage(page, address)
        opened.run_all()
        panel = page.locator(".widget-vbox:visible").first
        panel.get_by_text("97 groups from 4 partitions").wait_for()
        page.screenshot(path=screenshots / "slider-before.png")
        chosen = drag_to_the_middle(page, panel)
        assert 20 < chosen < 44, f"dragged to {chosen}"
        panel.get_by_text(f"97 groups from {chosen} partitions").wait_for()
        timeline = panel.locator(TIMELINE)
        first_stage = timeline.locator(".pt-stages tbody tr").first
        assert f"{chosen} / {chosen}" in first_stage.inner_text()
        page.screenshot(path=screenshots / "slider-dragged.png")
        # Also by keyboard; the last move counts.
        handle = panel.locator(".noUi-handle")
        handle.press("ArrowRight")
        handle.press("ArrowRight")
        panel.get_by_text(f"97 groups from {chosen + 2} partitions").wait_for()
        # The reloaded page shows the controls' current values and their result.
        opened.save(notebook)
        NotebookPage(page, address)
        panel = page.locator(".widget-vbox:visible").first
        panel.get_by_text(f"97 groups from {chosen + 2} partitions").wait_for()
        assert panel.locator(".widget-readout").inner_text() == str(chosen + 2)
        page.screenshot(path=screenshots / "slider-reloaded.png")
