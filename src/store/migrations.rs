//! Brings a store to the current schema. Forward only: a migration that has been released is never changed.

use rusqlite::{Connection, TransactionBehavior};

use super::StoreError;

const MIGRATIONS: &[&str] = &[include_str!("../../sql/migrations/0001_init.sql")];

/// Applies what is missing, each migration in its own transaction together with its number.
pub(super) fn run(connection: &mut Connection) -> Result<(), StoreError> {
    let supported = u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX);
    let version =
        |connection: &Connection| connection.pragma_query_value(None, "user_version", |row| row.get::<_, u32>(0));
    let found = version(connection)?;
    if found > supported {
        return Err(StoreError::TooNew { found, supported });
    }
    for number in found..supported {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_once_and_refuses_a_newer_store() {
        let mut connection = Connection::open_in_memory().expect("opened");
        run(&mut connection).expect("migrated");
        run(&mut connection).expect("nothing to do");
        connection.pragma_update(None, "user_version", 99).expect("set");
        let supported = u32::try_from(MIGRATIONS.len()).expect("few");
        assert_eq!(run(&mut connection), Err(StoreError::TooNew { found: 99, supported }));
    }
}
