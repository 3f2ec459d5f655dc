//! The Odoo models that the daemon handles.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

/// A model of Odoo, by the name that Odoo gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Model {
    /// Leads and opportunities.
    #[serde(rename = "crm.lead")]
    Lead,
    /// Quotations and sales orders.
    #[serde(rename = "sale.order")]
    Order,
    /// Contacts. Written for orders, never mirrored.
    #[serde(rename = "res.partner")]
    Partner,
    /// The addon's messages of messengers. Marked, never mirrored.
    #[serde(rename = "g_assistant.message")]
    Message,
}

impl Model {
    /// The models whose records the daemon mirrors.
    pub const MIRRORED: [Model; 2] = [Model::Lead, Model::Order];

    /// The technical name in Odoo, such as `crm.lead`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Model::Lead => "crm.lead",
            Model::Order => "sale.order",
            Model::Partner => "res.partner",
            Model::Message => "g_assistant.message",
        }
    }
}

impl fmt::Display for Model {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Model {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Model::Lead, Model::Order, Model::Partner, Model::Message]
            .into_iter()
            .find(|model| model.as_str() == name)
            .ok_or_else(|| format!("unknown model `{name}`"))
    }
}
