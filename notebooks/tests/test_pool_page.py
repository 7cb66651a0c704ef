"""The page of a pool's master in a browser: a made-up run is drawn, described in text and reachable by keyboard."""

import io
import json
import os
import re
import subprocess
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image
from playwright.sync_api import expect

from lab import CHECKOUT
from timelines import changes

RECORDED = CHECKOUT / "runtime/master/tests/data"
SESSION = "session-1763909000000-1"
BLUE, ORANGE = (0x00, 0x72, 0xB2), (0xE6, 0x9F, 0x00)


@pytest.fixture
def open_page(browser, tmp_path):
    """Opens a page that fails the test on a script error. Saves a screenshot of it."""
    opened = []
    wrong = []
    # From a wrong token, and from a server that stops before its page.
    expected = re.compile(r"status of 401|net::ERR_(INCOMPLETE_CHUNKED_ENCODING|CONNECTION)")

    def open_one(address, **options):
        page = browser.new_page(viewport={"width": 1300, "height": 950}, **options)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: message.type == "error" and not expected.search(message.text) and wrong.append(message.text))
        opened.append(page)
        page.goto(address)
        return page

    yield open_one
    directory = Path(os.environ.get("PARTITA_SCREENSHOTS", tmp_path))
    directory.mkdir(parents=True, exist_ok=True)
    test = re.sub(r"\W+", "-", os.environ.get("PYTEST_CURRENT_TEST", "page").split("::")[-1].split(" ")[0])
    for number, page in enumerate(opened):
        page.screenshot(path=directory / f"{test}-{number}.png")
        page.close()
    assert not wrong, wrong


@contextmanager
def watch(path, **environment):
    """Serves the page for a directory of event logs, or replays one log. Yields its address."""
    program = Path(os.environ["CARGO_TARGET_DIR"]) / "release/examples/watch"
    server = subprocess.Popen(
        [program, path], stdout=subprocess.PIPE, text=True, env={**os.environ, **environment}
    )
    try:
        yield server.stdout.readline().strip()
    finally:
        server.kill()
        server.wait()


