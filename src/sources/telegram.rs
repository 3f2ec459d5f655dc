//! Kind `telegram`: what people write to a bot.
//!
//! Telegram signs nothing; each request carries the text that was given to it with the address (`secret_token`). A
//! person's number is known only if they share their own contact, and where they come from by the link that they opened
//! (`/start <payload>`). What is posted in groups and channels is nobody's inquiry. `files` fetches pictures and files if wanted.

mod files;

use chrono::{DateTime, Utc};
use http::{HeaderMap, Response};

use super::{
    Ended, Inbound, MediaPlatform, ParseError, Parsed, Refusal, Setup, Source, Tokens, Verified,
    defaults::Defaults,
    digest,
    json::{self, Node},
    talk::{self, Heard, Said, id, items, name, text, time},
};
use crate::{
    config::{
        Reader,
        expect::{one_or_more, secret, string},
    },
    domain::{Channel, Draft, LeadDraft, Media},
    secret::{SecretError, SecretRef},
};

const TOKEN: &str = "x-telegram-bot-api-secret-token";
/// Where messages are in an update, and whether they are corrected ones.
const MESSAGES: [(&str, bool); 2] = [("/message", false), ("/edited_message", true)];
/// Files, with the kind that each is shown as.
const FILES: [(&str, &str); 7] = [
    ("/voice", "audio"),
    ("/audio", "audio"),
    ("/video", "video"),
    ("/video_note", "video"),
    ("/animation", "video"),
    ("/document", "document"),
    ("/sticker", "sticker"),
];

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let tokens = section.required("secret_token", one_or_more(secret()));
    let bot = section.required("bot", string().example("\"example_bot\""));
    let files = files::Spec::read(section);
    let defaults = Defaults::read(section.table("defaults")).or("Telegram", "Message");
    Some(Box::new(Spec { tokens: tokens?, bot: bot?, files, defaults }))
}

#[derive(Debug)]
struct Spec {
    tokens: Vec<SecretRef>,
    bot: String,
    files: Option<files::Spec>,
    defaults: Defaults,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        let token = self.files.iter().map(|files| ("token", &files.token));
        self.tokens.iter().map(|token| ("secret_token", token)).chain(token).collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        let (bot, defaults) = (self.bot.clone(), self.defaults.clone());
        let files = self.files.as_ref().map(files::Spec::open).transpose()?;
        Ok(Box::new(Telegram { tokens: Tokens::open(&self.tokens)?, bot, files, defaults }))
    }
}

struct Telegram {
    tokens: Tokens,
    bot: String,
    files: Option<files::Files>,
    defaults: Defaults,
}

impl Source for Telegram {
    fn verify(&self, request: &Inbound, _: DateTime<Utc>) -> Result<Verified, Refusal> {
        let token = request.headers.get(TOKEN).ok_or(Refusal::MissingHeader(TOKEN))?;
        let known = token.to_str().is_ok_and(|token| self.tokens.knows(token));
        // The number of an update is its bot's; what Telegram sends again is equal.
        known.then(|| digest::by_content(&request.body)).ok_or(Refusal::BadKey { place: "header" })
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            root.object()?;
            let draft = self.read(root).inspect_err(|reason| root.warn(format_args!("{reason}: ignored")));
            Ok(self.defaults.content(draft.into_iter().collect()))
        })
    }

    /// An empty answer: JSON would be taken for a command to the bot.
    fn answer(&self, _: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        match ended {
            Ended::Accepted | Ended::NotUnderstood(_) => Some(Response::new(String::new())),
            Ended::Refused(_) => None,
        }
    }

    fn media(&self) -> Option<&dyn MediaPlatform> {
        self.files.as_ref().map(|files| files as &dyn MediaPlatform)
    }
}

