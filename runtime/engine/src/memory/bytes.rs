use std::fmt;

use partita_events::figures;

/// A number of bytes, formatted for people.
pub struct Bytes(pub usize);

impl fmt::Display for Bytes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&figures::bytes(self.0 as u64))
    }
}
