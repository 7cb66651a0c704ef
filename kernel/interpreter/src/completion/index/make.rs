use std::{
    collections::{BTreeMap, hash_map::DefaultHasher},
    env,
    fmt::Write,
    fs,
    hash::{Hash, Hasher},
    io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use thiserror::Error;

use super::{entry::Page, file::Index, page};
use crate::{
    completion::{kind::Kind, text},
    toolchain::{WarmBuild, WarmBuildError},
};

/// The crate name, which rustdoc puts before every path.
const CRATE: &str = "api";

/// Increase it whenever the code that reads the pages changes.
const READING: u32 = 1;

/// std's useful modules and macros. The rest is for certain processors, for one operating system, or
/// unstable, and would be half of the pages.
const STANDARD: &str = "\
alloc, any, array, assert, assert_eq, assert_ne, borrow, boxed, cell, char, clone, cmp, collections, concat, \
convert, dbg, debug_assert, debug_assert_eq, default, env, eprint, eprintln, error, f32, f64, file, fmt, \
format, fs, future, hash, i128, i16, i32, i64, i8, include_str, io, iter, line, marker, matches, mem, net, num, ops, \
option, panic, path, pin, print, println, process, ptr, rc, result, slice, str, string, stringify, sync, \
thread, thread_local, time, todo, u128, u16, u32, u64, u8, unimplemented, unreachable, usize, vec, write, \
writeln";

const PRIMITIVES: [&str; 25] = [
    "array",
    "bool",
    "char",
    "f32",
    "f64",
    "fn",
    "i128",
    "i16",
    "i32",
    "i64",
    "i8",
    "isize",
    "never",
    "pointer",
    "reference",
    "slice",
    "str",
    "tuple",
    "u128",
    "u16",
    "u32",
    "u64",
    "u8",
    "unit",
    "usize",
];

/// Why there is no index. Completion works without one.
#[derive(Debug, Error)]
pub enum IndexError {
    /// A file could not be read or created.
    #[error("{}: {error}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The cause.
        error: io::Error,
    },
    /// There is no build to describe.
    #[error(transparent)]
    WarmBuild(#[from] WarmBuildError),
    /// rustdoc is missing or failed.
    #[error("rustdoc could not describe the partita library: {0}")]
    Rustdoc(String),
}

/// Where a build's index is: beside the library, or in the cache directory if that is not writable.
pub fn location(build: &WarmBuild) -> PathBuf {
    let mut hasher = DefaultHasher::new();
    (build.fingerprint(), source_text(), READING, env!("CARGO_PKG_VERSION")).hash(&mut hasher);
    let name = format!("partita-names-{:016x}.index", hasher.finish());
    let beside = build.library.parent().unwrap_or(Path::new(".")).join(&name);
    let read_only = fs::metadata(&build.library)
        .and_then(|_| tempfile::tempfile_in(beside.parent().unwrap_or(Path::new("."))))
        .is_err();
    if beside.is_file() || !read_only {
        return beside;
    }
    dirs::cache_dir().unwrap_or_else(env::temp_dir).join("partita").join(name)
}

/// Builds a build's index unless it exists, and returns its path. If several processes try at once, one
/// builds it and the others wait.
///
/// # Errors
/// When rustdoc fails or the file cannot be written.
pub fn ensure(build: &WarmBuild) -> Result<PathBuf, IndexError> {
    let path = location(build);
    if Index::open(&path).is_ok() {
        return Ok(path);
    }
    let said = |path: &Path| {
        let path = path.to_path_buf();
        move |error| IndexError::Io { path, error }
    };
    let directory = path.parent().unwrap_or(Path::new("."));
    fs::create_dir_all(directory).map_err(said(directory))?;
    let lock_path = directory.join("partita-names.lock");
    let lock = fs::File::create(&lock_path).map_err(said(&lock_path))?;
    lock.lock().map_err(said(&lock_path))?;
    if Index::open(&path).is_ok() {
        return Ok(path);
    }
    let work = tempfile::Builder::new().prefix("partita-names-").tempdir().map_err(said(&env::temp_dir()))?;
    document(build, work.path())?;
    let pages = read_pages(&work.path().join("html").join(CRATE)).map_err(said(work.path()))?;
    let fresh = tempfile::NamedTempFile::new_in(directory).map_err(said(directory))?;
    Index::write(fresh.path(), pages).map_err(said(fresh.path()))?;
    remove_old(directory);
    fresh.persist(&path).map_err(|error| said(&path)(error.error))?;
    Ok(path)
}

/// Runs rustdoc on a crate that re-exports everything. rustdoc documents what is in other crates'
/// metadata as if it were in this one.
fn document(build: &WarmBuild, directory: &Path) -> Result<(), IndexError> {
    let source = directory.join("api.rs");
    fs::write(&source, source_text()).map_err(|error| IndexError::Io { path: source.clone(), error })?;
    let output = Command::new(build.rustdoc())
        .current_dir(directory)
        .args(["api.rs", "--crate-name", CRATE, "--edition=2024", "--cap-lints=allow", "--out-dir=html"])
        .arg(build.extern_argument())
        .arg(build.dependency_argument())
        // Pages about primitive types need an attribute that only std may use.
        .env("RUSTC_BOOTSTRAP", "1")
        .stdin(Stdio::null())
        .output()
        .map_err(|error| IndexError::Rustdoc(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(IndexError::Rustdoc(said.lines().next().unwrap_or("it gave no reason").to_owned()))
}

fn source_text() -> String {
    let mut text = format!(
        "#![feature(rustdoc_internals, rustc_attrs)]\n#![allow(internal_features)]\n\
         pub mod partita {{\n\
         pub mod prelude {{ #[doc(inline)] pub use ::partita::prelude::*; }}\n\
         #[doc(inline)] pub use ::partita::*;\n}}\n\
         pub mod std {{ #[doc(inline)] pub use ::std::{{{STANDARD}}}; }}\n"
    );
    for name in PRIMITIVES {
        // Writing to a string cannot fail. Without docs of its own there is no page.
        let _ = writeln!(text, "#[rustc_doc_primitive = {name:?}] /** Primitive type. */ mod p_{name} {{}}");
    }
    text
}

fn read_pages(directory: &Path) -> io::Result<Vec<(String, Kind, Page)>> {
    let mut pages = Vec::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(current) = open.pop() {
        for entry in fs::read_dir(current)? {
            let path = entry?.path();
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let relative = path.strip_prefix(directory).unwrap_or(&path).to_string_lossy();
            if let Some((name, kind)) = page::identify(&relative) {
                let page = page::read(&fs::read_to_string(&path)?);
                if kind == Kind::Module || !page.declaration.is_empty() || !name.contains("::") {
                    pages.push((name, kind, page));
                }
            }
        }
    }
    // A trait's own page has its methods, once for all types.
    let traits: BTreeMap<String, bool> = pages
        .iter()
        .filter(|page| page.1 == Kind::Trait)
        .map(|(path, _, page)| (path.clone(), page.groups.iter().any(|group| !group.members.is_empty())))
        .collect();
    for (path, _, page) in &mut pages {
        let name = path.rsplit("::").next().unwrap_or(path);
        page.groups.retain_mut(|group| {
            let Some(has_members) = group.of_trait.as_ref().and_then(|path| traits.get(path)) else {
                return true;
            };
            group.members.clear();
            *has_members && is_for(&group.header, name)
        });
    }
    Ok(pages)
}

/// Whether an `impl Trait for Type` is for the type of this name or for every type. A page also lists
/// impls that only mention its type.
fn is_for(header: &str, name: &str) -> bool {
    let Some((_, target)) = header.split("\nwhere").next().unwrap_or(header).split_once(" for ") else {
        return true;
    };
    let head = target.trim_start_matches("&").trim_start_matches("'a ").trim_start_matches("mut ");
    let head = head.split(|c: char| !text::is_name(c)).next().unwrap_or(head);
    // A name this short is a type parameter.
    head == name || head.is_empty() || head.len() <= 2 || name.starts_with(char::is_lowercase)
}

/// Removes the indexes of earlier builds.
fn remove_old(directory: &Path) {
    let Ok(entries) = fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with("partita-names-") && name.ends_with(".index") {
            // Kernels that have it open keep their copy.
            let _ = fs::remove_file(entry.path());
        }
    }
}
