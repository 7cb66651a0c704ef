"""A lesson on a pool in Docker: the same notebook, its trips on workers in containers. Where there is no Docker engine
this fails, unless PARTITA_EXPECT_NO_DOCKER=1 says that this is known."""

import json
import os
import random
import socket
import subprocess
import time
import urllib.request
from pathlib import Path

import pytest
from nbclient import NotebookClient

import lessons

CHECKOUT = lessons.NOTEBOOKS.parent
CELL_SECONDS = 900
WORKERS = 2
START_SECONDS = 120


def free_port():
    """A port outside of the range that systems give out by themselves: still free when the container takes it."""
    while True:
        port = random.randrange(15_000, 30_000)
        with socket.socket() as listener:
            try:
                listener.bind(("127.0.0.1", port))
                return port
            except OSError:
                continue


def wait_for_workers(port, token):
    """Returns once the master tells of all workers; not every compose can wait for that."""
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
    """The pool of the compose file, under a name and with directories of its own; yields what `.env` has of it."""
    if subprocess.run(["docker", "version"], capture_output=True).returncode != 0:
        assert os.environ.get("PARTITA_EXPECT_NO_DOCKER") == "1", (
            "there is no Docker engine here; PARTITA_EXPECT_NO_DOCKER=1 leaves the lesson on a pool untested"
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


def test_the_taxi_lesson_runs_on_the_workers_and_gives_the_same_figures(pool):
    path = lessons.NOTEBOOKS / "03-taxi.ipynb"
    notebook = lessons.load(path)
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute(env=os.environ | pool)
    assert not lessons.errors(notebook), "\n".join(lessons.errors(notebook))
    shown = [output.data["text/plain"] for output in lessons.outputs(notebook) if "data" in output]
    assert any(f"pool at 127.0.0.1" in text and f"{WORKERS} workers" in text for text in shown), shown[0]
    stated = lessons.checks(notebook)
    assert not {what: value for what, value in stated.items() if value == "false"}
    assert stated["trips by hour"] == stated["trips by payment"] == stated["clean trips"] == "2000000"
    assert int(stated["bytes read, one column and one day"]) < int(stated["bytes read, all columns"]) / 4
    assert stated["cache hits, cache, 2nd run"] == "16"
