//! Completion and inspection in a real interpreter, with the real compiler and the real index.

mod support;

use std::path::Path;

use partita_bridge::Stream;
use partita_interpreter::{
    Completion, Outcome, Output,
    completion::{Kind, make_index},
};
use partita_kernel::evaluators::EvaluatorKind;
use support::Notebook;

/// A notebook with the index built and some cells run.
fn notebook(cells: &[&str]) -> Notebook {
    make_index(Path::new(env!("CARGO_BIN_EXE_partita"))).expect("the index is made");
    let mut notebook = Notebook::new(EvaluatorKind::Direct);
    for cell in cells {
        let done = notebook.run(cell);
        assert!(matches!(done.outcome, Outcome::Finished(_)), "{cell}: {:?}", done.outcome);
    }
    notebook
}

/// The completions at the `|` in the code.
fn completed(notebook: &Notebook, marked: &str) -> Vec<Completion> {
    let (cursor, code) = unmarked(marked);
    notebook.interpreter.complete(&code, cursor).items
}

fn unmarked(marked: &str) -> (usize, String) {
    let cursor = marked.find('¦').expect("the cursor is marked by ¦");
    (cursor, marked.replacen('¦', "", 1))
}

#[track_caller]
fn offers(notebook: &Notebook, marked: &str, expected: &[(&str, Kind)]) {
    let items = completed(notebook, marked);
    for (text, kind) in expected {
        let found = items.iter().find(|item| item.text == *text);
        let some: Vec<&str> = items.iter().map(|item| item.text.as_str()).take(40).collect();
        assert_eq!(found.map(|item| item.kind), Some(*kind), "`{text}` at `{marked}` among {some:?}");
    }
}

fn inspected(notebook: &Notebook, marked: &str) -> String {
    let (cursor, code) = unmarked(marked);
    let bundle = notebook.interpreter.inspect(&code, cursor);
    let bundle = bundle.unwrap_or_else(|| panic!("nothing is known at `{marked}`"));
    bundle.get("text/markdown").expect("Markdown").to_owned()
}

#[test]
fn members_come_from_the_type_before_the_dot_however_it_came_about() {
    use Kind::{Field, Method};
    let notebook = notebook(&[
        r#"let df = df!("a" => [1, 2], "b" => ["x", "y"])?; let words = vec![String::from("a")];"#,
        "let s = String::new(); let boxed = Box::new(Some(1)); let session = Session::embedded(2)?; let ds = session.frame(df.clone(), 2);",
        "let (_, report) = ds.profile()?;",
    ]);
    // A variable's type is known, so these need no compiler.
    offers(&notebook, "df.¦", &[("lazy", Method), ("column", Method), ("height", Method), ("clone", Method)]);
    offers(&notebook, "ds.¦", &[("filter", Method), ("collect", Method)]);
    offers(&notebook, "report.¦", &[("job", Field), ("slots", Field)]);
    offers(&notebook, "words.¦", &[("push", Method), ("iter", Method), ("len", Method)]);
    offers(&notebook, "s.¦", &[("push_str", Method), ("trim", Method), ("to_string", Method)]);
    offers(&notebook, "boxed.is_¦", &[("is_some", Method)]);
    // These do.
    offers(&notebook, "df.clone().lazy().¦", &[("group_by", Method), ("collect", Method)]);
    offers(&notebook, "col(\"a\").¦", &[("alias", Method), ("sum", Method), ("gt", Method)]);
    offers(&notebook, "df.clone()\n    .lazy() // as a plan\n    .fil¦", &[("filter", Method)]);
    offers(&notebook, "words.iter().map(|w| w.len()).¦", &[("filter", Method), ("sum", Method)]);
    offers(&notebook, "words.iter().map(|w| w.¦", &[("trim", Method), ("push_str", Method)]);
    offers(&notebook, "let n: i32 = \"wrong\"; let v = vec![1.5]; if v[0].¦", &[("sqrt", Method)]);
    offers(&notebook, "df.column(\"a\")?.¦", &[("len", Method)]);
    offers(&notebook, "df.column(\"a\").¦", &[("unwrap", Method), ("is_ok", Method)]);
    offers(&notebook, "let pair = (1, s); pair.1.¦", &[("len", Method)]);
}

