"""Fixtures that all notebook tests share."""

import os
from pathlib import Path

import pytest


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
