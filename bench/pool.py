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
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache" / "partita" / "bench"))
ROWS = int(os.environ.get("BENCH_POOL_ROWS", "10000000"))
SPARK = os.environ.get("BENCH_SPARK", "pyspark==4.1.4")
NODE = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")) / "release" / "partita-node"
START_SECONDS = 120


class Process:
    """A server that stops at the end of its `with` block. Its output goes to a file."""

    def __init__(self, command, log, environment=None):
        self.log = log
        with open(log, "wb") as out:
            self.process = subprocess.Popen(
                [str(part) for part in command], stdout=out, stderr=out, env={**os.environ, **(environment or {})}
            )

    def said(self, pattern):
        """Waits until the log matches, and returns the match."""
        until = time.monotonic() + START_SECONDS
        while time.monotonic() < until:
            found = re.search(pattern, re.sub(r"\x1b\[[0-9;]*m", "", self.log.read_text(errors="replace")))
            if found:
                return found
            if self.process.poll() is not None:
                break
            time.sleep(0.05)
        sys.exit(f"{self.process.args[0]} did not print {pattern!r}:\n{self.log.read_text(errors='replace')}")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


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
        command = [NODE, "master", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"]
        master = stack.enter_context(Process(command, logs / "master"))
        address = master.said(r"listening on (127\.0\.0\.1:\d+)")[1]
        for number in (1, 2):
            command = [NODE, "worker", "--master", f"partita://{address}", "--slots", "1", "--memory", "2GB"]
            command += ["--listen", "127.0.0.1:0", "--data-dir", directory, "--spill-dir", logs / f"spill-{number}"]
            stack.enter_context(Process(command, logs / f"worker-{number}")).said("is number")
        return cargo_bench("pool", {"PARTITA_BENCH_TRIPS": str(directory), "PARTITA_MASTER": f"partita://{address}"}), embedded


def spark(directory, logs):
    home = CACHE / "spark-venv"
    python = home / "bin" / "python"
    if not (home / SPARK).exists():
        print(f"==> Installing {SPARK} into {home}, once", flush=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", SPARK], check=True)
        (home / SPARK).touch()
    where = "import pyspark, os; print(os.path.dirname(pyspark.__file__))"
    spark_home = Path(subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip())
    # Workers write only into `logs`, which is deleted.
    environment = {
        "SPARK_HOME": str(spark_home),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(logs / "spark"),
        "SPARK_WORKER_DIR": str(logs / "spark-work"),
        "PYSPARK_PYTHON": str(python),
    }
    launcher = spark_home / "bin" / "spark-class"
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    with ExitStack() as stack:
        command = [launcher, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", port]
        master = stack.enter_context(Process([*command, "--webui-port", "0"], logs / "spark-master", environment))
        master.said("New state: ALIVE")
        for number in (1, 2):
            command = [launcher, "org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "3g"]
            command += ["--host", "127.0.0.1", "--webui-port", "0", url]
            worker = stack.enter_context(Process(command, logs / f"spark-worker-{number}", environment))
            worker.said("Successfully registered with master")
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
    if SPARK != "skip" and not shutil.which("java"):
        sys.exit("Spark needs Java: 'apt-get install default-jre-headless' on Debian; BENCH_SPARK=skip omits Spark")
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
