//! Types as the compiler prints them: read from its MIR, shortened for people, and checked whether the
//! next cell can write them.

use std::collections::HashMap;

use proc_macro2::{TokenStream, TokenTree};

const KEPT: &str = "partita::evaluation::Kept<";

/// The types of the generated locals `__kept_0`, `__kept_1`, … by their number. MIR declares each as
/// `let _54: partita::evaluation::Kept<TYPE>;` and names it with `debug __kept_0 => _54;`.
pub fn kept_types(mir: &str) -> HashMap<usize, String> {
    let mut locals = HashMap::new();
    let mut types = HashMap::new();
    for line in mir.lines().map(str::trim) {
        if let Some(declaration) = line.strip_prefix("let ") {
            let declaration = declaration.strip_prefix("mut ").unwrap_or(declaration);
            if let Some((local, ty)) = declaration.split_once(": ")
                && let Some(inner) = ty.strip_prefix(KEPT).and_then(|ty| ty.strip_suffix(">;"))
            {
                locals.insert(local, inner);
            }
        } else if let Some(debug) = line.strip_prefix("debug __kept_")
            && let Some((number, local)) = debug.trim_end_matches(';').split_once(" => ")
            && let (Ok(number), Some(ty)) = (number.parse(), locals.get(local))
        {
            types.insert(number, (*ty).to_owned());
        }
    }
    types
}

/// The type of the local variable `name`.
pub fn type_of_local<'a>(mir: &'a str, name: &str) -> Option<&'a str> {
    let mut locals = HashMap::new();
    for line in mir.lines().map(str::trim) {
        if let Some(declaration) = line.strip_prefix("let ") {
            let declaration = declaration.strip_prefix("mut ").unwrap_or(declaration);
            if let Some((local, ty)) = declaration.split_once(": ") {
                locals.insert(local, ty.trim_end_matches(';'));
            }
        } else if let Some((found, local)) = line.strip_prefix("debug ").and_then(|it| it.split_once(" => "))
            && found == name
        {
            return locals.get(local.trim_end_matches(';')).copied();
        }
    }
    None
}

/// The reason why a value of this type cannot become a variable of a later cell, if there is one.
pub fn unwritable(ty: &str) -> Option<&'static str> {
    if ty.contains("{closure@") {
        Some("it holds a closure, whose type has no name; write a `fn`, or use it in the same cell")
    } else if ty.contains("{async") || ty.contains("{coroutine") || ty.contains("{gen") {
        Some(
            "it holds a future, whose type has no name; `.await` it in the same cell, or box it as `Pin<Box<dyn Future<Output = …>>>`",
        )
    } else if ty.contains("impl ") {
        Some(
            "its type is an `impl Trait`, which has no name; collect it into a `Vec`, box it as `Box<dyn …>`, or use it in the same cell",
        )
    } else if ty.contains(" {") {
        Some(
            "it holds a function item, whose type has no name; write the type as a pointer, like `let f: fn(i32) -> i32 = …`",
        )
    } else {
        None
    }
}

/// Shortens `std::vec::Vec<partita::prelude::DataFrame>` to `Vec<DataFrame>`.
pub fn short(ty: &str) -> String {
    let mut text = String::with_capacity(ty.len());
    let mut rest = ty;
    while let Some(c) = rest.chars().next() {
        if c.is_alphanumeric() || c == '_' {
            let end = rest.find(|c: char| !(c.is_alphanumeric() || c == '_')).unwrap_or(rest.len());
            let (word, after) = rest.split_at(end);
            match after.strip_prefix("::") {
                Some(path) if path.starts_with(|c: char| c.is_alphabetic() || c == '_') => rest = path,
                _ => {
                    text.push_str(word);
                    rest = after;
                }
            }
        } else {
            text.push(c);
            rest = &rest[c.len_utf8()..];
        }
    }
    text
}

/// The first name of each path in a type, which is how a cell's own items appear there.
pub fn first_names(ty: &str) -> Vec<String> {
    fn visit(tokens: TokenStream, first_names: &mut Vec<String>) {
        let mut after_colon = false;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if !after_colon => first_names.push(ident.to_string()),
                TokenTree::Group(group) => visit(group.stream(), first_names),
                TokenTree::Punct(punct) => {
                    after_colon = punct.as_char() == ':';
                    continue;
                }
                _ => {}
            }
            after_colon = false;
        }
    }
    let mut first_names = Vec::new();
    if let Ok(tokens) = ty.parse() {
        visit(tokens, &mut first_names);
    }
    first_names
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_are_read_from_mir_with_their_nesting() {
        let mir = "\
            let _54: partita::evaluation::Kept<partita::prelude::DataFrame>;\n\
            scope 2 {\n debug __kept_0 => _54;\n\
            let _56: partita::evaluation::Kept<std::collections::HashMap<std::string::String, (u8, Point)>>;\n\
            scope 3 {\n debug __kept_1 => _56;\n";
        let types = kept_types(mir);
        assert_eq!(types[&0], "partita::prelude::DataFrame");
        assert_eq!(types[&1], "std::collections::HashMap<std::string::String, (u8, Point)>");
    }

    #[test]
    fn the_type_of_one_local_is_found_in_the_function_that_has_it() {
        let mir = "fn a() {\n let _5: i32;\n debug other => _5;\n}\nfn b() {\n let mut _5: &std::string::String;\n \
                   scope 1 {\n debug asked => _5;\n }\n}\n";
        assert_eq!(type_of_local(mir, "asked"), Some("&std::string::String"));
        assert_eq!(type_of_local(mir, "nobody"), None);
    }

    #[test]
    fn types_are_shortened_and_their_own_names_found() {
        let ty = "std::collections::HashMap<std::string::String, (u8, shapes::Point)>";
        assert_eq!(short(ty), "HashMap<String, (u8, Point)>");
        let first_names = first_names(ty);
        assert!(
            first_names.contains(&"shapes".to_owned()) && !first_names.contains(&"Point".to_owned()),
            "{first_names:?}"
        );
    }

    #[test]
    fn closures_and_function_items_cannot_be_written() {
        assert!(unwritable("{closure@cell 1:1:9: 1:12}").is_some());
        assert!(unwritable("fn(i32) -> i32 {two}").is_some());
        assert!(unwritable("for<'a> fn(&'a str) -> &'a str").is_none());
        assert!(unwritable("std::boxed::Box<dyn std::error::Error>").is_none());
    }
}
