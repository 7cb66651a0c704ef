"""Starts what benchmarks compare with each other, each with two workers of one core, and installs it once.

  BENCH_CACHE   where peers and data are kept (default ~/.cache/partita/bench)
  BENCH_SPARK   pip's name for Spark (default pyspark==4.1.4); `skip` omits Spark

Spark needs Java 17 or newer (`openjdk-17-jre-headless` on Debian 12).
"""

import os
import re
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache" / "partita" / "bench"))
BUILT = Path(os.environ.get("CARGO_TARGET_DIR", CHECKOUT / "target")) / "release"
SPARK = os.environ.get("BENCH_SPARK", "pyspark==4.1.4")
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


def python_with(name, *packages):
    """Returns the Python of an environment of this name that has the packages; installs them the first time."""
    home = CACHE / f"{name}-venv"
    python = home / "bin" / "python"
    installed = home / "+".join(packages)
    if not installed.exists():
        print(f"==> Installing {' '.join(packages)} into {home}, once", flush=True)
        subprocess.run([sys.executable, "-m", "venv", home], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True)
        installed.touch()
    return python


def partita_pool(stack, directory, logs):
    """Starts a master and two workers that may read `directory`; returns the master's address."""
    node = BUILT / "partita-node"
    master = Process([node, "master", "--listen", "127.0.0.1:0", "--web", "127.0.0.1:0"], logs / "master")
    address = "partita://" + stack.enter_context(master).said(r"listening on (127\.0\.0\.1:\d+)")[1]
    for number in (1, 2):
        command = [node, "worker", "--master", address, "--slots", "1", "--memory", "2GB"]
        command += ["--listen", "127.0.0.1:0", "--data-dir", directory, "--spill-dir", logs / f"spill-{number}"]
        stack.enter_context(Process(command, logs / f"worker-{number}")).said("is number")
    return address


def needs_java():
    """Ends the program if Spark is wanted and there is no Java."""
    if SPARK != "skip" and not shutil.which("java"):
        sys.exit("Spark needs Java: 'apt-get install default-jre-headless' on Debian; BENCH_SPARK=skip omits Spark")


def spark_environment(python, logs):
    """Returns the variables for Spark in this environment. It writes only into `logs`."""
    where = "import pyspark, os; print(os.path.dirname(pyspark.__file__))"
    home = subprocess.run([python, "-c", where], check=True, capture_output=True, text=True).stdout.strip()
    return {
        "SPARK_HOME": home,
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(logs / "spark"),
        "SPARK_WORKER_DIR": str(logs / "spark-work"),
        "PYSPARK_PYTHON": str(python),
    }


def spark_cluster(stack, environment, logs):
    """Starts a standalone master and two workers; returns the master's URL."""
    launcher = Path(environment["SPARK_HOME"]) / "bin" / "spark-class"
    port = free_port()
    url = f"spark://127.0.0.1:{port}"
    command = [launcher, "org.apache.spark.deploy.master.Master", "--host", "127.0.0.1", "--port", port]
    master = stack.enter_context(Process([*command, "--webui-port", "0"], logs / "spark-master", environment))
    master.said("New state: ALIVE")
    for number in (1, 2):
        command = [launcher, "org.apache.spark.deploy.worker.Worker", "--cores", "1", "--memory", "3g"]
        command += ["--host", "127.0.0.1", "--webui-port", "0", url]
        worker = stack.enter_context(Process(command, logs / f"spark-worker-{number}", environment))
        worker.said("Successfully registered with master")
    return url
