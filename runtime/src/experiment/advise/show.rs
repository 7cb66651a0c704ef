//! The text of advice.

use std::fmt;

use super::{Advice, Advices};
use crate::display::html::escape;
use crate::display::{MimeBundle, MimeDisplay};

const NOTHING: &str = "nothing to advise";

impl fmt::Display for Advice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{}: {}", self.kind, self.message)?;
        write!(f, "    {}", self.code)
    }
}

impl fmt::Display for Advices {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_empty() {
            return f.write_str(NOTHING);
        }
        for (place, advice) in self.iter().enumerate() {
            if place > 0 {
                writeln!(f)?;
            }
            write!(f, "{advice}")?;
        }
        Ok(())
    }
}

fn row(advice: &Advice) -> String {
    format!(
        "<tr><td style=\"text-align:left\"><b>{}</b></td><td style=\"text-align:left\">{}<pre style=\"margin:0.3em 0 \
         0\">{}</pre></td><td>{:.1}x</td></tr>",
        escape(&advice.kind.to_string()),
        escape(&advice.message),
        escape(&advice.code),
        advice.expected
    )
}

fn table(rows: &str) -> String {
    format!(
        "<table><thead><tr><th>advice</th><th style=\"text-align:left\">what, and the code</th><th>expected</th></tr>\
         </thead><tbody>{rows}</tbody></table>"
    )
}

impl MimeDisplay for Advice {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text(self.to_string()).with("text/html", table(&row(self)))
    }
}

impl MimeDisplay for Advices {
    fn mime_bundle(&self) -> MimeBundle {
        if self.is_empty() {
            return MimeBundle::text(NOTHING);
        }
        let rows: String = self.iter().map(row).collect();
        MimeBundle::text(self.to_string()).with("text/html", table(&rows))
    }
}
