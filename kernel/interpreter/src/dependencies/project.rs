use std::{
    fs,
    io::{BufRead, BufReader, Read},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
};

use partita_bridge::Stream;
use serde::Deserialize;
use toml::{Table, Value};

use super::{
    artifact::Artifact,
    builder::{Builder, hash},
    error::DependencyError,
    library::{self, BuiltCrates},
    spec::Dependency,
};
use crate::toolchain::WarmBuild;

const NAME: &str = "partita-dependencies";
const REMEMBERED: &str = "built.json";

/// Cells run unoptimised code, but the crates they call are optimised. The profile differs from
/// Partita's, so that no crate can be mistaken for one inside `libpartita.so`.
const PROFILE: &str = "\
[release]
opt-level = 3
debug = false
incremental = false
codegen-units = 8
panic = \"unwind\"
";

/// The lines of cargo's output that are shown as progress.
const PROGRESS: [&str; 5] = ["Compiling ", "Downloading ", "Downloaded ", "Updating ", "Blocking "];

/// The cargo project of one set of crates.
pub struct Project {
    /// Its path.
    pub directory: PathBuf,
    can_change: bool,
}

impl Project {
    /// Writes the project unless it exists. Versions that the session already uses are kept.
    pub fn prepare(
        cache: &Path,
        dependencies: &[Dependency],
        before: Option<&BuiltCrates>,
    ) -> Result<Self, DependencyError> {
        let manifest = manifest(dependencies);
        let locked = before.and_then(|built| fs::read_to_string(&built.lockfile).ok()).unwrap_or_default();
        let key = hash(&format!("{manifest}{locked}"));
        let directory = cache.join("projects").join(key);
        let prepare = || {
            fs::create_dir_all(&directory)?;
            if !directory.join("Cargo.lock").is_file() && !locked.is_empty() {
                write_whole(&directory.join("Cargo.lock"), &locked)?;
            }
            write_whole(&directory.join("lib.rs"), "")?;
            write_whole(&directory.join("Cargo.toml"), &manifest)
        };
        prepare().map_err(DependencyError::io(format!("cannot write {}", directory.display())))?;
        Ok(Self { directory, can_change: dependencies.iter().any(Dependency::can_change) })
    }

    /// The result of an earlier build of this project, if it is still usable.
    pub fn cached(&self, build: &WarmBuild) -> Option<BuiltCrates> {
        if self.can_change {
            return None;
        }
        let text = fs::read_to_string(self.directory.join(REMEMBERED)).ok()?;
        let built: BuiltCrates = serde_json::from_str(&text).ok()?;
        built.is_usable(build).then_some(built)
    }

    /// Builds the crates with cargo and links them. Tries cargo's cache first, which needs no network.
    pub fn build(&self, cache: &Path, builder: &Builder<'_>) -> Result<BuiltCrates, DependencyError> {
        let target = cache.join("target");
        let cargo = Cargo { project: &self.directory, target: &target, builder };
        let build = ["build", "--release", "--lib", "--message-format=json-render-diagnostics"];
        let mut offline = true;
        let said = match cargo.run(&[&build[..], &["--offline"]].concat()) {
            Err(DependencyError::Cargo { said, .. }) if said.contains("offline") => {
                let notice = "some crates are not in cargo's cache; asking the registry\n";
                builder.outputs.text(Stream::Stderr, notice);
                offline = false;
                cargo.run(&build)?
            }
            other => other?,
        };
        let mut metadata = vec!["metadata", "--format-version=1", "--filter-platform", builder.build.host()];
        metadata.extend(offline.then_some("--offline"));
        let metadata: Metadata = serde_json::from_str(&cargo.run(&metadata)?)
            .map_err(|error| DependencyError::Cargo { headline: error.to_string(), said: String::new() })?;
        let (artifacts, native) = read_messages(&said);
        let mut built = BuiltCrates {
            library: PathBuf::new(),
            metadata: PathBuf::new(),
            externs: Vec::new(),
            native,
            versions: Vec::new(),
            changeable: Vec::new(),
            lockfile: self.directory.join("Cargo.lock"),
            partita: builder.build.identity(),
        };
        for (name, package) in metadata.direct() {
            let mut found = artifacts.iter().filter(|artifact| artifact.package == package.id);
            // A crate that a build script also uses is built twice.
            let first = found.next().ok_or_else(|| DependencyError::NoLibrary(package.name.clone()))?;
            let best = if first.optimised { first } else { found.find(|it| it.optimised).unwrap_or(first) };
            built.externs.push((name, best.file.clone()));
            built.versions.push((package.name.clone(), package.version.clone()));
        }
        let built = library::link(cache, &artifacts, built, builder)?;
        // Without this file the next session only has to ask cargo again.
        if let Ok(json) = serde_json::to_string(&built) {
            let _ = write_whole(&self.directory.join(REMEMBERED), &json);
        }
        Ok(built)
    }
}

