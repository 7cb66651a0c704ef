//! What cells do, as scripts that are the same for every evaluator.

mod support;

#[cfg(feature = "evcxr")]
use std::panic::{AssertUnwindSafe, catch_unwind};

use partita_kernel::evaluators::EvaluatorKind;
use support::{Expect, Expect::*, run_script};

/// What evcxr cannot do, by design.
#[cfg(feature = "evcxr")]
const NOT_EVCXRS: &[&str] = &[
    // It compiles every item again in every cell, and cannot remove one.
    "statics_have_one_instance",
    "items_that_do_not_fit_a_redefinition_leave",
    "a_failed_cell_leaves_no_items",
    // It misses a redefinition that is not visible in a type's own name.
    "a_redefinition_is_followed_through_imports",
    "a_redefinition_is_followed_through_glob_imports",
    "a_redefinition_is_followed_through_macros",
    "a_redefinition_is_followed_through_associated_types_and_constants",
    "a_method_redefined_beside_an_associated_type_keeps_its_variables",
    "a_redefinition_is_followed_behind_a_dyn_inside_a_named_type",
    // It gives no notice about them.
    "a_static_that_begins_anew_in_every_cell_is_pointed_out_once",
    // It keeps items unordered, but a macro's scope is textual.
    "macros_are_kept_and_replaced",
    // Its own code uses `Result` where the cells' imports are in scope.
    "an_import_that_clashes_gives_way_to_the_later_one",
    // It treats a macro call as a statement.
    "thread_locals_modules_and_inner_attributes_are_items",
];

