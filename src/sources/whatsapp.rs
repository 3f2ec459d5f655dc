//! Kind `whatsapp`: messages and statuses of the WhatsApp Cloud API.
//!
//! A person is known by a business-scoped id, by a number, or by both; whoever uses a username may have no number here.
//! One who came by an ad brings the ad along (`referral`). Pictures and files are named; `media` fetches them if wanted.

mod media;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response};
use serde_json::Value;

use super::{
    Ended, Inbound, MediaPlatform, ParseError, Parsed, Refusal, Setup, Source, Verified,
    defaults::Defaults,
    fields::Fields,
    hub::{self, Hub},
    json::{self, Node, Notes},
    talk::{self, Heard, MAX_ITEMS, Said, id, items, name, text, time},
};
use crate::{
    config::Reader,
    domain::{Channel, Draft, LeadDraft, Mark, MarkStatus, Media},
    secret::{SecretError, SecretRef},
};

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let hub = hub::Spec::read(section);
    let media = media::Spec::read(section);
    let defaults = Defaults::read(section.table("defaults")).or("WhatsApp", "Message");
    Some(Box::new(Spec { hub: hub?, media, defaults }))
}

#[derive(Debug)]
struct Spec {
    hub: hub::Spec,
    media: Option<media::Spec>,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let token = self.media.iter().map(|media| ("token", &media.token));
        self.hub.secrets().chain(token).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let media = self.media.as_ref().map(|media| media.open(&self.hub)).transpose()?;
        Ok(Box::new(Whatsapp { hub: self.hub.open()?, media, defaults: self.defaults.clone() }))
    }
}

struct Whatsapp {
    hub: Hub,
    media: Option<media::Files>,
    defaults: Defaults,
}

impl Source for Whatsapp {
    fn verify(&self, request: &Inbound, _: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.hub.verify(request)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        talk::read_entries(body, &self.defaults, |entry, drafts| {
            for change in items(entry, "/changes") {
                match change.below("/value") {
                    Some(value) if text(&change, "/field").as_deref() == Some("messages") => read_value(&value, drafts),
                    _ => change.warn("is about no message: ignored"),
                }
            }
        })
    }

    fn answer(&self, _: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        Hub::answer(ended)
    }

    fn handshake(&self, request: &Inbound) -> Option<Result<Response<String>, Refusal>> {
        Some(self.hub.challenge(request))
    }

    fn media(&self) -> Option<&dyn MediaPlatform> {
        self.media.as_ref().map(|files| files as &dyn MediaPlatform)
    }
}

fn read_value(value: &Node<'_>, drafts: &mut Vec<Draft>) {
    let account = id(value, "/metadata/phone_number_id").unwrap_or_else(|| "?".to_owned());
    let contacts = items(value, "/contacts");
    for message in items(value, "/messages") {
        match heard(&message, &contacts, &account) {
            Some(heard) => {
                let said = said(&message);
                drafts.push(talk::draft(heard, said, lead(&message)));
            }
            None => message.warn("has no id or no sender: ignored"),
        }
    }
    for status in items(value, "/statuses") {
        match mark(&status, &account) {
            Some(mark) => drafts.push(Draft::Mark(mark)),
            None => status.warn("is no status that is known: ignored"),
        }
    }
    for error in items(value, "/errors") {
        error.warn(reason(&error).as_deref().unwrap_or("an error without words"));
    }
}

