use std::{collections::BTreeMap, ops::Range};

use syn::{
    Attribute, Expr, Fields, ImplItem, Item, Lit, Meta, TraitItem, Type, Visibility, punctuated::Punctuated,
    spanned::Spanned,
};

use super::{
    index::{Group, Member, Page},
    kind::Kind,
};

/// The person's own items, parsed from their source into the same form as the index.
#[derive(Debug, Default)]
pub struct UserItems {
    /// By name.
    pub pages: BTreeMap<String, (Kind, Page)>,
    /// The `impl` blocks, each with the name of its type; `*` for a type parameter.
    pub impls: Vec<(String, Group)>,
    /// The names of imports and what they refer to; a glob has the name `*`.
    pub imports: Vec<(String, String)>,
}

impl UserItems {
    /// Adds the items of a source text. What cannot be parsed is skipped.
    pub fn add(&mut self, source: &str) {
        if let Ok(file) = syn::parse_str::<syn::File>(source) {
            for item in &file.items {
                self.add_item(source, item);
            }
        }
        proc_macro2::extra::invalidate_current_thread_spans();
    }

    fn add_item(&mut self, source: &str, item: &Item) {
        let text = |range: Range<usize>| source.get(range).unwrap_or_default().trim().to_owned();
        let (kind, ident, attributes) = match item {
            Item::Fn(item) => (Kind::Function, item.sig.ident.to_string(), &item.attrs),
            Item::Struct(item) => (Kind::Struct, item.ident.to_string(), &item.attrs),
            Item::Enum(item) => (Kind::Enum, item.ident.to_string(), &item.attrs),
            Item::Union(item) => (Kind::Union, item.ident.to_string(), &item.attrs),
            Item::Trait(item) => (Kind::Trait, item.ident.to_string(), &item.attrs),
            Item::Type(item) => (Kind::Type, item.ident.to_string(), &item.attrs),
            Item::Const(item) => (Kind::Constant, item.ident.to_string(), &item.attrs),
            Item::Static(item) => (Kind::Static, item.ident.to_string(), &item.attrs),
            Item::Mod(item) => (Kind::Module, item.ident.to_string(), &item.attrs),
            Item::Macro(item) => {
                let Some(ident) = &item.ident else { return };
                (Kind::Macro, ident.to_string(), &item.attrs)
            }
            Item::Impl(item) => return self.add_impl(source, item),
            Item::Use(item) => return self.add_import(&item.tree, ""),
            _ => return,
        };
        let start =
            attributes.last().map_or(item.span().byte_range().start, |last| last.span().byte_range().end);
        let whole = item.span().byte_range();
        let end = match item {
            Item::Fn(item) => item.block.span().byte_range().start,
            Item::Mod(item) => item.ident.span().byte_range().end,
            _ => whole.end,
        };
        let mut page = Page { declaration: text(start..end), docs: docs(attributes), ..Page::default() };
        match item {
            Item::Struct(item) => page.groups.push(fields(&item.fields, &text)),
            Item::Enum(item) => {
                let members = item.variants.iter().map(|variant| Member {
                    name: variant.ident.to_string(),
                    kind: Kind::Variant,
                    signature: text(variant.ident.span().byte_range().start..variant.span().byte_range().end),
                    docs: docs(&variant.attrs),
                });
                page.groups.push(Group { members: members.collect(), ..Group::default() });
            }
            Item::Trait(item) => {
                let members = item.items.iter().filter_map(|member| match member {
                    TraitItem::Fn(member) => Some(method(&member.sig, &member.attrs, &text)),
                    _ => None,
                });
                page.groups.push(Group { members: members.collect(), ..Group::default() });
            }
            Item::Mod(item) => {
                for inner in item.content.iter().flat_map(|(_, items)| items) {
                    let mut names = Self::default();
                    names.add_item(source, inner);
                    for (name, page) in names.pages {
                        self.pages.insert(format!("{ident}::{name}"), page);
                    }
                    self.impls.append(&mut names.impls);
                }
            }
            _ => {}
        }
        for name in derived(attributes) {
            let group = Group { of_trait: Some(name), ..Group::default() };
            self.impls.push((ident.clone(), group));
        }
        self.pages.insert(ident, (kind, page));
    }

    fn add_impl(&mut self, source: &str, item: &syn::ItemImpl) {
        let text = |range: Range<usize>| source.get(range).unwrap_or_default().trim().to_owned();
        let Some(head) = head(&item.self_ty) else { return };
        let generic = item.generics.type_params().any(|parameter| parameter.ident == head.as_str());
        let members = item.items.iter().filter_map(|member| match member {
            ImplItem::Fn(member) => {
                let start = match &member.vis {
                    Visibility::Inherited => member.sig.span().byte_range().start,
                    visibility => visibility.span().byte_range().start,
                };
                let mut found = method(&member.sig, &member.attrs, &text);
                found.signature = text(start..member.block.span().byte_range().start);
                Some(found)
            }
            ImplItem::Const(member) => Some(Member {
                name: member.ident.to_string(),
                kind: Kind::Constant,
                signature: text(
                    member.const_token.span().byte_range().start..member.ty.span().byte_range().end,
                ),
                docs: docs(&member.attrs),
            }),
            _ => None,
        });
        let trait_name = item.trait_.as_ref().and_then(|(_, path, _)| path.segments.last());
        let start = item.impl_token.span().byte_range().start;
        let group = Group {
            header: text(start..item.brace_token.span.open().byte_range().start),
            of_trait: trait_name.map(|segment| segment.ident.to_string()),
            members: members.collect(),
        };
        self.impls.push((if generic { "*".to_owned() } else { head }, group));
    }

