//! The processes under load: the service itself, and the ceiling.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::Outcome;

/// How long the service may take to be ready, and to stop.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between two looks at a process.
const LOOK_EVERY: Duration = Duration::from_millis(1);

/// A process that ends with this value.
pub(crate) struct Running {
    child: Child,
    /// Where it listens.
    pub(crate) address: SocketAddr,
}

impl Running {
    /// The process id.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it as an operator would, and waits.
    pub(crate) fn stop(mut self) -> Outcome<()> {
        // The standard library can only kill; every shell has a kill of its own.
        Command::new("sh").args(["-c", &format!("kill -TERM {}", self.pid())]).status()?;
        let start = Instant::now();
        while start.elapsed() < PATIENCE {
            if let Some(status) = self.child.try_wait()? {
                return if status.success() {
                    Ok(())
                } else {
                    Err(format!("the server ended: {status}").into())
                };
            }
            std::thread::sleep(LOOK_EVERY);
        }
        Err("the server does not stop".into())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Gone already, when it was stopped.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Starts the service on free ports; also says how long it took until it was ready. Nothing but
/// these flags and these settings configures it: no environment of ours, no file. Its log goes to a
/// file in the directory.
pub(crate) fn service(
    binary: &Path,
    data_dir: &Path,
    database: Option<&str>,
    settings: &[(&str, &str)],
) -> Outcome<(Running, Duration)> {
    let (address, management) = (free_address()?, free_address()?);
    let mut command = Command::new(binary);
    command.arg("--data-dir").arg(data_dir);
    if let Some(database) = database {
        command.args(["--database", database]);
    }
    command
        .arg("serve")
        .args(["--listen", &address.to_string(), "--management-listen", &management.to_string()])
        .args(["--issuer", &format!("http://{address}")])
        .env_clear()
        .envs(settings.iter().copied())
        .current_dir(data_dir)
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(File::create(data_dir.join("log"))?);
    let start = Instant::now();
    let child = command.spawn().map_err(|error| format!("{}: {error}", binary.display()))?;
    let mut running = Running { child, address };
    while !is_ready(address) {
        if let Some(status) = running.child.try_wait()? {
            let log = std::fs::read_to_string(data_dir.join("log")).unwrap_or_default();
            return Err(format!("the server ended: {status}\n{log}").into());
        }
        if start.elapsed() > PATIENCE {
            return Err("the server is not ready".into());
        }
        std::thread::sleep(LOOK_EVERY);
    }
    Ok((running, start.elapsed()))
}

/// Starts the ceiling: this very program.
pub(crate) fn ceiling() -> Outcome<Running> {
    let child = Command::new(std::env::current_exe()?)
        .arg(crate::SERVE_CEILING)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    let mut running = Running { child, address: SocketAddr::from(([127, 0, 0, 1], 0)) };
    let mut line = String::new();
    if let Some(out) = running.child.stdout.take() {
        BufReader::new(out).read_line(&mut line)?;
    }
    running.address = line.trim().parse()?;
    Ok(running)
}

fn free_address() -> Outcome<SocketAddr> {
    Ok(TcpListener::bind(("127.0.0.1", 0))?.local_addr()?)
}

fn is_ready(address: SocketAddr) -> bool {
    let ask = || {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let request = format!("GET /readyz HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes())?;
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer)?;
        Ok::<_, std::io::Error>(answer.starts_with(b"HTTP/1.1 200 "))
    };
    ask().unwrap_or(false)
}
