//! The process, under the names that every Prometheus client library uses. Read from `/proc` at
//! each scrape; where there is none, nothing is told.

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, EncodeMetric as _},
    metrics::{counter::ConstCounter, gauge::ConstGauge},
};

#[derive(Debug)]
pub(super) struct ProcessCollector;

/// Ticks of a second in `/proc/self/stat`: `USER_HZ`, which Linux keeps at 100 on every
/// architecture that programs are built for today.
const TICKS: f64 = 100.0;

impl Collector for ProcessCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Some(process) = Process::read() else { return Ok(()) };
        let mut gauge = |name: &str, help: &str, value: f64| {
            let metric = ConstGauge::new(value);
            let encoder =
                encoder.encode_descriptor(name, help, None, prometheus_client::metrics::MetricType::Gauge)?;
            metric.encode(encoder)
        };
        gauge("process_resident_memory_bytes", "Resident memory.", process.resident_bytes)?;
        gauge("process_open_fds", "Open file descriptors.", process.open_fds)?;
        gauge("process_start_time_seconds", "When the process started, since 1970.", process.start_seconds)?;
        let cpu = ConstCounter::new(process.cpu_seconds);
        let encoder = encoder.encode_descriptor(
            "process_cpu_seconds",
            "Processor time, user and system.",
            None,
            prometheus_client::metrics::MetricType::Counter,
        )?;
        cpu.encode(encoder)
    }
}

/// What `/proc` tells of this process.
#[derive(Debug)]
struct Process {
    resident_bytes: f64,
    cpu_seconds: f64,
    open_fds: f64,
    start_seconds: f64,
}

impl Process {
    fn read() -> Option<Self> {
        let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
        // The second field is the program's name in parentheses, and may hold spaces.
        let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
        // proc(5) counts from 1 and the first two fields are gone.
        let field = |number: usize| fields.get(number.checked_sub(3)?)?.parse::<f64>().ok();
        let status = std::fs::read_to_string("/proc/self/status").ok()?;
        let resident_kib = line(&status, "VmRSS:")?;
        let boot = line(&std::fs::read_to_string("/proc/stat").ok()?, "btime")?;
        Some(Self {
            resident_bytes: resident_kib * 1024.0,
            cpu_seconds: (field(14)? + field(15)?) / TICKS,
            // The listing itself holds one.
            open_fds: (std::fs::read_dir("/proc/self/fd").ok()?.count().saturating_sub(1)) as f64,
            start_seconds: boot + field(22)? / TICKS,
        })
    }
}

/// The number that follows a name at the start of a line.
fn line(text: &str, name: &str) -> Option<f64> {
    text.lines().find_map(|line| line.strip_prefix(name))?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg(target_os = "linux")]
    fn the_process_is_plausible() {
        let process = Process::read().unwrap();
        assert!(process.resident_bytes > 1_000_000.0, "{process:?}");
        assert!(process.open_fds >= 3.0, "{process:?}");
        assert!(process.start_seconds > 1_600_000_000.0, "{process:?}");
    }
}
