//! The clients as their users get them: by `npm ci`, `pip install` and `cargo build`, from their
//! registries and in the versions of the lock files here, into a folder under `target/`. Nothing is
//! fetched again until a lock file changes.

use std::ffi::OsStr;
use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where this is in the source.
const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// A program of `node/`.
pub(crate) fn node(file: &str) -> Command {
    let mut program = program("node");
    program.arg(node_folder().join(file));
    program
}

/// Where Node finds the modules, and the programs of `node/`.
pub(crate) fn node_folder() -> &'static Path {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    FOLDER.get_or_init(|| {
        // Modules are found from the program's own folder upwards, so the programs are copied
        // beside them.
        let arguments = ["ci", "--no-audit", "--no-fund", "--ignore-scripts"];
        install("node", &["package.json", "package-lock.json"], |folder| {
            let mut npm = Command::new("npm");
            npm.args(arguments).current_dir(folder);
            npm
        })
    })
}

/// A program of `python/`.
pub(crate) fn python(file: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        install("python", &["requirements.txt"], |folder| {
            let mut pip = Command::new("python3");
            pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--require-hashes"]);
            // Nothing is built: what has no wheel for this machine is a complaint.
            pip.args(["--only-binary", ":all:", "--target", "packages", "-r", "requirements.txt"]);
            pip.current_dir(folder);
            pip
        })
    });
    let mut program = program("python3");
    program.arg(folder.join(file)).env("PYTHONPATH", folder.join("packages"));
    program
}

/// A program of `rust/`, a workspace of its own: what these clients bring along is not in ours.
pub(crate) fn rust(name: &str) -> Command {
    static FOLDER: OnceLock<PathBuf> = OnceLock::new();
    let folder = FOLDER.get_or_init(|| {
        let folder = cache("rust");
        let mut cargo = Command::new(env!("CARGO"));
        cargo.args(["build", "--quiet", "--locked", "--bins", "--target-dir"]).arg(&folder);
        cargo.current_dir(Path::new(HERE).join("rust"));
        succeed(&mut cargo);
        folder.join("debug")
    });
    program(folder.join(name))
}

/// Nothing of this machine's configuration changes what a client does, a proxy's address least.
#[expect(clippy::disallowed_methods, reason = "it is found where whoever runs the tests would find it")]
pub(crate) fn program(name: impl AsRef<OsStr>) -> Command {
    let mut program = Command::new(name);
    program.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    program
}

/// Installs what the lock files say into a folder of that name, unless it is there, and copies the
/// programs beside it.
fn install(name: &str, lock_files: &[&str], command: impl Fn(&Path) -> Command) -> PathBuf {
    let (source, folder) = (Path::new(HERE).join(name), cache(name));
    // Another run of the tests may be at it.
    let turn = File::create(folder.with_extension("lock")).unwrap();
    turn.lock().unwrap();
    let wanted: String =
        lock_files.iter().map(|file| fs::read_to_string(source.join(file)).unwrap()).collect();
    let installed = folder.join("installed");
    if fs::read_to_string(&installed).is_ok_and(|installed| installed == wanted) {
        copy(&source, &folder);
        return folder;
    }
    fs::remove_dir_all(&folder).unwrap();
    fs::create_dir(&folder).unwrap();
    copy(&source, &folder);
    succeed(&mut command(&folder));
    fs::write(installed, wanted).unwrap();
    folder
}

/// Copies the files of a folder, not what is in folders there.
pub(crate) fn copy(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        if entry.file_type().unwrap().is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
        }
    }
}

fn cache(name: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients").join(name);
    fs::create_dir_all(&folder).unwrap();
    folder
}

/// Runs an installation. That it cannot be had fails the tests: they would prove nothing without.
#[track_caller]
fn succeed(command: &mut Command) {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?} could not be started: {error}"));
    assert!(
        output.status.success(),
        "the clients could not be installed: these tests need the registries of npm, PyPI and crates.io when a \
         lock file is new.\n{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr),
    );
}