#[test]
fn fields_come_before_methods_and_methods_before_those_of_traits() {
    let notebook = notebook(&["let words = vec![1];"]);
    let items = completed(&notebook, "words.¦");
    let place = |name: &str| items.iter().position(|item| item.text == name).expect(name);
    assert!(place("push") < place("clone") && place("clone") < place("try_into"));
    let push = &items[place("push")];
    assert_eq!(push.signature.as_deref(), Some("fn push(&mut self, value: T)"));
    assert_eq!(push.summary.as_deref(), Some("Appends an element to the back of a collection."));
}

#[test]
fn the_persons_own_types_have_fields_methods_and_trait_methods() {
    use Kind::{Field, Function, Method, Variant};
    let notebook = notebook(&[
        "/// A place.\n#[derive(Clone)]\nstruct Point { /// East.\n x: f64 }\n\
         impl Point { /// How far.\n fn length(&self) -> f64 { self.x } fn origin() -> Self { Point { x: 0.0 } } }",
        "trait Shout { fn shout(&self) -> String; } impl Shout for Point { fn shout(&self) -> String { \"!\".into() } }",
        "enum Mood { Good, Bad(u8) }",
        "let p = Point::origin(); let ps = vec![p.clone()];",
    ]);
    offers(&notebook, "p.¦", &[("x", Field), ("length", Method), ("shout", Method), ("clone", Method)]);
    offers(&notebook, "ps[0].¦", &[("length", Method)]);
    offers(&notebook, "ps.iter().next().unwrap().sh¦", &[("shout", Method)]);
    offers(&notebook, "Point::¦", &[("origin", Function), ("length", Method)]);
    offers(&notebook, "Mood::¦", &[("Good", Variant), ("Bad", Variant)]);
    offers(&notebook, "impl Point { fn twice(&self) -> f64 { self.¦", &[("x", Field), ("length", Method)]);
    assert!(inspected(&notebook, "p.leng¦th()").contains("How far."));
    assert!(inspected(&notebook, "Poi¦nt").contains("A place."));
}

#[test]
fn paths_lead_into_modules_types_and_imports() {
    use Kind::{Function, Method, Module, Struct, Variant};
    let notebook = notebook(&["use std::collections as c;"]);
    offers(&notebook, "StorageLevel::¦", &[("MemoryOnly", Variant), ("DiskOnly", Variant)]);
    offers(&notebook, "Session::¦", &[("embedded", Function), ("range", Method)]);
    offers(&notebook, "taxi::¦", &[("generate", Function)]);
    offers(&notebook, "plot::¦", &[("histogram", Function)]);
    offers(&notebook, "use partita::¦", &[("prelude", Module), ("Session", Struct)]);
    offers(&notebook, "use std::{fmt, collections::Ha¦", &[("HashMap", Struct), ("HashSet", Struct)]);
    offers(&notebook, "Vec::<i32>::¦", &[("new", Function), ("push", Method)]);
    offers(&notebook, "c::BTree¦", &[("BTreeMap", Struct)]);
    offers(&notebook, "f64::¦", &[("sqrt", Method)]);
}

#[test]
fn bare_names_are_variables_items_preludes_macros_and_keywords() {
    let notebook = notebook(&["let column_count = 3; fn colour() {}"]);
    offers(
        &notebook,
        "let colon = 1; col¦",
        &[
            ("column_count", Kind::Variable),
            ("colour", Kind::Function),
            ("colon", Kind::Variable),
            ("col", Kind::Function),
        ],
    );
    offers(&notebook, "prin¦", &[("println!", Kind::Macro)]);
    offers(&notebook, "Data¦", &[("DataFrame", Kind::Struct), ("Dataset", Kind::Struct)]);
    offers(&notebook, "whi¦", &[("while", Kind::Keyword)]);
    offers(&notebook, "df¦", &[("df!", Kind::Macro)]);
    assert!(completed(&notebook, "\"prin¦").is_empty());
    assert!(completed(&notebook, "// prin¦").is_empty());
}

