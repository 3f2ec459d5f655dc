//! What the messengers have in common: from what a platform says about a message to the one form of all.
//!
//! Their bodies are read tolerantly: whatever has an odd type or is missing is as if it were not there, and a kind of
//! message that nobody knows is kept as one that cannot be shown. Only a body without any order is refused.

use chrono::{DateTime, Utc};
use sha2::{Digest, Sha256};

use super::{
    Content, ParseError, Parsed,
    defaults::Defaults,
    json::{self, Node},
};
use crate::domain::{Channel, Draft, LeadDraft, Media, Message, MessageDraft};

/// More than one delivery has of anything.
pub(super) const MAX_ITEMS: usize = 1_000;
/// The lines of a message that are shown.
const MAX_TEXT: usize = 20_000;
const MAX_NAME: usize = 200;
const MAX_ID: usize = 200;
const MAX_URL: usize = 2_000;

/// The text at a place, whatever its type.
pub(super) fn text(node: &Node<'_>, pointer: &str) -> Option<String> {
    node.below(pointer)?.flat()
}

/// The same, on one line.
pub(super) fn name(node: &Node<'_>, pointer: &str) -> Option<String> {
    let words = text(node, pointer)?;
    let line = words.split_whitespace().collect::<Vec<_>>().join(" ");
    (!line.is_empty()).then(|| line.chars().take(MAX_NAME).collect())
}

/// An id. One that is longer than any is told by its hash: cut off, it might be another's.
pub(super) fn id(node: &Node<'_>, pointer: &str) -> Option<String> {
    let id = text(node, pointer)?;
    let fits = id.chars().count() <= MAX_ID && id.chars().all(|c| !c.is_control() && c != ' ');
    Some(if fits { id } else { hex::encode(&Sha256::digest(id)[..16]) })
}

/// An address on the web.
pub(super) fn url(node: &Node<'_>, pointer: &str) -> Option<String> {
    let text = node.below(pointer)?.value.as_str()?;
    let url = url::Url::parse(text).ok().filter(|url| matches!(url.scheme(), "https" | "http"))?;
    (text.len() <= MAX_URL).then(|| url.to_string())
}

/// Items of a list; none if there is no list.
pub(super) fn items<'a>(node: &Node<'a>, pointer: &str) -> Vec<Node<'a>> {
    node.below(pointer).and_then(|list| list.items(MAX_ITEMS).ok()).unwrap_or_default()
}

/// What a delivery of Meta holds: its entries give drafts, told in the order in which they were written.
pub(super) fn read_entries(
    body: &[u8],
    defaults: &Defaults,
    entry: impl Fn(&Node<'_>, &mut Vec<Draft>),
) -> Result<Parsed, ParseError> {
    json::read(body, |root| entries(root, defaults, entry))
}

/// The same of one that has been parsed.
pub(super) fn entries(
    root: &Node<'_>,
    defaults: &Defaults,
    entry: impl Fn(&Node<'_>, &mut Vec<Draft>),
) -> Result<Content, ParseError> {
    let mut fields = root.object()?;
    let entries = fields.get("entry").ok_or_else(|| root.invalid("`entry` is missing"))?.items(MAX_ITEMS)?;
    let mut drafts = Vec::new();
    entries.iter().for_each(|one| entry(one, &mut drafts));
    Ok(defaults.content(in_order(drafts)))
}

/// A time in whole seconds, or in milliseconds; as a number or as text.
pub(super) fn time(node: &Node<'_>, pointer: &str) -> Option<DateTime<Utc>> {
    let number: i64 = text(node, pointer)?.parse().ok()?;
    // So many seconds are in the year 5138, so many milliseconds in 1973.
    let time = match number {
        ..100_000_000_000 => DateTime::from_timestamp(number, 0),
        _ => DateTime::from_timestamp_millis(number),
    };
    // What PostgreSQL and Odoo can keep.
    time.filter(|time| (1970..=9999).contains(&chrono::Datelike::year(time)))
}

/// A message, as far as a platform says what it is.
pub(super) struct Heard {
    pub channel: Channel,
    pub account: String,
    pub people: Vec<String>,
    pub id: String,
    pub sent_at: Option<DateTime<Utc>>,
    pub name: Option<String>,
    pub username: Option<String>,
    pub phone: Option<String>,
    pub reply_to: Option<String>,
}

/// What a message says.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Said {
    pub kind: &'static str,
    pub lines: Vec<String>,
    pub media: Vec<Media>,
    /// About another message, and no inquiry of its own.
    pub aside: bool,
}

impl Said {
    pub(super) fn new(kind: &'static str, lines: impl IntoIterator<Item = Option<String>>) -> Self {
        Self { kind, lines: lines.into_iter().flatten().collect(), ..Self::default() }
    }

    pub(super) fn aside(self) -> Self {
        Self { aside: true, ..self }
    }

    /// A picture or file, with what was written beside it.
    pub(super) fn media(kind: &'static str, caption: Option<String>, media: Media) -> Self {
        let lines = [caption, media.name.clone()];
        Self { media: vec![media], ..Self::new(kind, lines) }
    }

    /// A place on the map.
    pub(super) fn place(node: &Node<'_>) -> Self {
        let number = |pointer: &str| node.below(pointer).and_then(|number| number.value.as_f64());
        let point = number("/latitude").zip(number("/longitude"));
        let map = point.map(|(latitude, longitude)| format!("https://maps.google.com/?q={latitude},{longitude}"));
        Self::new("location", [name(node, "/name"), name(node, "/address"), map])
    }
}

/// The draft of a message. `lead` is what it says about the person beyond their name and number.
pub(super) fn draft(heard: Heard, said: Said, lead: LeadDraft) -> Draft {
    let text: String = said.lines.join("\n").chars().take(MAX_TEXT).collect();
    let known = heard.name.clone().or_else(|| heard.username.clone());
    let nameless = || heard.people.first().map(|person| format!("{} {person}", heard.channel));
    let mut lead = LeadDraft {
        name: if known.is_some() || heard.phone.is_some() { None } else { nameless() },
        contact_name: lead.contact_name.or(known),
        phone: heard.phone.clone().or(lead.phone),
        message: (!text.is_empty()).then(|| text.clone()),
        ..lead
    };
    lead.origin.platform = Some(heard.channel.to_string().to_lowercase());
    let message = Message {
        source: String::new(),
        channel: heard.channel,
        account: heard.account,
        people: heard.people,
        id: heard.id,
        kind: said.kind.to_owned(),
        text,
        media: said.media,
        name: heard.name,
        username: heard.username,
        phone: heard.phone,
        sent_at: heard.sent_at.unwrap_or_default(),
        reply_to: heard.reply_to,
        starts: !said.aside,
    };
    Draft::Message(Box::new(MessageDraft { lead, message, asks_name: false }))
}

/// Messages by the time at which they were written: a platform that was held up may send them in another order.
fn in_order(mut drafts: Vec<Draft>) -> Vec<Draft> {
    drafts.sort_by_key(|draft| match draft {
        Draft::Message(draft) => draft.message.sent_at,
        Draft::Mark(mark) => mark.at,
        _ => DateTime::default(),
    });
    drafts
}
