//! One sentence of advice for errors that people meet in their first lessons. The compiler says what is
//! wrong, but does not know what a notebook or a column is. A row has error codes, fragments that the
//! error must contain, and the sentence; the first matching row is used.

use crate::toolchain::Diagnostic;

struct Row {
    codes: &'static [&'static str],
    words: &'static [&'static str],
    advice: &'static str,
}

const fn row(codes: &'static [&'static str], words: &'static [&'static str], advice: &'static str) -> Row {
    Row { codes, words, advice }
}

const COMPARE: &str = "an `Expr` stands for a column whose values are not known yet, so it is compared by methods: \
`col(\"a\").gt(lit(1))`, and `.gt_eq`, `.lt`, `.lt_eq`, `.eq`, `.neq` likewise";
const LOGIC: &str = "conditions on columns are joined by methods: `a.and(b)`, `a.or(b)`, `a.not()`";
const LAZY: &str = "expressions belong to a plan: begin it with `.lazy()` and run it with `.collect()?`";
const COLLECT: &str =
    "a `LazyFrame` is a plan that has not run yet: `.collect()?` runs it and gives the `DataFrame`";
const QUESTION_MARK: &str = "this call may fail, so it returns a `Result`: a `?` after it takes the value out, and ends \
the cell with the error if there is one";
const OWNER: &str = "a value has one owner, and a move gives it away: lend it (`&name`), or pass a copy \
(`name.clone()`, which is cheap for frames and datasets)";
const NUMBERS: &str = "Rust never converts numbers by itself: write the type you mean (`1.0`, `2u64`), or convert \
(`x as f64`)";
const MUTABLE: &str = "only what is bound with `let mut` can change; rebind a variable of an earlier cell with \
`let mut name = name;`";

