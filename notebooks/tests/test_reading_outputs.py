"""The helpers that read a notebook's outputs return what the notebook contains."""

from nbformat.v4 import new_code_cell, new_notebook, new_output

import lessons

FRAME = """shape: (2, 2)
┌────────────┬─────────┐
│ partitions ┆ wall_ms │
│ ---        ┆ ---     │
│ i64        ┆ f64     │
╞════════════╪═════════╡
│ 1          ┆ 12.5    │
│ 2          ┆ 7.0     │
└────────────┴─────────┘"""


def a_notebook_printing(text):
    output = new_output("stream", name="stdout", text=text)
    return new_notebook(cells=[new_code_cell("…", outputs=[output])])


def test_a_polars_table_is_read_column_by_column():
    assert lessons.parse_frame(FRAME) == {"partitions": ["1", "2"], "wall_ms": ["12.5", "7.0"]}


def test_text_that_is_no_table_is_not_read_as_one():
    assert lessons.parse_frame("shape: unknown") is None
    assert lessons.parse_frame("") is None


def test_checks_are_grouped_by_what_was_repeated_over_partition_counts():
    notebook = a_notebook_printing(
        "before\ncheck: rows of the source = 10\ncheck: rows in 1 partition = 10\ncheck: rows in 4 partitions = 9\n"
    )
    assert lessons.checks(notebook)["rows of the source"] == "10"
    assert lessons.across_partitions(notebook) == {"rows": {1: "10", 4: "9"}}
