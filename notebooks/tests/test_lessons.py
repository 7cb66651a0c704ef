"""Every lesson runs from its first cell to its last on a clean kernel; its figures are right, and so are its verdicts
on learners' answers."""

import functools
import os
import subprocess
from pathlib import Path

import pytest
from nbclient import NotebookClient

import lessons

CELL_SECONDS = 600

# Answers that `check!` must reject, by lesson and exercise.
WRONG = {
    "01-partitioning": {
        "tasks": ["Some(2)", "Some(4)", "Some(4000)"],
        "rule": [
            "Some(lit(0))",
            'Some(col("pickup_zone") % lit(4))',
            'Some(when(col("pickup_zone").eq(lit(132))).then(lit(0)).otherwise(lit(1)))',
            'Some(when(col("pickup_zone").eq(lit(132)).or(col("pickup_zone").eq(lit(138))).or(col("pickup_zone").eq(lit(1))))'
            ".then(lit(0)).otherwise(lit(1)))",
        ],
    },
    "02-skew": {
        "times_as_long": ["Some(0.5)", "Some(80.0)", "Some(1.05)"],
        "not_combinable": ['Some(col("fare").mean())', 'Some(col("price").max())'],
        "partitioner": [
            'Some(col("id") % lit(4))',
            'Some(when(col("zone").eq(lit(132))).then(lit(0)).otherwise(lit(3)))',
            'Some(col("zone") % lit(9))',
        ],
    },
    "03-taxi": {
        "busiest_hour": ["Some(25)", "Some(3)", "Some(10)", "Some(17)"],
        "scattered": [
            "Some(lit(false))",
            'Some(col("fare").gt(lit(1.0)))',
            'Some(col("pickup_at").dt().day().eq(lit(3)).and(col("pickup_at").lt(taxi::midnight("2019-03-04")?)))',
        ],
        "better": [
            "Some(naive(&session, &source, &zones, &wanted)?)",
            "Some(answer(&trips))",
            'Some(answer(&trips.join_on(&zones, JoinOn { left: vec![col("pickup_zone")], right: vec![col("pickup_zone")],'
            " how: JoinType::Inner, strategy: JoinStrategy::Shuffle }).filter(wanted.clone())))",
        ],
    },
}


@functools.cache
def run(path):
    """The notebook after all its cells have run on a kernel of its own, in the notebook's directory. Each exercise is
    answered by nothing, by wrong answers and by its solution."""
    notebook = lessons.answered(lessons.load(path), WRONG[path.stem])
    client = NotebookClient(
        notebook, timeout=CELL_SECONDS, allow_errors=True, resources={"metadata": {"path": str(path.parent)}}
    )
    client.execute()
    return notebook


def test_there_are_lessons():
    assert [path.stem for path in lessons.LESSONS] == list(WRONG)


@pytest.mark.parametrize("path", lessons.LESSONS, ids=lambda path: path.stem)
class TestEveryLesson:
    def test_is_written_for_partitas_kernel(self, path):
        assert lessons.load(path).metadata.kernelspec.name == "partita"

    def test_is_stored_without_outputs_which_would_answer_its_questions(self, path):
        stored = lessons.nbformat.read(path, as_version=4)
        assert not lessons.outputs(stored)

    def test_runs_on_a_clean_kernel_without_an_error(self, path):
        notebook = run(path)
        assert not lessons.errors(notebook), "\n".join(lessons.errors(notebook))
        assert all(cell.execution_count for cell in lessons.code_cells(notebook))

    def test_runs_as_a_program(self, path):
        partita = Path(os.environ["CARGO_TARGET_DIR"]) / "release/partita"
        ran = subprocess.run([partita, "run", path], capture_output=True, text=True, timeout=CELL_SECONDS)
        assert ran.returncode == 0, ran.stdout[-2000:] + ran.stderr
        assert "check: " in ran.stdout and "○" in ran.stdout, ran.stdout[-2000:]

    def test_asks_before_it_answers_and_folds_solutions_away(self, path):
        source = "\n".join(cell.source for cell in lessons.load(path).cells if cell.cell_type == "markdown")
        assert source.count("**Question ") >= 4
        assert source.count("**Exercise ") >= 2
        assert len(lessons.SOLUTION.findall(source)) >= 2

    def test_says_of_each_answer_whether_it_is_missing_wrong_or_right(self, path):
        verdicts = lessons.verdicts(run(path))
        assert set(verdicts) == set(WRONG[path.stem])
        for name, given in WRONG[path.stem].items():
            marks = "".join(mark for mark, _ in verdicts[name])
            assert marks == "○" + "✗" * len(given) + "✓", f"{name}: {verdicts[name]}"
            objections = [text for mark, text in verdicts[name] if mark == "✗"]
            assert len(set(objections)) == len(objections), f"different mistakes get different messages: {objections}"

    def test_states_results_and_all_of_them_hold(self, path):
        stated = lessons.checks(run(path))
        assert stated, "a lesson ends with lines like `check: rows conserved = true`"
        assert not {what: value for what, value in stated.items() if value == "false"}

    def test_draws_plots(self, path):
        assert lessons.plots(run(path))

    def test_ends_with_a_summary_and_further_reading(self, path):
        source = "\n".join(cell.source for cell in lessons.load(path).cells if cell.cell_type == "markdown")
        assert "## Summary" in source and "### Further reading" in source


