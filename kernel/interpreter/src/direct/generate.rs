use std::{collections::BTreeSet, fmt::Write, sync::Arc};

use crate::{
    dependencies,
    source::{CellSource, Role, SourceFile, Split, blank_all_but, blank_out, lexes},
    state::{Items, Kind, Variables},
    toolchain::INCLUDED,
};

/// A cell on its way through the compiler.
pub struct CellPlan<'a> {
    /// The cell.
    pub cell: &'a Arc<CellSource>,
    /// Its parts; `None` if only the compiler can say what is wrong with it.
    pub split: Option<&'a Split>,
    /// The items that it sees, including its own.
    pub items: &'a Items,
    /// The variables it may take.
    pub variables: &'a Variables,
    /// Variables that do not survive the cell's redefinitions, so the cell cannot take them.
    pub outdated: &'a [String],
    /// Variables that it moves, found in an earlier attempt.
    pub moved: &'a BTreeSet<String>,
    /// Names it binds that cannot be kept, found in an earlier attempt.
    pub unkept: &'a BTreeSet<String>,
    /// Whether there are crates besides `partita`.
    pub dependencies: bool,
    /// Makes the symbols of this compilation unique.
    pub serial: u64,
}

/// The files of one compilation.
pub struct Generated {
    /// First the file that the crate's root includes, then the files that this one includes.
    pub files: Vec<SourceFile>,
    /// The crate's own attributes, which belong in its root.
    pub attributes: String,
    /// The function to call.
    pub symbol: String,
    /// The names to keep: `__kept_0` is the first.
    pub kept: Vec<String>,
    /// Statics that this crate defines, by index among the items, with their symbols.
    pub statics: Vec<(usize, String)>,
}

/// The name of the function that a cell becomes, without its number.
pub const CELL_FUNCTION: &str = "partita_cell_";

/// Writes the crate for a cell. The person's text goes into files of its own, named as in error messages,
/// with lines and columns unchanged. Generated code is in [`INCLUDED`] and after the end of the cell.
pub fn generate(plan: &CellPlan<'_>) -> Generated {
    let mut root = SourceFile::new(INCLUDED, None);
    let mut attributes = String::new();
    for range in plan.split.iter().flat_map(|split| &split.inner_attributes) {
        attributes.push_str(&plan.cell.code[range.clone()]);
        attributes.push('\n');
    }
    if plan.dependencies {
        // Without this line the compiler would link every crate into each cell.
        root.generate(&format!("extern crate {} as _;\n", dependencies::CRATE_NAME));
    }
    let mut files = Vec::new();
    let mut statics = Vec::new();
    add_items(plan, &mut root, &mut files, &mut statics);
    let symbol = format!("{CELL_FUNCTION}{}", plan.serial);
    let mut kept = Vec::new();
    add_function(plan, &symbol, &mut root, &mut files, &mut kept);
    files.insert(0, root);
    Generated { files, attributes, symbol, kept, statics }
}

fn add_items(
    plan: &CellPlan<'_>,
    root: &mut SourceFile,
    files: &mut Vec<SourceFile>,
    statics: &mut Vec<(usize, String)>,
) {
    let mut cells: Vec<&Arc<CellSource>> = Vec::new();
    for (index, item) in plan.items.kept.iter().enumerate() {
        match &item.kind {
            Kind::Use(text) if !Arc::ptr_eq(&item.cell, plan.cell) => {
                root.generate_for(Role::Import(index), &format!("{text}\n"));
                continue;
            }
            Kind::Static(item) => {
                if let Some(symbol) = &item.symbol {
                    let safe = if item.mutable { "" } else { "safe " };
                    // The instance is in the shared object of the cell that defined it.
                    let declaration = &item.declaration;
                    let text = format!(
                        "unsafe extern \"C\" {{ #[link_name = \"{symbol}\"] pub {safe}{declaration}; }}\n"
                    );
                    root.generate(&text);
                    continue;
                }
            }
            _ => {}
        }
        if !cells.iter().any(|cell| Arc::ptr_eq(cell, &item.cell)) {
            cells.push(&item.cell);
        }
    }
    // Macros first: they are in scope only after their definition.
    for macros in [true, false] {
        for cell in &cells {
            let mut ranges = Vec::new();
            let mut holes = Vec::new();
            let mut exports = Vec::new();
            for (index, item) in plan.items.kept.iter().enumerate() {
                let is_macro = matches!(item.kind, Kind::Macro);
                let old_use = matches!(item.kind, Kind::Use(_)) && !Arc::ptr_eq(cell, plan.cell);
                let defined = matches!(&item.kind, Kind::Static(item) if item.symbol.is_some());
                if !Arc::ptr_eq(&item.cell, cell) || is_macro != macros || old_use || defined {
                    continue;
                }
                ranges.push(item.range.clone());
                holes.extend(item.holes.iter().cloned());
                if item.is_undefined_static() {
                    let name = item.names.first().map_or("", String::as_str).trim_start_matches("r#");
                    let symbol = format!("partita_static_{}_{name}", plan.serial);
                    exports.push((item.range.start, symbol.clone()));
                    statics.push((index, symbol));
                }
            }
            if ranges.is_empty() {
                continue;
            }
            let name = format!("{} ({})", cell.label, if macros { "macro" } else { "item" });
            root.generate(&format!("include!({name:?});\n"));
            let mut file = SourceFile::new(name, Some(Arc::clone(cell)));
            let text = blank_out(&blank_all_but(&cell.code, &ranges), &holes);
            let mut at = 0;
            for (start, symbol) in exports {
                file.copy(&text[at..start], at);
                file.generate(&format!("#[unsafe(export_name = \"{symbol}\")]"));
                at = start;
            }
            file.copy(&text[at..], at);
            files.push(file);
        }
    }
}

