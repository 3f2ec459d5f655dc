//! Which fields a model has on this series, in this database, for this user: asked, never guessed.

use std::collections::HashMap;

use super::{Client, OdooError};
use crate::domain::Model;

/// The kinds of field that make a difference to the daemon.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FieldKind {
    /// `boolean`
    Boolean,
    /// `char`, `text`, `selection`, `reference`: text as it is
    Text,
    /// `html`
    Html,
    /// `integer`
    Integer,
    /// `float`, `monetary`
    Float,
    /// `date`
    Date,
    /// `datetime`
    Datetime,
    /// `many2one`
    Many2one,
    /// `many2many`
    Many2many,
    /// `one2many`
    One2many,
    /// Anything else (`binary`, `properties` …).
    Other,
}

/// What is known of a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldType {
    /// Its kind.
    pub kind: FieldKind,
    /// The model that it points to.
    pub relation: Option<String>,
    /// Whether Odoo computes it.
    pub readonly: bool,
}

/// The fields of one model, as far as the daemon wants them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FieldMap {
    /// What the mirror reads, in a fixed order, `id` first.
    pub readable: Vec<String>,
    /// Every field that the user may see.
    pub types: HashMap<String, FieldType>,
    /// What the mirror wants and this database does not have.
    pub missing: Vec<String>,
}

impl FieldMap {
    /// Asks Odoo.
    pub async fn load(client: &Client, model: Model) -> Result<Self, OdooError> {
        let _ = (client, model);
        todo!()
    }

    /// Whether the daemon may write the field.
    pub fn writable(&self, field: &str) -> bool {
        self.types.get(field).is_some_and(|field| !field.readonly)
    }
}
