//! Small facts that must survive a restart, such as which database the store belongs to.

use rusqlite::OptionalExtension;

use super::{Store, StoreError, queries};

impl Store {
    /// The value of `key`.
    pub async fn meta_get(&self, key: &str) -> Result<Option<String>, StoreError> {
        let key = key.to_owned();
        self.read(move |connection| {
            Ok(connection.prepare_cached(queries::META_GET)?.query_row([key], |row| row.get(0)).optional()?)
        })
        .await
    }

    /// Sets `key`.
    pub async fn meta_set(&self, key: &str, value: &str) -> Result<(), StoreError> {
        let (key, value) = (key.to_owned(), value.to_owned());
        self.write(move |connection| {
            connection.prepare_cached(queries::META_SET)?.execute([key, value])?;
            Ok(())
        })
        .await
    }

    /// Forgets `key`.
    pub async fn meta_delete(&self, key: &str) -> Result<(), StoreError> {
        let key = key.to_owned();
        self.write(move |connection| {
            connection.prepare_cached(queries::META_DELETE)?.execute([key])?;
            Ok(())
        })
        .await
    }
}