class TestPartitioning:
    """The first lesson: the same data in increasing numbers of partitions."""

    @pytest.fixture
    def notebook(self):
        return run(lessons.NOTEBOOKS / "01-partitioning.ipynb")

    @pytest.fixture
    def stated(self, notebook):
        return lessons.checks(notebook)

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

    def test_the_best_count_is_predicted_and_measured_for_three_sizes(self, notebook):
        tables = [frame for frame in lessons.frames(notebook) if "measured best count" in frame]
        assert [frame["records"] for frame in tables] == [["10 thousand", "1 million", "10 million"]]

    def test_hash_and_range_keep_zones_whole_and_round_robin_keeps_sizes_equal(self, stated):
        assert stated["zones by hash"] == stated["zones by range"] == stated["zones there are"]
        assert int(stated["zones by round robin"]) > 2 * int(stated["zones there are"])
        assert float(stated["most over fewest rows by round robin"]) < 1.01
        assert {stated[f"rows by {rule}"] for rule in ("round robin", "hash", "range")} == {"2000000"}

    def test_coalesce_shuffles_nothing_and_takes_the_tasks_before_it_along(self, stated):
        assert stated["bytes shuffled by coalesce"] == "0" and int(stated["bytes shuffled by repartition"]) > 0
        assert (stated["tasks before coalesce(1)"], stated["tasks before repartition(1)"]) == ("1", "32")


class TestSkew:
    """The second lesson: the same rows, unevenly."""

    @pytest.fixture
    def stated(self):
        return lessons.checks(run(lessons.NOTEBOOKS / "02-skew.ipynb"))

    def test_both_datasets_have_all_the_rows_and_one_has_80_per_cent_of_them_in_a_partition(self, stated):
        assert stated["balanced rows"] == stated["skewed rows"] == stated["rows of the source"]
        assert float(stated["largest share, balanced"]) == 0.25
        assert float(stated["largest share, skewed"]) == 0.8

    def test_a_hot_key_is_not_cut_by_hashing_and_is_by_salting(self, stated):
        assert float(stated["largest share, hashed by zone"]) >= 0.8
        assert float(stated["largest share, salted"]) < 0.75

    def test_a_combine_keeps_the_rows_out_of_the_shuffle(self, stated):
        assert int(stated["rows through the shuffle, not combined"]) == 2_000_000
        assert int(stated["rows through the shuffle, combined"]) < 10_000

    def test_a_broadcast_join_shuffles_only_what_was_aggregated(self, stated):
        assert int(stated["bytes shuffled by the broadcast join"]) < 100_000

    def test_every_remedy_gives_the_same_rows(self, stated):
        same = [what for what in stated if "the same" in what]
        assert len(same) >= 6 and all(stated[what] == "true" for what in same)


class TestTaxi:
    """The third lesson: what is read, cached and shuffled."""

    @pytest.fixture
    def stated(self):
        return lessons.checks(run(lessons.NOTEBOOKS / "03-taxi.ipynb"))

    def test_no_trip_is_lost_between_the_questions(self, stated):
        assert stated["trips by hour"] == stated["trips by payment"] == stated["clean trips"] == "2000000"

    def test_columns_and_row_groups_that_nobody_needs_are_not_read(self, stated):
        everything, column, day = (
            int(stated[f"bytes read, {what}"]) for what in ("all columns", "one column", "one column and one day")
        )
        assert 0 < day < column < everything / 4
        assert int(stated["row groups skipped for one day"]) > 8

    def test_the_second_run_on_a_cache_reads_no_file(self, stated):
        assert 0 < int(stated["bytes read, not cached"]) <= int(stated["bytes read, cache, 1st run"])
        assert stated["bytes read, cache, 2nd run"] == stated["bytes read, cache, 3rd run"] == "0"
        assert stated["cache hits, cache, 2nd run"] == "16"

    def test_storage_levels_decide_what_becomes_of_what_does_not_fit(self, stated):
        assert int(stated["partitions found with MEMORY_ONLY"]) < 16
        assert int(stated["bytes read again with MEMORY_ONLY"]) > 0
        for level in ("MEMORY_AND_DISK", "DISK_ONLY"):
            assert stated[f"partitions found with {level}"] == "16"
            assert stated[f"bytes read again with {level}"] == "0"
        assert stated["partitions kept with DISK_ONLY"] == "0 in memory, 16 on disk"
        assert not stated["partitions kept with MEMORY_AND_DISK"].startswith(("0 ", "16 "))

    def test_the_optimised_pipeline_reads_and_moves_a_fraction(self, stated):
        assert stated["the optimised pipeline gives the naive one's answer"] == "true"
        assert int(stated["bytes read, optimised"]) * 4 < int(stated["bytes read, naive"])
        assert int(stated["bytes shuffled, optimised"]) * 100 < int(stated["bytes shuffled, naive"])

    def test_small_files_make_a_task_each(self, stated):
        assert stated["tasks for 200 files"] == "200"
