"""Drives the front ends that people use, as people use them, against the installed kernel `partita`."""

import re
import shlex
import subprocess
import sys
import time
import uuid

import jupyter_client
import nbformat
import pytest
import zmq

# The longest wait in seconds, far longer than anything takes.
GUARD = 300


class Terminal:
    """A program in a terminal of its own, driven by keys and read from the screen as a person would."""

    def __init__(self, *command):
        self.name = f"partita-{uuid.uuid4().hex}"
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", "160", "-y", "60", shlex.join(command))

    def tmux(self, *arguments):
        command = ["tmux", "-L", self.name, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def type(self, line):
        """Types a line and Enter."""
        # A semicolon at the end would end tmux's own command.
        self.tmux("send-keys", "-l", re.sub(";$", r"\\;", line))
        self.tmux("send-keys", "Enter")

    def wait_for(self, pattern):
        """Waits until the screen shows the pattern."""
        until = time.monotonic() + GUARD
        while not re.search(pattern, screen := self.tmux("capture-pane", "-p", "-J")):
            assert time.monotonic() < until, f"{pattern} never came:\n{screen}"
            time.sleep(0.1)

    def wait_for_end(self):
        """Waits until the program has ended, and the terminal with it."""
        until = time.monotonic() + GUARD
        while subprocess.run(["tmux", "-L", self.name, "has-session"], capture_output=True).returncode == 0:
            assert time.monotonic() < until, self.tmux("capture-pane", "-p", "-J")
            time.sleep(0.1)

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], capture_output=True)


@pytest.fixture
def console():
    """`jupyter console`, with a timeout long enough for a slow machine when it asks whether a cell is complete."""
    patience = f"--ZMQTerminalInteractiveShell.kernel_is_complete_timeout={GUARD}"
    command = [sys.executable, "-m", "jupyter_console", "--kernel", "partita"]
    terminal = Terminal(*command, "--no-confirm-exit", patience)
    yield terminal
    terminal.close()


def test_jupyter_console_runs_cells_of_many_lines_asks_for_input_shows_errors_and_leaves(console):
    console.wait_for(r"Partita")
    console.wait_for(r"In \[1\]:")
    console.type("fn seven() -> i32 {")
    console.type("7")
    console.type("}")
    console.wait_for(r"In \[2\]:")
    console.type("seven() * 6")
    console.wait_for(r"Out\[2\]:\s*42")
    console.wait_for(r"In \[3\]:")
    console.type('println!("hello {}", input("Name? ")?);')
    console.wait_for(r"(?m)^Name\? ")
    console.type("Ada")
    console.wait_for(r"hello Ada")
    console.wait_for(r"In \[4\]:")
    console.type('let wrong: i32 = "text";')
    console.wait_for(r"mismatched types")
    console.wait_for(r"In \[5\]:")
    console.tmux("send-keys", "C-d")
    console.wait_for_end()


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


def test_a_front_end_that_reads_nothing_and_leaves_in_the_middle_is_survived():
    manager, client = jupyter_client.manager.start_new_kernel(kernel_name="partita")
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
