//! On what it was measured, and what a process used.

use std::{fs, process::Command};

use serde_json::{Value, json};

use crate::odoo::odoo_env_text;

/// What the figures depend on.
pub fn describe() -> Value {
    let text = |program: &str, arguments: &[&str]| {
        let output = Command::new(program).args(arguments).output().ok()?;
        Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let memory = fs::read_to_string("/proc/meminfo").ok().and_then(|info| kilobytes(&info, "MemTotal"));
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = cpu
        .lines()
        .find_map(|line| line.strip_prefix("model name").map(|rest| rest.trim_matches([' ', '\t', ':']).to_owned()));
    let folder = std::env::temp_dir();
    json!({
        "cpu": model,
        "cores": cores,
        "memory_mb": memory.map(|kilobytes| kilobytes / 1024),
        "load_at_the_end": load.split(' ').take(3).collect::<Vec<_>>(),
        "kernel": text("uname", &["-sr"]),
        "file_system": text("stat", &["-f", "-c", "%T", folder.to_str().unwrap_or("/")]),
        "odoo": odoo_env_text(&["python", "-c", "import odoo.release; print(odoo.release.version)"]).trim(),
        "postgresql": odoo_env_text(&["psql", "postgres", "-At", "-c", "show server_version"]).trim(),
        "postgresql_fsync": odoo_env_text(&["psql", "postgres", "-At", "-c", "show fsync"]).trim(),
        "commit": text("git", &["describe", "--always", "--dirty"]),
        "measured_at": chrono::Utc::now().to_rfc3339_opts(chrono::SecondsFormat::Secs, true),
    })
}

/// A line of `/proc/<pid>/status`, such as `VmHWM`, in MB of 1,000,000 bytes.
pub fn memory_mb(pid: u32, line: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process lives");
    kilobytes(&status, line).expect("a size") as f64 * 1024.0 / 1e6
}

fn kilobytes(text: &str, line: &str) -> Option<u64> {
    let value = text.lines().find_map(|text| text.strip_prefix(line)?.strip_prefix(':'))?;
    value.trim().trim_end_matches(" kB").parse().ok()
}

/// Processor time of a process so far, in seconds.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process lives");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks: u64 = fields.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<u64>().ok()).sum();
    // USER_HZ is 100 wherever Linux runs.
    ticks as f64 / 100.0
}