/// In order: earlier rows take precedence.
const ROWS: &[Row] = &[
    // Expressions and values.
    row(&["E0369"], &["binary operation `&&`", "Expr`"], LOGIC),
    row(&["E0369"], &["binary operation", "cannot be applied to type `Expr`"], COMPARE),
    row(&["E0308"], &["expected `bool`, found `Expr`"], LOGIC),
    row(&["E0308"], &["expected `Expr`, found `bool`"], COMPARE),
    row(&["E0308"], &["expected `Expr`, found", "expected because this is `Expr`"], COMPARE),
    row(&["E0600"], &["`!`", "`Expr`"], LOGIC),
    row(&["E0277"], &["`Expr: AsRef<str>`"], LAZY),
    row(&["E0277"], &["PlSmallStr: From<Expr>`"], LAZY),
    row(&["E0308"], &["found `Expr`", "ChunkedArray<BooleanType>"], LAZY),
    // Plans and frames.
    row(&["E0599"], &["for struct `LazyFrame`"], COLLECT),
    row(&["E0308"], &["expected `DataFrame`, found `LazyFrame`"], COLLECT),
    row(&["E0599"], &["for struct `DataFrame`"], LAZY),
    row(
        &["E0308"],
        &["expected `LazyFrame`, found `DataFrame`"],
        "this needs a plan, not a finished frame: `.lazy()` makes one from it",
    ),
    // Results and options.
    row(&["E0599"], &["for enum `Result<"], QUESTION_MARK),
    row(&["E0308"], &["found `Result<"], QUESTION_MARK),
    row(&["E0277", "E0369"], &["`Result<", "cannot"], QUESTION_MARK),
    row(
        &["E0599", "E0308"],
        &["Option<"],
        "there may be no value here (`None`): take it out with `if let Some(x) = …`, `.unwrap_or(…)`, or \
         `.ok_or(\"what is missing\")?`",
    ),
    row(
        &["E0277"],
        &["the `?` operator can only be used on `Result`s"],
        "at a cell's top level `?` is for `Result`s; `.ok_or(\"what is missing\")?` turns an `Option` into one",
    ),
    row(
        &["E0277"],
        &["the `?` operator can only be used in"],
        "`?` returns the error to the caller, so the function must be able to return one: \
         `-> Result<…, Box<dyn std::error::Error>>`, with `Ok(…)` around its last value",
    ),
    row(
        &["E0277"],
        &["`?` couldn't convert the error"],
        "`?` ends a cell with anything that is an `Error`, or with text: `.map_err(|error| format!(\"{error:?}\"))?`",
    ),
    row(
        &["E0308"],
        &["a cell's Result"],
        "a cell is not a function: write its value last, without `return` and without `;`",
    ),
    // Ownership.
    row(&["E0382", "E0505"], &[], OWNER),
    row(
        &["E0507"],
        &[],
        "what is only borrowed cannot be given away: borrow it too (`&…`), or copy it (`.clone()`)",
    ),
    row(&["E0596", "E0594", "E0384"], &[], MUTABLE),
    row(
        &["E0499", "E0502", "E0506"],
        &[],
        "while a borrow is in use, what it borrows from must not change: finish with the borrow first, \
         or work on a `.clone()`",
    ),
    row(
        &["E0597", "E0373", "E0521"],
        &["'static"],
        "it may outlive the cell, so it must own what it uses: `move ||`, with a `.clone()` made before",
    ),
    // Names of columns, columns, numbers.
    row(
        &["E0308"],
        &["expected `PlSmallStr`"],
        "Polars has a type of its own for names: `\"name\".into()` makes one",
    ),
    row(&["E0308"], &["expected `Column`, found `Series`"], "`.into_column()` turns a series into a column"),
    row(&["E0277"], &["cannot add", "to"], NUMBERS),
    row(&["E0277"], &["cannot subtract", "from"], NUMBERS),
    row(&["E0277"], &["cannot multiply", "by"], NUMBERS),
    row(&["E0277"], &["cannot divide", "by"], NUMBERS),
    row(&["E0277"], &["can't compare"], NUMBERS),
    row(
        &["overflowing_literals", "arithmetic_overflow"],
        &[],
        "the number does not fit its type; use a larger type: `300u16`, `let n: u64 = …`",
    ),
    // The rest.
    row(
        &["E0308"],
        &["implicitly returns `()`"],
        "a function returns its last expression, and a `;` after it throws that away",
    ),
    row(
        &["E0728"],
        &[],
        "`.await` works at a cell's top level, in `async fn` and in `async { }`; an ordinary `fn` or closure cannot wait",
    ),
    row(
        &["E0282", "E0283", "E0284"],
        &[],
        "the type cannot be inferred here; write it: `let x: Vec<i32> = …`",
    ),
    row(
        &["E0599"],
        &["trait", "in scope"],
        "the method comes from a trait, which must be imported before it can be called",
    ),
    row(
        &["E0432", "E0433"],
        &["unlinked crate"],
        "crates other than the standard library and Polars are added with `:dep NAME`",
    ),
];

/// The compiler's names for numbers.
const NUMBER_TYPES: [&str; 16] = [
    "i8",
    "i16",
    "i32",
    "i64",
    "i128",
    "isize",
    "u8",
    "u16",
    "u32",
    "u64",
    "u128",
    "usize",
    "f32",
    "f64",
    "integer",
    "floating-point number",
];

/// The advice for an error, if there is one.
pub fn advice(error: &Diagnostic) -> Option<&'static str> {
    let said = everything(error);
    let code = error.code();
    let row =
        ROWS.iter().find(|row| row.codes.contains(&code) && row.words.iter().all(|word| said.contains(word)));
    row.map(|row| row.advice).or_else(|| (code == "E0308" && mixes_numbers(&said)).then_some(NUMBERS))
}

/// `expected `i32`, found `u8``.
fn mixes_numbers(said: &str) -> bool {
    let number = |text: &str| NUMBER_TYPES.contains(&text.trim_matches(['`', '&']));
    said.lines().any(|line| {
        line.strip_prefix("expected ")
            .and_then(|rest| rest.split_once(", found "))
            .is_some_and(|(wanted, found)| number(wanted) && number(found))
    })
}

/// Everything that the compiler says about an error, one line each.
fn everything(error: &Diagnostic) -> String {
    let labels = error.spans.iter().filter_map(|span| span.label.as_deref());
    let notes = error.children.iter().map(|child| child.message.as_str());
    let lines: Vec<&str> = std::iter::once(error.message.as_str()).chain(labels).chain(notes).collect();
    lines.join("\n")
}
