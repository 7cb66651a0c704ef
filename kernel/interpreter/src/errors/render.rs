//! Renders the compiler's messages as if the cell alone had been compiled. The compiler's own rendering
//! shows generated code and its positions. So the parts of a message are mapped back to the cells and
//! rendered by the library that rustc also uses.

use std::{borrow::Cow, ops::Range};

use annotate_snippets::{AnnotationKind, Group, Level, Patch, Renderer, Snippet};

use super::wording::library_file;
use crate::{
    source::SourceFile,
    toolchain::{Diagnostic, Span},
};

/// How many of the possible imports are shown.
const IMPORTS_SHOWN: usize = 4;

/// Renders one message with ANSI colours. `hints` are added as helps.
pub fn render(diagnostic: &Diagnostic, files: &[SourceFile], hints: &[String]) -> String {
    let level = level(&diagnostic.level);
    let mut title = level.clone().primary_title(diagnostic.message.as_str());
    if let Some(code) = diagnostic.code.as_ref().filter(|code| code.code.starts_with('E')) {
        title = title.id(code.code.as_str());
    }
    let mut main = Group::with_title(title);
    for snippet in snippets(&diagnostic.spans, files) {
        main = main.element(snippet.annotated());
    }
    let mut groups = Vec::new();
    for child in &diagnostic.children {
        // Advice about generated code is of no use,
        if !child.spans.is_empty() && places(&child.spans, files).is_empty() {
            // except for imports, which can go anywhere.
            if let Some(imports) = imports(child) {
                main = main.element(Level::HELP.message(imports));
            }
            continue;
        }
        let suggestion = child.spans.iter().any(|span| span.suggested_replacement.is_some());
        if child.spans.is_empty() {
            if !child.message.contains("on by default") {
                main = main.element(self::level(&child.level).message(child.message.as_str()));
            }
            continue;
        }
        let mut group = Group::with_title(self::level(&child.level).secondary_title(child.message.as_str()));
        for snippet in snippets(&child.spans, files) {
            group = if suggestion {
                group.element(snippet.patched())
            } else {
                group.element(snippet.annotated())
            };
        }
        groups.push(group);
    }
    for hint in hints {
        main = main.element(Level::HELP.message(hint.as_str()));
    }
    groups.insert(0, main);
    Renderer::styled().render(&groups)
}

/// The imports that the compiler proposes: `consider importing this struct: …`.
fn imports(advice: &Diagnostic) -> Option<String> {
    let lines: Vec<&str> = advice
        .spans
        .iter()
        .filter_map(|span| Some(span.suggested_replacement.as_deref()?.trim()))
        .filter(|line| line.starts_with("use ") && line.ends_with(';'))
        .take(IMPORTS_SHOWN)
        .collect();
    (!lines.is_empty()).then(|| format!("{}: {}", advice.message, lines.join(" ")))
}

/// Whether a message points into this cell.
pub fn is_about(diagnostic: &Diagnostic, label: &str, files: &[SourceFile]) -> bool {
    diagnostic.spans.iter().filter(|span| span.is_primary).any(|span| {
        place(span, files)
            .is_some_and(|place| place.file.cell.as_ref().is_some_and(|cell| cell.label == label))
    })
}

/// A span in a cell.
pub struct Place<'a> {
    /// The generated file that contains it.
    pub file: &'a SourceFile,
    /// Bytes in the cell.
    pub range: Range<usize>,
    span: &'a Span,
}

/// The position of a span in a cell. For a span inside a library's macro, the position of the macro call.
pub fn place<'a>(span: &'a Span, files: &'a [SourceFile]) -> Option<Place<'a>> {
    let mut here = span;
    loop {
        if let Some(file) = files.iter().find(|file| file.name == here.file_name) {
            let range = file.original(&(here.byte_start..here.byte_end))?;
            return Some(Place { file, range, span });
        }
        here = &here.expansion.as_ref()?.span;
    }
}

fn places<'a>(spans: &'a [Span], files: &'a [SourceFile]) -> Vec<Place<'a>> {
    spans.iter().filter_map(|span| place(span, files)).collect()
}

/// The spans in one cell, or one span in a library's file.
struct Shown<'a> {
    path: &'a str,
    source: Cow<'a, str>,
    first_line: usize,
    marks: Vec<(Range<usize>, &'a Span)>,
}

fn snippets<'a>(spans: &'a [Span], files: &'a [SourceFile]) -> Vec<Shown<'a>> {
    let mut shown: Vec<Shown<'a>> = Vec::new();
    let mut ordered: Vec<&Span> = spans.iter().collect();
    ordered.sort_by_key(|span| !span.is_primary);
    for span in ordered {
        if let Some(place) = place(span, files) {
            let Some(cell) = &place.file.cell else { continue };
            let mark = (place.range, place.span);
            match shown.iter_mut().find(|shown| shown.path == cell.label) {
                Some(shown) => shown.marks.push(mark),
                None => shown.push(Shown {
                    path: &cell.label,
                    source: Cow::Borrowed(&cell.code),
                    first_line: 1,
                    marks: vec![mark],
                }),
            }
        } else if !files.iter().any(|file| file.name == span.file_name)
            && span.expansion.is_none()
            && let Some(line) = span.text.first()
        {
            let start = byte_of(&line.text, line.highlight_start);
            let end =
                if span.text.len() == 1 { byte_of(&line.text, line.highlight_end) } else { line.text.len() };
            shown.push(Shown {
                path: library_file(&span.file_name),
                source: Cow::Borrowed(&line.text),
                first_line: span.line_start,
                marks: vec![(start..end.max(start), span)],
            });
        }
    }
    shown
}

fn byte_of(line: &str, column: usize) -> usize {
    line.char_indices().nth(column.saturating_sub(1)).map_or(line.len(), |(at, _)| at)
}

impl<'a> Shown<'a> {
    fn annotated(self) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
        let annotations = self.marks.into_iter().map(|(range, span)| {
            let kind = if span.is_primary { AnnotationKind::Primary } else { AnnotationKind::Context };
            let annotation = kind.span(range);
            match &span.label {
                Some(label) => annotation.label(label.as_str()),
                None => annotation,
            }
        });
        Snippet::source(self.source).path(self.path).line_start(self.first_line).annotations(annotations)
    }

    fn patched(self) -> Snippet<'a, Patch<'a>> {
        let patches = self
            .marks
            .into_iter()
            .filter_map(|(range, span)| Some(Patch::new(range, span.suggested_replacement.as_deref()?)));
        Snippet::source(self.source).path(self.path).line_start(self.first_line).patches(patches)
    }
}

fn level(name: &str) -> Level<'static> {
    match name {
        "warning" => Level::WARNING,
        "note" => Level::NOTE,
        "help" => Level::HELP,
        _ => Level::ERROR,
    }
}
