"""Front ends that people use, each driven as they use it, against the installed kernel `partita`."""

import os
import re
import subprocess
import sys

import jupyter_client
import nbformat
import pexpect
import pytest
import zmq

# A guard against waiting for ever, far beyond what anything takes.
GUARD = 300


@pytest.fixture
def console():
    """`jupyter console` in a terminal."""
    process = pexpect.spawn(
        sys.executable,
        ["-m", "jupyter_console", "--kernel", "partita", "--simple-prompt"],
        env={**os.environ, "TERM": "dumb", "PYTHONUNBUFFERED": "1"},
        encoding="utf-8",
        timeout=GUARD,
        dimensions=(50, 200),
    )
    yield process
    process.close(force=True)


def test_jupyter_console_runs_cells_asks_for_input_and_leaves(console):
    console.expect_exact("Partita")
    console.expect(r"In \[1\]:")
    console.sendline("let x = 6;")
    console.expect(r"In \[2\]:")
    console.sendline("x * 7")
    console.expect(r"Out\[2\]:\s*42")
    console.expect(r"In \[3\]:")
    console.sendline('println!("hello {}", input("Name? ")?);')
    console.expect_exact("Name? ")
    console.sendline("Ada")
    console.expect_exact("hello Ada")
    console.expect(r"In \[4\]:")
    console.sendline('let wrong: i32 = "text";')
    console.expect_exact("mismatched types")
    console.expect(r"In \[\d\]:")
    console.sendeof()
    if console.expect([r"exit \(\[y\]/n\)\?", pexpect.EOF]) == 0:
        console.sendline("y")
        console.expect(pexpect.EOF)


def test_papermill_runs_a_notebook_and_keeps_the_error_of_one_that_fails(tmp_path):
    source, target = tmp_path / "in.ipynb", tmp_path / "out.ipynb"

    def run(*cells):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        notebook.metadata.kernelspec = {"name": "partita", "display_name": "Partita", "language": "rust"}
        nbformat.write(notebook, source)
        command = [sys.executable, "-m", "papermill", str(source), str(target)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=GUARD)
        return done, nbformat.read(target, as_version=4)

    done, notebook = run("let x = 6;", "x * 7")
    assert done.returncode == 0, done.stderr
    assert notebook.cells[1].outputs[0].data["text/plain"] == "42"
    done, notebook = run("let x = 1;", 'let y: i32 = "text";', 'println!("never");')
    assert done.returncode != 0
    errors = [output for cell in notebook.cells for output in cell.get("outputs", []) if output.output_type == "error"]
    assert [error.ename for error in errors] == ["CompileError"]


def test_a_front_end_that_stops_reading_delays_the_kernel_and_does_not_end_it(tmp_path):
    with open(tmp_path / "stderr", "w+") as stderr:
        manager, client = jupyter_client.manager.start_new_kernel(kernel_name="partita", stderr=stderr)
        context = zmq.Context()
        try:
            stalled = context.socket(zmq.SUB)
            stalled.setsockopt(zmq.RCVHWM, 1)
            stalled.setsockopt(zmq.RCVBUF, 4096)
            stalled.setsockopt(zmq.SUBSCRIBE, b"")
            stalled.connect(f"tcp://127.0.0.1:{manager.iopub_port}")
            assert stalled.poll(GUARD * 1000), "it is connected"

            def run(code):
                request = client.execute(code)
                while True:
                    reply = client.get_shell_msg(timeout=GUARD)
                    if reply["parent_header"].get("msg_id") == request:
                        return reply["content"]["status"]

            flood = 'let line = "x".repeat(1 << 16); for _ in 0..160 { println!("{line}"); }'
            assert run(flood) == "ok"
            assert run("1 + 1") == "ok"
            stalled.close(linger=0)
            assert run("1 + 1") == "ok"
        finally:
            client.stop_channels()
            manager.shutdown_kernel()
            context.destroy(linger=0)
        stderr.seek(0)
        assert re.search(r"dropped: the front end has not read", stderr.read())
