//! Prints a cell's text.

use std::{
    fmt::Arguments,
    io::{self, Write},
};

use partita_bridge::{FromEvaluation, Stream};

use crate::bridge::bridge;
use crate::capture::take_text;

/// Longer texts are sent in pieces: messages have a size limit, texts do not.
const PIECE_BYTES: usize = 1 << 20;

/// Prints to the kernel if there is one, else to the process's own stream.
pub fn write_text(stream: Stream, text: Arguments<'_>) {
    if let Some(bridge) = bridge() {
        let text = text.to_string();
        if take_text(stream, &text) {
            return;
        }
        let mut rest = text.as_str();
        while !rest.is_empty() {
            let (piece, later) = rest.split_at(rest.floor_char_boundary(PIECE_BYTES));
            // If the kernel has gone, this process ends, and nobody reads the text.
            let _ = bridge.send(&FromEvaluation::Text { stream, text: piece.to_owned() });
            rest = later;
        }
        return;
    }
    // A closed standard stream is not the cell's fault.
    let _ = match stream {
        Stream::Stdout => io::stdout().write_fmt(text),
        Stream::Stderr => io::stderr().write_fmt(text),
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __partita_print {
    ($($arguments:tt)*) => {
        $crate::evaluation::write_text(
            $crate::evaluation::Stream::Stdout, ::std::format_args!($($arguments)*))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __partita_println {
    () => { $crate::__partita_print!("\n") };
    ($($arguments:tt)*) => {
        $crate::evaluation::write_text(
            $crate::evaluation::Stream::Stdout,
            ::std::format_args!("{}\n", ::std::format_args!($($arguments)*)))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __partita_eprint {
    ($($arguments:tt)*) => {
        $crate::evaluation::write_text(
            $crate::evaluation::Stream::Stderr, ::std::format_args!($($arguments)*))
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! __partita_eprintln {
    () => { $crate::__partita_eprint!("\n") };
    ($($arguments:tt)*) => {
        $crate::evaluation::write_text(
            $crate::evaluation::Stream::Stderr,
            ::std::format_args!("{}\n", ::std::format_args!($($arguments)*)))
    };
}
