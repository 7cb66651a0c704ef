//! `partita install` and `uninstall` from the command line.

use std::path::Path;
use std::process::{Command, Output};

fn partita(arguments: &[&str], variable: &str, directory: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_partita"))
        .args(arguments)
        .env_remove("VIRTUAL_ENV")
        .env_remove("CONDA_PREFIX")
        .env(variable, directory)
        .output()
        .unwrap()
}

#[test]
fn each_place_gets_the_kernelspec_where_jupyter_looks_and_says_so() {
    let cases = [
        (&["install"][..], "JUPYTER_DATA_DIR", "kernels/partita"),
        (&["install", "--user"], "JUPYTER_DATA_DIR", "kernels/partita"),
        (&["install", "--sys-prefix"], "VIRTUAL_ENV", "share/jupyter/kernels/partita"),
        (&["install", "--sys-prefix", "--name", "rs"], "CONDA_PREFIX", "share/jupyter/kernels/rs"),
    ];
    for (arguments, variable, expected) in cases {
        let directory = tempfile::tempdir().unwrap();
        let output = partita(arguments, variable, directory.path());
        assert!(output.status.success(), "{arguments:?}: {output:?}");
        let installed = directory.path().join(expected);
        let text = std::fs::read_to_string(installed.join("kernel.json")).unwrap();
        let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(spec["argv"][0], env!("CARGO_BIN_EXE_partita"));
        let said = String::from_utf8(output.stdout).unwrap();
        assert!(said.contains(installed.to_str().unwrap()), "{said}");
    }
}

#[cfg(feature = "evcxr")]
#[test]
fn the_kernel_is_started_with_the_evaluator_it_was_installed_with() {
    let directory = tempfile::tempdir().unwrap();
    let output = partita(&["install", "--evaluator", "evcxr"], "JUPYTER_DATA_DIR", directory.path());
    assert!(output.status.success(), "{output:?}");
    let text = std::fs::read_to_string(directory.path().join("kernels/partita/kernel.json")).unwrap();
    let spec: serde_json::Value = serde_json::from_str(&text).unwrap();
    let expected = serde_json::json!(["kernel", "-f", "{connection_file}", "--evaluator", "evcxr"]);
    assert_eq!(spec["argv"].as_array().unwrap()[1..], expected.as_array().unwrap()[..]);
}

#[test]
fn uninstalling_what_is_not_there_fails_and_says_where_it_looked() {
    let directory = tempfile::tempdir().unwrap();
    let output = partita(&["uninstall"], "JUPYTER_DATA_DIR", directory.path());
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8(output.stderr).unwrap();
    assert!(said.contains(directory.path().to_str().unwrap()), "{said}");
}

#[test]
fn two_places_at_once_are_refused() {
    let directory = tempfile::tempdir().unwrap();
    let output = partita(&["install", "--user", "--system"], "JUPYTER_DATA_DIR", directory.path());
    assert!(!output.status.success());
    assert!(directory.path().read_dir().unwrap().next().is_none());
}
