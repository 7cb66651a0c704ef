use std::collections::{BTreeMap, HashMap};
use std::iter::Peekable;

use proc_macro2::{Group, TokenStream, TokenTree};
use quote::quote;

/// The types of the variables passed to `partita_cell::probe`, by the number in the call.
///
/// MIR prints them fully qualified where it declares the call's argument. The compiler's messages shorten
/// paths, and rust-analyzer does not see `partita`, so neither would do.
pub fn probed(mir: &str) -> BTreeMap<usize, String> {
    let mut types = BTreeMap::new();
    let mut locals: HashMap<&str, &str> = HashMap::new();
    for line in mir.lines() {
        if line.starts_with("fn ") {
            locals.clear();
        }
        let line = line.trim();
        if let Some((local, declared)) = declaration(line) {
            locals.insert(local, declared);
        } else if let Some((number, argument)) = probe_call(line) {
            let declared = locals.get(argument).and_then(|declared| declared.strip_prefix('&'));
            types.extend(declared.map(|declared| (number, declared.to_owned())));
        }
    }
    types
}

/// `let mut _3: &Vec<u8>;`
fn declaration(line: &str) -> Option<(&str, &str)> {
    let declaration = line.strip_prefix("let ")?.strip_suffix(';')?;
    declaration.strip_prefix("mut ").unwrap_or(declaration).split_once(": ")
}

/// `_8 = probe::<0, Vec<u8>>(copy _9) -> [return: bb7, unwind: bb56];`
fn probe_call(line: &str) -> Option<(usize, &str)> {
    let call = &line[line.find("probe::<")? + "probe::<".len()..];
    let number = call.split(',').next()?.parse().ok()?;
    let end = call.rfind(") -> ")?;
    let argument = &call[call[..end].rfind('(')? + 1..end];
    Some((number, argument.rsplit(' ').next()?))
}

/// The type in a form that is valid in a `let`, in a function's parameters and in a call's generics:
/// lifetimes that the compiler leaves out become `'static`, the only one that a stored variable can have.
pub fn writable(printed: &str) -> String {
    // Text that is not tokens cannot be written as a type; the compiler then reports it.
    let tokens = printed.parse::<TokenStream>().map(with_static_lifetimes);
    tokens.map_or_else(|_| printed.to_owned(), |tokens| tokens.to_string())
}

fn with_static_lifetimes(tokens: TokenStream) -> TokenStream {
    let mut written = TokenStream::new();
    let mut tokens = tokens.into_iter().peekable();
    let mut after_function = false;
    while let Some(token) = tokens.next() {
        let is_function =
            matches!(&token, TokenTree::Ident(name) if FUNCTIONS.iter().any(|known| name == known));
        match token {
            // In a function's signature an omitted lifetime means any lifetime.
            TokenTree::Group(group) if after_function => {
                written.extend([TokenTree::Group(group)]);
                copy_return_type(&mut tokens, &mut written);
            }
            TokenTree::Group(group) => {
                let inside = with_static_lifetimes(group.stream());
                written.extend([TokenTree::Group(Group::new(group.delimiter(), inside))]);
            }
            TokenTree::Punct(mark) if mark.as_char() == '&' => {
                let named = matches!(tokens.peek(), Some(TokenTree::Punct(next)) if next.as_char() == '\'');
                written.extend(if named { quote!(&) } else { quote!(&'static) });
            }
            TokenTree::Punct(mark) if mark.as_char() == '\'' => match tokens.next() {
                Some(TokenTree::Ident(name)) if name == "_" => written.extend(quote!('static)),
                name => written.extend([Some(TokenTree::Punct(mark)), name].into_iter().flatten()),
            },
            token => written.extend([token]),
        }
        after_function = is_function;
    }
    written
}

const FUNCTIONS: [&str; 4] = ["fn", "Fn", "FnMut", "FnOnce"];

/// Copies `-> T` unchanged.
fn copy_return_type(tokens: &mut Peekable<impl Iterator<Item = TokenTree>>, written: &mut TokenStream) {
    let mut brackets = 0;
    let mut arrow = 0;
    while let Some(token) = tokens.peek() {
        let mark = if let TokenTree::Punct(mark) = token { mark.as_char() } else { ' ' };
        match (arrow, mark) {
            (0, '-') | (1, '>') => arrow += 1,
            (0, _) => return,
            (_, ',' | '+' | '>') if brackets == 0 => return,
            (_, '<') => brackets += 1,
            (_, '>') => brackets -= 1,
            _ => {}
        }
        written.extend(tokens.next());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIR: &str = "\
fn other() -> () {
    let _9: u8;
}

fn wrapper::{closure#0}(_1: {closure@src/lib.rs:1:1: 2:2}) -> Result<(), Failure> {
    let mut _0: std::result::Result<(), Failure>;
    let _9: &partita::prelude::DataFrame;
    let mut _17: &std::collections::HashMap<std::string::String, &str>;
    scope 1 {
        let _22: &{closure@src/lib.rs:3:4: 5:6};
    }

    bb6: {
        _8 = probe::<0, DataFrame>(copy _9) -> [return: bb7, unwind: bb56];
        _16 = partita_cell::probe::<1, HashMap<String, &str>>(move _17) -> [return: bb8, unwind: bb53];
        _21 = probe::<2, {closure@src/lib.rs:3:4: 5:6}>(copy _22) -> [return: bb9, unwind continue];
    }
}
";

    #[test]
    fn a_probed_variable_has_the_qualified_type_of_its_own_function() {
        let types = probed(MIR);
        assert_eq!(types[&0], "partita::prelude::DataFrame");
        assert_eq!(types[&1], "std::collections::HashMap<std::string::String, &str>");
        assert_eq!(types[&2], "{closure@src/lib.rs:3:4: 5:6}");
    }

    #[test]
    fn lifetimes_are_static_but_for_those_of_functions() {
        let plain = |text: &str| writable(text).replace(' ', "");
        assert_eq!(plain("Option<std::str::Chars<'_>>"), "Option<std::str::Chars<'static>>");
        assert_eq!(plain("for<'a> fn(&'a str) -> &'a str"), "for<'a>fn(&'astr)->&'astr");
        assert_eq!(plain("Box<dyn Fn(&str) -> Vec<&u8>>"), "Box<dynFn(&str)->Vec<&u8>>");
        assert_eq!(
            plain("(fn(&u8) -> &u8, &[&u8], &'a mut u8)"),
            "(fn(&u8)->&u8,&'static[&'staticu8],&'amutu8)"
        );
    }
}
