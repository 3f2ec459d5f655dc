//! How a command fails: one message, one exit code.

use std::{fmt, process::ExitCode};

use crate::{
    config::ConfigError,
    odoo::{Class, OdooError},
    store::StoreError,
    sync::{
        SyncError,
        backend::{Blocked, ConnectError},
    },
};

/// Why a command ended.
#[derive(Debug)]
pub enum Failure {
    /// The configuration is wrong (78).
    Config(ConfigError),
    /// Odoo cannot be reached (69).
    Unreachable(String),
    /// Anything else (1).
    Other(anyhow::Error),
}

impl Failure {
    /// The exit code, after sysexits(3).
    pub fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) => ExitCode::from(78),
            Self::Unreachable(_) => ExitCode::from(69),
            Self::Other(_) => ExitCode::FAILURE,
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Config(error) => write!(f, "{error}"),
            Self::Unreachable(error) => write!(f, "error: {error}"),
            Self::Other(error) => write!(f, "error: {error:#}"),
        }
    }
}

impl From<ConfigError> for Failure {
    fn from(error: ConfigError) -> Self {
        Self::Config(error)
    }
}

impl From<OdooError> for Failure {
    fn from(error: OdooError) -> Self {
        match error.class() {
            Class::Temporary | Class::Ambiguous => Self::Unreachable(error.to_string()),
            Class::Permanent | Class::Denied => Self::Other(error.into()),
        }
    }
}

impl From<ConnectError> for Failure {
    fn from(error: ConnectError) -> Self {
        match error {
            ConnectError::Odoo(error) => error.into(),
            ConnectError::Blocked(blocked) => blocked.into(),
            ConnectError::Store(error) => error.into(),
        }
    }
}

impl From<SyncError> for Failure {
    fn from(error: SyncError) -> Self {
        match error {
            SyncError::Odoo(error) => error.into(),
            SyncError::Store(error) => error.into(),
        }
    }
}

impl From<Blocked> for Failure {
    fn from(error: Blocked) -> Self {
        Self::Other(error.into())
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        Self::Other(error.into())
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Self::Other(error)
    }
}