impl Telegram {
    /// The message of an update, or why there is none.
    fn read(&self, update: &Node<'_>) -> Result<Draft, &'static str> {
        let part = |pointer| update.below(pointer).filter(|part| part.value.is_object());
        for (place, edited) in MESSAGES {
            if let Some(message) = part(place) {
                return self.message(&message, edited);
            }
        }
        if let Some(query) = part("/callback_query") {
            return self.button(&query);
        }
        if let Some(reaction) = part("/message_reaction") {
            return self.reaction(update, &reaction);
        }
        Err("it is about no message to the bot")
    }

    fn message(&self, message: &Node<'_>, edited: bool) -> Result<Draft, &'static str> {
        if text(message, "/chat/type").as_deref() != Some("private") {
            return Err("it is from a group or channel");
        }
        let own = place_of(message, "/message_id").ok_or(NO_PLACE)?;
        let (said, mut lead) = said(message);
        let mut heard = self.heard(message, "/from", own.clone())?;
        heard.phone = own_number(message);
        heard.reply_to = message.below("/reply_to_message").and_then(|answered| {
            let number = id(&answered, "/message_id")?;
            Some(format!("{}/{number}", id(message, "/chat/id")?))
        });
        lead.language = language(message);
        if !edited {
            return Ok(talk::draft(heard, said, lead));
        }
        let time = id(message, "/edit_date").unwrap_or_default();
        heard.id = format!("{own}/edited/{time}");
        heard.sent_at = talk::time(message, "/edit_date");
        heard.reply_to = Some(own);
        Ok(talk::draft(heard, Said { kind: "edited", ..said }.aside(), lead))
    }

    fn button(&self, query: &Node<'_>) -> Result<Draft, &'static str> {
        let own = id(query, "/id").ok_or("it has no number")?;
        let mut heard = self.heard(query, "/from", format!("callback/{own}"))?;
        heard.reply_to = query.below("/message").and_then(|message| place_of(&message, "/message_id"));
        let lead = LeadDraft { language: language(query), ..LeadDraft::default() };
        Ok(talk::draft(heard, Said::new("button", [text(query, "/data")]), lead))
    }

    fn reaction(&self, update: &Node<'_>, reaction: &Node<'_>) -> Result<Draft, &'static str> {
        let about = place_of(reaction, "/message_id").ok_or(NO_PLACE)?;
        let number = id(update, "/update_id").unwrap_or_default();
        let mut heard = self.heard(reaction, "/user", format!("{about}/reaction/{number}"))?;
        heard.reply_to = Some(about);
        let signs: Vec<String> =
            items(reaction, "/new_reaction").iter().filter_map(|reaction| text(reaction, "/emoji")).collect();
        let signs = if signs.is_empty() { "–".to_owned() } else { signs.join(" ") };
        Ok(talk::draft(heard, Said::new("reaction", [Some(signs)]).aside(), LeadDraft::default()))
    }

    fn heard(&self, node: &Node<'_>, person: &str, own: String) -> Result<Heard, &'static str> {
        let person = node.below(person).ok_or(NOBODY)?;
        if person.below("/is_bot").is_some_and(|bot| bot.value == true) {
            return Err("its sender is a bot");
        }
        let names: Vec<String> =
            ["/first_name", "/last_name"].into_iter().filter_map(|pointer| name(&person, pointer)).collect();
        Ok(Heard {
            channel: Channel::Telegram,
            account: self.bot.clone(),
            people: vec![id(&person, "/id").ok_or(NOBODY)?],
            id: own,
            sent_at: time(node, "/date"),
            name: Some(names.join(" ")).filter(|name| !name.is_empty()),
            username: name(&person, "/username"),
            phone: None,
            reply_to: None,
        })
    }
}

const NOBODY: &str = "it has no sender";
const NO_PLACE: &str = "it has no number or no chat";

/// Messages are numbered within their chat.
fn place_of(message: &Node<'_>, pointer: &str) -> Option<String> {
    Some(format!("{}/{}", id(message, "/chat/id")?, id(message, pointer)?))
}

/// Of `pt-br`, `pt`.
fn language(message: &Node<'_>) -> Option<String> {
    let code = text(message, "/from/language_code")?.to_lowercase();
    let code = code.split('-').next()?;
    (code.len() == 2 && code.bytes().all(|byte| byte.is_ascii_lowercase())).then(|| code.to_owned())
}

/// The number of a contact that is the sender's own: anybody's can be forwarded.
fn own_number(message: &Node<'_>) -> Option<String> {
    let owner = id(message, "/contact/user_id").filter(|owner| Some(owner) == id(message, "/from/id").as_ref());
    let digits: String = text(message, "/contact/phone_number")?.chars().filter(char::is_ascii_digit).collect();
    (owner.is_some() && (6..=15).contains(&digits.len())).then(|| format!("+{digits}"))
}

fn said(message: &Node<'_>) -> (Said, LeadDraft) {
    let mut lead = LeadDraft::default();
    if let Some(words) = text(message, "/text") {
        let payload = words.strip_prefix("/start ").map(str::trim).filter(|payload| !payload.is_empty());
        let Some(payload) = payload else { return (Said::new("text", [Some(words)]), lead) };
        let payload: String = payload.chars().take(64).collect();
        lead.origin.click_ids.insert("start".to_owned(), payload.clone());
        lead.utm_content = Some(payload.clone());
        return (Said::new("referral", [Some(payload)]), lead);
    }
    let caption = || text(message, "/caption");
    // The largest of its sizes is the last.
    if let Some(picture) = items(message, "/photo").last() {
        let media = Media { id: id(picture, "/file_id"), ..Media::default() };
        return (Said::media("image", caption(), media), lead);
    }
    for (place, kind) in FILES {
        if let Some(file) = message.below(place) {
            let media = Media {
                id: id(&file, "/file_id"),
                url: None,
                mime: name(&file, "/mime_type"),
                name: name(&file, "/file_name").or_else(|| text(&file, "/emoji")),
            };
            return (Said::media(kind, caption(), media), lead);
        }
    }
    if let Some(contact) = message.below("/contact") {
        let parts = ["/first_name", "/last_name", "/phone_number"].map(|pointer| name(&contact, pointer));
        let line = parts.into_iter().flatten().collect::<Vec<_>>().join(" ");
        return (Said::new("contacts", [Some(line)]), lead);
    }
    if let Some(venue) = message.below("/venue") {
        let place = message.below("/location").or_else(|| venue.below("/location"));
        let mut said = place.map(|place| Said::place(&place)).unwrap_or_default();
        said.lines.splice(0..0, ["/title", "/address"].into_iter().filter_map(|pointer| name(&venue, pointer)));
        return (Said { kind: "location", ..said }, lead);
    }
    if let Some(place) = message.below("/location") {
        return (Said::place(&place), lead);
    }
    (Said::new("unsupported", []), lead)
}

#[cfg(test)]
mod tests {
    use http::HeaderName;
    use serde_json::{Value, json};

    use super::*;
    use crate::{
        domain::MessageDraft,
        sources::{Content, testing::open},
    };

    const SECRET: &str = "a_secret-token_of_Telegram";

    fn telegram() -> Box<dyn Source> {
        open("kind = \"telegram\"\nbot = \"example_bot\"\nsecret_token = { file = \"SECRET\" }", SECRET)
    }

    fn read(update: &Value) -> (Vec<MessageDraft>, Vec<String>) {
        let parsed =
            telegram().parse(update.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {update}"));
        let Content::Drafts(drafts) = parsed.content else { panic!("drafts") };
        let message = |draft| if let Draft::Message(draft) = draft { *draft } else { panic!("a message") };
        (drafts.into_iter().map(message).collect(), parsed.warnings)
    }

    /// What a message of Sara becomes.
    fn one(more: Value) -> MessageDraft {
        let (mut drafts, warnings) = read(&json!({"update_id": 812_345_678, "message": message(more)}));
        assert_eq!((drafts.len(), warnings.len()), (1, 0), "{warnings:?}");
        drafts.remove(0)
    }

    fn message(more: Value) -> Value {
        let mut message = json!({"message_id": 101, "date": 1_763_690_000,
            "from": {"id": 5_000_000_001u64, "is_bot": false, "first_name": "Sara", "last_name": "Ali",
                     "username": "sara_ali", "language_code": "ar"},
            "chat": {"id": 5_000_000_001u64, "type": "private"}});
        let fields = more.as_object().expect("an object").clone();
        message.as_object_mut().expect("an object").extend(fields);
        message
    }

    #[test]
    fn a_documented_message() {
        let MessageDraft { lead, message, .. } = one(json!({"text": "مرحبا", "reply_to_message": {"message_id": 99}}));
        assert_eq!((message.kind.as_str(), message.text.as_str()), ("text", "مرحبا"));
        assert_eq!((message.id.as_str(), message.account.as_str()), ("5000000001/101", "example_bot"));
        assert_eq!((message.people[0].as_str(), message.reply_to.as_deref()), ("5000000001", Some("5000000001/99")));
        assert_eq!((message.name.as_deref(), message.username.as_deref()), (Some("Sara Ali"), Some("sara_ali")));
        assert_eq!(message.sent_at.timestamp(), 1_763_690_000);
        assert_eq!((lead.contact_name.as_deref(), lead.language.as_deref()), (Some("Sara Ali"), Some("ar")));
        assert_eq!((lead.source.as_deref(), lead.phone), (Some("Telegram"), None));
    }

    #[test]
    fn a_link_says_where_somebody_comes_from() {
        let MessageDraft { lead, message, .. } = one(json!({"text": "/start lead_camp42"}));
        assert_eq!((message.kind.as_str(), message.text.as_str()), ("referral", "lead_camp42"));
        assert_eq!(lead.utm_content.as_deref(), Some("lead_camp42"));
        assert_eq!(lead.origin.click_ids["start"], "lead_camp42");
        assert_eq!(one(json!({"text": "/start"})).message.kind, "text");
    }

    #[test]
    fn only_ones_own_number_counts() {
        let contact =
            |owner: u64| json!({"contact": {"phone_number": "966501234567", "first_name": "Sara", "user_id": owner}});
        let own = one(contact(5_000_000_001));
        assert_eq!(
            (own.message.phone.as_deref(), own.lead.phone.as_deref()),
            (Some("+966501234567"), Some("+966501234567"))
        );
        assert_eq!(own.message.text, "Sara 966501234567");
        let other = one(contact(6));
        assert_eq!((other.message.phone, other.lead.phone), (None, None));
        assert_eq!(one(json!({"contact": {"phone_number": "966501234567"}})).lead.phone, None);
    }

    #[test]
    fn every_kind_is_shown() {
        for (more, kind, text, file) in [
            (
                json!({"photo": [{"file_id": "small"}, {"file_id": "large"}], "caption": "front"}),
                "image",
                "front",
                "large",
            ),
            (json!({"voice": {"file_id": "v", "mime_type": "audio/ogg"}}), "audio", "", "v"),
            (json!({"document": {"file_id": "d", "file_name": "plan.pdf"}}), "document", "plan.pdf", "d"),
            (json!({"sticker": {"file_id": "s", "emoji": "😀"}}), "sticker", "😀", "s"),
            (
                json!({"location": {"latitude": 24.5, "longitude": 46.5}}),
                "location",
                "https://maps.google.com/?q=24.5,46.5",
                "",
            ),
            (
                json!({"venue": {"title": "Office", "address": "Riyadh"}, "location": {"latitude": 1.5, "longitude": 2.5}}),
                "location",
                "Office\nRiyadh\nhttps://maps.google.com/?q=1.5,2.5",
                "",
            ),
            (json!({"poll": {"question": "?"}}), "unsupported", "", ""),
        ] {
            let message = one(more.clone()).message;
            assert_eq!((message.kind.as_str(), message.text.as_str()), (kind, text), "{more}");
            assert_eq!(message.media.first().and_then(|media| media.id.as_deref()).unwrap_or_default(), file);
        }
    }

    #[test]
    fn corrections_buttons_and_reactions_are_about_another_message() {
        let edited =
            json!({"update_id": 1, "edited_message": message(json!({"text": "Hi!", "edit_date": 1_763_690_060}))});
        let edited = read(&edited).0.remove(0).message;
        assert_eq!((edited.kind.as_str(), edited.text.as_str()), ("edited", "Hi!"));
        assert_eq!(edited.id, "5000000001/101/edited/1763690060");
        assert_eq!((edited.reply_to.as_deref(), edited.starts), (Some("5000000001/101"), false));
        let from = message(json!({}))["from"].clone();
        let query = json!({"update_id": 2, "callback_query": {"id": "438", "from": from, "data": "opt_1",
                           "message": {"message_id": 7, "chat": {"id": 5_000_000_001u64}}}});
        let query = read(&query).0.remove(0).message;
        assert_eq!((query.kind.as_str(), query.text.as_str(), query.starts), ("button", "opt_1", true));
        assert_eq!((query.id.as_str(), query.reply_to.as_deref()), ("callback/438", Some("5000000001/7")));
        let reaction = json!({"update_id": 3, "message_reaction": {"chat": {"id": 5_000_000_001u64}, "message_id": 7,
                              "user": from, "date": 1_763_690_100, "new_reaction": [{"type": "emoji", "emoji": "👍"}]}});
        let reaction = read(&reaction).0.remove(0).message;
        assert_eq!((reaction.text.as_str(), reaction.starts), ("👍", false));
    }

    #[test]
    fn what_is_no_message_to_the_bot_is_ignored_with_a_reason() {
        let bot = json!({"id": 1, "is_bot": true});
        for (update, reason) in [
            (
                json!({"channel_post": {"message_id": 1, "chat": {"id": -100, "type": "channel"}, "text": "x"}}),
                "no message",
            ),
            (json!({"message": message(json!({"chat": {"id": -5, "type": "group"}}))}), "group"),
            (json!({"message": message(json!({"from": bot}))}), "bot"),
            (json!({"message": message(json!({"from": null}))}), "sender"),
            (json!({"message": message(json!({"message_id": null}))}), "number"),
            (json!({"my_chat_member": {}}), "no message"),
            // Of a business account's own chats, whose messages are numbered apart.
            (json!({"business_message": message(json!({"text": "x"}))}), "no message"),
            (json!({}), "no message"),
        ] {
            let (drafts, warnings) = read(&update);
            assert!(drafts.is_empty() && warnings[0].contains(reason), "{update}: {warnings:?}");
        }
        for bad in ["", "[]", "1", "{"] {
            assert!(telegram().parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_secret_token_opens() {
        let verify = |token: Option<&str>| {
            let token = token.map(|token| (HeaderName::from_static(TOKEN), token.parse().expect("a header")));
            let request = Inbound { headers: token.into_iter().collect(), body: "{}".into(), ..Inbound::default() };
            telegram().verify(&request, Utc::now()).map(|_| ())
        };
        assert_eq!(verify(Some(SECRET)), Ok(()));
        assert_eq!(verify(None), Err(Refusal::MissingHeader(TOKEN)));
        for wrong in ["", "a_secret-token_of_telegram"] {
            assert_eq!(verify(Some(wrong)), Err(Refusal::BadKey { place: "header" }), "{wrong}");
        }
        let answer = telegram().answer(&HeaderMap::new(), Ended::Accepted).expect("its own");
        assert_eq!((answer.status().as_u16(), answer.into_body()), (200, String::new()));
    }
}
