"""Starts JupyterLab by the command in the README, and drives it in a browser."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import sync_playwright

import lessons

CHECKOUT = lessons.NOTEBOOKS.parent
START_SECONDS = 1800
RUN_MILLISECONDS = 1_800_000
PAGE_MILLISECONDS = 120_000

# A new user's settings, except those that would open dialogs or send requests during a test.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification.jupyterlab-settings": {
        "fetchNews": "false",
        "checkForUpdates": False,
    },
}


def free_port():
    """A port that nothing listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


@contextmanager
def running_lab(notebook, settings, environment=None):
    """Runs `make lab` on a notebook, with additional environment variables. Yields the printed address with its token."""
    for name, content in SETTINGS.items():
        file = settings / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))
    server = subprocess.Popen(
        ["make", "lab", f"NOTEBOOK={notebook}", f"LAB_ARGS=--no-browser --port={free_port()}"],
        cwd=CHECKOUT,
        env={
            **os.environ,
            **(environment or {}),
            "JUPYTERLAB_SETTINGS_DIR": str(settings),
            "PARTITA_TIMELINE_DIR": str(settings / "timelines"),
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield ServerLog(server).wait_for(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+")
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait()


class ServerLog:
    """Reads the server's output for as long as it runs, so that it never blocks on a full pipe."""

    def __init__(self, server):
        self.server = server
        self.text = ""
        self.changed = threading.Condition()
        self.ended = False
        threading.Thread(target=self.read, daemon=True).start()

    def read(self):
        for line in self.server.stdout:
            with self.changed:
                self.text += line
                self.changed.notify_all()
        with self.changed:
            self.ended = True
            self.changed.notify_all()

    def wait_for(self, pattern):
        """Waits for the pattern in the output and returns its first match."""
        with self.changed:
            self.changed.wait_for(lambda: self.ended or re.search(pattern, self.text), START_SECONDS)
            found = re.search(pattern, self.text)
        assert found, f"`make lab` printed no {pattern}:\n{self.text}"
        return found[0]


def chromium():
    """The system's Chromium."""
    names = ["chromium", "chromium-browser", "google-chrome"]
    candidates = [os.environ.get("CHROMIUM"), *map(shutil.which, names)]
    candidates.append("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")
    for candidate in candidates:
        if candidate and Path(candidate).exists():
            return candidate
    raise FileNotFoundError("no Chromium found: install it, or name it by CHROMIUM=/path/to/it")


@contextmanager
def browser_page(last_seen):
    """A page in a headless Chromium, of a laptop's size. At the end its screenshot is saved to the file."""
    # Chromium's sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        page = browser.new_page(viewport={"width": 1440, "height": 1000})
        page.set_default_timeout(PAGE_MILLISECONDS)
        try:
            yield page
        finally:
            page.screenshot(path=last_seen)
            browser.close()


class NotebookPage:
    """A notebook open in JupyterLab, driven through its menus and read from the screen."""

    def __init__(self, page, address, state="Idle"):
        self.page = page
        page.goto(address)
        # The notebook's own indicator says "idle" before there is a kernel; the status bar does not.
        page.locator("#jp-main-statusbar").get_by_text(re.compile(rf"\| {state}$")).wait_for()

    def run_all(self):
        """Chooses Run > Run All Cells, waits until no cell waits and the kernel is idle, and returns how many ran."""
        self.menu("Run", "Run All Cells")
        return self.all_ran()

    def run_cell(self, number):
        """Runs one code cell, counted from 0, without waiting for it. Its earlier timelines are marked as `before`."""
        cell = self.page.locator(".jp-CodeCell").nth(number)
        cell.evaluate("(cell) => cell.querySelectorAll('.partita-timeline').forEach((view) => (view.dataset.before = ''))")
        cell.locator(".cm-content").first.click()
        self.page.keyboard.press("Control+Enter")
        return cell

    def all_ran(self):
        """Waits until no cell waits and the kernel is idle. Returns how many cells ran."""
        # Every cell shows [*] from the click on; after an error the cells after it show [ ] again.
        ended = self.page.wait_for_function(
            """() => {
                const prompts = [...document.querySelectorAll('.jp-CodeCell .jp-InputPrompt')];
                const waiting = prompts.some(prompt => prompt.textContent.includes('[*]'));
                const ran = prompts.filter(prompt => /\\[\\d+\\]/.test(prompt.textContent)).length;
                const idle = document.querySelector('.jp-Notebook-ExecutionIndicator[data-status=idle]');
                return idle && !waiting && ran;
            }""",
            timeout=RUN_MILLISECONDS,
        )
        return ended.json_value()

    def save(self, path):
        """File > Save Notebook; returns once the file is written."""
        before = path.stat().st_mtime_ns
        with self.page.expect_response(
            lambda response: response.request.method == "PUT" and "/api/contents/" in response.url
        ):
            self.menu("File", "Save Notebook")
        assert path.stat().st_mtime_ns > before

    def menu(self, name, item):
        """Chooses an item of the menu bar."""
        self.page.locator("#jp-MainMenu").get_by_text(name, exact=True).click()
        self.page.locator(".lm-Menu-itemLabel").get_by_text(item, exact=True).click()

    def pictures(self):
        """Every picture the outputs show."""
        outputs = ".jp-RenderedSVG img, .jp-RenderedSVG svg, .jp-RenderedImage img"
        return self.page.locator(outputs).all()


def exported(notebook):
    """The notebook as HTML, made by nbconvert without a kernel."""
    html = notebook.with_suffix(".html")
    command = [sys.executable, "-m", "nbconvert", "--to", "html", "--output", html.name, notebook]
    subprocess.run(command, check=True, capture_output=True)
    return html


def drag_to_the_middle(page, panel):
    """Drags the handle of the panel's slider to the middle of its track. Returns the value it then shows."""
    handle, track = panel.locator(".noUi-handle"), panel.locator(".noUi-target")
    handle.scroll_into_view_if_needed()
    box, along = handle.bounding_box(), track.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + box["width"] / 2, middle)
    page.mouse.down()
    page.mouse.move(along["x"] + along["width"] / 2, middle, steps=12)
    page.mouse.up()
    return int(panel.locator(".widget-readout").inner_text())
