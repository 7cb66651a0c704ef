//! What later cells must know about an item: its position, its names, what it mentions, and what it
//! decides about the layout of values.

use std::{collections::BTreeSet, ops::Range, sync::Arc};

use quote::ToTokens;
use syn::{Item, UseTree, spanned::Spanned};

use super::opt_level::{self, Hotness};
use crate::source::{CellSource, SplitItem, collect_named};

/// An item (or one name of a `use`) that later cells see.
#[derive(Debug, Clone)]
pub struct KeptItem {
    /// The cell that it was written in.
    pub cell: Arc<CellSource>,
    /// Its range in that cell.
    pub range: Range<usize>,
    /// Parts of it that a later cell has redefined.
    pub holes: Vec<Range<usize>>,
    /// The kind of item.
    pub kind: Kind,
    /// The names it brings into scope.
    pub names: Vec<String>,
    /// How long it may run when called.
    pub hotness: Hotness,
    pub(super) key: String,
    pub(super) tokens: String,
    pub(super) mentions: BTreeSet<String>,
    pub(super) decides: Decides,
}

/// What an item decides about the layout of values, directly or through other items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Decides {
    /// The names concerned; for an impl, those of its trait and type.
    pub(super) names: BTreeSet<String>,
    /// What decides: the whole item, but only the associated types, constants and `const fn`s of an impl.
    pub(super) tokens: String,
    /// The names mentioned there.
    pub(super) mentions: BTreeSet<String>,
    /// Whether it is an enum; a glob import of an enum brings no types.
    pub(super) is_enum: bool,
}

/// What matters about an item's kind.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One name of a `use`, written out by itself.
    Use(String),
    /// A `macro_rules!`. Its scope is textual, so it comes before everything else.
    Macro,
    /// A static, which has one instance in the process.
    Static(Static),
    /// Decides the memory layout of values: types, constants, and macros that may define them.
    Layout,
    /// Methods of a type, by name. Each can be redefined separately.
    InherentImpl(Vec<(String, Range<usize>)>),
    /// Functions and trait implementations.
    Code,
}

/// A static and the location of its one instance.
#[derive(Debug, Clone)]
pub struct Static {
    /// Its declaration up to the initial value: `pub static mut N: u32`.
    pub declaration: String,
    /// Whether reading it is unsafe.
    pub mutable: bool,
    /// Its symbol in the process, once a cell that defines it has run.
    pub symbol: Option<String>,
}

impl KeptItem {
    /// Drops the methods that `newer` defines for the same type. Returns whether nothing is left.
    pub(super) fn yields_methods_to(&mut self, newer: &KeptItem) -> bool {
        let (Kind::InherentImpl(mine), Kind::InherentImpl(theirs)) = (&mut self.kind, &newer.kind) else {
            return false;
        };
        if !same_type(&self.key, &newer.key) {
            return false;
        }
        let holes = &mut self.holes;
        let had = mine.len();
        mine.retain(|(name, range)| {
            let redefined = theirs.iter().any(|(other, _)| other == name);
            if redefined {
                holes.push(range.clone());
            }
            !redefined
        });
        had > 0 && mine.is_empty()
    }

    /// Whether it is a static that the process does not have yet, so its definition must be compiled.
    pub fn is_undefined_static(&self) -> bool {
        matches!(&self.kind, Kind::Static(Static { symbol: None, .. }))
    }

    /// Whether it is `struct NAME;`, which a pattern can match by name.
    pub fn is_unit_struct(&self, name: &str) -> bool {
        self.key == name && self.tokens.ends_with(&format!("struct {name} ;"))
    }

    /// The item as named in notices.
    pub fn describe(&self) -> String {
        match self.names.first() {
            Some(name) => format!("`{name}`"),
            None => format!("`{}`", self.key.split(" #").next().unwrap_or(&self.key)),
        }
    }
}

