//! The local store: inbox, outbox, mirror and everything that must survive a crash. The only owner of SQLite.
//!
//! 1. One OS thread owns the write connection. It takes whatever writes are waiting and commits them as one group
//!    (`synchronous=FULL`), so a write that returned has survived a power cut, and many concurrent writers share one
//!    `fsync`. Each write runs in its own savepoint: one that fails leaves the others of its group alone.
//! 2. Readers are a small pool of read-only connections.
//! 3. Only one process may have a store open: it holds an exclusive lock on `<path>.lock`.