#[test]
fn inspection_gives_signature_and_docs_also_between_the_parentheses_of_a_call() {
    let notebook = notebook(&[r#"let df = df!("a" => [1, 2])?; let words = vec![1];"#]);
    let docs = inspected(&notebook, "df.he¦ad(None)");
    assert!(docs.contains("fn head(&self, length: Option<usize>) -> DataFrame"), "{docs}");
    assert!(docs.contains("Get the head of the `DataFrame`"), "{docs}");
    assert!(inspected(&notebook, "words.push(¦").contains("Appends an element"));
    assert!(inspected(&notebook, "df.clone().lazy().filter(¦)").contains("fn filter"));
    assert!(inspected(&notebook, "d¦f").contains("df: DataFrame"));
    assert!(inspected(&notebook, "let local = 1.5; loc¦al").contains("let local: f64"));
    assert!(inspected(&notebook, "Vec::with_cap¦acity(1)").contains("Constructs a new, empty"));
    assert!(inspected(&notebook, "col¦(\"a\")").contains("fn col"));
}

#[test]
fn an_expression_has_a_type_without_being_run() {
    let notebook = notebook(&["let n = 1_u8; fn boom() -> Vec<String> { panic!() }"]);
    let ty = |code: &str| notebook.interpreter.type_of(code);
    assert_eq!(ty("n").as_deref(), Ok("u8"));
    assert_eq!(ty("boom()").as_deref(), Ok("Vec<String>"));
    assert_eq!(ty("df!(\"a\" => [1])").as_deref(), Ok("Result<DataFrame, PolarsError>"));
    assert_eq!(ty("()").as_deref(), Ok("()"));
    assert!(ty("nonsense").unwrap_err().to_string().contains("nonsense"));
    assert!(ty("1 +").is_err());
}

#[test]
fn completion_answers_while_a_cell_runs() {
    let mut notebook = notebook(&["let words = vec![1];"]);
    let interpreter = notebook.interpreter.clone();
    let mut seen = None;
    let code =
        "println!(\"running\"); std::thread::sleep(std::time::Duration::from_secs(2)); println!(\"over\");";
    let done = notebook.run_watching(code, |output| {
        if matches!(output, Output::Text { text, .. } if text.contains("running")) {
            seen = Some(interpreter.complete("words.iter().", 13).items.len());
        }
    });
    assert!(seen.is_some_and(|count| count > 0), "{seen:?}");
    assert!(done.text(Stream::Stdout).ends_with("over\n"));
}

#[cfg(feature = "evcxr")]
#[test]
fn the_evcxr_evaluator_is_served_the_same_way() {
    make_index(Path::new(env!("CARGO_BIN_EXE_partita"))).expect("the index is made");
    let mut notebook = Notebook::new(EvaluatorKind::Evcxr);
    notebook.run("struct Point { x: f64 } let words = vec![Point { x: 1.0 }];");
    offers(&notebook, "words.¦", &[("push", Kind::Method)]);
    offers(&notebook, "words[0].¦", &[("x", Kind::Field)]);
}

#[test]
fn no_text_however_broken_is_an_error() {
    let notebook = notebook(&["let x = 1;"]);
    for code in [
        ".",
        "..",
        "::",
        "a::",
        "((((.",
        "}}}.",
        "x.(",
        "x..",
        "use",
        "use {",
        "fn f(",
        "'",
        "r#",
        "x.0.",
        "🚀.",
        "let 🚀 = x.",
        "#![",
        "x.\0",
    ] {
        for cursor in 0..=code.len() {
            notebook.interpreter.complete(code, cursor);
            notebook.interpreter.inspect(code, cursor);
        }
    }
}
