//! Secrets: where they are referenced from, and a type that cannot print itself. (skeleton)

use std::path::PathBuf;

use secrecy::SecretString;

/// Where a secret comes from. The configuration holds only this.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretRef {
    /// A systemd credential (`$CREDENTIALS_DIRECTORY/<name>`).
    Credential(String),
    /// A file that only its owner may read.
    File(PathBuf),
    /// An environment variable.
    Env(String),
    /// `service/user` in the Secret Service.
    Keyring(String),
}

/// Why a secret could not be read.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct SecretError(pub String);

impl SecretRef {
    /// Reads the secret. A trailing newline is not part of it.
    pub fn read(&self) -> Result<SecretString, SecretError> {
        Err(SecretError(format!("{self:?}")))
    }
}
