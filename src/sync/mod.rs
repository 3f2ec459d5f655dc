//! Keeping Odoo and the store in step.
//!
//! - [`backend`]: one Odoo, connected or not, and whether the daemon may write to it
//! - [`prepare`] and [`push`]: operations into Odoo; [`governor`]: how many calls at once
//! - [`pull`]: whole models into the mirror, for the first time and as the slow sweep
//! - [`changes`]: what changed since, by acknowledgement (with the addon) or by `write_date` (without)
//! - [`schedule`]: when each of these runs
//! - [`report`]: what Odoo is told of the daemon, and what people there decide about parked jobs

pub mod backend;
pub mod changes;
pub mod governor;
pub mod learn;
mod own;
pub mod prepare;
pub mod pull;
pub mod push;
pub mod rehearse;
pub mod report;
pub mod schedule;
mod standing;

pub use backend::{Backend, Session};
pub use governor::Governor;
pub use report::{Bell, Reporter};

use crate::{odoo::OdooError, store::StoreError};

/// Why a synchronisation stopped.
#[derive(Debug, thiserror::Error)]
pub enum SyncError {
    /// Odoo could not be asked.
    #[error(transparent)]
    Odoo(#[from] OdooError),
    /// The store could not keep it.
    #[error(transparent)]
    Store(#[from] StoreError),
}
