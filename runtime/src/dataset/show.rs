use std::fmt;

use super::{Dataset, GroupedDataset};
use crate::display::html::escape;
use crate::display::{MimeBundle, MimeDisplay};

/// Describes the dataset without running anything.
impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plan = match &self.plan {
            Ok(plan) => plan,
            Err(error) => return write!(f, "Dataset with an invalid step: {error}"),
        };
        let n = match self.partitions() {
            Ok(n) => n,
            Err(error) => return write!(f, "Dataset with an invalid plan: {error}"),
        };
        writeln!(f, "Dataset in {n} partition{}, not computed yet", if n == 1 { "" } else { "s" })?;
        for (name, dtype) in plan.schema.iter() {
            writeln!(f, "  {name}: {dtype}")?;
        }
        write!(f, "collect()?, count()? or show()? compute it; explain()? shows how")
    }
}

impl fmt::Debug for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl MimeDisplay for Dataset {
    fn mime_bundle(&self) -> MimeBundle {
        let text = self.to_string();
        let Ok(plan) = &self.plan else { return MimeBundle::text(text) };
        let first = text.lines().next().unwrap_or_default();
        let hint = text.lines().next_back().unwrap_or_default();
        let rows: String = plan
            .schema
            .iter()
            .map(|(name, dtype)| {
                let (name, dtype) = (escape(name), dtype.to_string());
                let left = "<td style=\"text-align:left\">";
                format!("<tr>{left}{name}</td>{left}{}</td></tr>", escape(&dtype))
            })
            .collect();
        let html = format!(
            "<div>{}</div><details open><summary>{} columns</summary><table><tbody>{rows}</tbody></table></details>\
             <small style=\"opacity:0.6\">{}</small>",
            escape(first),
            plan.schema.len(),
            escape(hint)
        );
        MimeBundle::text(text).with("text/html", html)
    }
}

/// Shows that aggregations are missing.
impl MimeDisplay for GroupedDataset {
    fn mime_bundle(&self) -> MimeBundle {
        MimeBundle::text("GroupedDataset: groups without aggregations; add .agg([…])")
    }
}
