use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The path of `partita`'s shared library, which cells link. If it is set, this process is a compiler
/// wrapper.
const LIBRARY: &str = "PARTITA_CELL_LIBRARY";
/// The directory of the library's dependencies.
const DEPENDENCIES: &str = "PARTITA_CELL_DEPENDENCIES";
/// The sysroot of cells.
const SYSROOT: &str = "PARTITA_CELL_SYSROOT";
/// Where a check of a cell writes its MIR, which has the types of the variables.
const MIR: &str = "PARTITA_CELL_MIR";
/// The name of the crate that evcxr makes of every cell.
const CELL_CRATE: &str = "ctx";

/// What a cell is linked against.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    /// The shared library of `partita`, with the standard library inside.
    pub library: PathBuf,
    /// The directory with the crates that its metadata names.
    pub dependencies: PathBuf,
    /// A sysroot without a shared standard library, which would be a second copy.
    pub sysroot: PathBuf,
}

/// The environment that makes cargo run `program` instead of rustc for evcxr's cells. evcxr itself and
/// its rust-analyzer must not see `partita`: they would re-examine every crate at every cell.
pub fn environment<'a>(
    program: &'a Path,
    linked: &'a Linked,
    mir: &'a Path,
) -> [(&'static str, &'a Path); 5] {
    [
        ("RUSTC_WORKSPACE_WRAPPER", program),
        (LIBRARY, &linked.library),
        (DEPENDENCIES, &linked.dependencies),
        (SYSROOT, &linked.sysroot),
        (MIR, mir),
    ]
}

/// If cargo started this process as a compiler wrapper, runs rustc with what a cell needs and does not
/// return.
pub fn hook() {
    let Some(library) = std::env::var_os(LIBRARY) else { return };
    let mut arguments = std::env::args_os().skip(1);
    let Some(rustc) = arguments.next() else { return };
    let arguments: Vec<OsString> = arguments.collect();
    let mut command = Command::new(&rustc);
    command.args(&arguments);
    if is_cell(&arguments) {
        let path = |name| std::env::var_os(name).map(PathBuf::from).unwrap_or_default();
        let linked =
            Linked { library: library.into(), dependencies: path(DEPENDENCIES), sysroot: path(SYSROOT) };
        command.args(cell_arguments(&linked));
        if let Some(mir) = std::env::var_os(MIR)
            && is_check(&arguments)
        {
            let mut emit = OsString::from("--emit=mir=");
            emit.push(mir);
            command.arg(emit);
        }
    }
    let code = match command.status() {
        Ok(status) => status.code().unwrap_or(1),
        Err(error) => {
            eprintln!("error: cannot run {}: {error}", rustc.display());
            1
        }
    };
    std::process::exit(code);
}

fn is_cell(arguments: &[OsString]) -> bool {
    arguments.windows(2).any(|pair| pair[0] == "--crate-name" && pair[1] == CELL_CRATE)
}

fn is_check(arguments: &[OsString]) -> bool {
    arguments.iter().filter_map(|argument| argument.to_str()).any(|argument| {
        argument.strip_prefix("--emit=").is_some_and(|kinds| !kinds.split(',').any(|kind| kind == "link"))
    })
}

fn cell_arguments(linked: &Linked) -> Vec<OsString> {
    let with = |prefix: &str, path: &Path| {
        let mut argument = OsString::from(prefix);
        argument.push(path);
        argument
    };
    vec![
        "--extern".into(),
        with("partita=", &linked.library),
        "-L".into(),
        with("dependency=", &linked.dependencies),
        "--sysroot".into(),
        linked.sysroot.clone().into(),
        "-C".into(),
        "prefer-dynamic".into(),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(line: &str) -> Vec<OsString> {
        line.split(' ').map(OsString::from).collect()
    }

    #[test]
    fn only_the_crate_of_cells_is_touched() {
        assert!(is_cell(&arguments("--crate-name ctx --edition=2024 src/lib.rs")));
        assert!(!is_cell(&arguments("--crate-name serde src/lib.rs -L ctx")));
    }

    #[test]
    fn a_check_is_told_from_a_build() {
        assert!(is_check(&arguments("--crate-name ctx --emit=dep-info,metadata")));
        assert!(!is_check(&arguments("--crate-name ctx --emit=dep-info,link")));
        assert!(!is_check(&arguments("-vV")));
    }

    #[test]
    fn cells_get_the_library_and_what_stands_behind_it() {
        let linked =
            Linked { library: "/w/lib.so".into(), dependencies: "/w/deps".into(), sysroot: "/s".into() };
        let expected = "--extern partita=/w/lib.so -L dependency=/w/deps --sysroot /s -C prefer-dynamic";
        assert_eq!(cell_arguments(&linked), arguments(expected));
    }
}
