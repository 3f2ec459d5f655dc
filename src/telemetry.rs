//! What the daemon says about itself: log lines and [`Metrics`].
//!
//! **No personal data and no secret may be a log field, part of a message or a label.** Name a delivery, a job or a
//! record by its id; never log a name, an address, a phone number, a body, a header or a URL with a query.

mod metrics;

use std::{
    fs::File,
    io::{self, IsTerminal},
    os::{fd::AsFd, unix::fs::MetadataExt},
};

use tracing_subscriber::{EnvFilter, Layer, layer::SubscriberExt, util::SubscriberInitExt};

pub use self::metrics::Metrics;
use crate::config::{Log, LogFormat};

/// Overrides `log.level` for one run.
const FILTER: &str = "RUST_LOG";

/// Set by systemd if it reads this process's output into the journal: the device and inode of that stream.
const JOURNAL: &str = "JOURNAL_STREAM";

const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Why there is no log.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    /// `RUST_LOG` is not a filter.
    #[error("RUST_LOG in the environment: {0}")]
    Environment(FilterError),
    /// `log.level` is not a filter.
    #[error("log.level: {0}")]
    Level(FilterError),
    /// The journal cannot be reached.
    #[error("cannot reach the journal: {0}\n  hint: set `log.format` to `auto`, `human` or `json`")]
    Journal(io::Error),
    /// Something else logs already.
    #[error("logging is already set up")]
    Twice(#[from] tracing_subscriber::util::TryInitError),
}

/// What is wrong with a log filter.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FilterError(String);

/// Sets up logging for the whole process, to standard error or the journal. To be called once, before all else.
pub fn init(log: &Log) -> Result<(), TelemetryError> {
    let filter = match std::env::var(FILTER) {
        Ok(text) if !text.is_empty() => filter(&text).map_err(TelemetryError::Environment)?,
        _ => filter(&log.level).map_err(TelemetryError::Level)?,
    };
    let terminal = io::stderr().is_terminal();
    let text = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let lines = match form(log.format, terminal, writes_to_journal()) {
        Form::Journald => tracing_journald::layer().map_err(TelemetryError::Journal)?.boxed(),
        Form::Json => text.json().flatten_event(true).boxed(),
        // On a terminal, the layer itself decides by NO_COLOR.
        Form::Human if terminal => text.boxed(),
        Form::Human => text.with_ansi(false).boxed(),
    };
    Ok(tracing_subscriber::registry().with(lines.with_filter(filter)).try_init()?)
}

/// Reads a filter such as `info` or `warn,g_assistant=debug`.
///
/// Stricter than the library, which takes a misspelt level for the name of a module and logs all of it.
pub fn filter(text: &str) -> Result<EnvFilter, FilterError> {
    for part in text.split(',') {
        if !part.contains(['=', '[']) && !LEVELS.contains(&part.trim().to_ascii_lowercase().as_str()) {
            let levels = LEVELS.join(", ");
            return Err(FilterError(format!("expected {levels} or `module=level`, or several with `,` between")));
        }
    }
    EnvFilter::builder()
        .parse(text)
        .map_err(|_| FilterError("expected levels as in `warn,g_assistant=debug`".to_owned()))
}

/// A form of log lines, decided.
#[derive(Debug, PartialEq, Eq)]
enum Form {
    Human,
    Json,
    Journald,
}

fn form(format: LogFormat, terminal: bool, journal: bool) -> Form {
    match format {
        LogFormat::Human => Form::Human,
        LogFormat::Json => Form::Json,
        LogFormat::Journald => Form::Journald,
        LogFormat::Auto if journal => Form::Journald,
        LogFormat::Auto if terminal => Form::Human,
        LogFormat::Auto => Form::Json,
    }
}

/// Whether systemd reads standard error into the journal. The variable alone does not say so: children inherit it
/// when their output goes elsewhere.
fn writes_to_journal() -> bool {
    let stream = || {
        let stderr = File::from(io::stderr().as_fd().try_clone_to_owned().ok()?).metadata().ok()?;
        Some(format!("{}:{}", stderr.dev(), stderr.ino()))
    };
    std::env::var(JOURNAL).is_ok_and(|journal| stream().is_some_and(|stream| stream == journal))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_follows_where_the_lines_go() {
        assert_eq!(form(LogFormat::Auto, true, false), Form::Human);
        assert_eq!(form(LogFormat::Auto, false, false), Form::Json);
        assert_eq!(form(LogFormat::Auto, false, true), Form::Journald);
        assert_eq!(form(LogFormat::Human, false, true), Form::Human);
        assert_eq!(form(LogFormat::Json, true, true), Form::Json);
        assert_eq!(form(LogFormat::Journald, true, false), Form::Journald);
    }

    #[test]
    fn a_filter_is_a_level_or_levels_of_modules() {
        for good in ["info", "WARN", "off", "warn,g_assistant=debug", "g_assistant::store=trace, info"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["infoo", "", "verbose", "info,", "g_assistant=loud", "info,g_assistant"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