fn add_function(
    plan: &CellPlan<'_>,
    symbol: &str,
    root: &mut SourceFile,
    files: &mut Vec<SourceFile>,
    kept: &mut Vec<String>,
) {
    root.generate(&format!("#[unsafe(no_mangle)]\npub fn {symbol}(__p: &::partita::evaluation::Scope) {{\n"));
    let no_statements = Split::default();
    let split = plan.split.unwrap_or(&no_statements);
    let mut taken = plan.variables.taken_by(&split.named);
    taken.retain(|(name, _)| !plan.outdated.contains(name));
    for (name, variable) in &taken {
        let text = format!("if !__p.expect::<{}>({name:?}) {{ return; }}\n", variable.ty);
        root.generate_for(Role::Take((*name).clone()), &text);
    }
    for (name, variable) in &taken {
        let mutable = if variable.mutable { "mut " } else { "" };
        let text = format!("let {mutable}{name}: {} = __p.take({name:?});\n", variable.ty);
        root.generate_for(Role::Take((*name).clone()), &text);
    }
    let body = plan.cell.label.clone();
    let run = if split.awaits {
        format!("__p.run_async(async {{ include!({body:?}) }});\n")
    } else {
        format!("__p.run(|| include!({body:?}));\n")
    };
    root.generate(&run);
    for (name, _) in &taken {
        if !plan.moved.contains(*name) {
            root.generate_for(Role::Restore((*name).clone()), &format!("__p.restore({name:?}, {name});\n"));
        }
    }
    root.generate("}\n");
    files.push(body_file(plan, split, body, kept));
}

/// The statements, in a block whose value is the result of the cell.
fn body_file(plan: &CellPlan<'_>, split: &Split, name: String, kept: &mut Vec<String>) -> SourceFile {
    let mut file = SourceFile::new(name, Some(Arc::clone(plan.cell)));
    if plan.split.is_none() && !lexes(&plan.cell.code) {
        // The compiler stops at the brackets. Brackets of ours would be mistaken for the person's.
        file.copy(&plan.cell.code, 0);
        return file;
    }
    let mut elsewhere = split.inner_attributes.clone();
    elsewhere.extend(split.items.iter().map(|item| item.range.clone()));
    let text = blank_out(&plan.cell.code, &elsewhere);
    file.generate("{");
    match &split.value {
        Some(value) => {
            // By reference, so that a variable named last is shown and not moved.
            file.copy(&text[..value.start], 0);
            file.generate("let __value=&(");
            file.copy(&text[value.start..value.end], value.start);
            file.generate(");");
            file.copy(&text[value.end..], value.end);
            file.generate("\n;__p.begin_display(); __p.show(::partita::mime_of!(*__value));\n");
        }
        None => {
            file.copy(&text, 0);
            file.generate("\n;\n");
        }
    }
    // `let Unit = unit;` binds nothing.
    let is_unit = |name: &str| plan.items.kept.iter().any(|item| item.is_unit_struct(name));
    let bindings = split
        .bindings
        .iter()
        .map(|binding| &binding.name)
        .filter(|name| !plan.unkept.contains(*name) && !is_unit(name));
    let mut keeps = String::new();
    for name in bindings {
        let number = kept.len();
        kept.push(name.clone());
        let text = format!("let __kept_{number} = ::partita::evaluation::Kept::new({name:?}, {name});\n");
        file.generate_for(Role::Keep(name.clone()), &text);
        // Writing to a string cannot fail.
        let _ = writeln!(keeps, "__p.keep(__kept_{number});");
    }
    file.generate(&keeps);
    file.generate("::std::result::Result::Ok(()) }\n");
    file
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*, sample::select};

    use super::*;
    use crate::source::split_open_ended;

    /// Snippets that hide brackets, quotes and multi-byte characters from one another.
    const PIECES: [&str; 32] = [
        "let x = 1;",
        "let é = \"ü\";",
        "fn f() {}",
        "f()",
        "x",
        ";",
        "{",
        "}",
        "(",
        ")",
        "\"",
        "r#\"",
        "\"#",
        "'a'",
        "'a",
        "/*",
        "*/",
        "//",
        "\n",
        "struct S;",
        "use std::fs;",
        "static N: u8 = 1;",
        "macro_rules! m { () => {} }",
        "m!()",
        "impl S { fn g(&self) {} }",
        "#![allow(unused)]",
        "🦀",
        "\\",
        "let (a, b) = (1, 2);",
        ".await",
        "?",
        "#",
    ];

    proptest! {
        #![proptest_config(ProptestConfig {
            cases: 1000,
            failure_persistence: None,
            rng_seed: proptest::test_runner::RngSeed::Fixed(11),
            ..ProptestConfig::default()
        })]

        #[test]
        fn any_cell_becomes_files_whose_positions_lead_back_to_it(pieces in vec(select(&PIECES[..]), 0..20)) {
            let cell = Arc::new(CellSource { label: "cell 1".into(), code: pieces.join(" ") });
            let split = split_open_ended(&cell.code).ok();
            let mut items = Items::default();
            if let Some(split) = &split {
                items.add(&cell, &split.items);
            }
            let generated = generate(&CellPlan {
                cell: &cell,
                split: split.as_ref(),
                items: &items,
                variables: &Variables::default(),
                outdated: &[],
                moved: &BTreeSet::new(),
                unkept: &BTreeSet::new(),
                dependencies: false,
                serial: 1,
            });
            for file in &generated.files {
                for (at, character) in file.text.char_indices().filter(|(_, c)| !c.is_whitespace()) {
                    if let Some(range) = file.original(&(at..at + character.len_utf8())) {
                        prop_assert_eq!(cell.code[range].to_owned(), character.to_string());
                    }
                }
            }
        }
    }
}
