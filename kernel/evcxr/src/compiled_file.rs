use std::ops::Range;
use std::sync::Arc;

use super::program::Program;
use partita_interpreter::source::{CellSource, Role, SourceFile};
use partita_interpreter::state::Items;
use partita_interpreter::toolchain::{Diagnostic, Span};

/// The name of the file that evcxr compiles.
const NAME: &str = "src/lib.rs";

/// The file that evcxr made of a program and everything it keeps, with the cell that each part came from.
/// evcxr's own positions cover neither earlier cells nor our rewriting.
pub struct CompiledFile {
    text: String,
    stretches: Vec<Stretch>,
    files: Vec<SourceFile>,
}

struct Stretch {
    here: Range<usize>,
    /// Index among `files`.
    file: usize,
    original: usize,
}

impl CompiledFile {
    /// Locates in `text` the pieces of `program`, which was made from `cell`, and the items of earlier
    /// cells.
    pub fn new(text: String, program: &Program, cell: &Arc<CellSource>, earlier: &Items) -> Self {
        let generated = generated(&text);
        let mut found = Self { text, stretches: Vec::new(), files: vec![generated] };
        let own = found.file_of(cell);
        // Pieces of one kind keep their order; items come before statements.
        let mut after = 0;
        for piece in program.pieces() {
            let wanted = &cell.code[piece.clone()];
            match found.whole_lines(wanted, after).or_else(|| found.whole_lines(wanted, 0)) {
                Some(at) => {
                    after = at + wanted.len();
                    found.stretch(at, wanted.len(), own, piece.start);
                }
                None => found.lines(wanted, own, piece.start),
            }
        }
        for item in &earlier.kept {
            let wanted = &item.cell.code[item.range.clone()];
            if let Some(at) = found.whole_lines(wanted, 0) {
                let file = found.file_of(&item.cell);
                found.stretch(at, wanted.len(), file, item.range.start);
            }
        }
        found
    }

    /// The cells, as the files that translated diagnostics refer to.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// Moves the positions of a diagnostic back to the cells.
    pub fn translate(&self, diagnostic: &mut Diagnostic) {
        diagnostic.spans.iter_mut().for_each(|span| self.translate_span(span));
        diagnostic.children.iter_mut().for_each(|child| self.translate(child));
    }

    /// The cell and its line for `line` of the file, both 1-based.
    pub fn line(&self, file: &str, line: u32) -> Option<(&Arc<CellSource>, u32)> {
        if file != NAME {
            return None;
        }
        let line = usize::try_from(line).ok()?.checked_sub(1)?;
        let start: usize = self.text.split_inclusive('\n').take(line).map(str::len).sum();
        let text = self.text[start..].lines().next()?;
        let end = start + text.len();
        // A piece may begin in the middle of a line.
        let stretch =
            self.stretches.iter().find(|stretch| stretch.here.start < end && start < stretch.here.end)?;
        let at = start.max(stretch.here.start) - stretch.here.start + stretch.original;
        let cell = self.files[stretch.file].cell.as_ref()?;
        let above = cell.code[..at].matches('\n').count();
        Some((cell, u32::try_from(above).ok()? + 1))
    }

    fn translate_span(&self, span: &mut Span) {
        if let Some(expansion) = &mut span.expansion {
            self.translate_span(&mut expansion.span);
        }
        if span.file_name != NAME {
            return;
        }
        let here = span.byte_start..span.byte_end;
        let stretch = self
            .stretches
            .iter()
            .find(|stretch| stretch.here.start <= here.start && here.end <= stretch.here.end);
        if let Some(stretch) = stretch {
            span.file_name.clone_from(&self.files[stretch.file].name);
            span.byte_start = here.start - stretch.here.start + stretch.original;
            span.byte_end = here.end - stretch.here.start + stretch.original;
        }
    }

    /// Where `wanted` occupies whole lines.
    fn whole_lines(&self, wanted: &str, after: usize) -> Option<usize> {
        let places = self.text[after..].match_indices(wanted).map(|(at, _)| at + after);
        places.into_iter().find(|at| {
            let rest = &self.text[at + wanted.len()..];
            (*at == 0 || self.text[..*at].ends_with('\n')) && (rest.is_empty() || rest.starts_with('\n'))
        })
    }

    fn stretch(&mut self, at: usize, length: usize, file: usize, original: usize) {
        let taken = |stretch: &Stretch| stretch.here.start < at + length && at < stretch.here.end;
        if !self.stretches.iter().any(taken) {
            self.stretches.push(Stretch { here: at..at + length, file, original });
        }
    }

