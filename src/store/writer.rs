//! The one thread that writes, and its group commits.

use std::{
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Mutex, PoisonError},
    thread::JoinHandle,
};

use rusqlite::Connection;
use tokio::{
    runtime::Handle,
    sync::{mpsc, oneshot},
};

use super::{StoreError, place::Place};

/// Writes that may wait; beyond it a writer waits for its turn.
const QUEUE: usize = 4096;
/// Writes per commit: while one group is written, the senders of the last one are answered and bring the next.
const GROUP: usize = 64;

/// Runs inside the transaction, or learns why there is none; what it returns runs after the commit, with the commit's
/// own result.
type Work = Box<dyn FnOnce(Result<&Connection, StoreError>) -> Done + Send>;
type Done = Box<dyn FnOnce(Result<(), StoreError>) + Send>;

pub(super) struct Writer {
    queue: Mutex<Option<mpsc::Sender<Work>>>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Writer {
    /// Writes to the store that is open at this place.
    pub(super) fn start(connection: Connection, place: Place) -> Result<Self, StoreError> {
        let (queue, waiting) = mpsc::channel(QUEUE);
        let runtime = Handle::current();
        let thread = std::thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || run(&connection, &place, &runtime, waiting))
            .map_err(|error| StoreError::Sqlite { detail: format!("its thread could not start: {error}") })?;
        Ok(Self { queue: Mutex::new(Some(queue)), thread: Mutex::new(Some(thread)) })
    }

    pub(super) async fn write<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(|connection| in_savepoint(connection, write)).await
    }

    /// The same for a write that changes nothing if it fails, and needs no undo log. Should it fail after a change all
    /// the same, its whole group fails with it.
    pub(super) async fn write_whole<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        self.run(|connection| whole(connection, write)).await
    }

    async fn run<T: Send + 'static>(
        &self,
        write: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            let result = connection.and_then(write);
            Box::new(move |committed| {
                // A caller that has gone away does not need the answer.
                let _ = reply.send(result.and_then(|value| committed.map(|()| value)));
            })
        });
        let queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner).clone().ok_or(StoreError::Closed)?;
        queue.send(work).await.map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    /// Lets the thread finish what waits, and waits for it.
    pub(super) async fn close(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).take();
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(thread) = thread {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
    }
}

fn run(connection: &Connection, place: &Place, runtime: &Handle, mut waiting: mpsc::Receiver<Work>) {
    let mut group = Vec::with_capacity(GROUP);
    // No timer: a group is whatever came while the last commit was being written.
    while waiting.blocking_recv_many(&mut group, GROUP) > 0 {
        let mut done = Vec::with_capacity(group.len());
        let committed = match run_cached(connection, "BEGIN IMMEDIATE") {
            Ok(()) => {
                // The rest of a group whose transaction has ended must not slip out of it.
                done.extend(group.drain(..).map(|work| work(still_open(connection).map(|()| connection))));
                // Nobody is told of what went into a file that is not there.
                still_open(connection).and_then(|()| commit(connection)).and_then(|()| place.check())
            }
            Err(error) => {
                done.extend(group.drain(..).map(|work| work(Err(error.clone()))));
                Err(error)
            }
        };
        // In one go on the runtime: waking each caller from here costs a lock and a system call each.
        runtime.spawn(async move {
            for done in done {
                done(committed.clone());
            }
        });
    }
    let _ = connection.execute_batch("PRAGMA wal_checkpoint(TRUNCATE)");
}

/// A full disk makes SQLite end the whole transaction, not only the write that met it.
fn still_open(connection: &Connection) -> Result<(), StoreError> {
    if connection.is_autocommit() {
        return Err(StoreError::Sqlite { detail: "a write beside this one failed and took it along".to_owned() });
    }
    Ok(())
}

fn commit(connection: &Connection) -> Result<(), StoreError> {
    run_cached(connection, "COMMIT").inspect_err(|_| {
        // After a failed commit the transaction may be open still.
        let _ = connection.execute_batch("ROLLBACK");
    })
}

fn run_cached(connection: &Connection, statement: &str) -> Result<(), StoreError> {
    connection.prepare_cached(statement)?.execute([])?;
    Ok(())
}

/// Runs one write so that its failure, even a panic, leaves the rest of the group alone.
fn in_savepoint<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    run_cached(connection, "SAVEPOINT one")?;
    let result = caught(connection, write);
    if result.is_err() {
        if connection.is_autocommit() {
            return result;
        }
        run_cached(connection, "ROLLBACK TO one")?;
    }
    run_cached(connection, "RELEASE one")?;
    result
}

/// Runs one write without a savepoint. What it left half done takes the whole transaction with it.
fn whole<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    let before = connection.total_changes();
    let result = caught(connection, write);
    if result.is_err() && connection.total_changes() != before && !connection.is_autocommit() {
        connection.execute_batch("ROLLBACK")?;
    }
    result
}

fn caught<T>(
    connection: &Connection,
    write: impl FnOnce(&Connection) -> Result<T, StoreError>,
) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(|| write(connection)))
        .unwrap_or_else(|_| Err(StoreError::Sqlite { detail: "internal error: a write panicked".to_owned() }))
}
