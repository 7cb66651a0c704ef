use html5gum::{StartTag, Token, Tokenizer};

use super::{
    entry::{Group, Member, Page},
    markdown::Markdown,
};
use crate::completion::kind::Kind;

/// The path and kind that rustdoc encodes in a page's file name: `struct.DataFrame.html` in
/// `partita/prelude`.
pub fn identify(relative: &str) -> Option<(String, Kind)> {
    let (directory, file) = relative.rsplit_once('/').unwrap_or(("", relative));
    let module = directory.replace('/', "::");
    let stem = file.strip_suffix(".html")?;
    if stem == "index" {
        return (!module.is_empty()).then_some((module, Kind::Module));
    }
    let (kind, name) = stem.split_once('.')?;
    let kind = match kind {
        "struct" => Kind::Struct,
        "enum" => Kind::Enum,
        "union" => Kind::Union,
        "trait" => Kind::Trait,
        "type" => Kind::Type,
        "fn" => Kind::Function,
        "macro" | "derive" | "attr" => Kind::Macro,
        "constant" => Kind::Constant,
        "static" => Kind::Static,
        "primitive" => return Some((name.to_owned(), Kind::Type)),
        _ => return None,
    };
    // rustdoc keeps pages at old addresses beside the new ones.
    if name.ends_with('!') {
        return None;
    }
    Some((if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }, kind))
}

/// Parses a page. For each member rustdoc writes a `section` with an id that contains its declaration,
/// followed by its docs. An `impl` is also a section, before its members.
pub fn read(html: &str) -> Page {
    let mut reader = Reader::default();
    for part in worth_reading(html) {
        for Ok(token) in Tokenizer::new(part) {
            reader.take(&token);
        }
    }
    reader.page.groups.retain(|group| !group.members.is_empty() || group.of_trait.is_some());
    reader.page
}

/// The parts of a page that are about its subject. Half of many pages lists what a type has through
/// `Deref`, or who implements a trait.
fn worth_reading(html: &str) -> [&str; 2] {
    let from = |text: &str, mark: &str| text.find(mark).unwrap_or(text.len());
    let body = &html[from(html, "id=\"main-content\"")..];
    let body = if body.is_empty() { html } else { body };
    let body = &body[..from(body, "<h2 id=\"implementors\"").min(from(body, "<h2 id=\"foreign-impls\""))];
    let deref = from(body, "<h2 id=\"deref-methods");
    let heading = deref + body[deref..].find("</h2>").map_or(0, |end| end + "</h2>".len());
    let rest = heading + from(&body[heading..], "<h2 id=\"trait-implementations\"");
    [&body[..heading], &body[rest..]]
}

/// What the next docs belong to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Page,
    Group,
    Member,
}

/// An element whose text is being collected.
#[derive(Debug)]
enum Capture {
    Declaration { text: String },
    Header { text: String, of_trait: Option<String> },
    Signature { text: String },
    Docs { text: Markdown, depth: usize },
    Target { text: String },
}

#[derive(Debug, Default)]
struct Reader {
    page: Page,
    capture: Option<Capture>,
    owner: Option<Owner>,
    /// The member whose declaration comes next.
    pending: Option<(String, Kind)>,
    pending_group: bool,
    /// Whether members of this part of the page belong to another type.
    skipping: bool,
}

impl Reader {
    fn take(&mut self, token: &Token) {
        if self.capture.is_some() {
            self.collect(token);
            return;
        }
        let Token::StartTag(tag) = token else { return };
        match tag.name.as_slice() {
            b"section" | b"span" => self.begin(tag),
            b"pre" if has_class(tag, "item-decl") => {
                self.owner = Some(Owner::Page);
                self.capture = Some(Capture::Declaration { text: String::new() });
            }
            b"h3" | b"h4" if has_class(tag, "code-header") => {
                if self.pending_group {
                    self.capture = Some(Capture::Header { text: String::new(), of_trait: None });
                } else if self.pending.is_some() {
                    self.capture = Some(Capture::Signature { text: String::new() });
                }
            }
            b"code" if matches!(self.pending, Some((_, Kind::Field))) => {
                self.capture = Some(Capture::Signature { text: String::new() });
            }
            b"h2" => self.part(&attribute(tag, b"id")),
            b"div" if has_class(tag, "unstable") => self.leave_out(),
            b"div" if has_class(tag, "docblock") => {
                self.capture = Some(Capture::Docs { text: Markdown::default(), depth: 1 });
            }
            _ => {}
        }
    }

    /// Skips a member that needs a nightly compiler, which cells cannot use.
    fn leave_out(&mut self) {
        match self.owner {
            Some(Owner::Page) => self.page.declaration.clear(),
            Some(Owner::Member) => {
                if let Some(group) = self.page.groups.last_mut() {
                    group.members.pop();
                }
            }
            Some(Owner::Group) | None => return,
        }
        self.owner = None;
    }

