"""Fixtures that all notebook tests share."""

import os
from pathlib import Path

import pytest

import lab as jupyter


@pytest.fixture(scope="session", autouse=True)
def only_kernels_of_this_environment(tmp_path_factory):
    """Hides the kernels and settings of the user who runs the tests."""
    for name in ("JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "JUPYTER_RUNTIME_DIR"):
        os.environ[name] = str(tmp_path_factory.mktemp(name.lower()))
    os.environ.pop("JUPYTER_PATH", None)
    # Keeps the tests' cells out of the user's history.
    os.environ["PARTITA_HISTORY"] = str(tmp_path_factory.mktemp("history") / "history.jsonl")


@pytest.fixture
def screenshots(tmp_path):
    """Where screenshots go: PARTITA_SCREENSHOTS, or pytest's directory of this test."""
    directory = Path(os.environ.get("PARTITA_SCREENSHOTS", tmp_path / "screenshots"))
    directory.mkdir(parents=True, exist_ok=True)
    return directory


@pytest.fixture(scope="module")
def browser():
    """A Chromium for all tests of a file, each with pages of its own. Not for all files: where nbclient runs
    notebooks, Playwright's event loop is in its way."""
    with jupyter.running_browser() as running:
        yield running


@pytest.fixture(scope="session")
def shared_lab(tmp_path_factory):
    """One JupyterLab for all tests, with its settings; notebooks lie in the tests' own directories."""
    directory = tmp_path_factory.getbasetemp()
    settings = directory / "lab-settings"
    with jupyter.running_lab(directory / "none.ipynb", settings) as address:
        yield jupyter.Server(address, directory), settings


@pytest.fixture
def lab(shared_lab):
    """JupyterLab as it is for a new user, and without a kernel."""
    server, settings = shared_lab
    yield server
    leave(server)
    jupyter.write_settings(settings)


@pytest.fixture(scope="session")
def shared_notebook7(tmp_path_factory):
    """One Notebook 7 for all tests."""
    directory = tmp_path_factory.getbasetemp()
    with jupyter.running_notebook7(directory) as address:
        yield jupyter.Server(address, directory)


@pytest.fixture
def notebook7(shared_notebook7):
    """Notebook 7, without a kernel."""
    yield shared_notebook7
    leave(shared_notebook7)


def leave(server):
    """Ends the kernels that a test leaves."""
    for kernel in server.kernels():
        server.end_kernel(kernel)
