//! Every way in which the store can fail, with what to do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store could not do what was asked. Nothing of it was kept.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Another process has it open.
    #[error("{}: another g-assistant is using this store; stop it first, or give this one its own [store] path", path.display())]
    Locked {
        /// The store.
        path: PathBuf,
    },
    /// There is none yet.
    #[error("{}: there is no store here yet; it is made by the first `g-assistant run` or `sync`", path.display())]
    Missing {
        /// Where it should be.
        path: PathBuf,
    },
    /// The file is no SQLite database, or damaged.
    #[error(
        "the store is damaged: {detail}; stop the service, put a backup in its place, or move the file away to start empty (the mirror comes back from Odoo, queued work does not)"
    )]
    Corrupt {
        /// SQLite's words.
        detail: String,
    },
    /// Its file was deleted or replaced while it was open.
    #[error(
        "{}: the store is gone: its file was deleted or replaced while the daemon ran. Put a backup in its place, or start again with an empty one (the mirror comes back from Odoo, queued work does not)", path.display()
    )]
    Gone {
        /// Where it was.
        path: PathBuf,
    },
    /// Written by a newer version.
    #[error("the store has schema {found}, this version knows {supported}: install the newer g-assistant again")]
    TooNew {
        /// Its schema.
        found: u32,
        /// Ours.
        supported: u32,
    },
    /// No space left.
    #[error("no space left for the store; free some on its disk")]
    DiskFull,
    /// The file or its disk cannot be written to.
    #[error("the store cannot be written to; check the permissions and the mount of its folder")]
    ReadOnly,
    /// Too much is waiting.
    #[error("{limit} jobs are waiting already ([store] max_queued); Odoo has to take some first")]
    QueueFull {
        /// The limit.
        limit: u64,
    },
    /// The file system refused.
    #[error("{}: {detail}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's words.
        detail: String,
    },
    /// Anything else that SQLite says.
    #[error("the store failed: {detail}")]
    Sqlite {
        /// SQLite's words.
        detail: String,
    },
    /// A value in the store cannot be read: a bug, or somebody edited it.
    #[error("a row of the store cannot be read: {detail}")]
    BadRow {
        /// Which and why.
        detail: String,
    },
    /// The store has been closed.
    #[error("the store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same write may work later without anybody changing the program or the file.
    pub fn is_temporary(&self) -> bool {
        matches!(
            self,
            Self::DiskFull
                | Self::ReadOnly
                | Self::Gone { .. }
                | Self::QueueFull { .. }
                | Self::Io { .. }
                | Self::Sqlite { .. }
                | Self::Closed
        )
    }

    /// Whether the same store may take the same write later.
    pub fn may_pass(&self) -> bool {
        self.is_temporary() && !self.is_final() && *self != Self::Closed
    }

    /// Whether the open file can be of no use any more, whatever is tried.
    pub(super) fn is_final(&self) -> bool {
        matches!(self, Self::Gone { .. } | Self::Corrupt { .. })
    }

    pub(super) fn io(path: &Path, error: &std::io::Error) -> Self {
        Self::Io { path: path.to_owned(), detail: error.to_string() }
    }

    pub(super) fn opening(path: &Path, error: rusqlite::Error) -> Self {
        match Self::from(error) {
            Self::Sqlite { detail } => Self::Io { path: path.to_owned(), detail },
            other => other,
        }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        let detail = error.to_string();
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly,
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => Self::Corrupt { detail },
            _ => Self::Sqlite { detail },
        }
    }
}

impl From<serde_json::Error> for StoreError {
    fn from(error: serde_json::Error) -> Self {
        Self::BadRow { detail: error.to_string() }
    }
}
