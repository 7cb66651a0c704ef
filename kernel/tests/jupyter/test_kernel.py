"""Jupyter's own tests of a kernel's protocol, and a notebook run from start to end.

The kernel `partita` must be installed where Jupyter finds it.
"""

import unittest

import jupyter_kernel_test
import nbclient
import nbformat


class PartitaKernel(jupyter_kernel_test.KernelTests):
    kernel_name = "partita"
    language_name = "rust"
    file_extension = ".rs"

    code_hello_world = 'println!("hello, world");'
    code_stderr = 'eprintln!("to stderr");'
    code_generate_error = 'panic!("on purpose");'
    code_execute_result = [
        {"code": "6 * 7", "result": "42"},
        {"code": "let x = 1; x + 1", "result": "2"},
        {"code": '"a".repeat(3)', "result": '"aaa"'},
        {"code": 'df!("a" => [1, 2])?', "mime": "text/html"},
        {"code": "(1..=4).sum::<i32>()", "result": "10"},
    ]
    code_display_data = [
        {"code": 'display(&df!("a" => [1, 2])?);', "mime": "text/html"},
        {"code": 'display(&Markdown("**bold**".into()));', "mime": "text/markdown"},
        {"code": 'display(&Html("<b>bold</b>".into()));', "mime": "text/html"},
        {"code": 'display(&Image::new(*b"<svg xmlns=\'http://www.w3.org/2000/svg\'/>")?);', "mime": "image/svg+xml"},
    ]
    completion_samples = [
        {"text": "printl", "matches": {"println!"}},
        {"text": "loo", "matches": {"loop"}},
    ]
    complete_code_samples = ["1 + 1", "fn f() -> i32 { 1 }", 'let s = "a { b";', "// {"]
    incomplete_code_samples = ["fn f() {", "let x = (1,", 'let s = "open', "/* open"]
    invalid_code_samples = ["fn f() { ) }"]
    supported_history_operations = ("tail", "range", "search")
    code_history_pattern = "6 ? 7"
    code_inspect_sample = "distance"
    code_page_something = 'page(&Markdown("**long**".into()));'
    code_clear_output = "clear_output(false);"

    def test_jupyter_skips_no_case_for_want_of_a_sample(self):
        for name in vars(jupyter_kernel_test.KernelTests):
            if name.startswith("code_") or name.endswith("_samples") or name == "supported_history_operations":
                self.assertTrue(getattr(self, name), name)

    def test_inspect(self):
        self.execute_helper("let distance = 3.5;")
        super().test_inspect()


class PartitaWelcome(jupyter_kernel_test.IopubWelcomeTests):
    kernel_name = "partita"
    support_iopub_welcome = True


class NotebookOnACleanKernel(unittest.TestCase):
    def run_cells(self, *cells, **options):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])
        nbclient.NotebookClient(notebook, kernel_name="partita", timeout=120, **options).execute()
        return notebook

    def test_cells_see_what_earlier_cells_defined(self):
        notebook = self.run_cells(
            "fn double(x: i32) -> i32 { 2 * x }",
            "let x = double(21);",
            'println!("x is {x}");\nx',
        )
        self.assertEqual([cell.execution_count for cell in notebook.cells], [1, 2, 3])
        text, value = notebook.cells[2].outputs
        self.assertEqual((text.output_type, text.text), ("stream", "x is 42\n"))
        self.assertEqual((value.output_type, value.data["text/plain"]), ("execute_result", "42"))
        self.assertEqual(notebook.metadata.language_info.name, "rust")

    def test_text_and_displays_arrive_in_the_order_the_cell_made_them(self):
        cell = 'println!("before"); display(&Markdown("shown".into())); println!("after"); 42'
        outputs = self.run_cells(cell).cells[0].outputs
        kinds = [output.output_type for output in outputs]
        self.assertEqual(kinds, ["stream", "display_data", "stream", "execute_result"])
        self.assertEqual([outputs[0].text, outputs[2].text], ["before\n", "after\n"])

    def test_a_failing_cell_stops_the_notebook(self):
        with self.assertRaises(nbclient.exceptions.CellExecutionError):
            self.run_cells("let x: i32 = 1.5;", 'println!("never");')

    def test_a_failing_cell_keeps_its_error_where_errors_are_allowed(self):
        notebook = self.run_cells("let x: i32 = 1.5;", "6 * 7", allow_errors=True)
        self.assertEqual(notebook.cells[0].outputs[0].output_type, "error")
        self.assertEqual(notebook.cells[1].outputs[0].data["text/plain"], "42")


if __name__ == "__main__":
    unittest.main()