/// Who wrote, and when.
fn heard(message: &Node<'_>, contacts: &[Node<'_>], account: &str) -> Option<Heard> {
    let (number, user) = (id(message, "/from"), id(message, "/from_user_id"));
    let is_theirs = |contact: &&Node<'_>| {
        let same = |pointer, known: &Option<String>| known.is_some() && id(contact, pointer) == *known;
        same("/wa_id", &number) || same("/user_id", &user)
    };
    let contact = contacts.iter().find(is_theirs).or(match contacts {
        [only] => Some(only),
        _ => None,
    });
    let of_contact = |pointer| contact.and_then(|contact| id(contact, pointer));
    // Who has another number or id now is the same person.
    let users = [id(message, "/system/user_id"), user, of_contact("/user_id"), id(message, "/system/previous_user_id")];
    let numbers = [id(message, "/system/wa_id"), number, of_contact("/wa_id")];
    let numbers: Vec<String> = numbers.into_iter().flatten().collect();
    let phone = numbers.first().filter(|number| number.bytes().all(|byte| byte.is_ascii_digit()));
    let phone = phone.map(|number| format!("+{number}"));
    let mut people: Vec<String> = Vec::new();
    for person in users.into_iter().flatten().chain(numbers) {
        if !people.contains(&person) {
            people.push(person);
        }
    }
    if people.is_empty() {
        return None;
    }
    Some(Heard {
        channel: Channel::Whatsapp,
        account: account.to_owned(),
        people,
        id: id(message, "/id")?,
        sent_at: time(message, "/timestamp"),
        name: contact.and_then(|contact| name(contact, "/profile/name")),
        username: contact.and_then(|contact| name(contact, "/profile/username")),
        phone,
        reply_to: id(message, "/reaction/message_id").or_else(|| id(message, "/context/id")),
    })
}

fn said(message: &Node<'_>) -> Said {
    let kind = text(message, "/type").unwrap_or_default();
    let part = message.below(&format!("/{}", kind.replace('~', "~0").replace('/', "~1")));
    let Some(part) = part else { return unknown(message, &kind) };
    match kind.as_str() {
        "text" => Said::new("text", [text(&part, "/body")]),
        "image" => file("image", &part),
        "video" => file("video", &part),
        "audio" | "voice" => file("audio", &part),
        "document" => file("document", &part),
        "sticker" => file("sticker", &part),
        "location" => Said::place(&part),
        "contacts" => contacts(&part),
        "interactive" => interactive(&part),
        "button" => Said::new("button", [text(&part, "/text").or_else(|| text(&part, "/payload"))]),
        "reaction" => Said::new("reaction", [text(&part, "/emoji").or_else(|| Some("–".to_owned()))]).aside(),
        "order" => order(&part),
        "system" => Said::new("system", [text(&part, "/body")]).aside(),
        _ => unknown(message, &kind),
    }
}

fn file(kind: &'static str, part: &Node<'_>) -> Said {
    let media = Media {
        id: id(part, "/id"),
        url: talk::url(part, "/url"),
        mime: name(part, "/mime_type"),
        name: name(part, "/filename"),
    };
    Said::media(kind, text(part, "/caption"), media)
}

fn contacts(part: &Node<'_>) -> Said {
    let line = |contact: Node<'_>| {
        let list =
            |pointer, key: &str| items(&contact, pointer).into_iter().filter_map(|one| text(&one, key)).collect();
        let (phones, emails): (Vec<_>, Vec<_>) = (list("/phones", "/phone"), list("/emails", "/email"));
        let parts = name(&contact, "/name/formatted_name").into_iter().chain(phones).chain(emails);
        Some(parts.collect::<Vec<_>>().join(", ")).filter(|line| !line.is_empty())
    };
    Said::new("contacts", part.items(MAX_ITEMS).unwrap_or_default().into_iter().map(line))
}

fn interactive(part: &Node<'_>) -> Said {
    for reply in ["/button_reply", "/list_reply"] {
        if let Some(reply) = part.below(reply) {
            return Said::new("button", [text(&reply, "/title"), text(&reply, "/description")]);
        }
    }
    let answers = form(part).map(|answers| {
        answers.into_iter().map(|(question, answer)| Some(format!("{question}: {answer}"))).collect::<Vec<_>>()
    });
    match answers {
        Some(answers) => Said::new("form", answers),
        None => unknown(part, &text(part, "/type").unwrap_or_default()),
    }
}