def write_log(directory, events):
    """An event log as a master writes it."""
    head = {"id": "session-1763909700000-1", "session": 1, "name": "made", "opened": 1763909700.0,
            "zero": 1763909700.0, "partita": "0.1.0"}
    lines = [{"Session": head}, *events, {"Closed": {"at": 1763909999.0}}]
    (directory / "session-1763909700000-1.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return directory


def many_tasks(tasks, workers, slots):
    """A job of one stage. Each task takes 50 ms, except one in 97, which takes three times as long."""
    yield from ({"WorkerJoined": {"worker": w, "name": f"worker-{w}", "slots": slots, "at": 0.0}} for w in range(1, workers + 1))
    yield {"JobSubmitted": {"job": 0, "action": "collect", "slots": workers * slots, "at": 0.1}}
    yield {"StageSubmitted": {"job": 0, "stage": 0, "name": "scan", "tasks": tasks, "at": 0.1}}
    free = [0.1] * (workers * slots)
    for partition in range(tasks):
        lane = min(range(len(free)), key=free.__getitem__)
        start, run = free[lane], 0.15 if partition % 97 == 0 else 0.05
        free[lane] = start + run
        task = {"job": 0, "stage": 0, "partition": partition, "attempt": 0, "worker": lane // slots + 1}
        metrics = {"slot": lane % slots, "queue": start - 0.1, "fetch": 0.0, "write": 0.01, "run": run, "cpu": run,
                   "rows_in": 10, "rows_out": 1, "bytes_read": 100, "row_groups_skipped": 0, "shuffle_in": 0,
                   "shuffle_out": 10, "spilled": 0, "cache_hits": 0}
        yield {"TaskStarted": {**task, "slot": lane % slots, "at": start}}
        yield {"TaskFinished": {**task, "metrics": metrics, "at": start + run}}
    end = max(free)
    yield {"StageFinished": {"job": 0, "stage": 0, "at": end}}
    yield {"JobFinished": {"job": 0, "error": None, "cancelled": False, "at": end}}


def colours(locator):
    """The number of pixels of each colour."""
    image = Image.open(io.BytesIO(locator.screenshot())).convert("RGB")
    return {colour: pixels for pixels, colour in image.getcolors(image.width * image.height)}


def painted(page):
    """Waits until the newest state is on the canvas, and returns the canvas."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    return page.locator(".pt-scroll canvas")


@pytest.fixture(scope="module")
def history():
    with watch(RECORDED) as address:
        yield address


def test_a_recorded_job_is_drawn_and_told(history, open_page):
    page = open_page(f"{history}#{SESSION}/0")
    summary = page.locator(".pt-summary")
    expect(summary).to_contain_text("36 tasks in 3 stages on 6 slots of 3 workers")
    for told in ["MB shuffled", "spilled to disk", "3 failed attempts", "1 speculative copy", "1 worker lost",
                 "stage 1 is skewed: partition 4"]:
        expect(summary).to_contain_text(told)
    expect(page.locator(".pt-state")).to_have_text("done")
    seen = colours(painted(page))
    assert seen.get(BLUE, 0) > 5000 and seen.get(ORANGE, 0) > 1000, "stages have their colours"
    rows = page.locator(".pt-stages tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_have_class("pt-skewed")
    expect(rows.nth(1)).to_contain_text("partition 4")
    for mark in ["failed", "speculative copy", "worker lost"]:
        expect(page.locator(".pt-legend").get_by_text(mark)).to_be_visible()
    expect(page.locator("[data-pt=live]")).to_contain_text("Done in")


def test_a_tasks_figures_are_found_by_pointer_and_by_keyboard(history, open_page):
    page = open_page(f"{history}#{SESSION}/0")
    tip = page.locator(".pt-tip")
    page.get_by_role("button", name="partition 4").click()
    expect(tip).to_contain_text("Partition 4")
    expect(tip).to_contain_text("1 · group_by: final")
    expect(tip).to_contain_text("pinned")
    canvas = painted(page)
    canvas.focus()
    canvas.press("Escape")
    expect(tip).to_be_hidden()
    canvas.press("Home")
    expect(tip).to_contain_text("Partition 0")
    canvas.press("ArrowRight")
    expect(tip).to_contain_text("Partition 6")
    # Screen readers get the same text.
    expect(page.locator("[data-pt=spoken]")).to_contain_text("Partition 6; stage 0 · scan")
    canvas.press("Enter")
    expect(tip).to_contain_text("pinned")
    canvas.press("Escape")
    place = page.evaluate("""() => {
        const bar = partitaTimeline.job().attempts.find(a => a.state === 'failed');
        const row = partitaTimeline.layout.rows.find(r => r.kind === 'lane' && r.worker.worker === bar.worker && r.slot === bar.slot);
        return [partitaTimeline.layout.x((bar.start + bar.end) / 2), partitaTimeline.layout.head + row.y + 5];
    }""")
    canvas.hover(position={"x": place[0], "y": place[1]})
    expect(tip).to_contain_text("failed, run again")
    expect(tip).to_contain_text("cannot read /data/trips")


def test_a_failed_job_says_why_and_other_jobs_can_be_opened_again(history, open_page):
    page = open_page(history)
    # The page shows the latest job until one is chosen.
    expect(page.locator(".pt-head h3")).to_have_text("Job 2: write_parquet")
    expect(page.locator(".pt-error")).to_contain_text("the file ends in the middle of a page")
    page.get_by_role("link", name="1 · count").click()
    expect(page.locator(".pt-head h3")).to_have_text("Job 1: count")
    expect(page.locator(".pt-summary")).to_contain_text("12 cache hits")
    expect(page.locator(".pt-error")).to_be_hidden()


def test_the_picture_as_svg_shows_what_the_canvas_shows(history, open_page):
    page = open_page(f"{history}#{SESSION}/0")
    expect(page.locator(".pt-summary")).to_contain_text("36 tasks")
    text = page.evaluate("() => partitaTimeline.svg({ width: 900, dark: false })")
    svg = ElementTree.fromstring(text)
    space = "{http://www.w3.org/2000/svg}"
    fills = [rect.get("fill") for rect in svg.iter(f"{space}rect")]
    assert fills.count("#0072b2") >= 24 and "url(#hatch0)" in fills
    texts = [node.text for node in svg.iter(f"{space}text")]
    assert "Job 0: collect" in texts and "worker-2" in texts
    assert any("lost at" in text for text in texts)
    assert svg.get("role") == "img" and "36 tasks" in svg.find(f"{space}desc").text


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_follows_the_systems_colours(history, open_page, scheme):
    page = open_page(f"{history}#{SESSION}/0", color_scheme=scheme)
    expect(page.locator(".pt-summary")).to_contain_text("36 tasks")
    seen = colours(painted(page))
    commonest = max(seen, key=seen.get)
    assert (sum(commonest) > 600) == (scheme == "light"), commonest


def test_jupyterlabs_theme_wins_over_the_systems(history, open_page):
    page = open_page(f"{history}#{SESSION}/0", color_scheme="light")
    expect(page.locator(".pt-summary")).to_contain_text("36 tasks")
    page.evaluate("() => { document.body.dataset.jpThemeLight = 'false'; }")
    expect(page.locator(".partita-timeline")).to_have_attribute("data-dark", "true")


@pytest.mark.parametrize("motion", ["no-preference", "reduce"])
def test_a_running_job_is_drawn_as_it_runs(open_page, motion):
    with watch(RECORDED / f"{SESSION}.jsonl") as address:
        page = open_page(address, reduced_motion=motion)
        state = page.locator(".pt-state")
        expect(state).to_have_text("running")
        # Between events bars grow with the clock.
        page.wait_for_function("""() => {
            const t = globalThis.partitaTimeline, job = t?.job();
            return job && !job.finished && t.layout.until > job.last && job.attempts.some(a => a.state === 'running');
        }""")
        # The page follows the latest job to its end.
        expect(page.locator(".pt-head h3")).to_have_text("Job 2: write_parquet", timeout=60_000)
        expect(state).to_have_text("failed", timeout=60_000)


def test_ten_thousand_tasks_are_drawn_and_a_saved_picture_of_them_stays_small(tmp_path, open_page):
    with watch(write_log(tmp_path, many_tasks(10_000, 8, 4))) as address:
        page = open_page(address)
        expect(page.locator(".pt-state")).to_have_text("done", timeout=60_000)
        # The state comes first, the attempts in pieces.
        page.wait_for_function("() => partitaTimeline.job().attempts.length >= 10_000")
        assert page.evaluate("() => partitaTimeline.job().attempts.length") == 10_000
        assert colours(painted(page)).get(BLUE, 0) > 50_000
        assert page.evaluate("() => partitaTimeline.svg().length") < 3_000_000
        frames = page.evaluate("""async () => {
            const t = partitaTimeline, began = performance.now();
            for (let i = 0; i < 60; i += 1) {
                t.controls.setRange(i / 20, t.layout.span - i / 20);
                await new Promise(done => requestAnimationFrame(done));
            }
            t.controls.zoom(null);
            return 60e3 / (performance.now() - began);
        }""")
        print(f"10,000 tasks: {frames:.0f} frames a second")
        # `find` zooms in on a task far to the right.
        page.evaluate("() => partitaTimeline.controls.find(0, 9997)")
        expect(page.locator(".pt-tip")).to_contain_text("Partition 9997")


def test_a_notebooks_timeline_that_misses_a_message_asks_for_everything(open_page):
    """Loads the timeline as anywidget does: the loader, and the modules that it finds in another model."""
    assets = CHECKOUT / "assets"
    listed = (CHECKOUT / "runtime/notebook/src/widgets/modules.rs").read_text().split("modules![")[1].split("]")[0]
    modules = [[name, (assets / name).read_text()] for name in re.findall(r'"(\w+\.js)"', listed)]
    page = open_page("about:blank")
    events = list(many_tasks(8, 1, 2))
    first, _, third = changes([events[:3], events[3:5], events[5:]])
    (whole,) = changes([events])
    page.evaluate("""async ({ modules, loader, first, third }) => {
        document.body.replaceChildren();
        const address = URL.createObjectURL(new Blob([loader], { type: "text/javascript" }));
        const made = (await import(address)).default();
        const [hear, sent] = [{}, []];
        const library = { get: (name) => (name === "modules" ? modules : "") };
        const state = { number: 0, whole: true, changes: [] };
        const model = {
            get: (name) => (name === "state" ? state : undefined),
            on: (name, take) => { hear[name] = take; },
            send: (message) => sent.push(message),
            widget_manager: { get_model: async () => library },
        };
        made.initialize({ model });
        globalThis.end = await made.render({ model, el: document.body });
        globalThis.tell = (message) => hear["msg:custom"](message);
        globalThis.sent = sent;
        tell({ number: 0, whole: true });
        tell({ number: 1, changes: first });
        tell({ number: 3, changes: third });
    }""", {"modules": modules, "loader": (assets / "loader.js").read_text(), "first": first, "third": third})
    expect(page.locator(".pt-summary")).to_contain_text("0 of 8 tasks")
    assert page.evaluate("() => sent") == [{"received": 0}, {"received": 1}], "once when it comes, and once for what it missed"
    page.evaluate("(changes) => tell({ number: 3, whole: true, changes })", whole)
    expect(page.locator(".pt-summary")).to_contain_text("8 tasks in 1 stage on 2 slots of 1 worker")
    page.evaluate("() => tell({ number: 4, ended: true, changes: [] })")
    expect(page.locator(".pt-folded")).to_have_count(1)
    page.evaluate("() => end()")
    expect(page.locator(".partita-timeline")).to_have_count(0)


@pytest.mark.parametrize("tls", [{}, {"WATCH_TLS": "1"}], ids=["http", "https"])
def test_a_pool_with_a_token_asks_for_it(open_page, tls):
    with watch(RECORDED, PARTITA_TOKEN="correct horse", **tls) as address:
        assert address.startswith("https://" if tls else "http://")
        # Over HTTPS a browser speaks HTTP/2.
        page = open_page(address, ignore_https_errors=True)
        page.get_by_label("Token").fill("wrong")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_contain_text("not the pool's token")
        page.get_by_label("Token").fill("correct horse")
        page.get_by_role("button", name="Open").click()
        expect(page.locator(".pt-head h3")).to_have_text("Job 2: write_parquet")
        assert page.evaluate("() => document.cookie") == "", "scripts do not see the cookie"


def test_the_page_is_whole_on_a_phone(history, open_page):
    page = open_page(f"{history}#{SESSION}/0")
    page.set_viewport_size({"width": 390, "height": 800})
    expect(page.locator(".pt-summary")).to_contain_text("36 tasks")
    assert page.evaluate("() => document.documentElement.scrollWidth") <= 390, "nothing sticks out to the right"
