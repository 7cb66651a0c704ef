"""Every lesson runs from its first cell to its last on a clean kernel, and its figures are right."""

import functools

import pytest
from nbclient import NotebookClient

import lessons

CELL_SECONDS = 600


@functools.cache
def run(path):
    """The notebook after all its cells, solutions too, ran on a kernel of its own, next to the notebook."""
    notebook = lessons.with_solutions(lessons.load(path))
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    return notebook


def test_there_are_lessons():
    assert [path.name for path in lessons.LESSONS][:1] == ["01-partitioning.ipynb"]


@pytest.mark.parametrize("path", lessons.LESSONS, ids=lambda path: path.stem)
class TestEveryLesson:
    def test_is_written_for_partitas_kernel(self, path):
        assert lessons.load(path).metadata.kernelspec.name == "partita"

    def test_runs_on_a_clean_kernel_without_an_error(self, path):
        notebook = run(path)
        assert not lessons.errors(notebook), "\n".join(lessons.errors(notebook))
        assert all(cell.execution_count for cell in lessons.code_cells(notebook))

    def test_sets_an_exercise_and_folds_its_solution_away(self, path):
        assert len(lessons.code_cells(run(path))) > len(lessons.code_cells(lessons.load(path)))

    def test_states_results_and_all_of_them_hold(self, path):
        stated = lessons.checks(run(path))
        assert stated, "a lesson ends with lines like `check: rows conserved = true`"
        assert not {what: value for what, value in stated.items() if value == "false"}


class TestPartitioning:
    """The first lesson: the same data in more and more partitions."""

    @pytest.fixture
    def notebook(self):
        return run(lessons.NOTEBOOKS / "01-partitioning.ipynb")

    def test_no_row_is_lost_or_invented_whatever_the_number_of_partitions(self, notebook):
        source = lessons.checks(notebook)["rows of the source"]
        assert int(source) > 0
        rows = lessons.across_partitions(notebook)["rows"]
        assert len(rows) >= 3, f"rows were counted for {sorted(rows)} partitions only"
        assert rows == dict.fromkeys(rows, source)

    def test_results_do_not_depend_on_the_number_of_partitions(self, notebook):
        results = lessons.across_partitions(notebook)["result"]
        assert len(results) >= 3, f"the result was computed in {sorted(results)} partitions only"
        assert len(set(results.values())) == 1, results

    def test_the_sweep_is_shown_as_a_data_frame_with_one_row_a_partition_count(self, notebook):
        swept = sorted(lessons.across_partitions(notebook)["rows"])
        shown = [frame["partitions"] for frame in lessons.frames(notebook) if "partitions" in frame]
        assert any(sorted(int(count) for count in counts if count.isdigit()) == swept for counts in shown), (
            f"no DataFrame has a column `partitions` with {swept}; those with the column show {shown}"
        )

    def test_it_draws_its_plots(self, notebook):
        assert lessons.plots(notebook)
