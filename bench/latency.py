"""Measures how long a person waits for a cell: Partita's kernel and stock evcxr, over the Jupyter protocol.

Prints medians, their ratios, a hot loop against `cargo run --release`, and memory, and judges nothing.
Both kernels run the same cells, and stock evcxr uses the same Polars with the same features. Cells follow one
another at once, as in "run all", so work that a kernel does while a person thinks does not help it here.
Environment:

  BENCH_RUNS    how often each cell is run (default 10)
  BENCH_STOCK   polars (default): stock evcxr with `:dep polars`, as in a notebook;
                std: stock evcxr, cells without Polars only; skip: Partita alone
  BENCH_CACHE   where stock evcxr is built and kept (default ~/.cache/partita/bench)

Stock evcxr is built once; its first `:dep polars` compiles Polars, which takes a quarter of an hour
on two cores. Later runs find it in evcxr's own cache (`:cache`). This is reported as set-up time.
"""

import json
import os
import re
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from jupyter_client.manager import KernelManager

CHECKOUT = Path(__file__).resolve().parent.parent
CACHE = Path(os.environ.get("BENCH_CACHE", Path.home() / ".cache" / "partita" / "bench"))
RUNS = int(os.environ.get("BENCH_RUNS", "10"))
STOCK = os.environ.get("BENCH_STOCK", "polars")
EVCXR = "0.22.0"
SETUP_SECONDS = 3600
CELL_SECONDS = 300

FRAME = 'let df = df!["key" => (0..100_000i64).map(|i| i % 100).collect::<Vec<_>>(), "value" => (0..100_000i64).collect::<Vec<_>>()].unwrap();'
FIRST = FRAME + "\ndf"
CHAIN = 'df.clone().lazy().group_by([col("key")]).agg([col("value").sum()]).sort(["key"], Default::default()).collect().unwrap()'
# Name, cell, whether it needs Polars, and how it ends.
CELLS = [
    ("1 + 1", "1 + 1", False, "ok"),
    ("compile error", 'let wrong: i32 = "text";', False, "error"),
    ("DataFrame", 'df!["a" => [1, 2, 3]].unwrap()', True, "ok"),
    ("group_by chain", CHAIN, True, "ok"),
]
# Both kernels support it; a kernel that does not is skipped.
COMMAND = ":vars"
REQUESTS = 20
# Text before the cursor of a completion or inspection request, and whether it needs Polars.
TYPED = [("let text = String::new(); text.", False), ("std::collections::Has", False), ("df.", True), ("df.clone().la", True)]

# The same text in a cell and in a program. It times itself, so compilation does not count.
SIEVE = """let began = std::time::Instant::now();
let n = std::hint::black_box(10_000_000usize);
let mut prime = vec![true; n + 1];
prime[0] = false;
prime[1] = false;
let mut i = 2;
while i * i <= n {
    if prime[i] {
        let mut j = i * i;
        while j <= n {
            prime[j] = false;
            j += i;
        }
    }
    i += 1;
}
let count = prime.iter().filter(|is| **is).count();
let took = began.elapsed().as_secs_f64();"""
COUNT = 664_579


@dataclass
class Measured:
    """Seconds, by measurement."""

    setup: float = 0.0
    medians: dict = field(default_factory=dict)
    sieve: float = 0.0
    memory: dict = field(default_factory=dict)


