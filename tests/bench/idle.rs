//! What the daemon takes while nothing happens: connected to Odoo, polling as it does by default.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{
    Scale, machine,
    odoo::{Database, Template},
    plot::{Bar, Plot},
    python::addons,
    report::Measured,
    subject::{self, Odoo},
};

pub async fn measure(scale: Scale) -> Measured {
    let database = Database::fresh(Template::Addon);
    let server = Odoo::serve("bench-idle", &[&database], &["--addons", &addons()], &[]);
    let mut daemon = subject::configure(&server.url, &database);
    daemon.start_connected().await;
    let pid = daemon.pid();
    // The first sweep and the first poll are not idleness.
    tokio::time::sleep(Duration::from_secs(5)).await;
    let seconds = scale.pick(300, 30);
    println!("    {seconds} seconds of nothing");
    let (began, used) = (Instant::now(), machine::cpu_seconds(pid));
    let mut resident = Vec::new();
    while began.elapsed() < Duration::from_secs(seconds) {
        tokio::time::sleep(Duration::from_secs(5)).await;
        resident.push(machine::memory_mb(pid, "VmRSS"));
    }
    let share = (machine::cpu_seconds(pid) - used) / began.elapsed().as_secs_f64() * 100.0;
    let rss = resident.iter().copied().fold(0.0, f64::max);
    let peak = machine::memory_mb(pid, "VmHWM");
    assert_eq!(daemon.stop().await, Some(0));
    Measured {
        samples: json!({
            "seconds": seconds, "poll_interval": "30s", "rss_mb": resident, "peak_mb": peak, "cpu_pct": share,
        }),
        summary: vec![("idle_rss_mb", rss), ("idle_cpu_pct", share)],
        plot: Plot {
            title: "Memory while nothing happens, polling every 30 seconds".to_owned(),
            unit: format!("MB resident; the processor was busy {share:.2} % of the time"),
            logarithmic: false,
            bars: vec![
                Bar::subject("first minutes' most", rss).target(20.0),
                Bar::subject("peak since the start", peak),
            ],
        },
    }
}
