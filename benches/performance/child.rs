//! A process with what it took: wall time, processor time and the most memory.

use std::ffi::OsStr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Ticks of the kernel's accounts in a second, the same on every Linux.
const TICKS: f64 = 100.0;

/// What a process took.
pub(crate) struct Took {
    pub(crate) wall: Duration,
    pub(crate) cpu_s: f64,
    pub(crate) peak_mb: f64,
    pub(crate) code: i32,
    pub(crate) stdout: String,
}

/// The program that was built with this bench.
pub(crate) const CEILING: &str = env!("CARGO_BIN_EXE_ceiling");

/// Runs a program in a folder to its end.
pub(crate) fn run<A: AsRef<OsStr>>(program: &str, arguments: impl IntoIterator<Item = A>, folder: &Path) -> Took {
    let output = folder.join("stdout");
    let mut command = Command::new(program);
    command.args(arguments).current_dir(folder).env("HOME", folder).env_remove("RUST_LOG");
    command.stdin(Stdio::null()).stdout(std::fs::File::create(&output).unwrap()).stderr(Stdio::null());
    let began = Instant::now();
    let mut child = command.spawn().unwrap();
    let process = format!("/proc/{}", child.id());
    let mut peak_kb = 0.0_f64;
    // A process that has ended keeps its account of time until it is waited for, and its memory no longer.
    let cpu_s = loop {
        let stat = std::fs::read_to_string(format!("{process}/stat")).unwrap();
        let fields: Vec<&str> = stat[stat.rfind(')').unwrap() + 2..].split(' ').collect();
        peak_kb = peak_kb.max(high_water(&process));
        if fields[0] == "Z" {
            let ticks: f64 = fields[11..=12].iter().map(|ticks| ticks.parse::<f64>().unwrap()).sum();
            break ticks / TICKS;
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let wall = began.elapsed();
    let status = child.wait().unwrap();
    let stdout = std::fs::read_to_string(output).unwrap();
    Took { wall, cpu_s, peak_mb: peak_kb / 1024.0, code: status.code().unwrap_or(-1), stdout }
}

/// The most memory that a process has had, in KiB.
fn high_water(process: &str) -> f64 {
    let status = std::fs::read_to_string(format!("{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or(0.0)
}
