//! The local store: inbox, outbox, mirror and everything that must survive a crash. The only owner of SQLite.
//!
//! 1. One OS thread owns the write connection. It takes whatever writes are waiting and commits them as one group
//!    (`synchronous=FULL`), so a write that returned has survived a power cut, and many concurrent writers share one
//!    `fsync`. Each write runs in its own savepoint: one that fails leaves the others of its group alone.
//! 2. Readers are a small pool of connections that cannot write.
//! 3. Only one service may have a store open: it holds an exclusive lock on `<path>.lock`. The command line works
//!    beside it on a connection of its own.
//!
//! One file per table or concern; the SQL is in `sql/`.

mod bindings;
mod changes;
mod deliveries;
mod error;
mod jobs;
mod learned;
mod meta;
mod migrations;
mod mirror;
mod parked;
mod place;
mod platforms;
mod queries;
mod readers;
mod replay;
mod retention;
mod stats;
#[cfg(test)]
mod testing;
#[cfg(test)]
mod tests;
mod writer;

use std::{
    fs::{self, File, TryLockError},
    os::unix::fs::{MetadataExt, OpenOptionsExt, chown},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use rusqlite::{Connection, OpenFlags, config::DbConfig};
use tokio::sync::watch;

pub use bindings::Binding;
pub use changes::ChangesAccepted;
pub use deliveries::{Accepted, Delivery, NewDelivery, Reply};
pub use error::StoreError;
pub use jobs::{
    Attempt, Finish, Job, JobDetail, JobFilter, JobKind, JobState, LONGEST_WAIT, Lane, MOST_ATTEMPTS, NewJob, Outcome,
    PushOutcome,
};
pub use learned::{Outcome as LeadOutcome, Sample};
pub use mirror::{Filter, MirrorPage, MirrorQuery, MirrorRow, PageStored};
pub use parked::{Decision, ParkedKey};
pub use platforms::{FormCount, Listed};
pub use replay::{Fate, Kept, KeptFilter, Reread};
pub use retention::{Purged, Retention};
pub use stats::{QueueStats, Stats};

use crate::clock::Clock;
use place::Place;
use readers::Readers;
use writer::Writer;

/// How to open a store.
#[derive(Debug, Clone)]
pub struct StoreOptions {
    /// The SQLite file. It and its folder are made if they are not there.
    pub path: PathBuf,
    /// The time.
    pub clock: Clock,
    /// Read connections.
    pub readers: usize,
    /// Most jobs that may be open; beyond it deliveries are refused with [`StoreError::QueueFull`].
    pub max_queued_jobs: u64,
}

/// An open store. Cheap to clone.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    path: PathBuf,
    clock: Clock,
    max_queued_jobs: u64,
    readers: Readers,
    /// `None` when opened for reading.
    writer: Option<Writer>,
    wake: jobs::Wake,
    place: Place,
    /// Why the store is of no use any more.
    broken: watch::Sender<Option<StoreError>>,
    /// Held as long as the service runs; the operating system lets go of it when the process dies.
    lock: Mutex<Option<File>>,
}

/// Bytes of the write-ahead log that stay on disk when it is empty.
const LOG_LIMIT: i64 = 16 * 1024 * 1024;

/// How long a connection waits for another process's write.
const BUSY: Duration = Duration::from_secs(5);

/// How often an idle store is looked for at its place.
const LOOK: Duration = Duration::from_secs(2);

impl Store {
    /// Opens the store for the service: exclusively, migrated, with the jobs of a process that died ready again.
    pub async fn open(options: StoreOptions) -> Result<Self, StoreError> {
        let store = blocking(move || {
            let lock = lock(&options.path)?;
            // Before SQLite makes it readable by everybody; its other files get the permissions of this one.
            private_file(&options.path)?;
            Self::open_writable(options, Some(lock))
        })
        .await?;
        store.release_leases().await?;
        Ok(store)
    }

    /// Opens the store beside a running service, to administer jobs or to hand in deliveries.
    pub async fn open_admin(path: &Path, clock: Clock) -> Result<Self, StoreError> {
        let path = path.to_owned();
        blocking(move || {
            require(&path)?;
            Self::open_writable(StoreOptions { path, clock, readers: 1, max_queued_jobs: u64::MAX }, None)
        })
        .await
    }

    /// Opens the store for reading only.
    pub async fn open_readonly(path: &Path) -> Result<Self, StoreError> {
        let path = path.to_owned();
        blocking(move || {
            require(&path)?;
            migrations::check(&connect(&path, OpenFlags::default())?)?;
            let readers = Readers::open(&path, 1)?;
            let place = Place::of(&path)?;
            Ok(Self(Arc::new(Inner {
                path,
                clock: Clock::system(),
                max_queued_jobs: 0,
                readers,
                writer: None,
                wake: jobs::Wake::default(),
                place,
                broken: watch::Sender::new(None),
                lock: Mutex::new(None),
            })))
        })
        .await
    }

