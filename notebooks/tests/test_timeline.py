"""The timeline's modules in a browser show the figures that Rust sends: those of the table that every view is held to,
`runtime/events/tests/jobs.json`. The messages are made by the example `changes` of partita-events."""

import json
from xml.etree import ElementTree

import pytest
from playwright.sync_api import expect

from lab import CHECKOUT
from timelines import changes

TABLES = CHECKOUT / "runtime/events/tests"
CASES = json.loads((TABLES / "jobs.json").read_text())
FIGURES = json.loads((TABLES / "figures.json").read_text())
# Any address will do: the test answers for it.
ORIGIN = "http://timeline.test"


@pytest.fixture
def page(browser):
    """A page that can import the modules in assets/. A script error fails the test."""
    page = browser.new_page(viewport={"width": 1300, "height": 900})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def answer(route):
        name = route.request.url.removeprefix(f"{ORIGIN}/")
        if name.endswith(".js"):
            route.fulfill(path=CHECKOUT / "assets" / name, content_type="text/javascript")
        else:
            route.fulfill(body="<!doctype html><body></body>", content_type="text/html")

    page.route(f"{ORIGIN}/**", answer)
    page.goto(f"{ORIGIN}/page")
    page.add_style_tag(path=CHECKOUT / "assets/timeline.css")
    yield page
    page.close()
    assert not errors, errors


def show(page, messages):
    """Opens a timeline and lets it receive messages, one array after another."""
    page.evaluate(
        """async (messages) => {
            const { Timeline } = await import("/timeline.js");
            globalThis.timeline = new Timeline(document.body);
            for (const message of messages) timeline.receive(message);
        }""",
        messages,
    )


