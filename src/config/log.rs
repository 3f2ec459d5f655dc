//! `[log]`: how much is logged, and in which form.

use super::{
    Reader,
    expect::{one_of, string},
};
use crate::telemetry;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `journald` under systemd, `human` on a terminal, else `json`.
    Auto,
    /// For people.
    Human,
    /// One JSON object per line.
    Json,
    /// The native journal protocol.
    Journald,
}

/// `[log]`
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    /// A `tracing` filter such as `info` or `g_assistant=debug`.
    pub level: String,
    /// `format`
    pub format: LogFormat,
}

impl Default for Log {
    fn default() -> Self {
        Self { level: "info".to_owned(), format: LogFormat::Auto }
    }
}

impl Log {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let formats = [
            ("auto", LogFormat::Auto),
            ("human", LogFormat::Human),
            ("json", LogFormat::Json),
            ("journald", LogFormat::Journald),
        ];
        let default = Self::default();
        let level = string().example("\"info\"").try_map(|level| telemetry::filter(&level).map(|_| level));
        let log = Self {
            level: section.or("level", level, default.level),
            format: section.or("format", one_of(formats), default.format),
        };
        section.finish();
        log
    }
}
