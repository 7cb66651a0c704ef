use std::{env, ffi::OsString, process};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};

/// The first argument that makes this binary an evaluation process.
pub(super) const CHILD_ARGUMENT: &str = "evaluation-process";

/// If this binary was started as an evaluation process, runs as one and does not return. Call it first in
/// `main`.
///
/// The kernel never links the `partita` library; the child loads it from the path in its arguments.
pub fn run_if_child() {
    let mut arguments = env::args_os().skip(1);
    if arguments.next().is_none_or(|argument| argument != CHILD_ARGUMENT) {
        return;
    }
    let code = match arguments.next() {
        Some(library) => evaluate(&library),
        None => {
            eprintln!(
                "partita: only the kernel starts {CHILD_ARGUMENT}, with the path of the library to load"
            );
            2
        }
    };
    process::exit(code);
}

fn evaluate(path: &OsString) -> i32 {
    // SAFETY: the kernel passes the `partita` library, which has no initialisers of its own.
    let library = match unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) } {
        Ok(library) => library,
        Err(error) => {
            eprintln!("partita: cannot load the library for cells: {error}");
            return 1;
        }
    };
    // SAFETY: the library defines the function with this type.
    match unsafe { library.get::<extern "C" fn() -> i32>(b"partita_evaluation_main") } {
        Ok(main) => main(),
        Err(error) => {
            eprintln!("partita: {} is not the partita library: {error}", path.display());
            1
        }
    }
}