    fn open_writable(options: StoreOptions, lock: Option<File>) -> Result<Self, StoreError> {
        let mut connection = connect(&options.path, OpenFlags::default())?;
        migrations::run(&mut connection)?;
        let readers = Readers::open(&options.path, options.readers)?;
        let place = Place::of(&options.path)?;
        let writer = Writer::start(connection, place.clone())?;
        Ok(Self(Arc::new(Inner {
            path: options.path,
            clock: options.clock,
            max_queued_jobs: options.max_queued_jobs,
            readers,
            writer: Some(writer),
            wake: jobs::Wake::default(),
            place,
            broken: watch::Sender::new(None),
            lock: Mutex::new(lock),
        })))
    }

    /// Finishes what is waiting to be written and lets go of the lock. Later writes fail with [`StoreError::Closed`].
    pub async fn close(&self) {
        if let Some(writer) = &self.0.writer {
            writer.close().await;
        }
        self.0.lock.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Returns when the file turns out to be damaged, deleted or replaced: nothing that is done with it lasts.
    pub async fn broken(&self) -> StoreError {
        let mut broken = self.0.broken.subscribe();
        loop {
            if let Some(error) = broken.borrow_and_update().clone() {
                return error;
            }
            if let Err(error) = self.0.place.check() {
                return error;
            }
            tokio::select! {
                // The sender lives in `self`.
                _ = broken.changed() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
    }

    fn noting<T>(&self, result: Result<T, StoreError>) -> Result<T, StoreError> {
        if let Err(error) = &result
            && error.is_final()
        {
            self.0.broken.send_replace(Some(error.clone()));
        }
        result
    }

    /// Runs `write` in a transaction and returns after it is durable.
    async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.noting(self.writer()?.write(write).await)
    }

    /// The same for a write that changes nothing if it fails.
    async fn write_whole<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.noting(self.writer()?.write_whole(write).await)
    }

    fn writer(&self) -> Result<&Writer, StoreError> {
        self.0.writer.as_ref().ok_or(StoreError::ReadOnly)
    }

    /// Runs `read` on a reader connection.
    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.noting(self.0.readers.read(read).await)
    }

    fn now(&self) -> i64 {
        self.0.clock.now_ms()
    }
}

/// Opens a connection with the settings that every one of them needs.
fn connect(path: &Path, flags: OpenFlags) -> Result<Connection, StoreError> {
    let connection = Connection::open_with_flags(path, flags).map_err(|error| StoreError::opening(path, error))?;
    connection.busy_timeout(BUSY)?;
    connection.pragma_update(None, "journal_mode", "WAL").map_err(|error| StoreError::opening(path, error))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // A burst makes the log grow; without a limit it would keep that size for ever.
    connection.pragma_update(None, "journal_size_limit", LOG_LIMIT)?;
    // The undo log of a savepoint is of no use after a crash.
    connection.pragma_update(None, "temp_store", "MEMORY")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A statement is planned once, and not anew for the values that it gets.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.set_prepared_statement_cache_capacity(64);
    Ok(connection)
}

/// Takes the lock that keeps a second service away.
fn lock(path: &Path) -> Result<File, StoreError> {
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(|error| StoreError::io(path, &error))?;
    }
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = private_file(Path::new(&name))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StoreError::Locked { path: path.to_owned() }),
        Err(TryLockError::Error(error)) => Err(StoreError::io(Path::new(&name), &error)),
    }
}

/// Opens a file that only its owner may read, making it if needed: the store is full of people's data.
fn private_file(path: &Path) -> Result<File, StoreError> {
    let failed = |error| StoreError::io(path, &error);
    let file = File::options().create(true).truncate(false).write(true).mode(0o600).open(path).map_err(failed)?;
    // Made by root in the service's folder, as by `sudo g-assistant sync`, it would lock the service out.
    let folder = path.parent().and_then(|folder| folder.metadata().ok());
    if let Some(folder) = folder.filter(|folder| folder.uid() != 0)
        && file.metadata().map_err(failed)?.uid() == 0
    {
        chown(path, Some(folder.uid()), Some(folder.gid())).map_err(failed)?;
    }
    Ok(file)
}

fn require(path: &Path) -> Result<(), StoreError> {
    if path.exists() { Ok(()) } else { Err(StoreError::Missing { path: path.to_owned() }) }
}

/// Opening does file work, which must not hold up the async runtime.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, StoreError> + Send + 'static,
) -> Result<T, StoreError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| StoreError::Closed)?
}
