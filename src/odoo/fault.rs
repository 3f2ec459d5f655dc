//! Every way in which a call to Odoo can fail, and what that means for the caller. (skeleton)

use std::time::Duration;

/// What a failure means for the operation behind the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// Odoo cannot be reached or is busy: nothing happened; the same call may work later.
    Temporary,
    /// The request may or may not have been carried out: only an idempotent call may be repeated.
    Ambiguous,
    /// Odoo refuses this call; repeating it will not help.
    Permanent,
    /// Odoo refuses the login: stop calling, tell a person.
    Denied,
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum OdooError {
    /// No connection (refused, DNS, TLS, connect timeout): the request was not sent.
    #[error("cannot reach Odoo at {url}: {detail}")]
    Unreachable {
        /// The server, without credentials.
        url: String,
        /// The cause.
        detail: String,
    },
    /// The connection broke, or no answer came in time, after the request was sent.
    #[error("no answer from Odoo: {detail}")]
    NoAnswer {
        /// The cause.
        detail: String,
    },
    /// A proxy or Odoo asks to come back later (429, 502, 503, 504).
    #[error("Odoo is busy or down (HTTP {status})")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The answer is not what the protocol allows (HTML, cut XML, too large).
    #[error("Odoo's answer cannot be read: {detail}")]
    Garbled {
        /// What was found.
        detail: String,
    },
    /// The login or key is refused, or the database does not exist.
    #[error("Odoo refuses the login: {detail}")]
    Denied {
        /// Odoo's own words.
        detail: String,
    },
    /// The user may not do this.
    #[error("Odoo denies access: {message}")]
    Access {
        /// Odoo's own words.
        message: String,
    },
    /// Odoo refuses the call (validation, unknown field, missing record …).
    #[error("Odoo refuses: {kind}: {message}")]
    Refused {
        /// The exception's class where the transport tells it, else `Fault <code>`.
        kind: String,
        /// Odoo's own words (for a traceback: its last line).
        message: String,
    },
    /// A serialisation failure or lock that Odoo's own retries did not overcome; nothing was kept.
    #[error("Odoo could not commit: {message}")]
    Conflict {
        /// Odoo's own words.
        message: String,
    },
}

impl OdooError {
    /// What this means for the operation behind the call.
    pub fn class(&self) -> Class {
        match self {
            Self::Unreachable { .. } | Self::Busy { .. } | Self::Conflict { .. } => Class::Temporary,
            Self::NoAnswer { .. } | Self::Garbled { .. } => Class::Ambiguous,
            Self::Access { .. } | Self::Refused { .. } => Class::Permanent,
            Self::Denied { .. } => Class::Denied,
        }
    }
}
