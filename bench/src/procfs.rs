//! What Linux tells of a process.

use crate::Outcome;

/// Ticks of a second in `/proc/PID/stat`: `USER_HZ` is 100 on every architecture of today.
const TICKS: f64 = 100.0;

/// Resident memory, in bytes: all of it.
pub(crate) fn resident_bytes(pid: u32) -> Outcome<f64> {
    memory(pid, "VmRSS:")
}

/// Resident memory that is the process's own, in bytes: without the parts of files that it maps,
/// which are the system's cache, are counted once for each mapping, and are given back when needed.
pub(crate) fn own_bytes(pid: u32) -> Outcome<f64> {
    memory(pid, "RssAnon:")
}

fn memory(pid: u32, what: &str) -> Outcome<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix(what));
    let kib = line.and_then(|line| line.split_whitespace().next()).ok_or("no memory in status")?;
    Ok(kib.parse::<f64>()? * 1024.0)
}

/// Processor time, user and system, in seconds.
pub(crate) fn cpu_seconds(pid: u32) -> Outcome<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The second field is the program's name in parentheses, and may hold spaces.
    let (_, fields) = stat.rsplit_once(')').ok_or("no stat")?;
    let mut fields = fields.split_whitespace();
    // proc(5): utime is field 14 and stime 15, counted from 1, and two fields are gone.
    let user: f64 = fields.nth(11).ok_or("no utime")?.parse()?;
    let system: f64 = fields.next().ok_or("no stime")?.parse()?;
    Ok((user + system) / TICKS)
}
