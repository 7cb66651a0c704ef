use std::{collections::BTreeSet, ops::Range, sync::Arc};

use quote::ToTokens;
use syn::{Item, UseTree, spanned::Spanned};

use super::source::CellSource;
use crate::interpreter::split::{SplitItem, collect_named};

/// An item (or one name of a `use`) that later cells see.
#[derive(Debug, Clone)]
pub struct KeptItem {
    /// The cell that it was written in.
    pub cell: Arc<CellSource>,
    /// Where in that cell.
    pub range: Range<usize>,
    /// Stretches inside that a later cell has redefined.
    pub holes: Vec<Range<usize>>,
    /// What kind of item.
    pub kind: Kind,
    /// The names it brings into scope.
    pub names: Vec<String>,
    key: String,
    tokens: String,
    mentions: BTreeSet<String>,
    decides: Decides,
}

/// What an item decides about the layout of values, be it by way of other items.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Decides {
    /// For these names; an impl's are those of its trait and type.
    names: BTreeSet<String>,
    /// By what: all of the item, but of an impl only associated types, constants and `const fn`s.
    tokens: String,
    /// What that mentions.
    mentions: BTreeSet<String>,
    /// Whether it is an enum, whose glob brings no types.
    is_enum: bool,
}

/// What matters about an item's kind.
#[derive(Debug, Clone)]
pub enum Kind {
    /// One name of a `use`, written out on its own.
    Use(String),
    /// A `macro_rules!`; its scope is textual, so it stands before everything else.
    Macro,
    /// A static, whose one instance lives in the process.
    Static(Static),
    /// Decides what values look like in memory: types, constants, and macros that may make them.
    Layout,
    /// Methods of a type, by name, each of which may be redefined.
    InherentImpl(Vec<(String, Range<usize>)>),
    /// Functions and trait implementations.
    Code,
}

/// A static and where its one instance is.
#[derive(Debug, Clone)]
pub struct Static {
    /// Its declaration up to the initial value: `pub static mut N: u32`.
    pub declaration: String,
    /// Whether reading it is unsafe.
    pub mutable: bool,
    /// The symbol that the process has it under, once a cell that defines it has run.
    pub symbol: Option<String>,
}

/// What a cell changes about the names already there.
#[derive(Debug, Default)]
pub struct Changes {
    /// Names whose meaning is no longer what it was, directly or through what they are made of; with
    /// `dyn` among them when a type that was there before may have another layout now, because any
    /// type may be behind a `dyn`.
    pub affected: BTreeSet<String>,
}

/// The items that the next cell sees. Cloned for every cell, and kept only if the cell succeeds.
#[derive(Debug, Clone, Default)]
pub struct Items {
    /// In the order of definition.
    pub kept: Vec<KeptItem>,
}

impl Items {
    /// Adds a cell's items, replacing what they redefine.
    pub fn add(&mut self, cell: &Arc<CellSource>, items: &[SplitItem]) -> Changes {
        let mut changes = Changes::default();
        let before: BTreeSet<String> = self
            .kept
            .iter()
            .filter(|item| matches!(item.kind, Kind::Layout))
            .flat_map(|item| item.names.iter().cloned())
            .collect();
        let globs = self.globs();
        let mut functions = BTreeSet::new();
        let fresh: Vec<KeptItem> = items.iter().flat_map(|item| describe(cell, item)).collect();
        for mut item in fresh {
            let mut same = false;
            let mut redecided = BTreeSet::new();
            self.kept.retain_mut(|old| {
                if Arc::ptr_eq(&old.cell, cell) {
                    // Twice in one cell is the compiler's to refuse.
                    return true;
                }
                if old.key == item.key {
                    if old.decides != item.decides {
                        redecided.extend(old.decides.names.iter().cloned());
                        redecided.extend(item.decides.names.iter().cloned());
                    }
                    if old.tokens == item.tokens {
                        same = true;
                        if let (Kind::Static(old), Kind::Static(new)) = (&old.kind, &mut item.kind) {
                            new.symbol.clone_from(&old.symbol);
                        }
                    }
                    return false;
                }
                let had = old.holes.len();
                let empty = old.yields_methods_to(&item);
                if old.holes.len() > had && old.decides != item.decides {
                    redecided.extend(item.decides.names.iter().cloned());
                }
                !empty
            });
            match &item.kind {
                _ if same => {}
                // A function takes over a variable's name, and nothing else.
                Kind::Code => functions.extend(item.names.iter().cloned()),
                _ => changes.affected.extend(item.names.iter().cloned()),
            }
            changes.affected.extend(redecided);
            self.kept.push(item);
        }
        self.spread(&mut changes.affected, &globs);
        if !changes.affected.is_disjoint(&before) {
            changes.affected.insert("dyn".to_owned());
            self.spread(&mut changes.affected, &globs);
        }
        changes.affected.extend(functions);
        // A static of a type that changed begins anew.
        for item in &mut self.kept {
            if let Kind::Static(item_static) = &mut item.kind
                && item.mentions.iter().any(|name| changes.affected.contains(name))
            {
                item_static.symbol = None;
            }
        }
        changes
    }

    /// Takes out an item that does not fit what a cell has defined, and notes what was made with it.
    pub fn remove(&mut self, index: usize, changes: &mut Changes) -> KeptItem {
        let item = self.kept.remove(index);
        if !item.decides.names.is_empty() {
            changes.affected.extend(item.decides.names.iter().cloned());
            changes.affected.insert("dyn".to_owned());
            self.spread(&mut changes.affected, &self.globs());
        }
        item
    }

