//! Kind `messenger`: what people write to a Facebook page; `instagram` reads the same form.
//!
//! Their names are not told, only an id for each person and page; with a token, the Graph API is asked for them
//! (`people`), and its answer comes back here to be parsed like any other body. What the page itself writes comes back as
//! an echo and is ignored, as is what another app answers (`standby`). Pictures and files are named; `media` fetches them
//! if wanted.

mod media;
mod people;

use std::sync::Arc;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response};
use serde_json::Value;

use self::people::{NAMES, People};
use super::{
    Content, Ended, Inbound, MediaPlatform, ParseError, Parsed, Platform, Refusal, Setup, Source, Verified,
    defaults::Defaults,
    hub::{self, Hub},
    json::{self, Node},
    meta::{Api, webhook::is_id},
    talk::{self, Heard, Said, id, items, name, text, time},
};
use crate::{
    config::{Reader, expect::secret},
    domain::{Channel, Draft, LeadDraft, Mark, MarkStatus, Media, Profile},
    secret::{SecretError, SecretRef},
};

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    read_as(section, Channel::Messenger)
}

pub(super) fn read_as(section: &mut Reader<'_>, channel: Channel) -> Option<Box<dyn Setup>> {
    let hub = hub::Spec::read(section);
    let token = section.optional("token", secret());
    let api = Api::read(section);
    let media = media::Spec::read(section);
    let defaults = Defaults::read(section.table("defaults")).or(&channel.to_string(), "Message");
    Some(Box::new(Spec { channel, hub: hub?, token, api: api?, media, defaults }))
}

#[derive(Debug)]
struct Spec {
    channel: Channel,
    hub: hub::Spec,
    token: Option<SecretRef>,
    api: Api,
    media: Option<media::Spec>,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.hub.secrets().chain(self.token.iter().map(|token| ("token", token))).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let Self { channel, hub, token, api, media, defaults } = self;
        let people = match token {
            // The first secret is the app's own, whose token this is; the others are those of before.
            Some(token) => Some(api.open(&hub.app_secrets[0].read()?, token, NAMES)?),
            None => None,
        };
        let people = people.map(|tokens| Arc::new(People::new(*channel, tokens)));
        let media = media.as_ref().map(media::Spec::open);
        Ok(Box::new(Messenger { channel: *channel, hub: hub.open()?, people, media, defaults: defaults.clone() }))
    }
}

struct Messenger {
    channel: Channel,
    hub: Hub,
    /// Who can be asked who they are.
    people: Option<Arc<People>>,
    media: Option<media::Files>,
    defaults: Defaults,
}