/// The answers of a flow: JSON in a text.
fn form(interactive: &Node<'_>) -> Option<Vec<(String, String)>> {
    let response = interactive.below("/nfm_reply/response_json")?;
    let notes = Notes::default();
    let answers = json::parse(response.value.as_str()?.as_bytes(), &notes).ok()?;
    let answers = answers.as_object()?.iter().filter(|(question, _)| *question != "flow_token");
    let answer = |(question, value): (&String, &Value)| {
        let node = Node { pointer: String::new(), value, notes: &notes };
        Some((json::shown(question), node.flat()?))
    };
    Some(answers.filter_map(answer).collect())
}

fn order(part: &Node<'_>) -> Said {
    let item = |item: Node<'_>| {
        let [product, quantity, price, currency] =
            ["/product_retailer_id", "/quantity", "/item_price", "/currency"].map(|pointer| name(&item, pointer));
        let price = price.map(|price| format!("{price} {}", currency.unwrap_or_default()).trim().to_owned());
        let line = [quantity.map(|quantity| format!("{quantity} ×")), product, price];
        Some(line.into_iter().flatten().collect::<Vec<_>>().join(" "))
    };
    let items = items(part, "/product_items").into_iter().map(item);
    Said::new("order", [text(part, "/text")].into_iter().chain(items))
}

/// What the platform or we cannot show.
fn unknown(message: &Node<'_>, kind: &str) -> Said {
    let error = items(message, "/errors").first().and_then(reason);
    let kind = (!kind.is_empty() && kind != "unsupported").then(|| json::shown(kind));
    Said::new("unsupported", [kind, error])
}

/// An error in the platform's words.
fn reason(error: &Node<'_>) -> Option<String> {
    let words =
        text(error, "/error_data/details").or_else(|| text(error, "/message")).or_else(|| name(error, "/title"));
    let parts: Vec<String> = [name(error, "/code"), words].into_iter().flatten().collect();
    (!parts.is_empty()).then(|| parts.join(" "))
}

/// What a message says about its person: by which ad they came, and what they answered in a form.
fn lead(message: &Node<'_>) -> LeadDraft {
    let mut fields = Fields::of("whatsapp");
    let answers = message.below("/interactive").and_then(|interactive| form(&interactive));
    for (question, answer) in answers.unwrap_or_default() {
        fields.put_known(&question, &answer);
    }
    // Without a name or an address it says nothing about anybody.
    let mut lead = fields.read("", message.notes).unwrap_or_default();
    let Some(referral) = message.below("/referral") else { return lead };
    let is_ad = text(&referral, "/source_type").as_deref() == Some("ad");
    lead.medium = is_ad.then(|| "Paid social".to_owned());
    let source = id(&referral, "/source_id");
    let origin = &mut lead.origin;
    origin.ad_name = name(&referral, "/headline").filter(|_| is_ad);
    origin.url = talk::url(&referral, "/source_url");
    let click = id(&referral, "/ctwa_clid");
    origin.click_ids.extend(click.map(|click| ("ctwa_clid".to_owned(), click)));
    if is_ad {
        origin.ad_id = source;
    } else {
        lead.utm_content = source;
    }
    lead
}

fn mark(status: &Node<'_>, account: &str) -> Option<Mark> {
    let what = match text(status, "/status")?.as_str() {
        "sent" => MarkStatus::Sent,
        "delivered" => MarkStatus::Delivered,
        "read" | "played" => MarkStatus::Read,
        "failed" => MarkStatus::Failed,
        "deleted" => MarkStatus::Deleted,
        _ => return None,
    };
    Some(Mark {
        source: String::new(),
        channel: Channel::Whatsapp,
        account: account.to_owned(),
        people: [id(status, "/recipient_user_id"), id(status, "/recipient_id")].into_iter().flatten().collect(),
        id: Some(id(status, "/id")?),
        status: what,
        at: time(status, "/timestamp").unwrap_or_default(),
        error: items(status, "/errors").first().and_then(reason),
    })
}

#[cfg(test)]
mod tests;