/// Writes atomically, because other kernels may be reading the file.
fn write_whole(path: &Path, text: &str) -> std::io::Result<()> {
    if fs::read_to_string(path).is_ok_and(|old| old == text) {
        return Ok(());
    }
    let mut file = tempfile::NamedTempFile::new_in(path.parent().unwrap_or(Path::new(".")))?;
    std::io::Write::write_all(&mut file, text.as_bytes())?;
    file.persist(path)?;
    Ok(())
}

fn manifest(dependencies: &[Dependency]) -> String {
    let text = |text: &str| Value::String(text.to_owned());
    let table = |entries: &[(&str, Value)]| -> Table {
        entries.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
    };
    let wanted: Table =
        dependencies.iter().map(|wanted| (wanted.name.clone(), wanted.value.clone())).collect();
    let package = [("name", text(NAME)), ("version", text("0.0.0")), ("edition", text("2024"))];
    let manifest = table(&[
        ("package", table(&package).into()),
        ("lib", table(&[("path", text("lib.rs"))]).into()),
        // A workspace of its own, so that a manifest further up has no effect.
        ("workspace", table(&[]).into()),
        ("dependencies", wanted.into()),
        ("profile", PROFILE.parse::<Table>().unwrap_or_default().into()),
    ]);
    manifest.to_string()
}

struct Cargo<'a> {
    project: &'a Path,
    target: &'a Path,
    builder: &'a Builder<'a>,
}

impl Cargo<'_> {
    /// Runs cargo and returns its standard output. An interrupt ends cargo and the compilers it started.
    fn run(&self, arguments: &[&str]) -> Result<String, DependencyError> {
        let Builder { build, interrupts, outputs, .. } = self.builder;
        let own = build.rustc.with_file_name("cargo");
        let mut command = Command::new(if own.is_file() { own } else { "cargo".into() });
        command
            .args(arguments)
            .current_dir(self.project)
            .env("RUSTC", &build.rustc)
            .env("CARGO_TARGET_DIR", self.target)
            .env("CARGO_TERM_COLOR", "never")
            .env("CARGO_TERM_PROGRESS_WHEN", "never")
            // Set by the build that started this process, if any.
            .env_remove("CARGO_INCREMENTAL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0);
        let mut child = command.spawn().map_err(DependencyError::NoCargo)?;
        let watch = interrupts.compiling(child.id().cast_signed());
        let (answer, said) = thread::scope(|scope| {
            let stderr = child.stderr.take();
            let listening = scope.spawn(move || {
                let mut said = String::new();
                for line in stderr.into_iter().flat_map(|it| BufReader::new(it).lines()).map_while(Result::ok)
                {
                    let text = line.trim_start();
                    if PROGRESS.iter().any(|known| text.starts_with(known)) && !text.contains(NAME) {
                        outputs.text(Stream::Stderr, format!("{line}\n"));
                    }
                    said.push_str(&line);
                    said.push('\n');
                }
                said
            });
            let mut answer = String::new();
            if let Some(mut stdout) = child.stdout.take() {
                // A truncated answer cannot be parsed later, which is reported then.
                let _ = stdout.read_to_string(&mut answer);
            }
            (answer, listening.join().unwrap_or_default())
        });
        let ended = finish(child);
        drop(watch);
        if interrupts.requested() {
            return Err(DependencyError::Interrupted);
        }
        if ended? { Ok(answer) } else { Err(failure(&said)) }
    }
}

fn finish(mut child: Child) -> Result<bool, DependencyError> {
    Ok(child.wait().map_err(DependencyError::NoCargo)?.success())
}

/// Cargo's first error, and all its output that is not progress.
fn failure(said: &str) -> DependencyError {
    let kept: Vec<&str> = said
        .lines()
        .filter(|line| {
            let text = line.trim_start();
            !PROGRESS
                .iter()
                .chain(&["Locking ", "Adding ", "warning: build failed"])
                .any(|it| text.starts_with(it))
        })
        .collect();
    let first = kept.iter().find_map(|line| {
        line.strip_prefix("error: ")
            .or_else(|| Some(line.split_once("]: ")?.1).filter(|_| line.starts_with("error[")))
    });
    let headline = first.unwrap_or("cargo failed").to_owned();
    DependencyError::Cargo { headline, said: kept.join("\n") }
}

#[derive(Deserialize)]
#[serde(tag = "reason", rename_all = "kebab-case")]
enum Message {
    CompilerArtifact {
        package_id: String,
        target: TargetKind,
        filenames: Vec<PathBuf>,
        profile: Profile,
    },
    BuildScriptExecuted {
        linked_paths: Vec<String>,
    },
    #[serde(other)]
    Other,
}

#[derive(Deserialize)]
struct TargetKind {
    kind: Vec<String>,
    name: String,
}