impl Source for Messenger {
    fn verify(&self, request: &Inbound, _: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.hub.verify(request)
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| match root.below("/lead") {
            Some(answer) => Ok(Content::Drafts(profile(root, &answer).into_iter().collect())),
            None => talk::entries(root, &self.defaults, |entry, drafts| {
                let events = items(entry, "/messaging");
                if events.is_empty() {
                    entry.warn("holds no `messaging`: ignored");
                }
                for event in events {
                    self.event(entry, &event, drafts);
                }
            }),
        })
    }

    fn platform(&self) -> Option<Arc<dyn Platform>> {
        self.people.clone().map(|people| people as Arc<dyn Platform>)
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

/// Who wrote to whom, and when.
struct Event {
    channel: Channel,
    account: String,
    person: String,
    at: Option<DateTime<Utc>>,
}

impl Event {
    fn heard(&self, id: String, reply_to: Option<String>) -> Heard {
        Heard {
            channel: self.channel,
            account: self.account.clone(),
            people: vec![self.person.clone()],
            id,
            sent_at: self.at,
            name: None,
            username: None,
            phone: None,
            reply_to,
        }
    }

    fn mark(&self, id: Option<String>, status: MarkStatus, at: Option<DateTime<Utc>>) -> Draft {
        Draft::Mark(Mark {
            source: String::new(),
            channel: self.channel,
            account: self.account.clone(),
            people: vec![self.person.clone()],
            id,
            status,
            at: at.or(self.at).unwrap_or_default(),
            error: None,
        })
    }

    /// The id of what has none: one person does one thing at a time.
    fn nameless(&self, what: &str) -> String {
        let at = self.at.map(|at| at.timestamp_millis()).unwrap_or_default();
        format!("{what}/{}/{at}", self.person)
    }
}

impl Messenger {
    fn event(&self, entry: &Node<'_>, node: &Node<'_>, drafts: &mut Vec<Draft>) {
        let account = id(entry, "/id").or_else(|| id(node, "/recipient/id"));
        let (Some(account), Some(person)) = (account, id(node, "/sender/id")) else {
            node.warn("has no sender or no recipient: ignored");
            return;
        };
        let event = Event { channel: self.channel, account, person, at: time(node, "/timestamp") };
        let before = drafts.len();
        if let Some(message) = node.below("/message") {
            drafts.extend(message_of(&event, &message));
        } else if let Some(postback) = node.below("/postback") {
            let own = id(&postback, "/mid").unwrap_or_else(|| event.nameless("postback"));
            let said = Said::new("button", [text(&postback, "/title").or_else(|| text(&postback, "/payload"))]);
            drafts.push(talk::draft(event.heard(own, None), said, referred(&postback, "/referral")));
        } else if let Some(edit) = node.below("/message_edit") {
            drafts.extend(edited(&event, &edit));
        } else if let Some(reaction) = node.below("/reaction") {
            drafts.extend(reaction_of(&event, &reaction));
        } else if let Some(referral) = node.below("/referral") {
            let said = Said::new("referral", [text(&referral, "/ref")]).aside();
            drafts.push(talk::draft(event.heard(event.nameless("referral"), None), said, referred(node, "/referral")));
        } else if let Some(read) = node.below("/read") {
            let own = id(&read, "/mid");
            let until = time(&read, "/watermark");
            if own.is_some() || until.is_some() {
                drafts.push(event.mark(own, MarkStatus::Read, until));
            }
        } else if node.below("/delivery").is_some() {
            let delivered = items(node, "/delivery/mids").into_iter().filter_map(|mid| id(&mid, ""));
            drafts.extend(delivered.map(|mid| event.mark(Some(mid), MarkStatus::Delivered, None)));
        }
        if self.people.is_some() && is_id(&event.person) {
            for draft in &mut drafts[before..] {
                if let Draft::Message(draft) = draft {
                    draft.asks_name = draft.message.starts;
                }
            }
        }
        if drafts.len() == before {
            node.warn("is nothing that a person wrote: ignored");
        }
    }
}

/// Who somebody is, as the Graph API answered; nothing if it told no name.
fn profile(root: &Node<'_>, answer: &Node<'_>) -> Option<Draft> {
    // Only texts: people are called by it.
    let told =
        |pointer: &str| name(answer, pointer).filter(|_| answer.value.pointer(pointer).is_some_and(Value::is_string));
    let joined = ["/first_name", "/last_name"].into_iter().filter_map(told).collect::<Vec<_>>().join(" ");
    let called = told("/name").or_else(|| Some(joined).filter(|joined| !joined.is_empty()));
    let username = told("/username");
    if called.is_none() && username.is_none() {
        return None;
    }
    let (account, person) = (id(root, "/account/id")?, id(answer, "/id")?);
    Some(Draft::Profile(Profile { source: String::new(), account, people: vec![person], name: called, username }))
}

fn message_of(event: &Event, message: &Node<'_>) -> Option<Draft> {
    let is = |flag: &str| message.below(flag).is_some_and(|flag| flag.value == true);
    if is("/is_echo") {
        return None;
    }
    let own = id(message, "/mid").unwrap_or_else(|| event.nameless("message"));
    if is("/is_deleted") {
        return Some(event.mark(Some(own), MarkStatus::Deleted, None));
    }
    let heard = event.heard(own, id(message, "/reply_to/mid"));
    Some(talk::draft(heard, said(message), referred(message, "/referral")))
}

fn said(message: &Node<'_>) -> Said {
    let mut said = Said { kind: "text", ..Said::default() };
    said.lines.extend(text(message, "/text"));
    // What somebody answers to a story.
    said.lines.extend(talk::url(message, "/reply_to/story/url"));
    for attachment in items(message, "/attachments") {
        let kind = kind_of(text(&attachment, "/type").as_deref().unwrap_or_default());
        if said.kind == "text" {
            said.kind = kind;
        }
        let [latitude, longitude] =
            ["/payload/coordinates/lat", "/payload/coordinates/long"].map(|pointer| name(&attachment, pointer));
        let map = latitude
            .zip(longitude)
            .map(|(latitude, longitude)| format!("https://maps.google.com/?q={latitude},{longitude}"));
        let address = talk::url(&attachment, "/payload/url").or_else(|| talk::url(&attachment, "/url"));
        said.lines
            .extend([name(&attachment, "/title"), name(&attachment, "/payload/title"), map].into_iter().flatten());
        said.lines.extend(address.clone());
        let media = Media { id: id(&attachment, "/payload/sticker_id"), url: address, ..Media::default() };
        if media != Media::default() {
            said.media.push(media);
        }
    }
    if said.lines.is_empty() && said.media.is_empty() {
        said.kind = "unsupported";
    }
    said
}

fn kind_of(attachment: &str) -> &'static str {
    match attachment {
        "image" => "image",
        "video" | "reel" | "ig_reel" => "video",
        "audio" => "audio",
        "file" => "document",
        "location" => "location",
        "sticker" => "sticker",
        "share" | "story_mention" | "ig_post" | "ig_story" | "fallback" | "template" | "product" => "share",
        _ => "unsupported",
    }
}