    fn part(&mut self, id: &str) {
        self.owner = None;
        self.skipping = false;
        if id.starts_with("deref-methods") {
            self.capture = Some(Capture::Target { text: String::new() });
        }
        self.page.groups.push(Group::default());
    }

    fn begin(&mut self, tag: &StartTag<()>) {
        let id = attribute(tag, b"id");
        if id.starts_with("impl-") {
            (self.pending_group, self.pending) = (true, None);
            return;
        }
        let Some((kind, name)) = id.split_once('.') else { return };
        let kind = match kind {
            "method" | "tymethod" => Kind::Method,
            "structfield" => Kind::Field,
            "variant" => Kind::Variant,
            "associatedconstant" => Kind::Constant,
            "associatedtype" => Kind::Type,
            _ => return,
        };
        // A second member of the same name is `name-1`. A field of a variant is not a member of the type.
        let name = name.split('-').next().unwrap_or(name);
        self.pending = (!name.contains('.')).then(|| (name.to_owned(), kind));
        (self.pending_group, self.owner) = (false, None);
    }

    fn collect(&mut self, token: &Token) {
        let done = match self.capture.as_mut() {
            Some(Capture::Docs { text, depth }) => {
                match token {
                    Token::StartTag(tag) if tag.name.as_slice() == b"div" => *depth += 1,
                    Token::EndTag(tag) if tag.name.as_slice() == b"div" => *depth -= 1,
                    _ => {}
                }
                if *depth > 0 {
                    text.take(token);
                }
                *depth == 0
            }
            Some(Capture::Header { text, of_trait }) => {
                if let Token::StartTag(tag) = token
                    && of_trait.is_none()
                    && !text.contains(" for ")
                    && text.matches('<').count() <= text.matches('>').count()
                {
                    *of_trait = attribute(tag, b"title").strip_prefix("trait ").map(path_of_title);
                }
                add(text, token);
                ends(token, &[b"h3"])
            }
            Some(Capture::Declaration { text }) => {
                add(text, token);
                ends(token, &[b"pre"])
            }
            Some(Capture::Signature { text }) => {
                add(text, token);
                ends(token, &[b"h3", b"h4", b"code"])
            }
            Some(Capture::Target { text }) => {
                add(text, token);
                ends(token, &[b"h2"])
            }
            None => false,
        };
        if done && let Some(capture) = self.capture.take() {
            self.keep(capture);
        }
    }

    fn keep(&mut self, capture: Capture) {
        match capture {
            Capture::Declaration { text } => self.page.declaration = tidy(&text),
            Capture::Target { text } => {
                let target = text.split_once("Target = ").map(|(_, rest)| rest.trim_end_matches(['§', ' ']));
                self.page.target = target.and_then(|rest| rest.strip_suffix('>')).map(str::to_owned);
            }
            Capture::Header { text, of_trait } => {
                let header = tidy(&text);
                // The traits in bounds are links too.
                let of_trait = if is_of_trait(&header) { Some(of_trait.unwrap_or_default()) } else { None };
                // A trait without a page of its own cannot be in scope.
                self.skipping = of_trait.as_ref().is_some_and(String::is_empty);
                self.pending_group = false;
                self.owner = Some(Owner::Group);
                if !self.skipping {
                    self.page.groups.push(Group { header, of_trait, members: Vec::new() });
                }
            }
            Capture::Signature { text } => {
                let Some((name, kind)) = self.pending.take() else { return };
                let signature = tidy(&text);
                self.owner = Some(Owner::Member);
                let takes_part = !self.skipping && !signature.is_empty();
                if !takes_part {
                    self.owner = None;
                    return;
                }
                let mut member = Member { name, kind, signature, docs: String::new() };
                if member.kind == Kind::Method && !member.takes_self() {
                    member.kind = Kind::Function;
                }
                match self.page.groups.last_mut() {
                    Some(group) => group.members.push(member),
                    None => {
                        self.page.groups.push(Group { members: vec![member], ..Group::default() });
                    }
                }
            }
            Capture::Docs { text, .. } => {
                let text = text.finish();
                match self.owner {
                    Some(Owner::Page) => self.page.docs = text,
                    Some(Owner::Member) => {
                        let last = self.page.groups.last_mut().and_then(|group| group.members.last_mut());
                        if let Some(member) = last {
                            member.docs = text;
                        }
                    }
                    Some(Owner::Group) | None => return,
                }
                self.owner = None;
            }
        }
    }
}

/// Turns `trait api::std::clone::Clone` into `std::clone::Clone`. Empty if the path is not in the
/// documented crate.
fn path_of_title(title: &str) -> String {
    title.strip_prefix("api::").unwrap_or_default().to_owned()
}

fn is_of_trait(header: &str) -> bool {
    header.split("\nwhere").next().unwrap_or(header).contains(" for ")
}

fn add(text: &mut String, token: &Token) {
    match token {
        Token::String(piece) => text.push_str(&String::from_utf8_lossy(piece)),
        // Where-clauses begin on a new line.
        Token::StartTag(tag) if has_class(tag, "where") => text.push('\n'),
        Token::StartTag(tag) if tag.name.as_slice() == b"br" => text.push('\n'),
        _ => {}
    }
}