/// Keys of inherent impls are `impl TYPE #n`, unique by `n`.
fn same_type(one: &str, other: &str) -> bool {
    one.split(" #").next() == other.split(" #").next()
}

/// The items that later cells see for one item of a cell: a `use` of several names becomes several.
pub(super) fn describe(cell: &Arc<CellSource>, split: &SplitItem) -> Vec<KeptItem> {
    let tokens = split.item.to_token_stream();
    let mut mentions = BTreeSet::new();
    collect_named(tokens.clone(), &mut mentions);
    let hotness = opt_level::of_item(&split.item);
    let make = |kind, names: Vec<String>, key: String| KeptItem {
        hotness,
        cell: Arc::clone(cell),
        range: split.range.clone(),
        holes: Vec::new(),
        decides: match kind {
            Kind::Code | Kind::InherentImpl(_) => Decides::default(),
            _ => Decides {
                names: names.iter().cloned().collect(),
                tokens: tokens.to_string(),
                mentions: mentions.clone(),
                is_enum: matches!(split.item, Item::Enum(_)),
            },
        },
        kind,
        names,
        key,
        tokens: tokens.to_string(),
        mentions: mentions.clone(),
    };
    let named = |kind, ident: &syn::Ident| {
        let name = ident.to_string();
        vec![make(kind, vec![name.clone()], name)]
    };
    match &split.item {
        Item::Fn(item) if item.sig.constness.is_some() => named(Kind::Layout, &item.sig.ident),
        Item::Fn(item) => named(Kind::Code, &item.sig.ident),
        Item::Struct(item) => named(Kind::Layout, &item.ident),
        Item::Enum(item) => named(Kind::Layout, &item.ident),
        Item::Union(item) => named(Kind::Layout, &item.ident),
        Item::Trait(item) => named(Kind::Layout, &item.ident),
        Item::TraitAlias(item) => named(Kind::Layout, &item.ident),
        Item::Type(item) => named(Kind::Layout, &item.ident),
        Item::Mod(item) => named(Kind::Layout, &item.ident),
        Item::ExternCrate(item) => {
            named(Kind::Layout, item.rename.as_ref().map_or(&item.ident, |(_, ident)| ident))
        }
        Item::Const(item) if item.ident == "_" => vec![make(Kind::Code, vec![], tokens.to_string())],
        Item::Const(item) => named(Kind::Layout, &item.ident),
        Item::Static(item) => {
            let mutable = matches!(item.mutability, syn::StaticMutability::Mut(_));
            let (keyword, ident, ty) =
                (if mutable { "static mut" } else { "static" }, &item.ident, item.ty.to_token_stream());
            let declaration = format!("{keyword} {ident}: {ty}");
            named(Kind::Static(Static { declaration, mutable, symbol: None }), ident)
        }
        Item::Macro(item) => match &item.ident {
            Some(ident) => vec![make(Kind::Macro, vec![format!("{ident}!")], format!("{ident}!"))],
            None => {
                let names = names_in_macro(&mentions, &tokens.to_string());
                vec![make(Kind::Layout, names, tokens.to_string())]
            }
        },
        Item::Impl(item) => vec![KeptItem { decides: decided_by_impl(item), ..describe_impl(item, &make) }],
        Item::Use(item) => {
            let mut leaves = Vec::new();
            let root = if item.leading_colon.is_some() { "::" } else { "" };
            flatten(&item.tree, root, &mut leaves);
            let make_leaf = |leaf: Leaf| {
                let attributes: String =
                    item.attrs.iter().map(|attribute| attribute.to_token_stream().to_string()).collect();
                let text = format!("{attributes}{} use {};", item.vis.to_token_stream(), leaf.path);
                let key = leaf.name.clone().unwrap_or_else(|| leaf.path.clone());
                let mut kept = make(Kind::Use(text.clone()), leaf.name.into_iter().collect(), key);
                kept.decides.tokens.clone_from(&text);
                kept.tokens = text;
                kept
            };
            leaves.into_iter().map(make_leaf).collect()
        }
        _ => vec![make(Kind::Code, vec![], tokens.to_string())],
    }
}

