"""A lesson in JupyterLab, opened and run in a browser: what a person sees is there and is painted."""

import io
import os
from pathlib import Path

import pytest
from PIL import Image

import lessons
from lab import NotebookPage, browser_page, drag_to_the_middle, running_lab


@pytest.fixture
def screenshots(tmp_path):
    """Where screenshots go: PARTITA_SCREENSHOTS, or pytest's directory of this test."""
    directory = Path(os.environ.get("PARTITA_SCREENSHOTS", tmp_path / "screenshots"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


def copy_of(path, directory):
    """A copy to run and save, outputs removed."""
    target = directory / "notebooks" / path.name
    target.parent.mkdir()
    lessons.nbformat.write(lessons.load(path), target)
    return target


def is_painted(picture):
    """Whether a picture's part of the screen shows something: several colours, not one area of one."""
    picture.scroll_into_view_if_needed()
    image = Image.open(io.BytesIO(picture.screenshot())).convert("RGB")
    area = image.width * image.height
    colours = image.getcolors(maxcolors=area)
    background = max(pixels for pixels, _ in colours)
    return len(colours) >= 4 and background <= 0.995 * area


@pytest.mark.parametrize("path", lessons.LESSONS, ids=lambda path: path.stem)
def test_run_all_in_jupyterlab_ends_without_errors_and_paints_every_plot(path, tmp_path, screenshots):
    notebook = copy_of(path, tmp_path)
    last_seen = screenshots / f"{path.stem}-end.png"
    with running_lab(notebook, tmp_path / "settings") as address, browser_page(last_seen) as page:
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
