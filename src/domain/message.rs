//! What people write on messengers, and what becomes of a message there.

use std::fmt;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use super::LeadDraft;

/// A messenger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Channel {
    /// WhatsApp.
    Whatsapp,
    /// Messenger of a Facebook page.
    Messenger,
    /// Direct messages of Instagram.
    Instagram,
    /// Telegram.
    Telegram,
}

impl fmt::Display for Channel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Whatsapp => "WhatsApp",
            Self::Messenger => "Messenger",
            Self::Instagram => "Instagram",
            Self::Telegram => "Telegram",
        })
    }
}

/// A message as its source sent it, with what it says about its person.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MessageDraft {
    /// The lead that it makes, or fills in.
    pub lead: LeadDraft,
    /// The message.
    pub message: Message,
    /// Its platform tells the person's name only if it is asked.
    pub asks_name: bool,
}

/// One message that a person wrote. `docs/BRIDGE.md` describes the wire form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// The id of its source in the configuration.
    pub source: String,
    /// The messenger.
    pub channel: Channel,
    /// The number, page or bot of ours that it was written to.
    pub account: String,
    /// Ids of the person on the platform, the surest first.
    pub people: Vec<String>,
    /// Its own id there. The same id is the same message, in whatever delivery it comes.
    pub id: String,
    /// `text`, `image`, `location`, …
    pub kind: String,
    /// What is shown of it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub text: String,
    /// Pictures and files, where they are on the platform.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub media: Vec<Media>,
    /// What the person calls themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their name on the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// Their number, if the platform vouches for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    /// When it was written.
    #[serde(with = "odoo_time")]
    pub sent_at: DateTime<Utc>,
    /// The message that it is an answer to, or about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reply_to: Option<String>,
    /// Whether it is an inquiry if it is the first one. A reaction is none.
    pub starts: bool,
}

/// A picture or file of a message, as it is named there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Media {
    /// Its id on the platform.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// Its address, for as long as the platform keeps it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Its MIME type.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mime: Option<String>,
    /// The file's name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What became of a message, or of all of a conversation up to a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mark {
    /// The id of its source in the configuration.
    pub source: String,
    /// The messenger.
    pub channel: Channel,
    /// The number, page or bot of ours.
    pub account: String,
    /// The person on the other side, if the platform says so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// The message. Without it: all that were sent to the person up to `at`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// What became of it.
    pub status: MarkStatus,
    /// When.
    #[serde(with = "odoo_time")]
    pub at: DateTime<Utc>,
    /// Why it failed, in the platform's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What can become of a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MarkStatus {
    /// The platform has it.
    Sent,
    /// It is on the person's device.
    Delivered,
    /// They opened it.
    Read,
    /// It did not arrive.
    Failed,
    /// Its sender took it back.
    Deleted,
}

impl fmt::Display for MarkStatus {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sent => "sent",
            Self::Delivered => "delivered",
            Self::Read => "read",
            Self::Failed => "failed",
            Self::Deleted => "deleted",
        })
    }
}

/// Who a person on a messenger is, as the platform said when it was asked. `docs/BRIDGE.md` describes the wire form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Profile {
    /// The id of its source in the configuration.
    pub source: String,
    /// The number, page or bot of ours that they wrote to.
    pub account: String,
    /// Ids of the person on the platform, the surest first.
    pub people: Vec<String>,
    /// What they call themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Their name on the platform.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
}

/// Times as Odoo writes them: UTC, whole seconds.
mod odoo_time {
    use chrono::{DateTime, NaiveDateTime, Utc};
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    const FORMAT: &str = "%Y-%m-%d %H:%M:%S";

    pub(super) fn serialize<S: Serializer>(time: &DateTime<Utc>, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&time.format(FORMAT))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DateTime<Utc>, D::Error> {
        let text = String::deserialize(deserializer)?;
        NaiveDateTime::parse_from_str(&text, FORMAT).map(|time| time.and_utc()).map_err(D::Error::custom)
    }
}
