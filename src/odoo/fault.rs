//! Every way in which a call to Odoo can fail, and what that means for the caller.
//!
//! What XML-RPC and `/json/2` report is brought into one set of errors here, by codes and exception classes and not by
//! texts: those are translated into the user's language.

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
    /// A proxy or Odoo asks to come back later (429, 502, 503, 504). After a 502 or 504 the request may have been
    /// carried out; that counts as temporary nevertheless, because it is what a proxy says while Odoo is down, and
    /// what the daemon repeats is idempotent.
    #[error("Odoo is busy or down (HTTP {status})")]
    Busy {
        /// HTTP status.
        status: u16,
        /// The server's `Retry-After`.
        retry_after: Option<Duration>,
    },
    /// The request is larger than Odoo, or a proxy before it, accepts (413).
    #[error("the request is larger than Odoo, or a proxy before it, accepts; allow more or lower odoo.batch")]
    TooLarge,
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
    /// Another database answers than at the start, or it has become a neutralised copy: nothing was written.
    #[error("database {found} answers in place of the one that the daemon connected to, or it was neutralised")]
    WrongDatabase {
        /// Its uuid.
        found: String,
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
            Self::Access { .. } | Self::Refused { .. } | Self::TooLarge => Class::Permanent,
            Self::Denied { .. } | Self::WrongDatabase { .. } => Class::Denied,
        }
    }

    /// The error behind an exception whose class is known, such as `odoo.exceptions.ValidationError`.
    pub(super) fn from_exception(class: &str, message: &str) -> Self {
        let kind = class.rsplit('.').next().unwrap_or(class).to_owned();
        let message = message.trim().to_owned();
        match kind.as_str() {
            "AccessDenied" => Self::Denied { detail: message },
            "AccessError" => Self::Access { message },
            _ if is_missing_database(&message) => Self::Denied { detail: message },
            _ if is_conflict(&kind) => Self::Conflict { message },
            _ => Self::Refused { kind, message },
        }
    }

    /// The error behind a fault of `/xmlrpc/2`. `None` where the method succeeded and only its result could not be
    /// sent: XML-RPC as Odoo speaks it knows neither `None` nor records, and finds that out after the commit.
    pub(super) fn from_fault(code: i64, text: &str) -> Option<Self> {
        match code {
            FAULT_DENIED => Some(Self::Denied { detail: text.trim().to_owned() }),
            FAULT_ACCESS => Some(Self::Access { message: text.trim().to_owned() }),
            FAULT_APPLICATION => {
                let (class, message) = raised(text);
                let unsendable = class == "TypeError"
                    && (message.starts_with("cannot marshal None")
                        || message.starts_with("cannot marshal <class 'odoo.api."));
                (!unsendable).then(|| Self::from_exception(class, message))
            }
            _ => Some(Self::Refused { kind: format!("Fault {code}"), message: text.trim().to_owned() }),
        }
    }
}

// The codes of `/xmlrpc/2`. 2 is every kind of `UserError`; a missing record is one of them.
const FAULT_APPLICATION: i64 = 1;
const FAULT_DENIED: i64 = 3;
const FAULT_ACCESS: i64 = 4;

/// Exceptions of the database after which nothing was kept and the same call may succeed.
fn is_conflict(class: &str) -> bool {
    const CLASSES: [&str; 12] = [
        "SerializationFailure",
        "DeadlockDetected",
        "TransactionRollbackError",
        "LockNotAvailable",
        "ConcurrencyError",
        "OperationalError",
        "InterfaceError",
        "PoolError",
        "AdminShutdown",
        "CrashShutdown",
        "CannotConnectNow",
        "TooManyConnections",
    ];
    CLASSES.contains(&class)
}

/// PostgreSQL's own words, which Odoo does not translate. A class would not do: it is that of any lost connection.
fn is_missing_database(message: &str) -> bool {
    message.contains("FATAL:  database \"") && message.contains("does not exist")
}