    fn add_import(&mut self, tree: &syn::UseTree, prefix: &str) {
        match tree {
            syn::UseTree::Path(path) => self.add_import(&path.tree, &format!("{prefix}{}::", path.ident)),
            syn::UseTree::Name(name) if name.ident == "self" => {
                let path = prefix.trim_end_matches("::");
                let name = path.rsplit("::").next().unwrap_or(path);
                self.imports.push((name.to_owned(), path.to_owned()));
            }
            syn::UseTree::Name(name) => {
                self.imports.push((name.ident.to_string(), format!("{prefix}{}", name.ident)));
            }
            syn::UseTree::Rename(rename) => {
                self.imports.push((rename.rename.to_string(), format!("{prefix}{}", rename.ident)));
            }
            syn::UseTree::Glob(_) => {
                self.imports.push(("*".to_owned(), prefix.trim_end_matches("::").to_owned()));
            }
            syn::UseTree::Group(group) => {
                group.items.iter().for_each(|tree| self.add_import(tree, prefix));
            }
        }
    }
}

fn fields(fields: &Fields, text: &impl Fn(Range<usize>) -> String) -> Group {
    let members = fields.iter().enumerate().map(|(number, field)| {
        let name = field.ident.as_ref().map_or_else(|| number.to_string(), ToString::to_string);
        let signature = format!("{name}: {}", text(field.ty.span().byte_range()));
        Member { name, kind: Kind::Field, signature, docs: docs(&field.attrs) }
    });
    Group { members: members.collect(), ..Group::default() }
}

fn method(
    signature: &syn::Signature,
    attributes: &[Attribute],
    text: &impl Fn(Range<usize>) -> String,
) -> Member {
    let kind = if signature.receiver().is_some() { Kind::Method } else { Kind::Function };
    Member {
        name: signature.ident.to_string(),
        kind,
        signature: text(signature.span().byte_range()),
        docs: docs(attributes),
    }
}

/// The name of the type that an `impl` is for, without references.
fn head(ty: &Type) -> Option<String> {
    match ty {
        Type::Path(path) => path.path.segments.last().map(|segment| segment.ident.to_string()),
        Type::Reference(reference) => head(&reference.elem),
        Type::Slice(_) => Some("slice".to_owned()),
        Type::Paren(inner) => head(&inner.elem),
        _ => None,
    }
}

fn docs(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        Meta::NameValue(pair) if pair.path.is_ident("doc") => match &pair.value {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                _ => None,
            },
            _ => None,
        },
        _ => None,
    });
    let lines: Vec<String> =
        lines.map(|line| line.strip_prefix(' ').map(str::to_owned).unwrap_or(line)).collect();
    lines.join("\n").trim().to_owned()
}

fn derived(attributes: &[Attribute]) -> Vec<String> {
    let parse = Punctuated::<syn::Path, syn::Token![,]>::parse_terminated;
    attributes
        .iter()
        .filter(|attribute| attribute.path().is_ident("derive"))
        .filter_map(|attribute| attribute.parse_args_with(parse).ok())
        .flatten()
        .filter_map(|path| path.segments.last().map(|segment| segment.ident.to_string()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn structs_impls_and_imports_are_read_with_their_docs() {
        let mut items = UserItems::default();
        items.add(
            "/// A place.\n#[derive(Clone)]\npub struct Point { /// East.\n pub x: f64 }\n\
             impl Point { /// From the origin.\n pub fn length(&self) -> f64 { 0.0 } fn origin() -> Self { Self { x: 0.0 } } }\n\
             trait Shout { fn shout(&self) -> String; }\nimpl<T> Shout for T { fn shout(&self) -> String { String::new() } }\n\
             use std::{io::Write as _, collections::*};",
        );
        let (kind, page) = &items.pages["Point"];
        assert_eq!((*kind, page.docs.as_str()), (Kind::Struct, "A place."));
        assert!(page.declaration.starts_with("pub struct Point"), "{}", page.declaration);
        let field = &page.groups[0].members[0];
        assert_eq!((field.signature.as_str(), field.docs.as_str()), ("x: f64", "East."));
        let inherent = items.impls.iter().find(|(_, group)| group.header == "impl Point").unwrap();
        let methods: Vec<_> =
            inherent.1.members.iter().map(|one| (one.signature.as_str(), one.kind)).collect();
        assert_eq!(
            methods,
            [("pub fn length(&self) -> f64", Kind::Method), ("fn origin() -> Self", Kind::Function)]
        );
        assert!(items.impls.iter().any(|(head, group)| head == "*" && group.members.len() == 1));
        assert_eq!(items.imports[0], ("_".into(), "std::io::Write".into()));
        assert_eq!(items.imports[1], ("*".into(), "std::collections".into()));
    }
}
