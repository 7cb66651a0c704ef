use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use super::program::Program;
use partita_interpreter::source::{Binding, Split};

/// The start of the line that reveals a variable's type; [`Composer::check`] writes the rest.
pub const PROBE: &str = "partita_cell::probe::<";

/// A cell's two programs. One is only checked, to find the types of its variables. The other is run; it
/// spells those types out, because evcxr's rust-analyzer cannot see `partita`.
///
/// The statements run in a closure of ours, so that we see every way out of them. Their bindings are
/// returned to evcxr as the closure's result.
pub struct Composer<'a> {
    cell: &'a str,
    split: &'a Split,
    /// Variables of earlier cells that this one moves.
    pub moved: BTreeSet<String>,
    /// Variables of this cell that cannot outlive it, with the reason.
    pub unkept: BTreeMap<String, &'static str>,
}

impl<'a> Composer<'a> {
    /// Takes the cell and its parts.
    pub fn new(cell: &'a str, split: &'a Split) -> Self {
        Self { cell, split, moved: BTreeSet::new(), unkept: BTreeMap::new() }
    }

    /// The program to check.
    pub fn check(&self) -> Program {
        let mut program = self.items();
        program.ours("let _ = || -> ::std::result::Result<(), partita_cell::Failure> {");
        self.body(&mut program, |program| {
            for (number, variable) in self.kept().enumerate() {
                program.ours(&format!("{PROBE}{number}, _>(&{0}); partita_cell::keep({0});", variable.name));
            }
            program.ours("::std::result::Result::Ok((partita_value, ()))");
        });
        program.ours(".map(|_| ())\n};");
        for name in &self.moved {
            // After the cell, evcxr asks for every variable it had before.
            program.ours(&format!("let {name} = ();"));
        }
        program
    }

    /// The variables whose types the check found. The others are never reached: every path through the
    /// cell leaves before them.
    pub fn typed(&self, found: &BTreeMap<usize, String>) -> Vec<(Binding, String)> {
        let kept = self.kept().enumerate();
        kept.filter_map(|(number, variable)| Some((variable.clone(), found.get(&number)?.clone()))).collect()
    }

    /// The program to run. `shadowed` are variables of earlier cells whose names the cell rebinds to
    /// values that it does not keep.
    pub fn run(&self, typed: &[(Binding, String)], shadowed: &[String]) -> Program {
        let mut program = self.items();
        let names: String = typed.iter().map(|(variable, _)| format!("{}, ", variable.name)).collect();
        let types: String = typed.iter().map(|(_, type_name)| format!("{type_name}, ")).collect();
        let binds = if typed.is_empty() { String::new() } else { format!("let ({names}): ({types}) = ") };
        program.ours(&format!("{binds}partita_cell::run(|| {{"));
        self.body(&mut program, |program| {
            program.ours(&format!("::std::result::Result::Ok((partita_value, ({names})))"));
        });
        program.ours("});");
        for (variable, type_name) in typed {
            // evcxr only reads a type that stands alone with its variable.
            let mutable = if variable.mutable { "mut " } else { "" };
            program.ours(&format!("let {mutable}{0}: {type_name} = {0};", variable.name));
        }
        for name in shadowed {
            program.ours(&forget(name));
        }
        program
    }

    /// The variables that outlive the cell.
    pub fn kept(&self) -> impl Iterator<Item = &Binding> {
        self.split.bindings.iter().filter(|binding| !self.unkept.contains_key(&binding.name))
    }

    fn items(&self) -> Program {
        let mut program = Program::default();
        let items = self.split.items.iter().map(|item| &item.range);
        for piece in self.split.inner_attributes.iter().chain(items) {
            program.cells(self.cell, piece.clone());
        }
        program
    }

