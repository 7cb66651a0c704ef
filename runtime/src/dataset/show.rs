use std::fmt;

use super::Dataset;
use crate::display::{MimeBundle, MimeDisplay};

/// Says what the dataset is, without running anything.
impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let node = match &self.plan {
            Ok(node) => node,
            Err(error) => return write!(f, "Dataset with a mistake: {error}"),
        };
        let n = node.partitions();
        writeln!(f, "Dataset in {n} partition{}, not computed yet", if n == 1 { "" } else { "s" })?;
        for (name, dtype) in node.schema.iter() {
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
        MimeBundle::text(self.to_string())
    }
}
