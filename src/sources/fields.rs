//! What the fields of forms and the columns of files mean, by the names that platforms and people give them, in English
//! and Arabic. Whatever has another name is a question, and its value the answer.
//!
//! What comes out is the documented lead (`docs/lead-schema.md`) as JSON: its limits then hold for all alike.

use std::{collections::HashMap, sync::LazyLock};

use chrono::{DateTime, NaiveDateTime, SecondsFormat, Utc};
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use url::Url;

use super::{
    ParseError,
    body::lead::{self, MAX_EXTERNAL_ID, MAX_NAME},
    json::{Node, Notes},
};
use crate::domain::LeadDraft;

/// What a field means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    /// A field of the lead.
    Lead(&'static str),
    /// The same, where a name that is too long is no reason to refuse a person.
    Name(&'static str),
    /// A field of its origin.
    Origin(&'static str),
    /// The id of a click.
    Click(&'static str),
    FirstName,
    LastName,
    Email,
    Phone,
    Street,
    Time,
    Test,
}

/// The names of each field, as [`folded`] leaves them.
const NAMES: &[(Field, &[&str])] = &[
    (
        Field::Lead("contact_name"),
        &[
            "contactname",
            "fullname",
            "name",
            "yourname",
            "الاسم",
            "الاسمالكامل",
            "اسم",
            "اسمك",
            "اسمكالكامل",
            "الاسمبالكامل",
        ],
    ),
    (Field::FirstName, &["firstname", "givenname", "fname", "الاسمالاول", "الاسمالاولي"]),
    (Field::LastName, &["lastname", "familyname", "surname", "lname", "اسمالعايله", "الاسمالاخير", "العايله", "اللقب"]),
    (
        Field::Email,
        &[
            "email",
            "emailaddress",
            "useremail",
            "youremail",
            "mail",
            "workemail",
            "otheremail",
            "البريدالالكتروني",
            "الايميل",
            "ايميل",
            "بريدالكتروني",
            "بريدالعمل",
            "بريدالعملالالكتروني",
            "البريد",
            "عنوانالبريدالالكتروني",
        ],
    ),
    (
        Field::Phone,
        &[
            "phone",
            "phonenumber",
            "userphone",
            "mobile",
            "mobilenumber",
            "mobilephone",
            "telephone",
            "tel",
            "cell",
            "whatsapp",
            "whatsappnumber",
            "workphone",
            "workphonenumber",
            "yourphone",
            "otherphone",
            "رقمالهاتف",
            "الهاتف",
            "هاتف",
            "رقمالجوال",
            "الجوال",
            "جوال",
            "الموبايل",
            "رقمالموبايل",
            "رقمالواتساب",
            "الواتساب",
            "واتساب",
            "رقمهاتفالعمل",
            "هاتفالعمل",
            "رقمالتواصل",
        ],
    ),
    (
        Field::Lead("company"),
        &[
            "company",
            "companyname",
            "organization",
            "organisation",
            "businessname",
            "الشركه",
            "اسمالشركه",
            "شركه",
            "المنشاه",
            "اسمالمنشاه",
        ],
    ),
    (
        Field::Lead("job_title"),
        &["jobtitle", "job", "position", "occupation", "title", "المسميالوظيفي", "الوظيفه", "المنصب"],
    ),
    (Field::Lead("website"), &["website", "companywebsite", "web", "homepage", "الموقع", "الموقعالالكتروني"]),
    (
        Field::Street,
        &["street", "streetaddress", "address", "addressline1", "addressline2", "العنوان", "الشارع", "عنوانالشارع"],
    ),
    (Field::Lead("city"), &["city", "town", "addresslevel2", "المدينه", "مدينه"]),
    (Field::Lead("zip"), &["zip", "zipcode", "postalcode", "postcode", "الرمزالبريدي", "صندوقالبريد"]),
    (Field::Lead("country"), &["country", "countrycode", "الدوله", "البلد"]),
    (Field::Lead("language"), &["language", "lang", "locale", "اللغه"]),
    (
        Field::Lead("message"),
        &[
            "message",
            "yourmessage",
            "comment",
            "comments",
            "notes",
            "enquiry",
            "inquiry",
            "الرساله",
            "رسالتك",
            "رساله",
            "ملاحظات",
            "استفسارك",
        ],
    ),
    (Field::Name("source"), &["utmsource"]),
    (Field::Name("medium"), &["utmmedium"]),
    (Field::Name("campaign"), &["utmcampaign"]),
    (Field::Lead("utm_content"), &["utmcontent"]),
    (Field::Lead("utm_term"), &["utmterm"]),
    (
        Field::Time,
        &[
            "submittedat",
            "createdtime",
            "createtime",
            "createdat",
            "leadsubmittime",
            "submittime",
            "submissiontime",
            "submissiondate",
            "submissiondatetime",
            "leadsubmissiontime",
            "timestamp",
            "leadcreationtime",
            "وقتالانشاء",
            "تاريخالانشاء",
            "وقتالارسال",
            "تاريخالارسال",
        ],
    ),
    (Field::Test, &["istest", "istestlead", "test", "testlead"]),
    (Field::Origin("lead_id"), &["leadid", "معرفالعميل", "معرفالعميلالمحتمل"]),
    (Field::Origin("form_id"), &["formid", "leadformid", "معرفالنموذج"]),
    (
        Field::Origin("form_name"),
        &["formname", "form", "leadform", "leadformname", "leadgenform", "leadgenformname", "اسمالنموذج"],
    ),
    (
        Field::Origin("account_id"),
        &["accountid", "adaccountid", "advertiserid", "customerid", "معرفالحساب", "معرفالمعلن"],
    ),
    (Field::Origin("campaign_id"), &["campaignid", "معرفالحمله"]),
    (Field::Origin("campaign_name"), &["campaignname", "campaign", "اسمالحمله", "الحمله"]),
    (Field::Origin("adset_id"), &["adsetid", "adgroupid", "adsquadid", "assetgroupid", "معرفالمجموعهالاعلانيه"]),
    (
        Field::Origin("adset_name"),
        &["adsetname", "adgroupname", "adgroup", "adsquadname", "اسمالمجموعهالاعلانيه", "اسممجموعهالاعلانات"],
    ),
    (Field::Origin("ad_id"), &["adid", "creativeid", "معرفالاعلان"]),
    (Field::Origin("ad_name"), &["adname", "creativename", "اسمالاعلان"]),
    (Field::Origin("page_id"), &["pageid", "معرفالصفحه"]),
    (Field::Origin("page_name"), &["pagename", "اسمالصفحه"]),
    (Field::Origin("url"), &["pageurl", "url", "landingpage", "landingpageurl"]),
    (Field::Click("gclid"), &["gclid", "googleclickid"]),
    (Field::Click("gbraid"), &["gbraid"]),
    (Field::Click("wbraid"), &["wbraid"]),
    (Field::Click("fbclid"), &["fbclid"]),
    (Field::Click("fbc"), &["fbc"]),
    (Field::Click("fbp"), &["fbp"]),
    (Field::Click("ttclid"), &["ttclid"]),
    (Field::Click("sccid"), &["sccid", "scclickid"]),
    (Field::Click("li_fat_id"), &["lifatid"]),
    (Field::Click("msclkid"), &["msclkid"]),
    (Field::Click("twclid"), &["twclid"]),
];

fn field(name: &str) -> Option<Field> {
    static FIELDS: LazyLock<HashMap<&str, Field>> =
        LazyLock::new(|| NAMES.iter().flat_map(|(field, names)| names.iter().map(|name| (*name, *field))).collect());
    FIELDS.get(folded(name).as_str()).copied()
}

/// A name without case, spaces, punctuation and the marks and forms in which Arabic spellings differ.
pub(super) fn folded(name: &str) -> String {
    let letters = name.chars().filter(|letter| letter.is_alphanumeric());
    let plain = letters.filter(|letter| !matches!(letter, '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{640}'));
    let folded = plain.map(|letter| match letter {
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ة' => 'ه',
        'ى' => 'ي',
        'ؤ' => 'و',
        'ئ' => 'ي',
        other => other,
    });
    folded.flat_map(char::to_lowercase).collect()
}

/// Puts a lead together from named values.
#[derive(Debug, Default)]
pub(super) struct Fields {
    lead: Map<String, Value>,
    origin: Map<String, Value>,
    clicks: Map<String, Value>,
    first_name: Option<String>,
    last_name: Option<String>,
    emails: Vec<String>,
    phones: Vec<String>,
    street: Vec<String>,
    consent: Vec<Value>,
    answers: Vec<(String, String)>,
}

impl Fields {
    pub(super) fn of(platform: &str) -> Self {
        let mut fields = Self::default();
        fields.origin.insert("platform".to_owned(), platform.into());
        fields
    }

    /// A value under whatever name it came.
    pub(super) fn put(&mut self, name: &str, text: &str) {
        if !self.put_known(name, text) {
            self.answer(name, text);
        }
    }

    /// The same, if the name is known.
    pub(super) fn put_known(&mut self, name: &str, text: &str) -> bool {
        let text = text.trim();
        let Some(field) = field(name) else { return false };
        if text.is_empty() {
            return true;
        }
        let (text_only, add) = (
            || Some(text.to_owned()),
            |list: &mut Vec<String>, text: &str| {
                if !list.iter().any(|known| known == text) {
                    list.push(text.to_owned());
                }
                true
            },
        );
        match field {
            Field::Lead(key) => insert(&mut self.lead, key, text),
            Field::Name(key) => insert(&mut self.lead, key, &text.chars().take(MAX_NAME).collect::<String>()),
            Field::Origin(key) => insert(&mut self.origin, key, without_mark(text)),
            Field::Click(key) => insert(&mut self.clicks, key, text),
            Field::FirstName => {
                self.first_name.is_none() && {
                    self.first_name = text_only();
                    true
                }
            }
            Field::LastName => {
                self.last_name.is_none() && {
                    self.last_name = text_only();
                    true
                }
            }
            Field::Email => add(&mut self.emails, text),
            Field::Phone => add(&mut self.phones, without_mark(text)),
            Field::Street => add(&mut self.street, text),
            Field::Time => match time(text) {
                Some(time) => insert(&mut self.lead, "submitted_at", &time.to_rfc3339_opts(SecondsFormat::Secs, true)),
                None => false,
            },
            Field::Test => match truth(text) {
                Some(test) => {
                    self.lead.insert("test".to_owned(), test.into());
                    true
                }
                None => false,
            },
        }
    }

    /// The page that a form was on: where it was advertised is in its address.
    pub(super) fn put_page(&mut self, address: &str) {
        let Ok(mut page) = Url::parse(address) else { return };
        let parameters = page.query_pairs().into_owned().collect::<Vec<_>>();
        for (name, value) in parameters {
            let advertised = folded(&name).starts_with("utm") || matches!(field(&name), Some(Field::Click(_)));
            if advertised {
                self.put_known(&name, &value);
            }
        }
        page.set_query(None);
        page.set_fragment(None);
        insert(&mut self.origin, "url", page.as_str());
    }

    /// The lead's id at its platform: the same lead again is recognised by it.
    pub(super) fn identify(&mut self) {
        if let Some(id) = self.origin.get("lead_id").and_then(Value::as_str) {
            self.lead.entry("external_id").or_insert(external_id(id).into());
        }
    }

    /// A question and its answer.
    pub(super) fn answer(&mut self, question: &str, text: &str) {
        if !text.trim().is_empty() {
            self.answers.push((question.to_owned(), text.trim().to_owned()));
        }
    }

    /// A box that was ticked or not.
    pub(super) fn consent(&mut self, words: &str, given: bool) {
        self.consent.push(json!({"text": words, "given": given}));
    }

    /// Sets a field of the documented lead to what it wants.
    pub(super) fn set(&mut self, key: &str, value: impl Into<Value>) {
        self.lead.insert(key.to_owned(), value.into());
    }

    /// Sets a field of the origin.
    pub(super) fn set_origin(&mut self, key: &str, text: &str) {
        self.origin.insert(key.to_owned(), text.into());
    }

    pub(super) fn origin(&self, key: &str) -> Option<&str> {
        self.origin.get(key)?.as_str()
    }

    /// What is known about the person, if only by a name or an address.
    pub(super) fn names_somebody(&self) -> bool {
        let known = ["contact_name", "company"].iter().any(|key| self.lead.contains_key(*key));
        known
            || !self.emails.is_empty()
            || !self.phones.is_empty()
            || self.first_name.is_some()
            || self.last_name.is_some()
    }

    /// The documented lead.
    pub(super) fn into_json(self) -> Map<String, Value> {
        let Self { mut lead, mut origin, clicks, first_name, last_name, emails, phones, street, consent, answers } =
            self;
        let name: Vec<_> = [first_name, last_name].into_iter().flatten().collect();
        if !name.is_empty() {
            lead.entry("contact_name").or_insert(name.join(" ").into());
        }
        let mut first = |key: &str, others: &str, texts: Vec<String>| {
            let mut texts = texts.into_iter();
            if let Some(text) = texts.next() {
                lead.insert(key.to_owned(), text.into());
            }
            let rest: Vec<_> = texts.take(lead::MAX_OTHERS).collect();
            if !rest.is_empty() {
                lead.insert(others.to_owned(), rest.into());
            }
        };
        first("email", "other_emails", emails);
        first("phone", "other_phones", phones);
        if !street.is_empty() {
            lead.insert("street".to_owned(), street.join(", ").into());
        }
        if !clicks.is_empty() {
            origin.insert("click_ids".to_owned(), clicks.into());
        }
        if !origin.is_empty() {
            lead.insert("origin".to_owned(), origin.into());
        }
        if !consent.is_empty() {
            lead.insert("consent".to_owned(), consent.into());
        }
        if !answers.is_empty() {
            let answers: Vec<_> = answers.into_iter().map(|(question, answer)| json!([question, answer])).collect();
            lead.insert("answers".to_owned(), answers.into());
        }
        lead
    }

    /// The lead itself. `at` is its place in the body, for messages.
    pub(super) fn read(self, at: &str, notes: &Notes) -> Result<LeadDraft, ParseError> {
        let value = Value::Object(self.into_json());
        lead::read(Node { pointer: at.to_owned(), value: &value, notes }.object()?)
    }
}

/// The first value of a key counts. Whether it is this one.
fn insert(into: &mut Map<String, Value>, key: &str, text: &str) -> bool {
    let value = into.entry(key).or_insert_with(|| text.into());
    value.as_str() == Some(text)
}

/// Meta's exports mark what is not a number: `l:` a lead, `f:` a form, `p:` a phone, …
fn without_mark(text: &str) -> &str {
    const MARKS: [&str; 8] = ["l:", "f:", "p:", "c:", "a:", "ag:", "as:", "z:"];
    MARKS.iter().find_map(|mark| text.strip_prefix(mark)).unwrap_or(text).trim()
}

/// An id that fits: itself or, if it is too long, its start and a hash of all of it.
fn external_id(id: &str) -> String {
    if id.chars().count() <= MAX_EXTERNAL_ID {
        return id.to_owned();
    }
    let start: String = id.chars().take(MAX_EXTERNAL_ID - 33).collect();
    format!("{start}~{}", hex::encode(&Sha256::digest(id)[..16]))
}

/// `true`, `1`, `yes`, …
pub(super) fn truth(text: &str) -> Option<bool> {
    match folded(text).as_str() {
        "true" | "1" | "yes" | "on" | "نعم" => Some(true),
        "false" | "0" | "no" | "off" | "لا" => Some(false),
        _ => None,
    }
}

/// A time in one of the ways in which platforms write it. Without an offset it is taken for UTC.
fn time(text: &str) -> Option<DateTime<Utc>> {
    const WITH_OFFSET: [&str; 3] = ["%Y-%m-%dT%H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S%.f%z", "%Y-%m-%d %H:%M:%S %z"];
    const WITHOUT: [&str; 4] = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%d %H:%M", "%m/%d/%Y %H:%M:%S"];
    if let Ok(number) = text.parse::<i64>() {
        // Seconds until the year 5138, else milliseconds.
        return if number < 100_000_000_000 {
            DateTime::from_timestamp(number, 0)
        } else {
            DateTime::from_timestamp_millis(number)
        };
    }
    let rfc3339 = DateTime::parse_from_rfc3339(text).ok();
    let with_offset = || WITH_OFFSET.iter().find_map(|form| DateTime::parse_from_str(text, form).ok());
    let bare = text.trim_end_matches("UTC").trim_end();
    let without = || WITHOUT.iter().find_map(|form| NaiveDateTime::parse_from_str(bare, form).ok());
    rfc3339.or_else(with_offset).map(|time| time.to_utc()).or_else(|| without().map(|time| time.and_utc()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_recognised_in_any_spelling() {
        for (name, expected) in [
            ("Phone number", Field::Phone),
            ("PHONE_NUMBER", Field::Phone),
            ("رقم الهاتف", Field::Phone),
            ("البريد الإلكتروني", Field::Email),
            ("البريد الالكترونى", Field::Email),
            ("E-mail", Field::Email),
            ("الاسم الأوّل", Field::FirstName),
            ("المدينة", Field::Lead("city")),
            ("gcl_id", Field::Click("gclid")),
        ] {
            assert_eq!(field(name), Some(expected), "{name}");
        }
        for name in ["ما هي الميزانية؟", "What is your budget?", "", "!?"] {
            assert_eq!(field(name), None, "{name}");
        }
        for (_, names) in NAMES {
            for name in *names {
                assert_eq!(folded(name), *name, "not as it is looked up");
            }
        }
        let all: Vec<_> = NAMES.iter().flat_map(|(_, names)| *names).collect();
        let distinct: std::collections::HashSet<_> = all.iter().collect();
        assert_eq!(all.len(), distinct.len(), "a name twice");
    }

    #[test]
    fn times_are_read_as_platforms_write_them() {
        for text in [
            "2026-11-20T10:00:00Z",
            "2026-11-20T13:00:00+0300",
            "2026-11-20T13:00:00+03:00",
            "2026-11-20 10:00:00",
            "1795168800",
            "1795168800000",
            "2026-11-20 10:00:00 UTC",
            "2026-11-20 10:00",
            "11/20/2026 10:00:00",
        ] {
            assert_eq!(
                time(text).map(|time| time.to_rfc3339()).as_deref(),
                Some("2026-11-20T10:00:00+00:00"),
                "{text}"
            );
        }
        for text in ["", "yesterday", "2026-13-40", "99999999999999999999"] {
            assert_eq!(time(text), None, "{text}");
        }
    }

    #[test]
    fn nothing_is_lost() {
        let mut fields = Fields::of("meta");
        for (name, text) in [
            ("First name", "سارة"),
            ("Last name", "علي"),
            ("email", "a@x.sa"),
            ("Work email", "b@x.sa"),
            ("mail", "a@x.sa"),
            ("phone", "p:+966501234567"),
            ("whatsapp", "+966507654321"),
            ("form_id", "f:99"),
            ("city", "Riyadh"),
            ("town", "Jeddah"),
            ("created_time", "soon"),
            ("gclid", "g-1"),
            ("Budget?", " 500k "),
            ("Empty?", " "),
        ] {
            fields.put(name, text);
        }
        fields.put("lead_id", &format!("l:{}", "7".repeat(300)));
        fields.identify();
        let lead = fields.read("", &Notes::default()).expect("a lead");
        assert_eq!(lead.contact_name.as_deref(), Some("سارة علي"));
        assert_eq!((lead.email.as_deref(), lead.other_emails.as_slice()), (Some("a@x.sa"), &["b@x.sa".to_owned()][..]));
        assert_eq!(lead.phone.as_deref(), Some("+966501234567"));
        assert_eq!(lead.other_phones, ["+966507654321"]);
        assert_eq!(lead.origin.form_id.as_deref(), Some("99"));
        assert_eq!(lead.origin.click_ids["gclid"], "g-1");
        let answers: Vec<_> =
            lead.answers.iter().map(|(question, answer)| (question.as_str(), answer.as_str())).collect();
        assert_eq!(answers, [("town", "Jeddah"), ("created_time", "soon"), ("Budget?", "500k")]);
        assert_eq!(lead.external_id.map(|id| id.len()), Some(MAX_EXTERNAL_ID));
    }
}
