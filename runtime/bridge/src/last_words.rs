/// The message that the evaluation process left before it ended. A signal handler or a panic hook writes it,
/// the kernel reads it. It is one line of text, because a signal handler can write little else.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LastWords {
    /// The stack of the thread that runs cells overflowed.
    StackOverflow,
    /// The program accessed an address that is not its own.
    BadAddress(String),
    /// The last panic. It ended the process if it could not unwind.
    Panic {
        /// The file, as the compiler named it, and the line.
        place: String,
        /// The panic's message.
        message: String,
    },
}

impl LastWords {
    /// The text of a stack overflow.
    pub const STACK_OVERFLOW: &str = "stack overflow\n";
    /// The text before the address.
    pub const BAD_ADDRESS: &str = "bad address ";
    const PANIC: &str = "panic ";

    /// The text of a panic.
    pub fn panic(place: &str, message: &str) -> String {
        format!("{}{place}\n{message}\n", Self::PANIC)
    }

    /// Parses the text; `None` if there is none.
    pub fn read(text: &str) -> Option<Self> {
        // If a signal follows a panic, the signal ended the process.
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