    /// The statements, the value and what `end` adds, as one expression.
    fn body(&self, program: &mut Program, end: impl FnOnce(&mut Program)) {
        program.ours(if self.split.awaits {
            "partita_cell::block_on(async {"
        } else {
            "partita_cell::body(|| {"
        });
        for statements in self.statements() {
            program.cells(self.cell, statements);
        }
        match &self.split.value {
            Some(value) => {
                program.ours("let partita_value = partita_cell::show!(");
                program.cells(self.cell, value.clone());
                program.ours(");");
            }
            None => program.ours("let partita_value = ::std::option::Option::None;"),
        }
        end(program);
        program.ours("})");
    }

    /// The rest of the cell without attributes, items and value.
    fn statements(&self) -> Vec<Range<usize>> {
        let items = self.split.items.iter().map(|item| &item.range);
        let mut elsewhere: Vec<&Range<usize>> =
            self.split.inner_attributes.iter().chain(items).chain(&self.split.value).collect();
        elsewhere.sort_by_key(|range| range.start);
        let mut left = Vec::new();
        let mut start = 0;
        for range in elsewhere {
            left.push(start..range.start);
            start = range.end;
        }
        left.push(start..self.cell.len());
        left.retain(|range| !self.cell[range.clone()].trim().is_empty());
        left
    }
}

/// Code that makes evcxr forget a variable: evcxr keeps no variable that the cell moves. The variable is
/// shadowed first by one whose type is certain to be moved.
pub fn forget(name: &str) -> String {
    format!("let {name} = ::std::string::String::new(); ::std::mem::drop({name});\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_interpreter::source::split;

    fn found(types: &[&str]) -> BTreeMap<usize, String> {
        types.iter().map(|text| (*text).to_owned()).enumerate().collect()
    }

    #[test]
    fn the_program_to_run_writes_out_the_types_the_check_found() {
        let cell = "let (a, mut b) = f();\na + b";
        let split = split(cell).unwrap();
        let composer = Composer::new(cell, &split);
        let program = composer.run(&composer.typed(&found(&["u8", "u16"])), &[]);
        assert!(program.text().contains("let (a, b, ): (u8, u16, ) = partita_cell::run(|| {"));
        assert!(program.text().ends_with("let a: u8 = a;\nlet mut b: u16 = b;\n"), "{}", program.text());
    }

    #[test]
    fn what_cannot_be_kept_is_left_out_and_what_it_shadows_is_dropped() {
        let cell = "let a = f(); let b = a;";
        let split = split(cell).unwrap();
        let mut composer = Composer::new(cell, &split);
        composer.unkept.insert("a".to_owned(), "moved on");
        assert!(!composer.check().text().contains("keep(a)"));
        let typed = composer.typed(&found(&["A"]));
        assert_eq!(typed.iter().map(|(variable, _)| variable.name.as_str()).collect::<Vec<_>>(), ["b"]);
        let program = composer.run(&typed, &["a".to_owned()]);
        assert!(program.text().contains("let b: A = b;\nlet a = ::std::string::String::new();"));
    }

    #[test]
    fn a_variable_of_an_earlier_cell_that_is_moved_is_hidden_from_the_check() {
        let split = split("drop(x);").unwrap();
        let mut composer = Composer::new("drop(x);", &split);
        composer.moved.insert("x".to_owned());
        assert!(composer.check().text().ends_with("};\nlet x = ();\n"));
    }

    #[test]
    fn items_stand_outside_the_closure_and_nothing_of_the_cell_is_lost() {
        let cell = "#![allow(unused)]\nlet a = 1;\nfn f() {}\nf();\na";
        let split = split(cell).unwrap();
        let program = Composer::new(cell, &split).check();
        let pieces: Vec<&str> = program.pieces().iter().map(|piece| cell[piece.clone()].trim()).collect();
        assert_eq!(pieces, ["#![allow(unused)]", "fn f() {}", "let a = 1;", "f();", "a"]);
        assert!(program.text().find("fn f() {}") < program.text().find("let _ = ||"));
    }
}
