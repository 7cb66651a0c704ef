"""A lesson in JupyterLab, opened and run in a browser: everything a person should see is there and painted."""

import io

import pytest
from PIL import Image

import lessons
import timelines
from lab import NotebookPage, browser_page, drag_to_the_middle, exported


# For each lesson, a piece of the cell whose jobs take longest.
LONGEST = {"01-partitioning": "10_000_000", "02-skew": 'compare("balanced"', "03-taxi": 'compare("naive"'}


def is_painted(picture):
    """Whether a picture's area of the screen shows several colours, not just one."""
    picture.scroll_into_view_if_needed()
    image = Image.open(io.BytesIO(picture.screenshot())).convert("RGB")
    area = image.width * image.height
    colours = image.getcolors(maxcolors=area)
    background = max(pixels for pixels, _ in colours)
    return len(colours) >= 4 and background <= 0.995 * area


@pytest.mark.parametrize("path", lessons.LESSONS, ids=lambda path: path.stem)
def test_a_lesson_in_jupyterlab_paints_every_plot_shows_its_jobs_as_they_run_and_can_be_loaded_again(
    lab, browser, path, tmp_path, screenshots
):
    notebook = lessons.copy_of(path, tmp_path)
    last_seen = screenshots / f"{path.stem}-end.png"
    with browser_page(browser, last_seen) as page:
        address = lab.in_lab(notebook)
        opened = NotebookPage(page, address)
        ran = opened.run_all()
        opened.save(notebook)
        saved = lessons.nbformat.read(notebook, as_version=4)
        assert not lessons.errors(saved), "\n".join(lessons.errors(saved))
        assert ran == len(lessons.code_cells(saved))

        pictures = opened.pictures()
        sent = lessons.plots(saved)
        assert len(pictures) == len(sent), f"the kernel sent {sent}, the page shows {len(pictures)} pictures"
        for number, picture in enumerate(pictures, start=1):
            box = picture.bounding_box()
            assert box and box["width"] >= 50 and box["height"] >= 50, f"picture {number} has the size {box}"
            assert is_painted(picture), f"picture {number} is blank"
            page.screenshot(path=screenshots / f"{path.stem}-plot-{number}.png")

        # A slider runs its job again while no cell runs, and the timeline below it follows.
        sliders = [cell for cell in lessons.code_cells(saved) if "slider(" in cell.source]
        panels = page.locator(".widget-vbox:visible").all()
        assert len(panels) == len(sliders)
        for panel in panels:
            chosen = drag_to_the_middle(page, panel)
            panel.get_by_text(f"{chosen} partitions:").wait_for()
            first_stage = panel.locator(".partita-timeline .pt-stages tbody tr").first
            assert f"{chosen} / {chosen}" in first_stage.inner_text()
            page.screenshot(path=screenshots / f"{path.stem}-slider.png")

        cells = lessons.code_cells(saved)
        (longest,) = [number for number, cell in enumerate(cells) if LONGEST[path.stem] in cell.source]
        timelines.grows(page, opened, longest, screenshots / path.stem)
        cell = page.locator(".jp-CodeCell").nth(longest)
        jobs = timelines.jobs_known(cell.locator(timelines.TIMELINE))
        screenshot = screenshots / f"{path.stem}-reloaded.png"
        loaded_again_while_jobs_run(page, opened, address, notebook, longest, jobs, screenshot)

        # The saved notebook shows its timelines without a kernel.
        page.goto(exported(notebook).as_uri())
        shown = timelines.saved_pictures(page)
        boxes = [picture.bounding_box() for picture in shown]
        reloaded = lessons.nbformat.read(notebook, as_version=4)
        assert len(shown) >= len(lessons.timelines(reloaded)) > 0, f"{len(shown)} pictures are shown"
        assert all(box and box["width"] > 300 and box["height"] > 80 for box in boxes), boxes
        shown[0].scroll_into_view_if_needed()
        page.screenshot(path=screenshots / f"{path.stem}-exported.png")


def loaded_again_while_jobs_run(page, opened, address, notebook, number, jobs, screenshot):
    """Runs a cell of so many jobs and reloads the page in the middle of them: the timeline is still there, and in the end
    shows all of them, also those that started after the reload."""
    timeline = opened.run_cell(number).locator(f"{timelines.TIMELINE}:not([data-before])")
    timeline.locator("[data-pt=picker] option").nth(2).wait_for(state="attached")
    opened.save(notebook)
    NotebookPage(page, address, state="(Busy|Idle)")
    timeline = page.locator(".jp-CodeCell").nth(number).locator(timelines.TIMELINE)
    # The first option is the latest job, whichever that is.
    timeline.locator("[data-pt=picker] option").nth(jobs).wait_for(state="attached")
    timeline.scroll_into_view_if_needed()
    page.screenshot(path=screenshot)
    page.locator("#jp-main-statusbar").get_by_text("| Idle").wait_for()
