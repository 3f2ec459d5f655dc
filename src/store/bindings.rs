//! Which record of Odoo belongs to which reference, and what the daemon wrote to it last.
//!
//! Written only without the addon, whose own bindings commit together with the effect and are therefore better. An addon
//! that is installed later takes these over.

use std::collections::HashMap;

use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{Map, Value};

use super::{Store, StoreError, queries};
use crate::domain::Model;

/// A reference and its record.
#[derive(Debug, Clone, PartialEq)]
pub struct Binding {
    /// The record's model.
    pub model: Model,
    /// The record's identity outside Odoo.
    pub reference: String,
    /// Its id in Odoo.
    pub record_id: i64,
    /// Field → the value that Odoo held right after our last write.
    pub written: Map<String, Value>,
}

impl Store {
    /// The bindings of those references that have one.
    pub async fn bindings(
        &self,
        model: Model,
        references: Vec<String>,
    ) -> Result<HashMap<String, Binding>, StoreError> {
        self.read(move |connection| {
            let mut query = connection.prepare_cached(queries::BINDING_GET)?;
            let mut found = HashMap::new();
            for reference in references {
                let row = query.query_row([model.as_str(), &reference], |row| {
                    Ok((row.get::<_, i64>(0)?, row.get::<_, String>(1)?))
                });
                if let Some((record_id, written)) = row.optional()? {
                    let written = serde_json::from_str(&written)?;
                    found.insert(reference.clone(), Binding { model, reference, record_id, written });
                }
            }
            Ok(found)
        })
        .await
    }
}

/// Keeps a binding. Fields that this write did not touch keep the value of an earlier one.
pub(super) fn put(connection: &Connection, binding: &Binding) -> Result<(), StoreError> {
    let mut written: Map<String, Value> = connection
        .prepare_cached(queries::BINDING_GET)?
        .query_row([binding.model.as_str(), &binding.reference], |row| row.get::<_, String>(1))
        .optional()?
        .map(|text| serde_json::from_str(&text))
        .transpose()?
        .unwrap_or_default();
    written.extend(binding.written.clone());
    connection.prepare_cached(queries::BINDING_PUT)?.execute(params![
        binding.model.as_str(),
        binding.reference,
        binding.record_id,
        serde_json::to_string(&written)?,
    ])?;
    Ok(())
}
