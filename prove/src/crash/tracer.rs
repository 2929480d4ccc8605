//! strace around the running service: it stands between the service and the kernel, so that a
//! system call can be watched, made to fail, or be the last one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::place::{Server, signal};
use crate::Outcome;

const MISSING: &str = "strace is not installed, and these experiments need it: \
    apt-get install strace (Debian, Ubuntu), dnf install strace (Fedora)";

/// A tracer of one server.
pub(super) struct Tracer {
    child: Child,
}

impl Tracer {
    /// Attaches to all threads of a server, with strace's own arguments, and writes what it sees
    /// to a file.
    pub(super) fn attach(server: &Server, arguments: &[&str], output: &Path) -> Outcome<Self> {
        let mut child = Command::new("strace")
            .args(["-f", "-y", "-p", &server.pid().to_string(), "-o"])
            .arg(output)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|error| format!("{MISSING} ({error})"))?;
        let mut said = String::new();
        if let Some(stderr) = child.stderr.take() {
            let mut lines = BufReader::new(stderr);
            while !said.contains(" attached") {
                if lines.read_line(&mut said)? == 0 {
                    return Err(format!("strace did not attach: {said}").into());
                }
            }
            // It goes on saying things, and must not fail for want of a listener.
            std::thread::spawn(move || std::io::copy(&mut lines, &mut std::io::sink()));
        }
        Ok(Self { child })
    }

    /// Lets go of the server, which goes on.
    pub(super) fn detach(mut self) -> Outcome<()> {
        signal("TERM", self.child.id())?;
        self.child.wait()?;
        Ok(())
    }

    /// Waits until the server is gone, and with it the tracer.
    pub(super) fn wait(mut self) -> Outcome<()> {
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Tracer {
    fn drop(&mut self) {
        // Gone already, when it was detached or its server ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
