//! One line per step: on a terminal in place, else one below the other.

use std::{io::IsTerminal, time::Instant};

use indicatif::{ProgressBar, ProgressStyle};

pub struct Progress {
    name: &'static str,
    started: Instant,
    /// Only on a terminal.
    bar: Option<ProgressBar>,
}

impl Progress {
    pub fn new(name: &'static str) -> Progress {
        let bar = std::io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{spinner} {prefix:16} {elapsed:>4}  {msg}").expect("a template");
            let bar = ProgressBar::new_spinner().with_style(style).with_prefix(name);
            bar.enable_steady_tick(std::time::Duration::from_millis(120));
            bar
        });
        Progress { name, started: Instant::now(), bar }
    }

    /// Says what is going on.
    pub fn step(&self, what: &str) {
        match &self.bar {
            Some(bar) => bar.set_message(what.to_owned()),
            None => eprintln!("{:16} {:6.1} s  {what}", self.name, self.started.elapsed().as_secs_f64()),
        }
    }
}
