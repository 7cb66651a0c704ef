use html5gum::Token;

/// Turns rustdoc's rendered HTML back into Markdown, one token at a time. It knows the tags that rustdoc
/// writes; of other tags only the text remains.
#[derive(Debug, Default)]
pub struct Markdown {
    text: String,
    /// Open lists; a number counts the entries of an ordered one.
    lists: Vec<Option<u32>>,
    in_pre: bool,
    quoted: usize,
    /// While this is set, nothing is written: the open element is an anchor, a button or the like.
    skipping: Option<(Vec<u8>, usize)>,
    cells: usize,
}

impl Markdown {
    /// Processes the next token.
    pub fn take(&mut self, token: &Token) {
        if let Some((tag, depth)) = &mut self.skipping {
            match token {
                Token::StartTag(start) if start.name == *tag => *depth += 1,
                Token::EndTag(end) if end.name == *tag => *depth -= 1,
                _ => {}
            }
            if *depth == 0 {
                self.skipping = None;
            }
            return;
        }
        match token {
            Token::StartTag(start) => {
                let class = start.attributes.get(b"class".as_slice());
                let class = class.map(|class| String::from_utf8_lossy(class).into_owned());
                self.start(&start.name, class.as_deref().unwrap_or_default());
            }
            Token::EndTag(end) => self.end(&end.name),
            Token::String(text) => self.write(&String::from_utf8_lossy(text)),
            _ => {}
        }
    }

    fn start(&mut self, tag: &[u8], class: &str) {
        let unread = match tag {
            b"a" => class.contains("doc-anchor") || class.contains("test-arrow") || class == "tooltip",
            b"button" | b"script" | b"summary" => true,
            _ => false,
        };
        if unread {
            self.skipping = Some((tag.to_vec(), 1));
            return;
        }
        match tag {
            b"p" if self.lists.is_empty() => self.paragraph(),
            b"h1" | b"h2" | b"h3" | b"h4" | b"h5" | b"h6" => {
                self.paragraph();
                self.text.push_str("#### ");
            }
            b"pre" => {
                self.paragraph();
                let language = if class.contains("rust") { "rust" } else { "text" };
                self.text.push_str("```");
                self.text.push_str(language);
                self.text.push('\n');
                self.in_pre = true;
            }
            b"code" if !self.in_pre => self.text.push('`'),
            b"em" | b"i" if !self.in_pre => self.text.push('*'),
            b"strong" | b"b" if !self.in_pre => self.text.push_str("**"),
            b"ul" => self.lists.push(None),
            b"ol" => self.lists.push(Some(0)),
            b"li" => {
                self.line();
                self.text.push_str(&"  ".repeat(self.lists.len().saturating_sub(1)));
                match self.lists.last_mut() {
                    Some(Some(number)) => {
                        *number += 1;
                        self.text.push_str(&format!("{number}. "));
                    }
                    _ => self.text.push_str("- "),
                }
            }
            b"br" => self.text.push('\n'),
            b"hr" => {
                self.paragraph();
                self.text.push_str("---");
            }
            b"table" => self.paragraph(),
            b"tr" => {
                self.line();
                self.text.push('|');
                self.cells = 0;
            }
            b"td" | b"th" => {
                self.cells += 1;
                self.text.push(' ');
            }
            b"blockquote" => {
                self.paragraph();
                self.quoted += 1;
            }
            _ => {}
        }
    }

    fn end(&mut self, tag: &[u8]) {
        match tag {
            b"pre" if self.in_pre => {
                self.in_pre = false;
                self.line();
                self.text.push_str("```");
            }
            b"code" if !self.in_pre => self.text.push('`'),
            b"em" | b"i" if !self.in_pre => self.text.push('*'),
            b"strong" | b"b" if !self.in_pre => self.text.push_str("**"),
            b"ul" | b"ol" => {
                self.lists.pop();
            }
            b"td" | b"th" => self.text.push_str(" |"),
            b"thead" => {
                self.line();
                self.text.push('|');
                self.text.push_str(&" --- |".repeat(self.cells));
            }
            b"blockquote" => self.quoted = self.quoted.saturating_sub(1),
            _ => {}
        }
    }

    fn write(&mut self, text: &str) {
        if self.in_pre {
            self.text.push_str(text);
            return;
        }
        // Line breaks that rustdoc puts between blocks mean nothing.
        if self.text.ends_with('\n') || self.text.is_empty() {
            self.text.push_str(text.trim_start());
        } else {
            self.text.push_str(text);
        }
    }

    fn line(&mut self) {
        let kept = self.text.trim_end_matches([' ', '\n']).len();
        self.text.truncate(kept);
        if !self.text.is_empty() {
            self.text.push('\n');
        }
    }

    fn paragraph(&mut self) {
        self.line();
        if !self.text.is_empty() {
            self.text.push('\n');
        }
        if self.quoted > 0 {
            self.text.push_str("> ");
        }
    }

    /// The Markdown.
    pub fn finish(self) -> String {
        self.text.trim().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use html5gum::Tokenizer;

    use super::*;

    fn markdown(html: &str) -> String {
        let mut markdown = Markdown::default();
        Tokenizer::new(html).for_each(|Ok(token)| markdown.take(&token));
        markdown.finish()
    }

    #[test]
    fn paragraphs_code_and_lists_come_back_as_they_were_written() {
        let html = "<p>Keeps <code>rows</code> that\n<em>match</em>.</p>\n<h5 id=\"e\"><a class=\"doc-anchor\" \
                    href=\"#e\">§</a>Example</h5>\n<div class=\"example-wrap\"><pre class=\"rust\"><code><span \
                    class=\"kw\">let </span>x = <span>&amp;</span>y;\n</code></pre></div>\n<ul>\n<li>one</li>\n\
                    <li>two</li>\n</ul>\n<p>End.</p>";
        let expected =
            "Keeps `rows` that\n*match*.\n\n#### Example\n\n```rust\nlet x = &y;\n```\n- one\n- two\n\nEnd.";
        assert_eq!(markdown(html), expected);
    }

    #[test]
    fn a_table_keeps_its_rows_and_a_script_is_left_out() {
        let html = "<table><thead><tr><th>a</th><th>b</th></tr></thead><tbody><tr><td>1</td><td>2</td></tr>\
                    </tbody></table><script>no()</script>";
        assert_eq!(markdown(html), "| a | b |\n| --- | --- |\n| 1 | 2 |");
    }
}