/// Defines a test of each script for each evaluator.
macro_rules! scripts {
    ($($name:ident: [$($code:expr => $expect:expr),+ $(,)?])+) => {
        $(fn $name() -> Vec<(&'static str, Expect)> {
            vec![$(($code, $expect)),+]
        })+
        mod direct {
            $(#[test]
            fn $name() {
                super::run_script(super::EvaluatorKind::Direct, &super::$name());
            })+
        }
        #[cfg(feature = "evcxr")]
        #[test]
        fn evcxr_does_the_same_where_it_can() {
            let mut notebook = support::Notebook::new(EvaluatorKind::Evcxr);
            let mut failed = Vec::new();
            for (name, script) in [$((stringify!($name), $name as fn() -> Vec<(&'static str, Expect)>)),+] {
                if !NOT_EVCXRS.contains(&name) {
                    notebook.clear();
                    let run = AssertUnwindSafe(|| support::run_script_in(&mut notebook, &script()));
                    failed.extend(catch_unwind(run).is_err().then_some(name));
                }
            }
            assert!(failed.is_empty(), "evcxr differs in {failed:?}");
        }
    };
}

scripts! {
    the_last_expression_is_the_value: [
        "1 + 1" => Value("2"),
        "1 + 1;" => Nothing,
        "let x = 5; x * 2 // ten" => Value("10"),
        "\"text\"" => Value("\"text\""),
        "if x > 3 { \"big\" } else { \"small\" }" => Value("\"big\""),
        "for _ in 0..2 {}" => Nothing,
        "" => Nothing,
        "// only a comment" => Nothing,
        "vec![Some(1.5), None]" => Value("[Some(1.5), None]"),
        "()" => Nothing,
    ]
    variables_live_on_and_change: [
        "let mut v = vec![1, 2, 3]; let name = String::from(\"n\");" => Nothing,
        "v.push(4); v.len()" => Value("4"),
        "v" => Value("[1, 2, 3, 4]"),
        "println!(\"{name}: {:?}\", v)" => Prints("n: [1, 2, 3, 4]\n"),
        "let (a, b) = (v[0], v[1] as f64);" => Nothing,
        "a as f64 + b" => Value("3.0"),
    ]
    a_name_can_be_bound_again_with_another_type: [
        "let x = 1;" => Nothing,
        "let x = format!(\"{x}!\");" => Nothing,
        "x" => Value("\"1!\""),
        "let x = x.len(); let x = x + 1;" => Nothing,
        "x" => Value("3"),
    ]
    a_name_in_capitals_is_a_variable_too: [
        "let A = 5; let (N, mut M) = (1, 2); M += 1;" => Nothing,
        "A + N + M" => Value("9"),
        "struct Unit; let unit = Unit; let Unit = unit;" => Nothing,
        "let u: Unit = Unit; let Some(_) = Some(A) else { panic!() }; A" => Value("5"),
    ]
    a_moved_variable_is_gone_and_says_so: [
        "let v = vec![1]; let w = vec![2];" => Nothing,
        "let sum: i32 = v.into_iter().sum(); sum" => Value("1"),
        "v" => Fails("CompileError", &["cannot find value `v`", "cell 3"]),
        "drop(w);" => Nothing,
        "let a = vec![7]; let b = a; b.len()" => Value("1"),
        "b" => Value("[7]"),
        "sum" => Value("1"),
    ]
    a_variable_bound_without_mut_stays_so: [
        "let v = vec![1];" => Nothing,
        "v.push(2);" => Fails("CompileError", &["cannot borrow `v` as mutable"]),
        "let mut v = v; v.push(2); v.len()" => Value("2"),
    ]
    items_are_seen_by_later_cells: [
        "fn twice(x: i32) -> i32 { 2 * x }" => Nothing,
        "const N: i32 = 4; use std::collections::BTreeMap;" => Nothing,
        "twice(N)" => Value("8"),
        "let mut m = BTreeMap::new(); m.insert(1, \"a\");" => Nothing,
        "m" => Value("{1: \"a\"}"),
        "fn twice(x: i32) -> i32 { 3 * x }" => Nothing,
        "twice(N)" => Value("12"),
    ]
    types_traits_and_generics_span_cells: [
        "#[derive(Debug, Clone, PartialEq)]\nstruct Point { x: i32, y: i32 }" => Nothing,
        "let p = Point { x: 1, y: 2 };" => Nothing,
        "impl Point { fn norm1(&self) -> i32 { self.x.abs() + self.y.abs() } }" => Nothing,
        "trait Area { fn area(&self) -> i32; }\nimpl Area for Point { fn area(&self) -> i32 { self.x * self.y } }" => Nothing,
        "fn total<T: Area>(all: &[T]) -> i32 { all.iter().map(Area::area).sum() }" => Nothing,
        "let all = vec![p.clone(), Point { x: 3, y: 4 }];" => Nothing,
        "(p.norm1(), total(&all))" => Value("(3, 14)"),
        "let boxed: Vec<Box<dyn Area>> = vec![Box::new(p.clone())];" => Nothing,
        "boxed[0].area()" => Value("2"),
        "enum Shape { Dot(Point), Nothing } use Shape::*;" => Nothing,
        "let s = Dot(p.clone()); matches!(s, Dot(_))" => Value("true"),
        "match s { Dot(p) => p.x, Nothing => 0 }" => Value("1"),
    ]
    a_redefined_struct_takes_its_variables_with_it: [
        "#[derive(Debug, Clone)] struct Point { x: i32 }" => Nothing,
        "let p = Point { x: 1 }; let nested = vec![Some(p.clone())]; let other = 5;" => Nothing,
        "#[derive(Debug, Clone)] struct Point { x: i32, y: String }" => Notes("`nested`, `p`"),
        "other" => Value("5"),
        "nested" => Fails("CompileError", &["`nested`", "cell 3 redefined"]),
        "let p = Point { x: 1, y: \"a\".into() }; p" => Value("Point { x: 1, y: \"a\" }"),
    ]
    a_redefinition_is_followed_through_imports: [
        "mod shapes { #[derive(Clone)] pub struct Point { pub x: u8 } } use shapes::Point; struct Line { a: Point }" => Nothing,
        "let line = Line { a: Point { x: 1 } };" => Nothing,
        "mod shapes { #[derive(Clone)] pub struct Point { pub x: u8, pub y: String } }" => Notes("`line`"),
        "line.a.x" => Fails("CompileError", &["`line`", "cell 3 redefined"]),
    ]
    a_redefinition_is_followed_through_glob_imports: [
        "mod shapes { pub struct Point { pub x: u8 } } use shapes::*; struct Line { a: Point }" => Nothing,
        "let line = Line { a: Point { x: 1 } };" => Nothing,
        "mod shapes { pub struct Point { pub x: u8, pub y: String } }" => Notes("`line`"),
    ]
    a_redefinition_is_followed_through_macros: [
        "macro_rules! field { () => { u8 } } struct Cell { x: field!() }" => Nothing,
        "let cell = Cell { x: 1 };" => Nothing,
        "macro_rules! field { () => { String } }" => Notes("`cell`"),
    ]
    a_redefinition_is_followed_through_associated_types_and_constants: [
        "trait Unit { type Of; } struct Metre; impl Unit for Metre { type Of = u8; }\nstruct Row; impl Row { const N: usize = 1; } struct Table { cells: [u8; Row::N] }" => Nothing,
        "struct Length { value: <Metre as Unit>::Of } let length = Length { value: 1 }; let table = Table { cells: [1] };" => Nothing,
        "impl Unit for Metre { type Of = String; }" => Notes("`length`"),
        "table.cells.len()" => Value("1"),
        "impl Row { const N: usize = 2; }" => Notes("`table`"),
    ]
    a_method_redefined_beside_an_associated_type_keeps_its_variables: [
        "struct Count(u32); impl Iterator for Count { type Item = u32; fn next(&mut self) -> Option<u32> { Some(1) } }" => Nothing,
        "let mut count = Count(7);" => Nothing,
        "impl Iterator for Count { type Item = u32; fn next(&mut self) -> Option<u32> { Some(self.0) } }" => Nothing,
        "count.next()" => Value("Some(7)"),
    ]
    a_redefinition_is_followed_behind_a_dyn_inside_a_named_type: [
        "use std::any::Any; struct Point { x: u8 } struct Bag(Vec<Box<dyn Any>>);" => Nothing,
        "let bag = Bag(vec![Box::new(Point { x: 1 })]);" => Nothing,
        "struct Point { x: u8, y: String }" => Notes("`bag`"),
    ]
    the_same_definition_again_keeps_its_variables: [
        "struct Point { x: i32 }\nimpl Point { fn x(&self) -> i32 { self.x } }" => Nothing,
        "let p = Point { x: 7 };" => Nothing,
        "struct Point { x: i32 }\nimpl Point { fn x(&self) -> i32 { self.x } }" => Nothing,
        "p.x()" => Value("7"),
    ]
    a_macro_is_there_in_later_cells: [
        "macro_rules! twice { ($x:expr) => { $x + $x } }" => Nothing,
        "twice!(4)" => Value("8"),
        "let n = twice!(twice!(1)); n" => Value("4"),
    ]
    macros_are_kept_and_replaced: [
        "macro_rules! square { ($x:expr) => { $x * $x } }" => Nothing,
        "fn nine() -> i32 { square!(3) }" => Nothing,
        "square!(4) + nine()" => Value("25"),
        "macro_rules! square { ($x:expr) => { $x * $x * $x } }" => Nothing,
        "nine()" => Value("27"),
    ]
    statics_have_one_instance: [
        "use std::sync::atomic::{AtomicU32, Ordering};\nstatic COUNT: AtomicU32 = AtomicU32::new(10);\nfn next() -> u32 { COUNT.fetch_add(1, Ordering::SeqCst) }" => Nothing,
        "next()" => Value("10"),
        "next(); next()" => Value("12"),
        "COUNT.load(Ordering::SeqCst)" => Value("13"),
    ]
    an_import_that_clashes_gives_way_to_the_later_one: [
        "use std::fmt::{self, Result};" => Nothing,
        "use std::io::Result;" => Nothing,
        "let r: Result<i32> = Ok(1); r.is_ok()" => Value("true"),
        "fmt::format(format_args!(\"{}\", 1))" => Value("\"1\""),
    ]
    a_question_mark_ends_the_cell_and_shows_the_causes: [
        "let kept = vec![1]; let mut n = 0;" => Nothing,
        "n += 1; let bad: i32 = \"x\".parse()?; let never = kept.len();" => Fails("Error", &["invalid digit"]),
        "(kept, n)" => Value("([1], 1)"),
        "Err::<(), _>(\"plain text\")?;" => Fails("Error", &["plain text"]),
        "let good: i32 = \"7\".parse()?; good" => Value("7"),
        "Err(Box::<dyn std::error::Error>::from(\"boxed\"))?;" => Fails("Error", &["boxed"]),
    ]
    a_panic_names_its_place_and_keeps_the_variables: [
        "let mut v = vec![1, 2]; fn boom(i: usize) -> i32 {\n    [1, 2][i]\n}" => Nothing,
        "v.push(3);\n\n  v[7]" => Fails("Panic", &["index out of bounds", "cell 2, line 3: v[7]"]),
        "v" => Value("[1, 2, 3]"),
        "boom(v.len())" => Fails("Panic", &["cell 1, line 2"]),
        "v.len()" => Value("3"),
        "panic!(\"{}\", v.len())" => Fails("Panic", &["3"]),
    ]
    await_works_at_the_top: [
        "async fn later(x: i32) -> i32 { tokio_free(x).await }\nasync fn tokio_free(x: i32) -> i32 { x + 1 }" => Nothing,
        "let y = later(1).await; y" => Value("2"),
        "println!(\"{}\", later(y).await)" => Prints("3\n"),
    ]
    compile_errors_point_into_the_cell: [
        "let a = 1;\nlet b: i32 = \"x\";\nlet c = 2;" => Fails("CompileError", &["mismatched types", "cell 1:2:14", "2 | let b: i32 = \"x\";"]),
        "fn f() -> i32 {\n    missing\n}" => Fails("CompileError", &["cannot find value `missing`", "cell 2:2:5"]),
        "1 + missing2" => Fails("CompileError", &["cell 3:1:5"]),
        "fn g( {" => Fails("CompileError", &["cell 4"]),
        "let x = ;" => Fails("CompileError", &["cell 5:1:9"]),
        "a" => Fails("CompileError", &["cannot find value `a`"]),
        "f()" => Fails("CompileError", &["cannot find function `f`"]),
        "println!(\"{} {}\", 1)" => Fails("CompileError", &["cell 8:1:11"]),
    ]
    a_missing_import_is_proposed: [
        "let m: BTreeMap<u8, u8> = Default::default();" => Fails("CompileError", &["cannot find type `BTreeMap`", "importing", "use std::collections::BTreeMap;"]),
        "use std::collections::BTreeMap; let m: BTreeMap<u8, u8> = Default::default(); m.len()" => Value("0"),
    ]
    closures_and_borrows_last_for_their_cell: [
        "let f = |x: i32| x + 1; let y = f(1); y" => Value("2"),
        "f(y)" => Fails("CompileError", &["`f`", "closure"]),
        "let s = String::from(\"ab\"); let r = &s; let n = r.len();" => Nothing,
        "(s.as_str(), n)" => Value("(\"ab\", 2)"),
        "r" => Fails("CompileError", &["`r`", "borrow"]),
        "let text = \"static\";" => Nothing,
        "text" => Value("\"static\""),
        "let p: fn(i32) -> i32 = |x| x * 2;" => Nothing,
        "p(4)" => Value("8"),
    ]
    data_frames_work: [
        "let df = df!(\"k\" => [\"a\", \"b\", \"a\"], \"v\" => [1, 2, 3])?;" => Nothing,
        "df.height()" => Value("3"),
        "let lf = df.clone().lazy().group_by([col(\"k\")]).agg([col(\"v\").sum()]).sort([\"k\"], Default::default());" => Nothing,
        "let out = lf.collect()?; out.height()" => Value("2"),
        "out.column(\"v\")?.i32()?.get(0)" => Value("Some(4)"),
        "df.column(\"nope\")?;" => Fails("Error", &["nope"]),
        "df.width()" => Value("2"),
    ]
    a_value_without_debug_says_what_it_is: [
        "struct Opaque; Opaque" => Shows("Opaque"),
    ]
    a_cell_may_redefine_a_struct_and_bind_it_anew_at_once: [
        "#[derive(Debug)] struct P { x: i32 } let p = P { x: 1 };" => Nothing,
        "#[derive(Debug)] struct P { x: i32, y: Vec<i32> } let p = P { x: 1, y: vec![2] };" => Nothing,
        "p" => Value("P { x: 1, y: [2] }"),
    ]
    items_that_do_not_fit_a_redefinition_leave: [
        "struct P { x: i32 } fn get(p: &P) -> i32 { p.x } fn other() -> i32 { 5 }" => Nothing,
        "struct P { y: i32 }" => Notes("`get`"),
        "other() + P { y: 1 }.y" => Value("6"),
        "fn get(p: &P) -> i32 { p.y }" => Nothing,
        "get(&P { y: 3 })" => Value("3"),
    ]
    a_failed_cell_leaves_no_items: [
        "fn f() -> i32 { 1 }" => Nothing,
        "fn f() -> i32 { 2 } fn g() {} Err(\"no\")?;" => Fails("Error", &["no"]),
        "f()" => Value("1"),
        "g()" => Fails("CompileError", &["cannot find function `g`"]),
    ]
    values_move_into_threads_and_shared_ones_stay: [
        "use std::sync::{Arc, Mutex}; let n = Arc::new(Mutex::new(0_usize)); let list = vec![1, 2];" => Nothing,
        "let m = n.clone(); let t = std::thread::spawn(move || { *m.lock().unwrap() += list.len(); }); t.join().unwrap(); *n.lock().unwrap()" => Value("2"),
        "list" => Fails("CompileError", &["`list` was moved in cell 2"]),
        "*n.lock().unwrap() += 1; n.lock().unwrap().to_string()" => Value("\"3\""),
    ]
    text_that_is_not_ascii_keeps_its_positions: [
        "let größe = 3; let s = \"日本\";" => Nothing,
        "/* é */ größe + missing" => Fails("CompileError", &["cell 2:1:17"]),
        "format!(\"{größe}{s}\")" => Value("\"3日本\""),
    ]
    thread_locals_modules_and_inner_attributes_are_items: [
        "mod inner { pub fn one() -> i32 { 1 } pub struct S(pub i32); }\nthread_local! { static T: std::cell::Cell<i32> = const { std::cell::Cell::new(4) }; }" => Nothing,
        "#![allow(unused_must_use)]\nlet s = inner::S(inner::one()); T.with(|t| t.get())" => Value("4"),
        "s.0" => Value("1"),
    ]
    a_static_that_begins_anew_in_every_cell_is_pointed_out_once: [
        "use std::sync::atomic::{AtomicU32, Ordering}; fn next() -> u32 { static N: AtomicU32 = AtomicU32::new(0); N.fetch_add(1, Ordering::SeqCst) }" => Notes("`N` starts anew in every cell"),
        "thread_local! { static T: u8 = const { 1 }; }" => Quiet,
        "static TOP: u8 = 1;" => Quiet,
    ]
    a_useful_warning_is_shown_and_noise_is_not: [
        "let unused = 1; fn never() {}" => Nothing,
        "fn careful() -> Result<i32, String> { Ok(1) }" => Nothing,
        "careful();" => Notes("must be used"),
    ]
    a_value_kept_across_an_await_stays: [
        "async fn id(x: i32) -> i32 { x }\nlet mut v = vec![0];" => Nothing,
        "let a = id(1).await; v.push(a); let b = id(v[1]).await; let name = String::from(\"n\");" => Nothing,
        "(a, b, v.len(), name.as_str())" => Value("(1, 1, 2, \"n\")"),
        "id(1).await; v.push(9); panic!(\"late\")" => Fails("Panic", &["late"]),
        "v" => Value("[0, 1, 9]"),
    ]
}
