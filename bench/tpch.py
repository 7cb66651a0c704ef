"""Measures TPC-H's 22 queries on Partita and on other engines, in one run on two cores of one machine, and compares all
answers with DuckDB's, cell by cell.

Each engine runs in a process of its own, one after the other, on the same Parquet files, with decimals as decimals. A
query runs once for its answer and is then measured; the figure is the best of the warm runs, from the query as it is
written to all of its rows. Partita and Polars run LazyFrames; Partita and the other peers run the specification's SQL.

  python3 bench/tpch.py --scale 10 --peers duckdb,sail --partita embedded,embedded-sql --queries 1,6 --runs 3

Tables are generated and peers are installed once, into BENCH_CACHE. `bench/clusters.py` says what Spark needs.
"""

import argparse
import json
import math
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from clusters import BUILT, CACHE, CHECKOUT, SPARK, partita_pool, python_with, spark_cluster, spark_environment

REFERENCE = "duckdb"
TOOLS = ("tpch", "tpchgen-cli==4.0.0", "duckdb==2.0.1", "pyarrow==26.0.1")
# Spark's client warns of a later pandas.
SPARK_CLIENT = ("pyarrow==26.0.1", "pandas<3")
SAIL = ("sail", "pysail==0.7.2", "pyspark-client==4.2.0", *SPARK_CLIENT)
PEERS = (REFERENCE, "polars", "polars-streaming", "sail", "spark", "spark-cluster", "ballista")
PARTITA = ("embedded", "embedded-sql", "pool", "pool-sql")
# Further ones that can be asked for.
MORE_PEERS = ("polars-sql", "polars-streaming-sql")
BALLISTA = "PyPI has it as source only, which compiles DataFusion"
PROGRAM = BUILT / "partita-tpch"
CORES = 2
COUNT = 22


