"""A lesson on a pool in Docker, in a browser: the same notebook, with its trips on workers in containers. Without a
Docker engine this fails, unless PARTITA_EXPECT_NO_DOCKER=1 says that none is expected."""

import json
import os
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest

import lessons
import timelines
from lab import NotebookPage, browser_page, exported, running_lab

CHECKOUT = lessons.NOTEBOOKS.parent
WORKERS = 2
START_SECONDS = 120


def free_port():
    """A port outside the range that systems assign by themselves, so it is still free when the container takes it."""
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for_workers(port, token):
    """Waits until the master reports all workers; not every compose can wait for that."""
    request = urllib.request.Request(f"http://127.0.0.1:{port}/api/v1/pool", headers={"Authorization": f"Bearer {token}"})
    until, seen = time.monotonic() + START_SECONDS, "nothing"
    while time.monotonic() < until:
        try:
            with urllib.request.urlopen(request, timeout=5) as answer:
                seen = json.load(answer)
            if len(seen["pool"]["workers"]) == WORKERS:
                return
        except OSError as error:
            seen = error
        time.sleep(0.1)
    pytest.fail(f"no {WORKERS} workers after {START_SECONDS} s: {seen}")


@pytest.fixture
def pool(tmp_path):
    """The pool of the compose file, with its own name and directories. Yields its settings from `.env`."""
    if subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        assert os.environ.get("PARTITA_EXPECT_NO_DOCKER") == "1", (
            "there is no Docker engine here; set PARTITA_EXPECT_NO_DOCKER=1 to skip the lesson on a pool"
        )
        pytest.skip("PARTITA_EXPECT_NO_DOCKER=1")
    settings = tmp_path / "pool.env"
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PARTITA_")} | {
        "PARTITA_ENV": str(settings),
        "PARTITA_IMAGE": "partita-node-test",
        "PARTITA_PORT": str(free_port()),
        "PARTITA_WEB_PORT": str(free_port()),
        "PARTITA_DATA_DIR": str(tmp_path / "data"),
        "PARTITA_OUTPUT_DIR": str(tmp_path / "output"),
        "COMPOSE_PROJECT_NAME": f"partita-lesson-{os.getpid()}",
    }

    def script(name, *arguments):
        ran = subprocess.run(
            ["sh", CHECKOUT / "scripts" / name, *arguments], env=environment, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr[-4000:]

    node = Path(os.environ["CARGO_TARGET_DIR"]) / "release/partita-node"
    script("pool-image.sh", str(node))
    try:
        script("compose.sh", "up", "--detach", "--scale", f"worker={WORKERS}")
        lines = (line.partition("=") for line in settings.read_text().splitlines() if not line.startswith("#"))
        pool = {name: value for name, _, value in lines}
        wait_for_workers(environment["PARTITA_WEB_PORT"], pool["PARTITA_TOKEN"])
        yield pool
    finally:
        script("compose.sh", "down", "--volumes", "--timeout", "2")


def test_the_taxi_lesson_shows_the_workers_while_they_run_it_and_gives_the_same_figures(pool, browser, tmp_path, screenshots):
    path = lessons.NOTEBOOKS / "03-taxi.ipynb"
    notebook = lessons.copy_of(path, tmp_path)
    last_seen = screenshots / "pool-lesson-end.png"
    with running_lab(notebook, tmp_path / "settings", pool) as address, browser_page(browser, last_seen) as page:
        opened = NotebookPage(page, address)
        opened.run_all()
        opened.save(notebook)
        saved = lessons.nbformat.read(notebook, as_version=4)
        cells = lessons.code_cells(saved)
        (longest,) = [number for number, cell in enumerate(cells) if 'compare("naive"' in cell.source]
        timelines.grows(page, opened, longest, screenshots / "pool-lesson")
        page.goto(exported(notebook).as_uri())
        pictures = timelines.saved_pictures(page)
        assert pictures, "the exported notebook shows no timeline"
        pictures[0].scroll_into_view_if_needed()

    assert not lessons.errors(saved), "\n".join(lessons.errors(saved))
    shown = [output.data for output in lessons.outputs(saved) if "data" in output]
    texts = [data.get("text/plain", "") for data in shown]
    assert any("pool at 127.0.0.1" in text and f"{WORKERS} workers" in text for text in texts), texts[0]
    drawn = "".join(data.get("image/svg+xml", "") for data in shown)
    assert drawn.count(">slot 1<") >= 2 * WORKERS, "each worker has two slots, in each picture"
    stated = lessons.checks(saved)
    assert not {what: value for what, value in stated.items() if value == "false"}
    assert stated["trips by hour"] == stated["trips by payment"] == stated["clean trips"] == "2000000"
    assert int(stated["bytes read, one column and one day"]) < int(stated["bytes read, all columns"]) / 4
    assert stated["cache hits, cache, 2nd run"] == "16"
