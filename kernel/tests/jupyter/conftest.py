"""Fixtures that all tests of the kernel in Jupyter share."""

import os

import pytest


@pytest.fixture(scope="session", autouse=True)
def no_history_of_whoever_runs_the_tests(tmp_path_factory):
    """Separates the tests' cells from the user's history."""
    os.environ["PARTITA_HISTORY"] = str(tmp_path_factory.mktemp("history") / "history.jsonl")