def tables(scale):
    """Returns the directory of the tables, and generates them the first time."""
    directory = CACHE / "tpch" / f"sf{scale}"
    if not (directory / "complete").exists():
        print(f"==> Generating TPC-H's tables at scale {scale} into {directory}, once", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        generate = python_with(*TOOLS).parent / "tpchgen-cli"
        command = [generate, "parquet", "--scale-factor", scale, "--output-dir", directory, "--quiet"]
        subprocess.run(command, check=True)
        (directory / "complete").touch()
    return directory


def built_here(name):
    """Whether `partita-tpch` runs this engine."""
    return name in PARTITA or name.startswith("polars")


def skipped(name):
    """Returns why an engine cannot run here; None if it can."""
    if name == "ballista":
        return BALLISTA
    if name.startswith("spark") and SPARK == "skip":
        return "BENCH_SPARK=skip"
    if name.startswith("spark") and not shutil.which("java"):
        return "it needs Java ('apt-get install default-jre-headless' on Debian)"
    return None


def command_of(name, stack, data, logs):
    """Returns the command that runs queries on an engine, and its variables; starts the engine's servers."""
    if name == REFERENCE or name == "sail":
        python = python_with(*(TOOLS if name == REFERENCE else SAIL))
        return peer(python, name), {"RUST_LOG": "warn"}
    if name.startswith("spark"):
        python = python_with("spark", SPARK, *SPARK_CLIENT)
        environment = spark_environment(python, logs)
        if name == "spark":
            return peer(python, "spark"), environment
        return [*peer(python, "spark"), "--master", spark_cluster(stack, environment, logs)], environment
    engine, form = (name.removesuffix("-sql"), "sql") if name.endswith("-sql") else (name, "lazy")
    environment = {"POLARS_MAX_THREADS": str(CORES)}
    if engine == "pool":
        environment["PARTITA_MASTER"] = partita_pool(stack, data, logs)
    return [PROGRAM, "run", "--engine", engine, "--form", form], environment


def peer(python, name):
    return [python, CHECKOUT / "bench" / "tpch_peers.py", name]


class Runner:
    """Runs queries on one engine, and goes on after a query that ended or blocked the engine's process."""

    def __init__(self, command, environment, data, answers, logs, options):
        self.command = [*command, "--data", data, "--runs", options.runs, "--answers", answers]
        self.environment = {**os.environ, **environment}
        self.logs, self.limit, self.memory = logs, options.limit, int(options.memory * 1e9)

    def run(self, queries):
        """Returns the outcome of each query."""
        outcomes, failed_at_once = {}, 0
        while left := [number for number in queries if number not in outcomes]:
            done, problem = self.attempt(left)
            outcomes.update(done)
            failed_at_once = 0 if done else failed_at_once + 1
            waiting = [number for number in left if number not in done]
            # Two queries that fail like this are no accident: the engine does not start.
            for number in waiting if failed_at_once == 2 else waiting[:1]:
                outcomes[number] = {"error": problem}
        return outcomes

    def attempt(self, queries):
        """Runs queries in one process; returns what it reported, and how it ended."""
        report, log = self.logs / "report.json", self.logs / "engine"
        report.unlink(missing_ok=True)
        command = [*self.command, "--queries", ",".join(map(str, queries)), "--json", report]
        with open(log, "wb") as out:
            process = subprocess.Popen(
                [str(part) for part in command], stdout=out, stderr=out, env=self.environment, preexec_fn=self.confine
            )
        began, problem = time.time(), None
        while process.poll() is None and problem is None:
            time.sleep(0.1)
            last = report.stat().st_mtime if report.exists() else began
            if time.time() - last > self.limit:
                problem = f"took longer than {self.limit} s"
                process.kill()
        status = process.wait()
        said = log.read_text(errors="replace").strip().splitlines()
        done = json.loads(report.read_text())["queries"] if report.exists() else {}
        problem = problem or f"the process ended with status {status}: {said[-1] if said else 'without a message'}"
        return {int(number): outcome for number, outcome in done.items()}, problem


    def confine(self):
        """Bounds the memory of an engine's process, so that a query of too many rows ends its own engine only. Java has
        bounds of its own."""
        if "SPARK_HOME" not in self.environment:
            resource.setrlimit(resource.RLIMIT_AS, (self.memory, self.memory))


def run_all(names, data, queries, work, options):
    """Returns each engine's outcomes, by query."""
    outcomes = {}
    for name in names:
        print(f"==> {name}", flush=True)
        logs = work / f"logs-{name}"
        logs.mkdir()
        with ExitStack() as stack:
            command, environment = command_of(name, stack, data, logs)
            runner = Runner(command, environment, data, work / name, logs, options)
            outcomes[name] = runner.run(queries)
    return outcomes


def add_verdicts(outcomes, work):
    """Compares all answers with the reference's; puts the verdicts into the outcomes."""
    command = [python_with(*TOOLS), CHECKOUT / "bench" / "tpch_compare.py", *(work / name for name in outcomes)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    for directory, verdicts in json.loads(done.stdout).items():
        for number, verdict in verdicts.items():
            outcomes[Path(directory).name][int(number)]["answer"] = verdict


def best(outcome):
    """Returns the best run of a query in milliseconds; None if it failed."""
    return min(outcome.get("milliseconds") or [None])


def mean(values):
    """Returns the geometric mean."""
    return math.exp(sum(map(math.log, values)) / len(values)) if values else None


def mark(outcome):
    """What the table says beside a time about the answer: nothing if it is equal."""
    answer = outcome.get("answer", "")
    return "" if answer in ("", "equal") else "~" if answer.endswith("digits") else "!"


def print_times(outcomes, queries):
    names = list(outcomes)
    width = max(18, *(len(name) + 2 for name in names))

    def line(title, cells):
        print(f"{title:<16}" + "".join(f"{cell:>{width}}" for cell in cells))

    def cell(value, ratio, note=""):
        return "-" if value is None else f"{note}{value:,.0f}" + (f" {ratio:>6.2f}x" if ratio else "")

    line("query", names)
    times = {name: {number: best(outcomes[name][number]) for number in queries} for name in names}
    base = times[REFERENCE]
    for number in queries:
        cells = []
        for name in names:
            value = times[name][number]
            ratio = value / base[number] if value and base[number] and name != REFERENCE else None
            cells.append(cell(value, ratio, mark(outcomes[name][number])))
        line(str(number), cells)
    answered = {name: [n for n in queries if times[name][n] and base[n]] for name in names}
    totals, means = [], []
    for name in names:
        mine, theirs = ([of[n] for n in answered[name]] for of in (times[name], base))
        other = name != REFERENCE and theirs
        totals.append(cell(sum(mine) if mine else None, sum(mine) / sum(theirs) if other else None))
        means.append(cell(mean(mine), mean(mine) / mean(theirs) if other else None))
    line("sum", totals)
    line("geometric mean", means)
    line("answered", [f"{len(answered[name])} of {len(queries)}" for name in names])


def print_answers(outcomes, queries):
    print(f"\nAnswers beside those of {REFERENCE}:")
    for name in outcomes:
        if name == REFERENCE:
            continue
        equal = [number for number in queries if outcomes[name][number].get("answer") == "equal"]
        print(f"{name}: {len(equal)} of {len(queries)} equal")
        for number in queries:
            outcome = outcomes[name][number]
            problem = outcome.get("error") or outcome.get("answer", "not compared")
            if problem != "equal":
                print(f"  query {number}: {' '.join(problem.split())[:160] or 'failed without a message'}")


def print_bytes(outcomes, queries):
    counted = [name for name in outcomes if any("bytes_read" in outcomes[name][number] for number in queries)]
    if not counted:
        return
    print("\nMB read from files, shuffled:")
    print(f"{'query':<16}" + "".join(f"{name:>24}" for name in counted))
    for number in queries:
        cells = []
        for name in counted:
            outcome = outcomes[name][number]
            moved = [outcome.get(field) for field in ("bytes_read", "bytes_shuffled")]
            cells.append("-" if None in moved else "{:,.1f}, {:,.1f}".format(*(value / 1e6 for value in moved)))
        print(f"{number:<16}" + "".join(f"{cell:>24}" for cell in cells))


def names(text, known):
    """Returns the engines of a list with commas."""
    wanted = [name for name in text.split(",") if name]
    for name in wanted:
        if name not in known:
            raise argparse.ArgumentTypeError(f"there is no engine {name!r}; there are {', '.join(known)}")
    return wanted


def numbers(text):
    """Returns the queries of a list with commas."""
    wanted = sorted({int(number) for number in text.split(",")})
    if not all(1 <= number <= COUNT for number in wanted):
        raise argparse.ArgumentTypeError(f"queries are 1 to {COUNT}")
    return wanted


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--scale", default="1", help="scale factor, such as 0.01 or 10 (default 1)")
    parser.add_argument("--queries", type=numbers, default=list(range(1, COUNT + 1)), help="such as 1,3 (default all)")
    parser.add_argument("--runs", type=int, default=5, help="measured runs of each query (default 5)")
    known_peers, known_partita = PEERS + MORE_PEERS, PARTITA
    parser.add_argument("--peers", type=lambda text: names(text, known_peers), default=list(PEERS),
                        help=f"of {', '.join(known_peers)}; {REFERENCE} always runs")  # fmt: skip
    parser.add_argument("--partita", type=lambda text: names(text, known_partita), default=list(PARTITA),
                        help=f"of {', '.join(known_partita)}")  # fmt: skip
    parser.add_argument("--limit", type=int, default=300, help="seconds for all runs of one query (default 300)")
    half = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2e9
    parser.add_argument("--memory", type=float, default=half, help="GB that an engine's process may have (default half)")
    parser.add_argument("--json", type=Path, help="file for all figures and verdicts")
    return parser.parse_args()


def main():
    options = arguments()
    if hasattr(os, "sched_setaffinity"):
        # All that is started from here has the same cores, however many the machine has.
        os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:CORES])
    data = tables(options.scale)
    wanted = list(dict.fromkeys([REFERENCE, *options.peers, *options.partita]))
    if any(built_here(name) for name in wanted) and not PROGRAM.exists():
        sys.exit(f"{PROGRAM} is missing: run 'make build'")
    reasons = {name: why for name in wanted if (why := skipped(name))}
    with tempfile.TemporaryDirectory(prefix="partita-tpch-") as work:
        work = Path(work)
        running = [name for name in wanted if name not in reasons]
        outcomes = run_all(running, data, options.queries, work, options)
        add_verdicts(outcomes, work)
    print(f"\nTPC-H at scale {options.scale}, {CORES} cores: milliseconds, best of {options.runs} warm runs; beside it how many "
          f"times as long as {REFERENCE}")  # fmt: skip
    print_times(outcomes, options.queries)
    print("~ the answer has fewer digits, ! it differs, - there is none; sums and means are over the queries answered")
    print_answers(outcomes, options.queries)
    print_bytes(outcomes, options.queries)
    for name, why in reasons.items():
        print(f"\n{name} is skipped: {why}")
    if options.json:
        options.json.write_text(json.dumps({"scale": options.scale, "runs": options.runs, "engines": outcomes}, indent=1))


if __name__ == "__main__":
    main()
