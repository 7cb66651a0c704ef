"""Measures how smooth the live timeline is: frames per second in Chromium while a job of 10,000 tasks grows
below its cell in JupyterLab. Prints the mean and the slowest frames. Job and browser share the machine's cores."""

import sys
import tempfile
from pathlib import Path

import nbformat

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "notebooks" / "tests"))

from lab import NotebookPage, browser_page, running_browser, running_lab  # noqa: E402

TASKS = 10_000
CELLS = [
    "let session = Session::embedded(2)?;",
    f'session.range(0, 2_000_000_000, {TASKS}).filter((col("id") % lit(1000)).eq(lit(0))).collect()?.height()',
]
# The milliseconds between frames, for as long as the job runs.
MEASURE = """() => new Promise((done) => {
    const frames = [];
    let last = performance.now();
    const next = (now) => {
        frames.push(now - last);
        last = now;
        const state = document.querySelector('.partita-timeline .pt-state');
        if (state.textContent === 'running') requestAnimationFrame(next);
        else done(frames.slice(1));
    };
    requestAnimationFrame(next);
})"""


def main():
    with tempfile.TemporaryDirectory() as directory:
        notebook = Path(directory) / "notebooks" / "frames.ipynb"
        notebook.parent.mkdir()
        written = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in CELLS])
        written.metadata.kernelspec = {"name": "partita", "display_name": "Partita (Rust)", "language": "rust"}
        nbformat.write(written, notebook)
        with running_lab(notebook, Path(directory) / "settings") as address, running_browser() as browser:
            with browser_page(browser, Path(directory) / "end.png") as page:
                opened = NotebookPage(page, address)
                opened.menu("Run", "Run All Cells")
                page.locator(".partita-timeline .pt-state").first.get_by_text("running").wait_for()
                frames = sorted(page.evaluate(MEASURE))
                summary = page.locator(".partita-timeline .pt-summary").first.inner_text()
    seconds = sum(frames) / 1000
    slow = frames[int(len(frames) * 0.95)]
    print(f"{len(frames)} frames in {seconds:.1f} s: {len(frames) / seconds:.0f} a second; "
          f"19 of 20 took at most {slow:.0f} ms, the slowest {frames[-1]:.0f} ms")
    print(summary)


if __name__ == "__main__":
    main()
