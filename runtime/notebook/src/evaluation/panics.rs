use std::{
    any::Any,
    cell::RefCell,
    panic::{self, PanicHookInfo},
    thread,
};

use partita_bridge::{Panic, Stream};

use super::{backtrace, last_words, write_text};

/// The thread that runs cells. Its panics are the cell's outcome; others are reported as text.
pub(super) const CELL_THREAD: &str = "cell";

/// The payload with which Polars leaves an interrupted query, which is not an error.
const POLARS_ABORT: &str = "__POLARS_ABORT_";

thread_local! {
    static LAST: RefCell<Option<Panic>> = const { RefCell::new(None) };
}

/// Records where a cell panics, which only the hook learns.
pub(super) fn install_hook() {
    panic::set_hook(Box::new(|info| {
        let panic = describe(info);
        if panic.message.starts_with(POLARS_ABORT) {
            return;
        }
        // If the panic does not unwind, nobody else can report it.
        last_words::panic(&panic);
        let on_cell_thread = thread::current().name() == Some(CELL_THREAD);
        if on_cell_thread {
            // A panic while the thread is torn down has nobody left to report to.
            let _ = LAST.try_with(|last| last.replace(Some(panic)));
        } else {
            let name = thread::current().name().unwrap_or("unnamed").to_owned();
            let Panic { message, file, line, .. } = panic;
            write_text(
                Stream::Stderr,
                format_args!("thread `{name}` panicked at {file}, line {line}: {message}\n"),
            );
        }
    }));
}

fn describe(info: &PanicHookInfo<'_>) -> Panic {
    let (file, line, column) = info
        .location()
        .map_or((String::new(), 0, 0), |place| (place.file().to_owned(), place.line(), place.column()));
    Panic { message: text(info.payload()), file, line, column, frames: backtrace::of_cells() }
}

fn text(payload: &dyn Any) -> String {
    if let Some(text) = payload.downcast_ref::<&str>() {
        (*text).to_owned()
    } else if let Some(text) = payload.downcast_ref::<String>() {
        text.clone()
    } else {
        "a value that is not text".to_owned()
    }
}

pub(super) fn forget_last() {
    LAST.with(|last| last.replace(None));
}

/// The panic that was just caught. A payload resumed by hand has never passed the hook.
pub(super) fn last(payload: Box<dyn Any + Send>) -> Panic {
    let panic = LAST.with(|last| last.replace(None)).unwrap_or_else(|| Panic {
        message: text(&*payload),
        file: String::new(),
        line: 0,
        column: 0,
        frames: Vec::new(),
    });
    // The payload may be the person's value, and may panic itself when dropped.
    if let Err(second) = panic::catch_unwind(panic::AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(second);
    }
    panic
}
