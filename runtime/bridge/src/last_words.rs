/// What the evaluation process left behind before it was ended: written by a signal handler or a panic
/// hook, read by the kernel. One line of text, because a signal handler can write little else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastWords {
    /// The stack of the thread that runs cells is used up.
    StackOverflow,
    /// Memory was used at an address that is not the program's.
    BadAddress(String),
    /// The last panic; it ended the process if it could not unwind.
    Panic {
        /// Where, as the compiler named the file, and the line.
        place: String,
        /// What it said.
        message: String,
    },
}

impl LastWords {
    /// A stack overflow, as it is written.
    pub const STACK_OVERFLOW: &str = "stack overflow\n";
    /// What precedes the address.
    pub const BAD_ADDRESS: &str = "bad address ";
    const PANIC: &str = "panic ";

    /// A panic, as it is written.
    pub fn panic(place: &str, message: &str) -> String {
        format!("{}{place}\n{message}\n", Self::PANIC)
    }

    /// Reads what was written; `None` when that was nothing.
    pub fn read(text: &str) -> Option<Self> {
        // A signal that follows a panic is what ended the process.
        if let Some((_, rest)) = text.rsplit_once(Self::BAD_ADDRESS)
            && let Some(address) = rest.strip_suffix('\n').filter(|address| address.starts_with("0x"))
        {
            return Some(Self::BadAddress(address.to_owned()));
        }
        if text.ends_with(Self::STACK_OVERFLOW) {
            return Some(Self::StackOverflow);
        }
        let (place, message) = text.strip_prefix(Self::PANIC)?.split_once('\n')?;
        Some(Self::Panic { place: place.to_owned(), message: message.trim_end().to_owned() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_thing_written_is_why_the_process_ended() {
        assert_eq!(LastWords::read(""), None);
        let panic = LastWords::panic("cell 1, line 2", "no\nway");
        let read = LastWords::read(&panic);
        assert_eq!(
            read,
            Some(LastWords::Panic { place: "cell 1, line 2".into(), message: "no\nway".into() })
        );
        let overflow = format!("{panic}{}", LastWords::STACK_OVERFLOW);
        assert_eq!(LastWords::read(&overflow), Some(LastWords::StackOverflow));
        let segfault = format!("{panic}{}0x10\n", LastWords::BAD_ADDRESS);
        assert_eq!(LastWords::read(&segfault), Some(LastWords::BadAddress("0x10".into())));
    }
}