    /// The keys of the glob imports that may bring types.
    fn globs(&self) -> BTreeSet<String> {
        let enums: BTreeSet<&String> =
            self.kept.iter().filter(|item| item.decides.is_enum).flat_map(|item| &item.names).collect();
        let brings_types = |item: &&KeptItem| {
            let path = item.key.strip_suffix("::*").map(|path| path.rsplit("::").next().unwrap_or(path));
            path.is_some_and(|target| !enums.contains(&target.to_owned()))
        };
        let globs = self.kept.iter().filter(|item| matches!(item.kind, Kind::Use(_)));
        globs.filter(brings_types).map(|item| item.key.clone()).collect()
    }

    /// Follows what a name's meaning depends on: a struct changes with its fields' types, and an
    /// import with what it imports. `globs` are those that were there before.
    fn spread(&self, affected: &mut BTreeSet<String>, globs: &BTreeSet<String>) {
        let local: BTreeSet<&String> = self.kept.iter().flat_map(|item| &item.names).collect();
        loop {
            let before = affected.len();
            for item in &self.kept {
                let reached =
                    |name: &String| affected.contains(name) || affected.contains(&format!("{name}!"));
                if !item.decides.mentions.iter().any(reached) {
                    continue;
                }
                if globs.contains(&item.key) {
                    // It may bring any name, and so be in any type.
                    let types = self.kept.iter().filter(|item| matches!(item.kind, Kind::Layout));
                    affected.extend(types.flat_map(|item| item.names.iter().cloned()));
                }
                // What is not from a cell stays what it is.
                affected.extend(item.decides.names.iter().filter(|name| local.contains(name)).cloned());
            }
            if affected.len() == before {
                return;
            }
        }
    }

    /// The process that held the statics is gone: the next cell defines them anew.
    pub fn forget_statics(&mut self) {
        for item in &mut self.kept {
            if let Kind::Static(item) = &mut item.kind {
                item.symbol = None;
            }
        }
    }
}

impl KeptItem {
    /// Gives up the methods that `newer` defines for the same type; whether nothing is left.
    fn yields_methods_to(&mut self, newer: &KeptItem) -> bool {
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

    /// Whether there is a definition to compile before the process has it.
    pub fn is_undefined_static(&self) -> bool {
        matches!(&self.kind, Kind::Static(Static { symbol: None, .. }))
    }

    /// Whether it is `struct NAME;`, which a pattern means by its name.
    pub fn is_unit_struct(&self, name: &str) -> bool {
        self.key == name && self.tokens.ends_with(&format!("struct {name} ;"))
    }

    /// How a notice calls it.
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

fn describe(cell: &Arc<CellSource>, split: &SplitItem) -> Vec<KeptItem> {
    let tokens = split.item.to_token_stream();
    let mut mentions = BTreeSet::new();
    collect_named(tokens.clone(), &mut mentions);
    let make = |kind, names: Vec<String>, key: String| KeptItem {
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

/// `thread_local! { static N: … }` makes `N`; any other macro may make what it mentions.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interpreter::split::split;

    fn add(items: &mut Items, code: &str) -> Changes {
        let cell = Arc::new(CellSource { label: "cell".into(), code: code.into() });
        items.add(&cell, &split(code).unwrap().items)
    }

    #[test]
    fn a_struct_changes_with_the_types_of_its_fields() {
        let mut items = Items::default();
        add(&mut items, "type Unit = i32; struct Point { x: Unit } struct Line(Point, Point); struct Other;");
        let changes = add(&mut items, "type Unit = i64;");
        assert!(["Unit", "Point", "Line"].iter().all(|name| changes.affected.contains(*name)), "{changes:?}");
        assert!(!changes.affected.contains("Other"));
        assert_eq!(items.kept.len(), 4);
    }

    #[test]
    fn the_same_cell_again_changes_nothing() {
        let mut items = Items::default();
        let code = "struct Point { x: i32 } impl Point { fn x(&self) -> i32 { self.x } } use std::fmt::{self, Debug};";
        add(&mut items, code);
        let changes = add(&mut items, code);
        assert!(changes.affected.is_empty(), "{changes:?}");
        assert_eq!(items.kept.len(), 4);
    }

    #[test]
    fn a_method_redefined_leaves_its_neighbours_alone() {
        let mut items = Items::default();
        add(&mut items, "struct P; impl P { fn a(&self) {} fn b(&self) {} }");
        add(&mut items, "impl P { fn b(&self) -> i32 { 1 } }");
        assert_eq!(items.kept.len(), 3);
        assert_eq!(items.kept[1].holes.len(), 1);
        add(&mut items, "impl P { fn a(&self) -> i32 { 1 } }");
        assert_eq!(items.kept.len(), 3, "the first block is empty now");
    }

    #[test]
    fn a_later_import_of_the_same_name_wins() {
        let mut items = Items::default();
        add(&mut items, "use std::fmt::{Result, Write as _, *};");
        add(&mut items, "use std::io::Result;");
        let uses: Vec<String> = items.kept.iter().map(|item| item.tokens.trim().to_owned()).collect();
        assert_eq!(uses, ["use std::fmt::Write as _;", "use std::fmt::*;", "use std::io::Result;"]);
    }
}