fn edited(event: &Event, edit: &Node<'_>) -> Option<Draft> {
    let about = id(edit, "/mid")?;
    let number = id(edit, "/num_edit").unwrap_or_else(|| event.nameless("edit"));
    let said = Said::new("edited", [text(edit, "/text")]).aside();
    Some(talk::draft(event.heard(format!("{about}/edited/{number}"), Some(about)), said, LeadDraft::default()))
}

fn reaction_of(event: &Event, reaction: &Node<'_>) -> Option<Draft> {
    let about = id(reaction, "/mid")?;
    let taken_back = text(reaction, "/action").as_deref() == Some("unreact");
    let sign = text(reaction, "/emoji").or_else(|| text(reaction, "/reaction")).filter(|_| !taken_back);
    let said = Said::new("reaction", [sign.or_else(|| Some("–".to_owned()))]).aside();
    let own = event.nameless(&format!("{about}/reaction"));
    Some(talk::draft(event.heard(own, Some(about)), said, LeadDraft::default()))
}

/// By which ad or link somebody came.
fn referred(node: &Node<'_>, pointer: &str) -> LeadDraft {
    let mut lead = LeadDraft::default();
    let Some(referral) = node.below(pointer) else { return lead };
    lead.utm_content = name(&referral, "/ref");
    if text(&referral, "/source").as_deref() == Some("ADS") {
        lead.medium = Some("Paid social".to_owned());
    }
    let origin = &mut lead.origin;
    origin.ad_id = id(&referral, "/ad_id");
    origin.ad_name = name(&referral, "/ads_context_data/ad_title");
    origin.url = talk::url(&referral, "/referer_uri");
    lead
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{
        domain::MessageDraft,
        sources::{Content, testing::open},
    };

    fn source(kind: &str) -> Box<dyn Source> {
        let section =
            format!("kind = \"{kind}\"\napp_secret = {{ file = \"SECRET\" }}\nverify_token = {{ file = \"SECRET\" }}");
        open(&section, "test_app_secret")
    }

    fn read(events: Vec<Value>) -> (Vec<Draft>, Vec<String>) {
        let entry = json!({"id": "102030405060708", "time": 1_763_690_000_123u64, "messaging": events});
        let parsed = source("messenger").parse(json!({"object": "page", "entry": [entry]}).to_string().as_bytes());
        let Parsed { content: Content::Drafts(drafts), warnings } = parsed.expect("read") else { panic!("drafts") };
        (drafts, warnings)
    }

    fn event(at: u64, more: Value) -> Value {
        let mut event =
            json!({"sender": {"id": "7234567890123456"}, "recipient": {"id": "102030405060708"}, "timestamp": at});
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event
    }

    fn one(more: Value) -> MessageDraft {
        let (mut drafts, warnings) = read(vec![event(1_763_689_999_900, more)]);
        assert_eq!((drafts.len(), warnings.len()), (1, 0), "{warnings:?}");
        match drafts.remove(0) {
            Draft::Message(draft) => *draft,
            other => panic!("a message: {other:?}"),
        }
    }

    fn mark(more: Value) -> Mark {
        match read(vec![event(1_763_690_000_000, more)]).0.remove(0) {
            Draft::Mark(mark) => mark,
            other => panic!("a mark: {other:?}"),
        }
    }

    #[test]
    fn a_documented_message() {
        let message = json!({"mid": "m_AbCdEf123", "text": "Hello, price?", "quick_reply": {"payload": "PRICE"}, "reply_to": {"mid": "m_prev"}});
        let MessageDraft { lead, message, .. } = one(json!({ "message": message }));
        assert_eq!((message.kind.as_str(), message.text.as_str()), ("text", "Hello, price?"));
        assert_eq!((message.id.as_str(), message.reply_to.as_deref()), ("m_AbCdEf123", Some("m_prev")));
        assert_eq!((message.account.as_str(), message.people[0].as_str()), ("102030405060708", "7234567890123456"));
        assert_eq!(message.sent_at.timestamp_millis(), 1_763_689_999_900);
        assert_eq!(lead.name.as_deref(), Some("Messenger 7234567890123456"));
        assert_eq!((lead.source.as_deref(), lead.medium.as_deref()), (Some("Messenger"), Some("Message")));
    }

    #[test]
    fn names_are_asked_for_people_who_have_a_lead() {
        let hub = "app_secret = { file = \"SECRET\" }\nverify_token = { file = \"SECRET\" }";
        let with = open(&format!("kind = \"messenger\"\n{hub}\ntoken = {{ file = \"SECRET\" }}"), "secret");
        let asks = |source: &dyn Source, person: &str, more: Value| {
            let mut event = event(1, more);
            event["sender"]["id"] = person.into();
            let body = json!({"object": "page", "entry": [{"id": "1", "messaging": [event]}]}).to_string();
            let Content::Drafts(drafts) = source.parse(body.as_bytes()).expect("read").content else {
                panic!("drafts")
            };
            drafts.iter().any(|draft| matches!(draft, Draft::Message(draft) if draft.asks_name))
        };
        let hello = || json!({"message": {"mid": "m1", "text": "Hello"}});
        assert!(asks(&*with, "7234567890123456", hello()));
        assert!(asks(&*with, "7", json!({"postback": {"mid": "m5", "title": "Get started"}})));
        assert!(!asks(&*with, "7", json!({"reaction": {"mid": "m3", "action": "react", "emoji": "x"}})));
        assert!(!asks(&*with, "u/1", hello()), "it would be part of an address");
        assert!(with.platform().is_some());
        let without = source("messenger");
        assert!(!asks(&*without, "7", hello()) && without.platform().is_none());
    }

    #[test]
    fn an_answered_profile_is_read_whatever_is_in_it() {
        let read = |mut answer: Value| {
            answer["id"] = "7".into();
            let body = json!({"lead": answer, "form": null, "account": {"id": "9", "name": null}}).to_string();
            match source("instagram").parse(body.as_bytes()).expect("read").content {
                Content::Drafts(mut drafts) => drafts.pop(),
                other => panic!("drafts: {other:?}"),
            }
        };
        for (answer, name, username) in [
            (json!({"first_name": "Sara", "last_name": "Ali"}), Some("Sara Ali"), None),
            (json!({"first_name": "", "last_name": " Ali\n"}), Some("Ali"), None),
            (json!({"name": "نورة", "username": "noura.h", "first_name": "x"}), Some("نورة"), Some("noura.h")),
            (json!({"name": null, "username": "only.this"}), None, Some("only.this")),
            (json!({"name": {"odd": 1}, "username": ["x"], "first_name": 7, "last_name": "Ali"}), Some("Ali"), None),
        ] {
            let Some(Draft::Profile(profile)) = read(answer.clone()) else { panic!("a profile: {answer}") };
            assert_eq!((profile.name.as_deref(), profile.username.as_deref()), (name, username), "{answer}");
            assert_eq!((profile.account.as_str(), profile.people), ("9", vec!["7".to_owned()]));
        }
        for nothing in [json!({}), json!({"name": " ", "profile_pic": "https://x.example/p.jpg"})] {
            assert_eq!(read(nothing), None);
        }
    }

    #[test]
    fn instagram_has_the_same_form() {
        let message = json!({"mid": "aWdf", "text": "nice", "reply_to": {"story": {"url": "https://lookaside.fbsbx.com/ig?asset_id=1", "id": "1"}}});
        let body = json!({"object": "instagram", "entry": [{"id": "17841400000000000", "time": 1_763_690_000_123u64, "messaging": [
            {"sender": {"id": "987654321098765"}, "recipient": {"id": "17841400000000000"}, "timestamp": 1_763_689_999_900u64, "message": message}]}]});
        let parsed = source("instagram").parse(body.to_string().as_bytes()).expect("read");
        let Content::Drafts(drafts) = parsed.content else { panic!("drafts") };
        let Draft::Message(draft) = &drafts[0] else { panic!("a message") };
        assert_eq!((draft.message.channel, draft.message.people[0].as_str()), (Channel::Instagram, "987654321098765"));
        assert_eq!(draft.message.text, "nice\nhttps://lookaside.fbsbx.com/ig?asset_id=1");
        assert_eq!(draft.lead.source.as_deref(), Some("Instagram"));
    }

    #[test]
    fn an_ad_or_link_fills_the_origin() {
        let referral = json!({"ref": "campaignX", "ad_id": "120210000000000001", "source": "ADS", "type": "OPEN_THREAD",
                              "ads_context_data": {"ad_title": "Villas", "video_url": null}});
        let lead = one(json!({"message": {"mid": "m_ad1", "text": "I am interested", "referral": referral}})).lead;
        assert_eq!(lead.origin.ad_id.as_deref(), Some("120210000000000001"));
        assert_eq!(lead.origin.ad_name.as_deref(), Some("Villas"));
        assert_eq!((lead.utm_content.as_deref(), lead.medium.as_deref()), (Some("campaignX"), Some("Paid social")));
        let link = json!({"ref": "x", "source": "SHORTLINK", "type": "OPEN_THREAD"});
        let started =
            one(json!({"postback": {"mid": "m5", "title": "Get started", "payload": "GET_STARTED", "referral": link}}));
        assert_eq!((started.message.text.as_str(), started.message.starts), ("Get started", true));
        assert_eq!((started.lead.utm_content.as_deref(), started.lead.medium.as_deref()), (Some("x"), Some("Message")));
        let back = one(json!({"referral": link}));
        assert_eq!((back.message.kind.as_str(), back.message.starts), ("referral", false));
    }

    #[test]
    fn every_kind_is_shown() {
        let url = "https://scontent.example/i.jpg";
        for (kind, shown) in
            [("image", "image"), ("file", "document"), ("ig_reel", "video"), ("share", "share"), ("new", "unsupported")]
        {
            let message =
                one(json!({"message": {"mid": "m2", "attachments": [{"type": kind, "payload": {"url": url}}]}}))
                    .message;
            assert_eq!((message.kind.as_str(), message.text.as_str()), (shown, url));
            assert_eq!(message.media[0].url.as_deref(), Some(url));
        }
        let place = json!({"type": "location", "payload": {"coordinates": {"lat": 24.5, "long": 46.5}}});
        assert_eq!(
            one(json!({"message": {"mid": "m", "attachments": [place]}})).message.text,
            "https://maps.google.com/?q=24.5,46.5"
        );
        for nothing in
            [json!({"mid": "m4", "is_unsupported": true}), json!({"mid": "m4", "attachments": [1]}), json!({})]
        {
            assert_eq!(one(json!({ "message": nothing })).message.kind, "unsupported");
        }
    }

    #[test]
    fn what_is_about_another_message() {
        let reaction =
            one(json!({"reaction": {"mid": "m3", "action": "react", "reaction": "love", "emoji": "❤"}})).message;
        assert_eq!((reaction.text.as_str(), reaction.starts), ("❤", false));
        assert_eq!(reaction.reply_to.as_deref(), Some("m3"));
        let back = one(json!({"reaction": {"mid": "m3", "action": "unreact"}})).message;
        assert_eq!(back.text, "–");
        let edit = one(json!({"message_edit": {"mid": "m2", "text": "edited", "num_edit": 1}})).message;
        assert_eq!((edit.id.as_str(), edit.kind.as_str(), edit.starts), ("m2/edited/1", "edited", false));
        let deleted = mark(json!({"message": {"mid": "m2", "is_deleted": true}}));
        assert_eq!((deleted.id.as_deref(), deleted.status), (Some("m2"), MarkStatus::Deleted));
        let all = mark(json!({"read": {"watermark": 1_763_690_000_000u64}}));
        assert_eq!((all.id, all.status, all.at.timestamp()), (None, MarkStatus::Read, 1_763_690_000));
        assert_eq!(mark(json!({"read": {"mid": "m3"}})).id.as_deref(), Some("m3"));
        let (delivered, _) = read(vec![event(11, json!({"delivery": {"mids": ["a", "b"], "watermark": 1}}))]);
        assert_eq!(delivered.len(), 2);
    }

    #[test]
    fn the_pages_own_words_and_other_things_are_ignored_with_a_reason() {
        for (odd, reason) in [
            (
                json!({"message": {"mid": "m3", "text": "agent", "is_echo": true, "app_id": 123}}),
                "nothing that a person wrote",
            ),
            (json!({"optin": {"ref": "x"}}), "nothing that a person wrote"),
            (json!({"read": {}}), "nothing that a person wrote"),
            (json!({"delivery": {"watermark": 1}}), "nothing that a person wrote"),
            (json!({"sender": null, "message": {"mid": "x"}}), "no sender"),
        ] {
            let (drafts, warnings) = read(vec![event(1, odd.clone())]);
            assert!(drafts.is_empty() && warnings[0].contains(reason), "{odd}: {warnings:?}");
        }
        let standby =
            json!({"entry": [{"id": "1", "standby": [event(1, json!({"message": {"mid": "x", "text": "y"}}))]}, 5]});
        let parsed = source("messenger").parse(standby.to_string().as_bytes()).expect("read");
        assert_eq!((parsed.content, parsed.warnings.len()), (Content::Drafts(Vec::new()), 2));
        for bad in ["", "{", "[]", "{}", r#"{"entry":1}"#] {
            assert!(source("instagram").parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