class Kernel:
    """One kernel process and the timing of its cells."""

    def __init__(self, name, environment):
        self.started = time.perf_counter()
        self.manager = KernelManager(kernel_name=name)
        self.manager.start_kernel(env={**os.environ, **environment}, cwd=str(CACHE))
        self.client = self.manager.client()
        self.client.start_channels()
        self.client.wait_for_ready(timeout=CELL_SECONDS)

    def execute(self, code, timeout=CELL_SECONDS):
        """Runs a cell. Returns the seconds until its reply and all output had arrived, its status and its output."""
        began = time.perf_counter()
        seen = []
        reply = self.client.execute_interactive(code, timeout=timeout, output_hook=seen.append)
        return time.perf_counter() - began, reply["content"]["status"], [message["content"] for message in seen]

    def run(self, code, ends="ok", timeout=CELL_SECONDS):
        """Runs a cell that must end with the status `ends`. Returns the seconds it took."""
        took, status, seen = self.execute(code, timeout)
        if status != ends:
            text = "\n".join(json.dumps(content)[:2000] for content in seen)
            sys.exit(f"{self.manager.kernel_name}: the cell {code!r} ended with {status}, not {ends}:\n{text}")
        return took

    def value(self, code):
        """Runs a cell and returns the text of its value."""
        _, _, seen = self.execute(code)
        return next(content["data"]["text/plain"] for content in seen if "execution_count" in content and "data" in content)

    def ask(self, request, code):
        """Seconds until the answer to a completion or an inspection at the end of `code`."""
        began = time.perf_counter()
        reply = request(code, len(code), reply=True, timeout=CELL_SECONDS)
        took = time.perf_counter() - began
        if reply["content"]["status"] != "ok":
            sys.exit(f"{self.manager.kernel_name}: asked about {code!r}, the kernel answered {reply['content']}")
        return took

    def memory(self):
        """Megabytes of the kernel and all its child processes: resident, and with shared pages divided up (PSS)."""
        pids, queue = [], [self.manager.provisioner.pid]
        while queue:
            pid = queue.pop()
            pids.append(pid)
            for task in Path(f"/proc/{pid}/task").glob("*/children"):
                queue.extend(int(child) for child in task.read_text().split())
        sums = {"resident": 0, "PSS": 0}
        for pid in pids:
            text = Path(f"/proc/{pid}/smaps_rollup").read_text()
            sums["resident"] += int(re.search(r"^Rss:\s+(\d+)", text, re.M)[1])
            sums["PSS"] += int(re.search(r"^Pss:\s+(\d+)", text, re.M)[1])
        return {name: kilobytes / 1024 for name, kilobytes in sums.items()}

    def alive_for(self):
        """Seconds since the process was requested."""
        return time.perf_counter() - self.started

    def stop(self):
        """Ends the process."""
        self.client.stop_channels()
        self.manager.shutdown_kernel(now=True)


def measure(name, setup, with_polars, environment):
    """Starts a kernel twice: once to warm caches, once for the figures."""
    result = Measured()
    warm = Kernel(name, environment)
    try:
        for cell in setup:
            result.setup += warm.run(cell, timeout=SETUP_SECONDS)
        # A first cell reads hundreds of megabytes; from a disk this would measure the disk.
        warm.run(FIRST if with_polars else "1 + 1")
    finally:
        warm.stop()

    kernel = Kernel(name, environment)
    try:
        result.medians["start to kernel ready"] = kernel.alive_for()
        for cell in setup:
            kernel.run(cell, timeout=SETUP_SECONDS)
        if with_polars:
            kernel.run(FIRST)
            result.medians["start to first DataFrame shown"] = kernel.alive_for()
        for title, code, needs_polars, ends in CELLS:
            if with_polars or not needs_polars:
                result.medians[title] = statistics.median(kernel.run(code, ends) for _ in range(RUNS))
        commands = [kernel.execute(COMMAND) for _ in range(RUNS)]
        if all(status == "ok" for _, status, _ in commands):
            result.medians[f"command `{COMMAND}`"] = statistics.median(took for took, _, _ in commands)
        typed = [code for code, needs_polars in TYPED if with_polars or not needs_polars]
        for title, request in [("completion", kernel.client.complete), ("inspection", kernel.client.inspect)]:
            took = [kernel.ask(request, typed[number % len(typed)]) for number in range(REQUESTS)]
            result.medians[f"{title}, 95th percentile"] = statistics.quantiles(took, n=20)[-1]
        # More than ten cells have run by now.
        result.memory = kernel.memory() if sys.platform == "linux" else {}
        result.medians["sieve to 10 million, with compiling"] = kernel.run(SIEVE)
        result.sieve = min(sieve_in(kernel) for _ in range(RUNS))
    finally:
        kernel.stop()
    return result


def sieve_in(kernel):
    """Seconds that a kernel's cell needs for the sieve itself."""
    count, took = kernel.value(f"{SIEVE}\n(count, took)").strip("()").split(", ")
    if int(count) != COUNT:
        sys.exit(f"{kernel.manager.kernel_name}: the sieve found {count} primes, not {COUNT}")
    return float(took)


def sieve_program():
    """Seconds that the same sieve needs in a program built by `cargo build --release`."""
    package = CACHE / "sieve"
    (package / "src").mkdir(parents=True, exist_ok=True)
    manifest = '[package]\nname = "sieve"\nversion = "0.0.0"\nedition = "2024"\n[workspace]\n'
    (package / "Cargo.toml").write_text(manifest)
    (package / "src" / "main.rs").write_text(f'fn main() {{\n{SIEVE}\nprintln!("{{count}} {{took}}");\n}}\n')
    target = CACHE / "sieve-target"
    environment = {**os.environ, "CARGO_TARGET_DIR": str(target)}
    subprocess.run(["cargo", "build", "--release", "--quiet"], cwd=package, check=True, env=environment)
    runs = []
    for _ in range(RUNS):
        output = subprocess.run([target / "release" / "sieve"], check=True, capture_output=True, text=True).stdout
        count, took = output.split()
        if int(count) != COUNT:
            sys.exit(f"the sieve found {count} primes, not {COUNT}")
        runs.append(float(took))
    return min(runs)


