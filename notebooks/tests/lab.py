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
import urllib.request
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


class Server:
    """A running JupyterLab or Notebook 7, which opens notebooks below its directory."""

    def __init__(self, address, directory):
        """`address` as it was printed, with the token."""
        self.base, self.token = re.match(r"(http://[^/]+)/.*token=(\w+)", address).groups()
        self.directory = directory
        self.opened = 0

    def in_lab(self, notebook):
        """The address of a notebook in JupyterLab, in a workspace of its own: what was open before is not."""
        self.opened += 1
        path = notebook.relative_to(self.directory).as_posix()
        return f"{self.base}/lab/workspaces/{self.opened}/tree/{path}?token={self.token}"

    def in_notebook7(self, notebook):
        """The address of a notebook in Notebook 7."""
        return f"{self.base}/notebooks/{notebook.relative_to(self.directory).as_posix()}?token={self.token}"

    def kernels(self):
        """The running kernels."""
        return json.loads(self.ask("GET", "/api/kernels"))

    def end_kernel(self, kernel):
        """Ends one of them."""
        self.ask("DELETE", f"/api/kernels/{kernel['id']}")

    def ask(self, method, path):
        """Sends a request to Jupyter's API and returns the answer."""
        request = urllib.request.Request(self.base + path, method=method)
        request.add_header("Authorization", f"token {self.token}")
        with urllib.request.urlopen(request, timeout=PAGE_MILLISECONDS / 1000) as answer:
            return answer.read()


def write_settings(directory):
    """Writes a new user's settings over what is there."""
    shutil.rmtree(directory, ignore_errors=True)
    for name, content in SETTINGS.items():
        file = directory / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content))


@contextmanager
def running_lab(notebook, settings, environment=None):
    """Runs `make lab` on a notebook, with additional environment variables. Yields the printed address with its token."""
    write_settings(settings)
    command = ["make", "lab", f"NOTEBOOK={notebook}", f"LAB_ARGS=--no-browser --port={free_port()}"]
    kept = {"JUPYTERLAB_SETTINGS_DIR": str(settings), "PARTITA_TIMELINE_DIR": f"{settings}-timelines"}
    with running(command, {**(environment or {}), **kept}) as log:
        yield log.wait_for(r"http://127\.0\.0\.1:\d+/lab\S*token=\w+")


@contextmanager
def running_notebook7(directory):
    """Runs Notebook 7 in a directory. Yields the printed address with its token."""
    command = [sys.executable, "-m", "notebook", "--no-browser", f"--port={free_port()}"]
    command += [f"--ServerApp.root_dir={directory}", *(["--allow-root"] if os.geteuid() == 0 else [])]
    with running(command, {}) as log:
        yield log.wait_for(r"http://127\.0\.0\.1:\d+/tree\?token=\w+")


@contextmanager
def running(command, environment):
    """Runs a server, with additional environment variables. Yields its log."""
    server = subprocess.Popen(
        command,
        cwd=CHECKOUT,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        yield ServerLog(server)
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
        assert found, f"the server printed no {pattern}:\n{self.text}"
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
def running_browser():
    """A headless Chromium."""
    # Chromium's sandbox does not work for root.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=arguments)
        yield browser
        browser.close()


@contextmanager
def browser_page(browser, last_seen):
    """A page of a laptop's size that shares nothing with other pages. At the end its screenshot is saved to the file."""
    page = browser.new_page(viewport={"width": 1440, "height": 1000})
    page.set_default_timeout(PAGE_MILLISECONDS)
    try:
        yield page
    finally:
        page.screenshot(path=last_seen)
        for context in browser.contexts:
            context.close()


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