/// The exception's class and message at the end of a Python traceback. Text that is none is the message.
fn raised(traceback: &str) -> (&str, &str) {
    let traceback = traceback.trim_end();
    let mut start = 0;
    let mut end_of_frames = None;
    for line in traceback.split_inclusive('\n') {
        start += line.len();
        if line.starts_with("  File \"") {
            end_of_frames = Some(start);
        }
    }
    let Some(mut rest) = end_of_frames.map(|end| &traceback[end..]) else { return ("Exception", traceback) };
    // After the last frame come its source line and perhaps a line of carets, all indented.
    while rest.starts_with("    ") {
        rest = rest.split_once('\n').map_or("", |(_, rest)| rest);
    }
    rest.split_once(": ").filter(|(class, _)| !class.contains(char::is_whitespace)).unwrap_or((rest, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn traceback(end: &str) -> String {
        format!(
            "Traceback (most recent call last):\n  File \"/odoo/service/model.py\", line 1, in dispatch\n    \
             res = fn(db, uid)\n          ^^^^^^^^^^^\n  File \"/odoo/models.py\", line 2, in create\n    raise x\n{end}\n"
        )
    }

    fn refused(kind: &str, message: &str) -> Option<OdooError> {
        Some(OdooError::Refused { kind: kind.to_owned(), message: message.to_owned() })
    }

    #[test]
    fn faults_are_classified_by_code() {
        let text = || "كلمات".to_owned();
        assert_eq!(OdooError::from_fault(2, "كلمات"), refused("Fault 2", "كلمات"));
        assert_eq!(OdooError::from_fault(3, " كلمات\n"), Some(OdooError::Denied { detail: text() }));
        assert_eq!(OdooError::from_fault(4, "كلمات"), Some(OdooError::Access { message: text() }));
    }

    #[test]
    fn a_traceback_tells_class_and_message() {
        let cases = [
            (
                "ValueError: Invalid field 'x' on model 'crm.lead'",
                "ValueError",
                "Invalid field 'x' on model 'crm.lead'",
            ),
            ("KeyError: 'nope'", "KeyError", "'nope'"),
            ("AssertionError", "AssertionError", "AssertionError"),
            (
                "psycopg2.errors.UndefinedColumn: no column\nLINE 1: select\n        ^",
                "UndefinedColumn",
                "no column\nLINE 1: select\n        ^",
            ),
        ];
        for (end, kind, message) in cases {
            assert_eq!(OdooError::from_fault(1, &traceback(end)), refused(kind, message));
        }
        assert_eq!(OdooError::from_fault(1, "no traceback"), refused("Exception", "no traceback"));
    }

    #[test]
    fn results_that_cannot_be_sent_are_success() {
        for end in [
            "TypeError: cannot marshal None unless allow_none is enabled",
            "TypeError: cannot marshal <class 'odoo.api.mail.activity'> objects",
        ] {
            assert_eq!(OdooError::from_fault(1, &traceback(end)), None);
        }
        assert_eq!(
            OdooError::from_fault(1, &traceback("TypeError: unexpected None")),
            refused("TypeError", "unexpected None")
        );
    }

    #[test]
    fn lost_commits_are_temporary() {
        for end in [
            "psycopg2.errors.SerializationFailure: could not serialize access due to concurrent update",
            "psycopg2.errors.DeadlockDetected: deadlock detected\nDETAIL:  Process 1 waits.",
            "psycopg2.OperationalError: server closed the connection unexpectedly",
        ] {
            let error = OdooError::from_fault(1, &traceback(end)).map(|error| error.class());
            assert_eq!(error, Some(Class::Temporary), "{end}");
        }
    }

    #[test]
    fn a_missing_database_and_a_late_denial_are_denied() {
        for end in [
            "psycopg2.OperationalError: connection to server on socket \"/run/x\" failed: FATAL:  database \"no\" does not exist\n",
            "odoo.exceptions.AccessDenied: Access Denied",
        ] {
            let error = OdooError::from_fault(1, &traceback(end)).map(|error| error.class());
            assert_eq!(error, Some(Class::Denied), "{end}");
        }
    }
}
