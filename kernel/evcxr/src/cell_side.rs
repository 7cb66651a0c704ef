// Compiled into every cell, not into the kernel: the cell's half of the protocol in `markers.rs`. evcxr
// reports neither panics nor `?` errors to its caller, so the cell reports how it ended through evcxr's
// own content messages. Before that it writes a mark to both streams: text printed without a newline is
// then complete, and the kernel knows that no more text follows.
mod partita_cell {
    use std::any::Any;
    use std::error::Error;
    use std::io::Write;
    use std::panic::{self, AssertUnwindSafe};
    use std::sync::{Arc, Mutex};

    type Bundle = ::partita::display::MimeBundle;

    // The result of a cell's body: the value to show and the variables to keep.
    pub type CellEnd<T> = Result<(Option<Bundle>, T), Failure>;

    // The error that a `?` returned from the cell: its text and its causes, outermost first.
    pub struct Failure(Vec<String>);

    impl<E: Into<Box<dyn Error>>> From<E> for Failure {
        fn from(error: E) -> Self {
            let error = error.into();
            let mut texts = vec![error.to_string()];
            let mut cause = error.source();
            while let Some(error) = cause {
                texts.push(error.to_string());
                cause = error.source();
            }
            Failure(texts)
        }
    }

    // Only called in checks: makes the compiler print a variable's type.
    pub fn probe<const NUMBER: usize, T>(_: &T) {}

    // Only called in checks: rejects what cannot be stored.
    pub fn keep<T: 'static>(_: T) {}

    struct Place {
        message: String,
        file: String,
        line: u32,
        column: u32,
    }

    // Fixes the type of a cell's body. An `async` body goes through `block_on`.
    pub fn body<T>(body: impl FnOnce() -> CellEnd<T>) -> CellEnd<T> {
        body()
    }

    pub fn block_on<T>(body: impl Future<Output = CellEnd<T>>) -> CellEnd<T> {
        let mut ended = None;
        let scope = ::partita::evaluation::Scope::default();
        scope.run_async(async {
            ended = Some(body.await);
            Ok(())
        });
        match (ended, scope.outcome()) {
            (Some(ended), _) => ended,
            (None, ::partita::evaluation::CellOutcome::Failed(texts)) => Err(Failure(texts)),
            (None, _) => panic::resume_unwind(Box::new(())),
        }
    }

    // Makes an interrupt of the process cancel its job; everything else goes on.
    pub fn prepare() {
        unsafe extern "C" {
            fn signal(number: i32, handler: extern "C" fn(i32)) -> usize;
        }
        extern "C" fn cancel(_: i32) {
            ::partita::cancel::cancel();
        }
        const SIGINT: i32 = 2;
        // The library's host is in place before the handler looks for it.
        let _ = ::partita::cancel::current();
        // SAFETY: the handler only reads what is in place and writes an atomic, and its code is never unloaded.
        unsafe { signal(SIGINT, cancel) };
    }

    pub fn run<T>(body: impl FnOnce() -> CellEnd<T>) -> T {
        prepare();
        ::partita::cancel::next_cell();
        let place = Arc::new(Mutex::new(None));
        let thread = std::thread::current().id();
        let default = Arc::new(panic::take_hook());
        panic::set_hook(Box::new({
            let (place, default) = (place.clone(), default.clone());
            move |info| {
                if std::thread::current().id() != thread {
                    return default(info);
                }
                let at = info.location();
                let found = Place {
                    message: info.payload_as_str().unwrap_or("a panic without a message").to_owned(),
                    file: at.map_or(String::new(), |at| at.file().to_owned()),
                    line: at.map_or(0, |at| at.line()),
                    column: at.map_or(0, |at| at.column()),
                };
                if let Ok(mut place) = place.lock() {
                    *place = Some(found);
                }
            }
        }));
        let result = panic::catch_unwind(AssertUnwindSafe(body));
        panic::set_hook(Box::new(move |info| default(info)));
        let mut content = Vec::new();
        let result: Result<T, Box<dyn Any + Send>> = match result {
            Ok(Ok((value, variables))) => {
                content.push(("finished".to_owned(), String::new()));
                if let Some(bundle) = value {
                    let shown = bundle.data.into_iter();
                    content.extend(shown.map(|(mime, text)| (format!("value:{mime}"), text)));
                }
                Ok(variables)
            }
            Ok(Err(Failure(texts))) => {
                let texts = texts.into_iter().enumerate();
                content.extend(texts.map(|(index, text)| (format!("failed:{index}"), text)));
                Err(Box::new(()))
            }
            Err(payload) => {
                if let Some(place) = place.lock().ok().and_then(|mut place| place.take()) {
                    content.push(("panic:message".to_owned(), place.message));
                    content.push(("panic:file".to_owned(), place.file));
                    content.push(("panic:line".to_owned(), place.line.to_string()));
                    content.push(("panic:column".to_owned(), place.column.to_string()));
                }
                Err(payload)
            }
        };
        say(&content);
        result.unwrap_or_else(|payload| panic::resume_unwind(payload))
    }

    fn say(content: &[(String, String)]) {
        let mut text = "\u{0}partita-end\n".to_owned();
        // A closed stderr only means that nobody reads it.
        let _ = std::io::stderr().write_all(text.as_bytes());
        for (key, value) in content {
            let value = value.replace('\\', "\\\\").replace('\n', "\\n").replace('\r', "\\r");
            text.push_str(&format!("EVCXR_BEGIN_CONTENT {key}\n{value}\nEVCXR_END_CONTENT\n"));
        }
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    // Shows the last expression's value as the direct evaluator does.
    pub(crate) use ::partita::mime_of as show;
}
