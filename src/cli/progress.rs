//! Progress bars on a terminal, nothing elsewhere.

use std::{fmt::Write, io::IsTerminal, sync::Arc};

use indicatif::{ProgressBar, ProgressState, ProgressStyle};

use crate::{
    domain::Model,
    sync::{pull::Progress, schedule::ProgressFor},
};

/// A bar per pull if standard error is a terminal.
pub fn pulls() -> ProgressFor {
    if std::io::stderr().is_terminal() {
        Arc::new(|model| Box::new(PullBar::new(model)))
    } else {
        Arc::new(|_| Box::new(|_, _| {}))
    }
}

/// A bar over `total` things named `what`; hidden where nobody looks.
pub fn bar(total: u64, what: &str) -> ProgressBar {
    let style = ProgressStyle::with_template("{msg:24} {wide_bar} {human_pos}/{human_len} {rate} {eta}")
        .unwrap_or_else(|_| ProgressStyle::default_bar())
        .with_key("rate", |state: &ProgressState, text: &mut dyn Write| {
            // A bar that cannot be drawn is no reason to stop.
            let _ = write!(text, "{:.0}/s", state.per_sec());
        });
    ProgressBar::new(total).with_style(style).with_message(what.to_owned())
}

struct PullBar(ProgressBar);

impl PullBar {
    fn new(model: Model) -> Self {
        Self(bar(0, &format!("pulling {model}")))
    }
}

impl Progress for PullBar {
    fn page(&mut self, done: u64, total: Option<u64>) {
        self.0.set_length(total.unwrap_or(done).max(done));
        self.0.set_position(done);
    }
}

impl Drop for PullBar {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}
