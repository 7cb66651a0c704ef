"""Notebook 7, the classic page: a notebook opened, run and read in a browser."""

import nbformat

from lab import browser_page


def open_and_run_all(page, address, cells):
    """Opens a notebook, waits for its kernel and runs all of its cells, without waiting for them."""
    with page.expect_websocket(lambda socket: "/channels" in socket.url) as socket:
        page.goto(address)
    # Before the kernel's first answer, a command to run cells is silently ignored.
    socket.value.wait_for_event("framereceived")
    page.locator(".jp-CodeCell").nth(cells - 1).wait_for()
    page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
    page.locator(".lm-MenuBar-item").get_by_text("Run", exact=True).click()
    page.locator(".lm-Menu-itemLabel").get_by_text("Run All Cells", exact=True).click()


def test_notebook_7_runs_cells_asks_for_input_and_shows_outputs_and_pages(notebook7, browser, tmp_path):
    cells = [
        "let x = 6;",
        'println!("hello {}", input("Name? ")?); x * 7',
        'partita::display::page(&Markdown("A **long** text".into()));',
    ]
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
    notebook.metadata.kernelspec = {"name": "partita", "display_name": "Partita (Rust)", "language": "rust"}
    nbformat.write(notebook, tmp_path / "cells.ipynb")
    last_seen = tmp_path / "notebook7.png"
    with browser_page(browser, last_seen) as page:
        open_and_run_all(page, notebook7.in_notebook7(tmp_path / "cells.ipynb"), len(cells))
        question = page.locator("input.jp-Stdin-input")
        question.wait_for()
        question.fill("Ada")
        question.press("Enter")
        page.locator(".jp-OutputArea-output").get_by_text("hello Ada").wait_for()
        page.locator(".jp-OutputArea-executeResult .jp-OutputArea-output").get_by_text("42").wait_for()
        # The pager's text is below its cell.
        page.locator(".jp-CodeCell").nth(2).locator(".jp-OutputArea-output strong").get_by_text("long").wait_for()
        page.locator(".jp-CodeCell .jp-InputPrompt").get_by_text("[3]:").wait_for()
        prompts = page.locator(".jp-CodeCell .jp-InputPrompt").all_inner_texts()
        assert [prompt.strip() for prompt in prompts] == ["[1]:", "[2]:", "[3]:"]
