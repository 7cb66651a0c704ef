"""Finds the lessons and reads their outputs.

A lesson states its results in two machine-readable ways:

* lines `check: <what> = <value>` on standard output; `<what>` may end in `in <n> partitions`;
* Polars DataFrames, whose `text/plain` is the table Polars prints.
"""

import re
from pathlib import Path

import nbformat

NOTEBOOKS = Path(__file__).resolve().parent.parent
LESSONS = sorted(NOTEBOOKS.glob("[0-9][0-9]-*.ipynb"))

CHECK = re.compile(r"^check: (?P<what>.+?) = (?P<value>.+?)\s*$", re.MULTILINE)
IN_PARTITIONS = re.compile(r"^(?P<what>.+) in (?P<count>\d+) partitions?$")


def load(path):
    """The notebook, with any outputs it was saved with removed."""
    notebook = nbformat.read(path, as_version=4)
    for cell in code_cells(notebook):
        cell.outputs = []
        cell.execution_count = None
    return notebook


def copy_of(path, directory):
    """A copy to run and save, outputs removed."""
    target = directory / "notebooks" / path.name
    target.parent.mkdir()
    nbformat.write(load(path), target)
    return target


SOLUTION = re.compile(r"<details>\s*<summary>Solution</summary>\s*```rust\n(?P<code>.*?)```", re.DOTALL)
PLACEHOLDER = re.compile(r"^let (?P<name>\w+): (?P<type>Option<.+>) = None;$", re.MULTILINE)
VERDICT = re.compile(r"^(?P<mark>[○✗✓]) (?P<name>.+?): (?P<text>.+)$", re.DOTALL)


def answered(notebook, wrong):
    """The notebook as learners work on it. An exercise is a folded solution, a cell tagged `exercise` with a
    placeholder, and a cell that checks it. After these, each wrong answer and the solution are inserted, each followed
    by the check. A solution without such cells is inserted after its own cell. `wrong` has the answers by name.
    """
    cells = []
    for place, cell in enumerate(notebook.cells):
        cells.append(cell)
        if cell.cell_type == "markdown":
            below = notebook.cells[place + 1] if place + 1 < len(notebook.cells) else None
            if below is None or not is_exercise(below):
                cells += [new_cell(found["code"]) for found in SOLUTION.finditer(cell.source)]
        elif place > 1 and is_exercise(notebook.cells[place - 1]):
            found = PLACEHOLDER.search(notebook.cells[place - 1].source)
            answers = [f"let {found['name']}: {found['type']} = {answer};" for answer in wrong[found["name"]]]
            answers.append(SOLUTION.search(notebook.cells[place - 2].source)["code"])
            for answer in answers:
                cells += [new_cell(answer), new_cell(cell.source)]
    notebook.cells = cells
    return notebook


def is_exercise(cell):
    """Whether learners write an answer into this cell."""
    return "exercise" in cell.metadata.get("tags", [])


def new_cell(source):
    """A code cell."""
    return nbformat.v4.new_code_cell(source)


def verdicts(notebook):
    """The verdicts of `check!` in order: marks and texts, by the answer's name."""
    found = {}
    for output in outputs(notebook):
        text = re.sub(r"\x1b\[\d*m", "", output.get("data", {}).get("text/plain", ""))
        if match := VERDICT.match(text):
            found.setdefault(match["name"], []).append((match["mark"], match["text"]))
    return found


def code_cells(notebook):
    """The cells that run."""
    return [cell for cell in notebook.cells if cell.cell_type == "code" and cell.source.strip()]


def outputs(notebook):
    """Every output, in order."""
    return [output for cell in code_cells(notebook) for output in cell.outputs]


def errors(notebook):
    """The text of every error output."""
    return ["\n".join(output.traceback) for output in outputs(notebook) if output.output_type == "error"]


def standard_output(notebook):
    """Everything the lesson printed."""
    return "".join(
        output.text for output in outputs(notebook) if output.output_type == "stream" and output.name == "stdout"
    )


WIDGET = "application/vnd.jupyter.widget-view+json"


def plots(notebook):
    """The MIME types of every output that is a picture, without those that a page shows as a widget."""
    return [mimes for mimes in pictures(notebook) if WIDGET not in mimes]


def timelines(notebook):
    """The MIME types of every output that is a widget in a page, and a picture elsewhere."""
    return [mimes for mimes in pictures(notebook) if WIDGET in mimes]


def pictures(notebook):
    """The MIME types of every output that has a picture."""
    bundles = [sorted(output.get("data", {})) for output in outputs(notebook)]
    return [mimes for mimes in bundles if any(mime.startswith("image/") for mime in mimes)]


def checks(notebook):
    """The lesson's `check:` lines: name to value, both text."""
    return {match["what"]: match["value"] for match in CHECK.finditer(standard_output(notebook))}


def across_partitions(notebook):
    """The checks that are repeated for several partition counts: name to {count: value}."""
    found = {}
    for what, value in checks(notebook).items():
        if match := IN_PARTITIONS.match(what):
            found.setdefault(match["what"], {})[int(match["count"])] = value
    return found


def frames(notebook):
    """The DataFrames among the results, each as {column: [text of each value shown]}."""
    tables = (parse_frame(output.data.get("text/plain", "")) for output in outputs(notebook) if "data" in output)
    return [table for table in tables if table is not None]


def parse_frame(text):
    """Reads the table Polars prints; `None` if the text is something else."""
    lines = text.strip().splitlines()
    if not lines or not re.match(r"^shape: \([\d_]+, [\d_]+\)$", lines[0]):
        return None
    body = next((i for i, line in enumerate(lines) if line.startswith("╞")), None)
    if body is None:
        return None
    rows = [[part.strip() for part in line.strip("│").split("┆")] for line in lines if line.startswith("│")]
    names = rows[0]
    shown = [
        [part.strip() for part in line.strip("│").split("┆")] for line in lines[body + 1 :] if line.startswith("│")
    ]
    return {name: [row[i] for row in shown] for i, name in enumerate(names)}