fn describe_impl(item: &syn::ItemImpl, make: &impl Fn(Kind, Vec<String>, String) -> KeptItem) -> KeptItem {
    let generics = item.generics.to_token_stream();
    let ty = item.self_ty.to_token_stream();
    if let Some((_, path, _)) = &item.trait_ {
        let key = format!("impl{generics} {} for {ty}", path.to_token_stream());
        return make(Kind::Code, vec![], key);
    }
    let members = item
        .items
        .iter()
        .filter_map(|member| {
            let ident = match member {
                syn::ImplItem::Fn(member) => &member.sig.ident,
                syn::ImplItem::Const(member) => &member.ident,
                syn::ImplItem::Type(member) => &member.ident,
                _ => return None,
            };
            Some((ident.to_string(), member.span().byte_range()))
        })
        .collect::<Vec<_>>();
    let list: Vec<&str> = members.iter().map(|(name, _)| name.as_str()).collect();
    let key = format!("impl{generics} {ty} #{}", list.join(" "));
    make(Kind::InherentImpl(members), vec![], key)
}

fn decided_by_impl(item: &syn::ItemImpl) -> Decides {
    let deciding = item.items.iter().filter(|member| match member {
        syn::ImplItem::Fn(member) => member.sig.constness.is_some(),
        _ => true,
    });
    let mut decides = Decides::default();
    for member in deciding {
        decides.tokens.push_str(&member.to_token_stream().to_string());
        collect_named(member.to_token_stream(), &mut decides.mentions);
    }
    if !decides.tokens.is_empty() {
        collect_named(item.self_ty.to_token_stream(), &mut decides.names);
        if let Some((_, path, _)) = &item.trait_ {
            collect_named(path.to_token_stream(), &mut decides.names);
        }
    }
    decides
}

/// `thread_local! { static N: … }` defines `N`; any other macro may define what it mentions.
fn names_in_macro(mentions: &BTreeSet<String>, tokens: &str) -> Vec<String> {
    let words: Vec<&str> = tokens.split_whitespace().collect();
    let statics: Vec<String> = words
        .windows(2)
        .filter(|pair| pair[0] == "static" || pair[0] == "ref")
        .map(|pair| pair[1].to_owned())
        .filter(|name| mentions.contains(name))
        .collect();
    if statics.is_empty() { mentions.iter().cloned().collect() } else { statics }
}

struct Leaf {
    path: String,
    name: Option<String>,
}

fn flatten(tree: &UseTree, prefix: &str, leaves: &mut Vec<Leaf>) {
    match tree {
        UseTree::Path(path) => flatten(&path.tree, &format!("{prefix}{}::", path.ident), leaves),
        UseTree::Name(name) if name.ident == "self" => {
            let path = prefix.trim_end_matches("::").to_owned();
            let name = path.rsplit("::").next().map(str::to_owned);
            leaves.push(Leaf { path, name });
        }
        UseTree::Name(name) => {
            leaves.push(Leaf { path: format!("{prefix}{}", name.ident), name: Some(name.ident.to_string()) });
        }
        UseTree::Rename(rename) => {
            let source = if rename.ident == "self" {
                prefix.trim_end_matches("::").to_owned()
            } else {
                format!("{prefix}{}", rename.ident)
            };
            let name = (rename.rename != "_").then(|| rename.rename.to_string());
            leaves.push(Leaf { path: format!("{source} as {}", rename.rename), name });
        }
        UseTree::Glob(_) => leaves.push(Leaf { path: format!("{prefix}*"), name: None }),
        UseTree::Group(group) => group.items.iter().for_each(|tree| flatten(tree, prefix, leaves)),
    }
}
