//! Brings a store to the current schema. Forward only: a migration that has been released is never changed.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

const MIGRATIONS: &[&str] = &[
    include_str!("../../sql/migrations/0001_init.sql"),
    include_str!("../../sql/migrations/0002_leaner.sql"),
    include_str!("../../sql/migrations/0003_later.sql"),
    include_str!("../../sql/migrations/0004_platforms.sql"),
    include_str!("../../sql/migrations/0005_score.sql"),
    include_str!("../../sql/migrations/0006_media.sql"),
];

/// Applies what is missing, each migration in its own transaction together with its number.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    let found = check(connection)?;
    for number in found..supported() {
        // Another process may be doing the same at this moment: ask again inside the transaction.
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if version(&transaction)? == number {
            transaction.execute_batch(MIGRATIONS[number as usize])?;
            transaction.pragma_update(None, "user_version", number + 1)?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// The store's schema; an error if this version does not know it.
pub(super) fn check(connection: &Connection) -> Result<u32, StoreError> {
    let (found, supported) = (version(connection)?, supported());
    if found > supported { Err(StoreError::TooNew { found, supported }) } else { Ok(found) }
}

fn version(connection: &Connection) -> rusqlite::Result<u32> {
    connection.pragma_query_value(None, "user_version", |row| row.get(0))
}

fn supported() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_once_and_refuses_a_newer_store() {
        let mut connection = Connection::open_in_memory().expect("opened");
        run(&mut connection).expect("migrated");
        run(&mut connection).expect("nothing to do");
        connection.pragma_update(None, "user_version", 99).expect("set");
        assert_eq!(run(&mut connection), Err(StoreError::TooNew { found: 99, supported: supported() }));
    }
}
