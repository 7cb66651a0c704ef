//! Checks whether Jupyter is installed and would start this kernel.

use std::{env, path::Path};

use super::{
    Check,
    process::{Answer, LIMIT, ask, find},
};
use crate::install;

const JUPYTER: &str = "jupyter";
const KERNEL: &str = "kernelspec";
const INSTALL: &str = "run `partita install` (`partita install --help` lists the places)";

/// The Jupyter program and Partita's kernelspecs.
pub fn jupyter() -> Vec<Check> {
    vec![program(), kernelspec()]
}

fn program() -> Check {
    const GET: &str =
        "`make lab` installs JupyterLab into an environment of its own; or `pip install jupyterlab`";
    let Some(jupyter) = find("jupyter") else {
        return Check::missing(
            JUPYTER,
            "there is no `jupyter` on the PATH; the terminal does not need it",
            GET,
        );
    };
    match ask(&jupyter, &["--version"], LIMIT) {
        Answer::Said(versions) => {
            let version = |of: &str| {
                let line = versions.lines().find(|line| line.split(':').next().map(str::trim) == Some(of))?;
                let version = line.split(':').nth(1)?.trim();
                (version != "not installed").then(|| format!("{of} {version}"))
            };
            let found: Vec<String> =
                ["jupyterlab", "notebook", "jupyter_client"].into_iter().filter_map(version).collect();
            Check::good(JUPYTER, format!("{} ({})", found.join(", "), jupyter.display()))
        }
        _ => Check::missing(JUPYTER, format!("{} does not run", jupyter.display()), GET),
    }
}

fn kernelspec() -> Check {
    let specs = install::installed();
    let Ok(this) = env::current_exe() else {
        return Check::missing(KERNEL, "cannot find the path of this program", INSTALL);
    };
    let this = this.canonicalize().unwrap_or(this);
    let Some((directory, argv)) = specs.first() else {
        return Check::missing(KERNEL, "Jupyter does not know this kernel", INSTALL);
    };
    let same = |argv: &[String]| {
        argv.first().and_then(|program| Path::new(program).canonicalize().ok()).is_some_and(|it| it == this)
    };
    if let Some((directory, argv)) = specs.iter().find(|(_, argv)| same(argv)) {
        return Check::good(KERNEL, format!("{} starts `{}`", directory.display(), argv.join(" ")));
    }
    let program = Path::new(argv.first().map_or("", String::as_str));
    let says = match ask(program, &["--version"], LIMIT) {
        Answer::Said(version) => format!("which is {version}"),
        _ => "which does not run".to_owned(),
    };
    let found = format!("{} starts another program, {} ({says})", directory.display(), program.display());
    Check::missing(KERNEL, found, INSTALL)
}
