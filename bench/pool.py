"""Compares Partita's pool with Spark in one run on one machine, each with a master and two workers of one core.

It measures connecting, 1,000 tasks that do nothing, a small aggregation over 1 to 16 partitions, three queries
on taxi trips read from Parquet and from the cache, and the shuffle of a gigabyte beside a plain gRPC stream of
bytes. Each figure is the median of warm runs. The pool is also compared with Partita on two slots of one
process. Answers are compared; times are not judged.

  BENCH_POOL_ROWS   trips (default 10 million), generated once
  BENCH_POOL_RUNS   warm-up runs and measured runs (default 2,7)
  BENCH_CACHE       where Spark and the trips are kept (default ~/.cache/partita/bench)
  BENCH_SPARK       pip's name for Spark (default pyspark==4.1.4); `skip` omits Spark

Spark needs Java 17 or newer (`openjdk-17-jre-headless` on Debian 12).
"""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

from clusters import CACHE, CHECKOUT, SPARK, needs_java, partita_pool, python_with, spark_cluster, spark_environment

ROWS = int(os.environ.get("BENCH_POOL_ROWS", "10000000"))


def cargo_bench(name, environment):
    """Runs a benchmark and returns its last line of output, which is JSON."""
    command = ["cargo", "bench", "--workspace", "--locked", "--bench", name]
    done = subprocess.run(command, cwd=CHECKOUT, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed")
    lines = done.stdout.strip().splitlines()
    return json.loads(lines[-1]) if lines and lines[-1].startswith("{") else None


def trips():
    directory = CACHE / f"trips-{ROWS}"
    if not (directory / "complete").exists():
        print(f"==> Generating {ROWS:,} trips into {directory}, once", flush=True)
        shutil.rmtree(directory, ignore_errors=True)
        environment = {"PARTITA_BENCH_TRIPS": str(directory / "trips"), "PARTITA_BENCH_ROWS": str(ROWS)}
        cargo_bench("pool", environment)
        (directory / "complete").touch()
    return directory / "trips"


def ours(directory, logs):
    """Partita's pool, then Partita in one process."""
    embedded = cargo_bench("pool", {"PARTITA_BENCH_TRIPS": str(directory)})
    with ExitStack() as stack:
        address = partita_pool(stack, directory, logs)
        return cargo_bench("pool", {"PARTITA_BENCH_TRIPS": str(directory), "PARTITA_MASTER": address}), embedded


def spark(directory, logs):
    python = python_with("spark", SPARK)
    environment = spark_environment(python, logs)
    with ExitStack() as stack:
        url = spark_cluster(stack, environment, logs)
        client = [python, CHECKOUT / "bench" / "pool_spark.py", url, directory]
        done = subprocess.run(client, env={**os.environ, **environment}, stdout=subprocess.PIPE, text=True)
        if done.returncode:
            sys.exit("Spark's half failed; BENCH_SPARK=skip omits it")
        return json.loads(done.stdout.strip().splitlines()[-1])


def row(name, pool, other, embedded):
    def shown(value):
        return "" if value is None else f"{value:,.1f}"

    def ratio(value):
        return "" if not value or pool is None else f"{pool / value:.2f}x"

    print(f"{name:<38}{shown(pool):>12}{shown(other):>12}{ratio(other):>10}{shown(embedded):>12}{ratio(embedded):>10}")


def main():
    needs_java()
    directory = trips()
    with tempfile.TemporaryDirectory(prefix="partita-bench-") as logs:
        logs = Path(logs)
        other = {"times": {}, "answers": {}} if SPARK == "skip" else spark(directory, logs)
        pool, embedded = ours(directory, logs)
    stream = cargo_bench("stream", {"PARTITA_BENCH_STREAM": "1"})
    for name, answer in pool["answers"].items():
        for who, answers in (("Spark", other["answers"]), ("Partita in one process", embedded["answers"])):
            if name in answers and answers[name] != answer:
                sys.exit(f"{name}: the pool's answer is {answer}, {who}'s {answers[name]}")
    print(f"{ROWS:,} trips; two workers of one core each; milliseconds, medians of warm runs")
    print(f"{'':<38}{'pool':>12}{'Spark':>12}{'pool/S.':>10}{'embedded':>12}{'pool/e.':>10}")
    for name in [*other["times"], *(name for name in pool["times"] if name not in other["times"])]:
        row(name, pool["times"].get(name), other["times"].get(name), embedded["times"].get(name))
    name = "a gigabyte shuffled"
    shuffled = pool["times"][name] - pool["times"]["the rows of a gigabyte, made"]
    plain = stream["times"]["a gigabyte as a stream"]
    print(f"\na gigabyte over one gRPC stream: {plain:,.0f} ms; through the shuffle, without making it: "
          f"{shuffled:,.0f} ms ({shuffled / plain:.2f}x)")


if __name__ == "__main__":
    main()