def stock_environment():
    """Builds stock evcxr into the cache, once, and makes its kernelspec visible to this process."""
    root = CACHE / f"evcxr-{EVCXR}"
    program = root / "bin" / "evcxr_jupyter"
    if not program.exists():
        print(f"==> Building evcxr_jupyter {EVCXR} into {root}, once", flush=True)
        build = {**os.environ, "CARGO_TARGET_DIR": str(CACHE / "evcxr-target")}
        command = ["cargo", "install", "evcxr_jupyter", "--version", EVCXR, "--locked", "--root", str(root)]
        subprocess.run(command, check=True, env=build)
    data = CACHE / "jupyter"
    subprocess.run(
        [program, "--install"], check=True, stdout=subprocess.DEVNULL, env={**os.environ, "JUPYTER_PATH": str(data)}
    )
    os.environ["JUPYTER_PATH"] = str(data)
    # Separate settings and compiled dependencies for evcxr, not the user's.
    configuration = CACHE / "evcxr-config"
    configuration.mkdir(exist_ok=True)
    return {"EVCXR_CONFIG_DIR": str(configuration), "XDG_CACHE_HOME": str(CACHE / "evcxr-cache")}


def stock_setup():
    """The cells that load into stock evcxr the same Polars that Partita's cells use."""
    if STOCK == "std":
        return []
    listing = subprocess.run(
        ["cargo", "metadata", "--format-version", "1", "--no-deps", "--locked"],
        cwd=CHECKOUT,
        check=True,
        capture_output=True,
        text=True,
    )
    packages = {package["name"]: package for package in json.loads(listing.stdout)["packages"]}
    polars = next(item for item in packages["partita"]["dependencies"] if item["name"] == "polars")
    features = ", ".join(json.dumps(feature) for feature in polars["features"])
    locked = re.search(r'name = "polars"\nversion = "([^"]+)"', (CHECKOUT / "Cargo.lock").read_text())[1]
    dependency = f'polars = {{ version = "={locked}", default-features = false, features = [{features}] }}'
    return [":cache 8000", f":dep {dependency}\nuse polars::prelude::*;"]


def table(ours, stock):
    """The figures as a Markdown table."""
    lines = ["| seconds, medians | Partita | stock evcxr | ratio |", "|---|---:|---:|---:|"]
    for title, seconds in ours.medians.items():
        other = stock.medians.get(title) if stock else None
        cells = (f"{other:.3f}", f"{other / seconds:.1f}×") if other else ("–", "–")
        lines.append(f"| {title} | {seconds:.3f} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def hot_loop(ours, stock, program):
    """The sieve's own time in both kernels, against a release build."""
    lines = [f"The sieve by itself, best of {RUNS}: `cargo build --release` {program:.3f} s"]
    for name, measured in [("Partita", ours), ("stock evcxr", stock)]:
        if measured:
            lines.append(f"{name} {measured.sieve:.3f} s ({measured.sieve / program:.2f}×)")
    return ", ".join(lines) + "."


def memory(ours, stock):
    """Megabytes of each kernel with its processes."""
    lines = []
    for name, measured in [("Partita", ours), ("stock evcxr", stock)]:
        if measured and measured.memory:
            figures = ", ".join(f"{figure} {megabytes:.0f} MB" for figure, megabytes in measured.memory.items())
            lines.append(f"Memory of {name}'s processes after the cells above: {figures}.")
    return "\n".join(lines)


def main():
    """Measures and prints."""
    if STOCK not in ("polars", "std", "skip"):
        sys.exit(f"BENCH_STOCK is {STOCK!r}, but must be polars, std or skip")
    CACHE.mkdir(parents=True, exist_ok=True)
    stock = None
    if STOCK != "skip":
        environment = stock_environment()
        print("==> Measuring stock evcxr", flush=True)
        stock = measure("rust", stock_setup(), STOCK == "polars", environment)
    print("==> Measuring Partita", flush=True)
    ours = measure("partita", [], True, {})
    print(f"\n{RUNS} runs of each cell; start-up figures are of one start with everything built before.\n")
    print(table(ours, stock))
    print(f"\n{hot_loop(ours, stock, sieve_program())}\n\n{memory(ours, stock)}")
    if stock and stock.setup:
        print(f"\nThe set-up of stock evcxr took {stock.setup:.1f} s in its first kernel of this run.")


if __name__ == "__main__":
    main()