#[derive(Deserialize)]
struct Profile {
    opt_level: String,
}

/// The libraries that cargo reports as built, and the directories of native libraries.
fn read_messages(said: &str) -> (Vec<Artifact>, Vec<String>) {
    let mut artifacts = Vec::new();
    let mut native: Vec<String> = Vec::new();
    for message in said.lines().filter_map(|line| serde_json::from_str(line).ok()) {
        match message {
            Message::CompilerArtifact { package_id, target, filenames, profile } => {
                let is_macro = target.kind.iter().any(|kind| kind == "proc-macro");
                let is_library = is_macro || target.kind.iter().any(|kind| kind.ends_with("lib"));
                let wanted = if is_macro { &["so", "dylib"][..] } else { &["rlib"] };
                if !is_library || target.name.replace('-', "_") == library::CRATE_NAME {
                    continue;
                }
                artifacts.extend(
                    filenames
                        .into_iter()
                        .filter(|file| {
                            wanted.iter().any(|end| file.extension().is_some_and(|have| have == *end))
                        })
                        .map(|file| Artifact {
                            file,
                            can_change: package_id.starts_with("path+"),
                            package: package_id.clone(),
                            optimised: profile.opt_level == "3",
                        }),
                );
            }
            Message::BuildScriptExecuted { linked_paths } => {
                native.extend(
                    linked_paths.into_iter().filter(|path| !native.contains(path)).collect::<Vec<_>>(),
                );
            }
            Message::Other => {}
        }
    }
    (artifacts, native)
}

/// The parts of `cargo metadata` that are needed.
#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
}

#[derive(Deserialize)]
struct Resolve {
    root: Option<String>,
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Edge>,
}

#[derive(Deserialize)]
struct Edge {
    /// The crate's name in code.
    name: String,
    pkg: String,
}

impl Metadata {
    /// The requested crates, with their names in code.
    fn direct(&self) -> Vec<(String, &Package)> {
        let root = self.resolve.nodes.iter().find(|node| Some(&node.id) == self.resolve.root.as_ref());
        let edges = root.map_or(&[][..], |root| &root.deps);
        let package = |id: &String| self.packages.iter().find(|package| package.id == *id);
        edges.iter().filter_map(|edge| Some((edge.name.clone(), package(&edge.pkg)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_headline_is_cargos_first_error_without_its_progress() {
        let said = "    Updating crates.io index\nerror: no matching package named `nope` found\nlocation searched\n";
        let DependencyError::Cargo { headline, said } = failure(said) else { panic!("cargo's own failure") };
        assert_eq!(headline, "no matching package named `nope` found");
        assert!(said.ends_with("location searched") && !said.contains("Updating"), "{said}");
        let coded = failure("error[E0308]: mismatched types\n --> src/lib.rs:1:1\n");
        assert_eq!(coded.to_string(), "mismatched types");
    }

    #[test]
    fn libraries_and_macros_are_found_among_cargos_messages_and_programs_are_not() {
        let artifact = |kind: &str, name: &str, file: &str| {
            format!(
                r#"{{"reason":"compiler-artifact","package_id":"path+file:///x#{name}@1","target":{{"kind":["{kind}"],"name":"{name}"}},"filenames":["{file}","/t/x.rmeta"],"profile":{{"opt_level":"3"}}}}"#
            )
        };
        let said = [
            artifact("lib", "a", "/t/liba-1.rlib"),
            artifact("proc-macro", "b", "/t/libb-1.so"),
            artifact("custom-build", "build-script-build", "/t/build"),
            artifact("lib", NAME, "/t/libown.rlib"),
            r#"{"reason":"build-script-executed","linked_paths":["native=/c"]}"#.to_owned(),
            r#"{"reason":"build-finished","success":true}"#.to_owned(),
        ];
        let (artifacts, native) = read_messages(&said.join("\n"));
        let files: Vec<&str> = artifacts.iter().filter_map(|artifact| artifact.file.to_str()).collect();
        assert_eq!(files, ["/t/liba-1.rlib", "/t/libb-1.so"]);
        assert!(artifacts.iter().all(|artifact| artifact.can_change));
        assert_eq!(native, ["native=/c"]);
    }

    #[test]
    fn the_project_says_what_was_asked_for_in_cargos_words() {
        let base = Path::new("/");
        let wanted = ["rand = \"0.9\"", "serde = { version = \"1\", features = [\"derive\"] }"]
            .map(|spec| Dependency::parse(spec, base).unwrap());
        let manifest: Table = manifest(&wanted).parse().unwrap();
        assert_eq!(manifest["dependencies"]["rand"].as_str(), Some("0.9"));
        assert_eq!(manifest["dependencies"]["serde"]["features"][0].as_str(), Some("derive"));
        assert_eq!(manifest["profile"]["release"]["opt-level"].as_integer(), Some(3));
    }
}