@pytest.mark.parametrize("pieces", [1, 3, 1000], ids=["at once", "in pieces", "event by event"])
@pytest.mark.parametrize("case", CASES, ids=[case["name"] for case in CASES])
def test_a_job_is_shown_with_the_figures_of_the_table(page, case, pieces):
    events, expected = case["events"], case["expected"]
    size = max(len(events) // pieces, 1)
    batches = [events[start : start + size] for start in range(0, len(events), size)]
    show(page, changes(batches))
    # A job that still runs has a clock: its line begins with the time on it.
    line = expected["line"]
    shown = page.locator(".pt-summary")
    if expected["state"] == "running":
        opening, _, rest = line.partition(": ")
        expect(shown).to_contain_text(rest)
        expect(shown).to_contain_text(opening.rsplit(" for ", 1)[0])
    else:
        expect(shown).to_have_text(line)
    expect(page.locator(".pt-state")).to_have_text(expected["state"])

    rows = page.locator(".pt-stages tbody tr")
    expect(rows).to_have_count(len(expected["stages"]))
    texts = page.evaluate(
        """async (times) => {
            const { seconds, ratio, bytes, count } = await import("/figures.js");
            return times.map((stage) => ({
                median: stage.median_ms === null ? "–" : seconds(stage.median_ms / 1000),
                max: stage.max_ms === null ? "–" : seconds(stage.max_ms / 1000),
                ratio: stage.ratio === null ? "–" : ratio(stage.ratio),
                rows: count(stage.rows_out),
                read: stage.bytes_read ? bytes(stage.bytes_read) : "–",
                shuffled: stage.shuffle_out ? bytes(stage.shuffle_out) : "–",
                spilled: stage.spilled ? bytes(stage.spilled) : "–",
                hits: stage.cache_hits ? count(stage.cache_hits) : "–",
            }));
        }""",
        expected["stages"],
    )
    for number, (stage, text) in enumerate(zip(expected["stages"], texts)):
        # What is hidden has text too.
        cells = rows.nth(number).locator("th, td").evaluate_all("(cells) => cells.map((cell) => cell.textContent)")
        assert cells[0].startswith(f"{stage['stage']} · ")
        assert cells[1].startswith(f"{stage['done']} / {stage['tasks']}")
        notes = cells[1].removeprefix(f"{stage['done']} / {stage['tasks']}")
        assert ("failed" in notes) == (stage["failed"] > 0), notes
        assert ("cop" in notes) == (stage["copies"] > 0), notes
        assert ("again" in notes) == (stage["resubmitted"] > 0), notes
        assert cells[3] == text["median"]
        assert cells[4].startswith(text["max"])
        finished = page.evaluate("(number) => timeline.job().stages[number].skew?.tasks ?? 0", number)
        assert cells[5] == (text["ratio"] if finished > 1 else "–")
        if stage["worst"] is not None and finished > 1:
            assert cells[4].endswith(f"partition {stage['worst']}")
        assert cells[7:] == [text["rows"], text["read"], text["shuffled"], text["spilled"], text["hits"]]
        skewed = rows.nth(number).evaluate("(row) => row.classList.contains('pt-skewed')")
        assert skewed == stage["skewed"]

    lanes = page.evaluate("() => timeline.layout.rows.filter((row) => row.kind === 'lane').length")
    assert lanes == expected["slots"]
    names = page.evaluate("() => timeline.job().workers.filter((worker) => worker.name !== null).length")
    assert names == expected["workers"]
    svg = ElementTree.fromstring(page.evaluate("() => timeline.svg()"))
    description = svg.find("{http://www.w3.org/2000/svg}desc").text
    assert line in description or expected["state"] == "running"


def test_figures_are_written_as_in_the_table(page):
    written = page.evaluate(
        """async (table) => {
            const figures = await import("/figures.js");
            return Object.entries(table).flatMap(([kind, rows]) =>
                rows.map(([value, text]) => [kind, value, figures[kind](value), text]));
        }""",
        FIGURES,
    )
    assert len(written) > 20
    assert [row for row in written if row[2] != row[3]] == []
    assert page.evaluate("""async () => (await import("/figures.js")).ratio(Infinity)""") == "∞"


def task(partition, attempt=0):
    return {"job": 0, "stage": 0, "partition": partition, "attempt": attempt, "worker": 0}


def finished(partition, at, slot=1):
    metrics = {"slot": slot, "queue": 0.0, "fetch": 0.0, "write": 0.0, "run": 0.5, "cpu": 0.5, "rows_in": 0, "rows_out": 3,
               "bytes_read": 0, "row_groups_skipped": 0, "shuffle_in": 0, "shuffle_out": 0, "spilled": 0, "cache_hits": 0}
    return {"TaskFinished": {**task(partition), "metrics": metrics, "at": at}}


def test_what_was_lost_on_the_way_and_what_was_run_again_is_told_as_such(page):
    show(page, changes([
        [
            {"JobSubmitted": {"job": 0, "action": "collect", "slots": 2, "at": 1}},
            {"StageSubmitted": {"job": 0, "stage": 0, "name": "scan", "tasks": 3, "at": 1}},
            {"TaskStarted": {**task(0), "slot": 0, "at": 1}},
            # Its start never came.
            finished(1, 2),
            finished(0, 2),
            {"TaskStarted": {**task(2), "slot": 0, "at": 2}},
        ],
        [
            # Its end never came.
            {"StageFinished": {"job": 0, "stage": 0, "at": 3}},
            {"StageResubmitted": {"job": 0, "stage": 0, "tasks": 1, "cause": "worker 2 is lost", "at": 4}},
            {"TaskStarted": {**task(0, attempt=1), "slot": 0, "at": 4}},
            {"TaskFinished": {**finished(0, 5)["TaskFinished"], "job": 9}},
        ],
    ]))
    told = page.evaluate("""() => {
        const job = timeline.job();
        const [stage] = job.stages;
        return { states: job.attempts.map(a => [a.partition, a.attempt, a.state, a.start]),
                 done: job.attempts.filter(a => a.counts).map(a => a.partition),
                 running: job.attempts.filter(a => a.state === 'running').length,
                 again: stage.resubmissions[0].cause, state: job.state };
    }""")
    assert told["states"] == [[0, 0, "done", 1], [1, 0, "done", 1.5], [2, 0, "unknown", 2], [0, 1, "running", 4]]
    assert told["done"] == [1] and told["running"] == 1
    assert told["again"] == "worker 2 is lost" and told["state"] == "running"


def test_a_job_that_begins_anew_replaces_what_was_shown(page):
    events = [
        {"JobSubmitted": {"job": 0, "action": "collect", "slots": 2, "at": 1}},
        {"StageSubmitted": {"job": 0, "stage": 0, "name": "scan", "tasks": 2, "at": 1}},
        {"TaskStarted": {**task(0), "slot": 0, "at": 1}},
        finished(0, 2, slot=0),
    ]
    (whole,) = changes([events])
    show(page, [whole, whole])
    expect(page.locator(".pt-summary")).to_contain_text("1 of 2 tasks in 1 stage")
    assert page.evaluate("() => [timeline.job().attempts.length, timeline.jobs().length]") == [1, 1]
    page.get_by_role("button", name="partition 0").or_(page.locator(".pt-scroll canvas")).first.focus()
    page.keyboard.press("Home")
    page.keyboard.press("Enter")
    expect(page.locator(".pt-tip")).to_contain_text("pinned")
    # The pinned bar is gone with the job that it was a part of.
    page.evaluate("(whole) => timeline.receive(whole)", whole)
    expect(page.locator(".pt-tip")).to_be_hidden()