fn ends(token: &Token, tags: &[&[u8]]) -> bool {
    matches!(token, Token::EndTag(tag) if tags.contains(&tag.name.as_slice()))
}

fn tidy(text: &str) -> String {
    text.replace('\u{a0}', " ").replace(['§', 'ⓘ'], "").trim().to_owned()
}

fn attribute(tag: &StartTag<()>, name: &[u8]) -> String {
    tag.attributes.get(name).map(|value| String::from_utf8_lossy(value).into_owned()).unwrap_or_default()
}

fn has_class(tag: &StartTag<()>, class: &str) -> bool {
    attribute(tag, b"class").split_whitespace().any(|one| one == class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_after_what_they_describe() {
        let path = |file| identify(file).map(|(path, kind)| (path, kind.as_str()));
        assert_eq!(path("std/vec/struct.Vec.html"), Some(("std::vec::Vec".into(), "struct")));
        assert_eq!(path("std/vec/index.html"), Some(("std::vec".into(), "module")));
        assert_eq!(path("primitive.str.html"), Some(("str".into(), "type")));
        assert_eq!(path("std/macro.vec!.html"), None);
        assert_eq!(path("all.html"), None);
    }

    #[test]
    fn a_page_gives_declaration_fields_methods_and_traits_with_their_docs() {
        let html = r##"<nav></nav><section id="main-content"><pre class="rust item-decl"><code>pub struct Table {
    pub rows: <a class="primitive">usize</a>,
}</code></pre><details><summary class="hideme"><span>Expand description</span></summary><div class="docblock"><p>A <em>table</em>.</p></div></details>
<h2 id="fields" class="fields section-header">Fields</h2><span id="structfield.rows" class="structfield"><a href="#">§</a><code>rows: <a>usize</a></code></span><div class="docblock"><p>How many.</p></div>
<h2 id="implementations">Implementations</h2><details><summary><section id="impl-Table" class="impl"><h3 class="code-header">impl <a class="struct" title="struct api::Table">Table</a></h3></section></summary>
<details><summary><section id="method.head" class="method"><h4 class="code-header">pub fn <a class="fn">head</a>(&amp;self) -&gt; Table<div class="where">where
    Self: Sized,</div></h4></section></summary><div class="docblock"><p>First rows.</p></div></details>
<section id="method.new" class="method"><h4 class="code-header">pub fn new() -&gt; Table</h4></section>
<details><summary><section id="method.odd" class="method"><h4 class="code-header">pub fn odd(&amp;self)</h4></section></summary><span class="item-info"><div class="stab unstable">nightly</div></span><div class="docblock"><p>Odd.</p></div></details></details>
<section id="impl-Table-1" class="impl"><h3 class="code-header">impl&lt;A&gt; Table<div class="where">where A: <a class="trait" title="trait api::std::alloc::Allocator">Allocator</a></div></h3></section>
<section id="method.push" class="method"><h4 class="code-header">pub fn push(&amp;mut self)</h4></section>
<h2 id="deref-methods-str"><span>Methods from Deref&lt;Target = <a>str</a>&gt;</span><a class="anchor">§</a></h2><section id="method.len" class="method"><h4 class="code-header">pub fn len(&amp;self) -&gt; usize</h4></section>
<h2 id="trait-implementations">Trait Implementations</h2><section id="impl-Clone-for-Table" class="impl"><h3 class="code-header">impl <a class="trait" title="trait api::std::clone::Clone">Clone</a> for Table</h3></section>
<section id="method.clone" class="method"><h4 class="code-header">fn clone(&amp;self) -&gt; Table</h4></section>
<section id="impl-Hidden-for-Table" class="impl"><h3 class="code-header">impl Hidden for <a class="struct" title="struct api::Table">Table</a></h3></section>
<section id="method.secret" class="method"><h4 class="code-header">fn secret(&amp;self)</h4></section></section>"##;
        let page = read(html);
        assert!(page.declaration.contains("pub rows: usize"), "{page:?}");
        assert_eq!((page.docs.as_str(), page.target.as_deref()), ("A *table*.", Some("str")));
        let members: Vec<_> = page
            .groups
            .iter()
            .flat_map(|group| &group.members)
            .map(|member| (member.name.as_str(), member.kind, member.docs.as_str()))
            .collect();
        let expected = [
            ("rows", Kind::Field, "How many."),
            ("head", Kind::Method, "First rows."),
            ("new", Kind::Function, ""),
            ("push", Kind::Method, ""),
            ("clone", Kind::Method, ""),
        ];
        assert_eq!(members, expected);
        let clone = page.groups.last().unwrap();
        assert_eq!(clone.of_trait.as_deref(), Some("std::clone::Clone"));
        assert_eq!(
            page.groups[1].members[0].signature,
            "pub fn head(&self) -> Table\nwhere\n    Self: Sized,"
        );
    }
}
