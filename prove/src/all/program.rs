//! What the parts are: processes, as a person would start them, and what they say.

use std::io::{BufRead as _, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;

/// Time between two lines that say that a part goes on.
const STILL_EVERY: Duration = Duration::from_secs(30);

/// What a process said on its standard output, and whether it ended well.
pub(super) struct Said {
    pub(super) text: String,
    pub(super) good: bool,
}

/// Runs a process to its end, with a line on standard error now and then. `shows` chooses lines of
/// its output to be shown at once.
pub(super) fn run(what: &str, command: &mut Command, shows: fn(&str) -> bool) -> Outcome<Said> {
    say(what);
    let mut child = command.stdout(Stdio::piped()).spawn().map_err(|error| format!("{what}: {error}"))?;
    let out = child.stdout.take().ok_or("no output")?;
    let (over, is_over) = mpsc::channel::<()>();
    let text = std::thread::scope(|scope| {
        scope.spawn(move || {
            let begun = Instant::now();
            while is_over.recv_timeout(STILL_EVERY) == Err(RecvTimeoutError::Timeout) {
                say(&format!("{what}: for {} s now", begun.elapsed().as_secs()));
            }
        });
        let mut text = String::new();
        for line in BufReader::new(out).split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line);
            if shows(&line) {
                say(&line);
            }
            text.push_str(&line);
            text.push('\n');
        }
        drop(over);
        text
    });
    Ok(Said { text, good: child.wait()?.success() })
}

/// Runs a part of this program and reads its report; what it thinks of the report is in there.
pub(super) fn part(arguments: &[impl AsRef<str>]) -> Outcome<Value> {
    let arguments: Vec<&str> = arguments.iter().map(AsRef::as_ref).collect();
    let what = arguments.join(" ");
    let said = run(&what, Command::new(std::env::current_exe()?).args(&arguments).arg("--json"), |_| false)?;
    // Sentences for people may stand before the report.
    let report = said.text.find('{').and_then(|at| said.text.get(at..)).unwrap_or_default();
    serde_json::from_str(report).map_err(|error| format!("{what}: {error}: {}", said.text).into())
}

/// The repository.
pub(super) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

pub(super) fn cargo() -> Command {
    let mut cargo = Command::new("cargo");
    cargo.current_dir(root());
    cargo
}

#[expect(clippy::print_stderr, reason = "the report is what this program is for")]
pub(super) fn say(line: &str) {
    eprintln!("{line}");
}