    /// Locates, line by line, a piece that evcxr has taken apart because it does not parse.
    fn lines(&mut self, piece: &str, file: usize, original: usize) {
        let (mut after, mut offset) = (0, 0);
        for line in piece.split_inclusive('\n') {
            let text = line.trim();
            if !text.is_empty()
                && let Some(at) = self.text[after..].find(text).map(|at| at + after)
            {
                after = at + text.len();
                let indent = line.len() - line.trim_start().len();
                self.stretch(at, text.len(), file, original + offset + indent);
            }
            offset += line.len();
        }
    }

    fn file_of(&mut self, cell: &Arc<CellSource>) -> usize {
        let known = self
            .files
            .iter()
            .position(|file| file.cell.as_ref().is_some_and(|known| Arc::ptr_eq(known, cell)));
        known.unwrap_or_else(|| {
            let mut file =
                SourceFile::new(format!("{} of {}", cell.label, self.files.len()), Some(Arc::clone(cell)));
            file.copy(&cell.code, 0);
            self.files.push(file);
            self.files.len() - 1
        })
    }
}

/// The file as generated code, with a description of the lines in which our code or evcxr's keeps a
/// variable.
fn generated(text: &str) -> SourceFile {
    let mut file = SourceFile::new(NAME, None);
    for line in text.split_inclusive('\n') {
        match role(line.trim()) {
            Some(role) => file.generate_for(role, line),
            None => file.generate(line),
        }
    }
    file
}

fn role(line: &str) -> Option<Role> {
    if let Some(rest) = line.strip_prefix("evcxr_variable_store(") {
        return Some(Role::Restore(rest.strip_suffix(");")?.to_owned()));
    }
    let (_, probed) = line.strip_prefix(super::compose::PROBE)?.split_once(">(&")?;
    Some(Role::Keep(probed.split_once(')')?.0.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use partita_interpreter::source::split;

    fn cell(number: u32, code: &str) -> Arc<CellSource> {
        Arc::new(CellSource { label: format!("cell {number}"), code: code.to_owned() })
    }

    fn span(text: &str, marked: &str) -> Span {
        let start = text.find(marked).unwrap();
        serde_json::from_value(serde_json::json!({
            "file_name": NAME, "byte_start": start, "byte_end": start + marked.len(), "line_start": 1,
            "text": [], "is_primary": true, "label": null, "suggested_replacement": null, "expansion": null,
        }))
        .unwrap()
    }

    #[test]
    fn a_place_in_the_compiled_file_is_led_back_to_the_cell_that_has_it() {
        let old = cell(1, "let a = 1;\nfn f() -> u8 {\n    bytes[9]\n}");
        let mut items = Items::default();
        items.add(&old, &split(&old.code).unwrap().items);
        let new = cell(2, "let é = f();\né + missing");
        let mut program = Program::default();
        program.cells(&new.code, 0..13);
        program.cells(&new.code, 14..new.code.len());
        let text = "mod missing;\nfn f() -> u8 {\n    bytes[9]\n}\nx({\nlet é = f();\ny(\né + missing\n);\n"
            .to_owned();
        let file = CompiledFile::new(text.clone(), &program, &new, &items);
        let mut missing = span(&text, "é + missing");
        file.translate_span(&mut missing);
        assert_eq!(&new.code[missing.byte_start..missing.byte_end], "é + missing");
        let (found, line) = file.line(NAME, 3).unwrap();
        assert_eq!((found.label.as_str(), line), ("cell 1", 3));
        let (found, line) = file.line(NAME, 8).unwrap();
        assert_eq!((found.label.as_str(), line), ("cell 2", 2));
        assert!(file.line(NAME, 1).is_none());
        assert!(file.line("src/other.rs", 3).is_none());
    }

    #[test]
    fn text_that_evcxr_has_taken_apart_is_found_by_its_lines() {
        let cell = cell(1, "fn g( {\n  let x = ;\n");
        let mut program = Program::default();
        program.cells(&cell.code, 0..cell.code.len());
        let text = "fn g(\n {\nlet x = ;\n\n".to_owned();
        let file = CompiledFile::new(text, &program, &cell, &Items::default());
        assert_eq!(file.line(NAME, 3).map(|(_, line)| line), Some(2));
    }

    #[test]
    fn lines_that_keep_variables_say_which() {
        assert_eq!(role("evcxr_variable_store(x);"), Some(Role::Restore("x".into())));
        let kept = "partita_cell::probe::<0, _>(&y); partita_cell::keep(y);";
        assert_eq!(role(kept), Some(Role::Keep("y".into())));
        assert_eq!(role("drop(x);"), None);
    }
}
