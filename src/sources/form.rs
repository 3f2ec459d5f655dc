//! Kind `form`: plain HTML forms of a company's own site, which need no code there.
//!
//! A page can keep no secret: the key in the URL only tells forms apart and is changed when it is abused. What protects
//! a form is the list of sites it may be on, its rate per visitor, and a field that only programs fill in. What it posts
//! is kept as JSON, `{"fields": [["name", "value"], …], "page": "…"}`, since its own type and the page are in the headers.

use bytes::Bytes;
use chrono::{DateTime, Utc};
use futures_util::{FutureExt, stream};
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{ACCEPT, ACCESS_CONTROL_ALLOW_ORIGIN, CONTENT_TYPE, HeaderName, LOCATION, ORIGIN, REFERER, VARY},
};
use multer::Multipart;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use url::{Url, form_urlencoded};

use super::{
    Ended, Inbound, ParseError, Parsed, Refusal, Setup, Source, Verified,
    defaults::Defaults,
    fields::{Fields, truth},
    json::{self, Node},
    reply,
    url_key::{self, UrlKey},
};
use crate::{
    config::{
        MINUTE, Rate, Reader,
        expect::{Expect, list, one_or_more, rate, string, url},
    },
    domain::Draft,
    secret::{SecretError, SecretRef},
};

/// More fields than any form has.
const MAX_FIELDS: usize = 500;
/// Longest address of a page that is kept.
const MAX_PAGE: usize = 2_000;
/// Fields of a lead whose names in the form can be told.
const NAMED: [&str; 14] = [
    "contact_name",
    "first_name",
    "last_name",
    "company",
    "email",
    "phone",
    "website",
    "job_title",
    "street",
    "city",
    "zip",
    "country",
    "language",
    "message",
];

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    let url_key = url_key::Spec::required(section);
    let origins = section.required("origins", one_or_more(origin()));
    let redirect = section.optional("redirect", url().example("\"https://www.example.com/thanks\""));
    let redirect_failed = section.optional("redirect_failed", url().example("\"https://www.example.com/sorry\""));
    let field = || string().example("\"nickname\"");
    let honeypot = section.optional("honeypot", field());
    let nonce = section.optional("nonce", field());
    let consent = section.or("consent", list(field()), Vec::new());
    let rate = section.or("rate", rate(), SLOW);
    let mut names = section.table("fields");
    let mut named = Vec::new();
    for key in NAMED {
        for name in names.optional(key, one_or_more(field())).unwrap_or_default() {
            named.push((name, key));
        }
    }
    names.finish();
    let defaults = Defaults::read(section.table("defaults")).or("Website", "Form");
    let form = Form { origins: origins?, redirect, redirect_failed, honeypot, nonce, consent, named, rate, defaults };
    Some(Box::new(Spec { url_key: url_key?, form }))
}

/// Faster than any visitor.
const SLOW: Option<Rate> = Some(Rate { count: std::num::NonZeroU32::MIN.saturating_add(9), per: MINUTE });

/// A site, as a browser names it: scheme and host, or `*` for any.
fn origin() -> Expect<String> {
    string().example("\"https://www.example.com\"").try_map(|text: String| {
        let site = Url::parse(&text).ok().map(|url| url.origin().ascii_serialization());
        match site {
            _ if text == "*" => Ok(text),
            Some(site) if site != "null" => Ok(site),
            _ => Err("is not a site: scheme and host, such as `https://www.example.com`"),
        }
    })
}

#[derive(Debug)]
struct Spec {
    url_key: url_key::Spec,
    form: Form,
}

impl Setup for Spec {
    fn secrets(&self) -> Vec<(&'static str, &SecretRef)> {
        self.url_key.secrets().collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        Ok(Box::new(Open { url_key: self.url_key.open()?, form: self.form.clone() }))
    }
}

#[derive(Debug, Clone)]
struct Form {
    origins: Vec<String>,
    redirect: Option<Url>,
    redirect_failed: Option<Url>,
    honeypot: Option<String>,
    nonce: Option<String>,
    /// Boxes to tick.
    consent: Vec<String>,
    /// Names in the form, and the fields of a lead that they are.
    named: Vec<(String, &'static str)>,
    rate: Option<Rate>,
    defaults: Defaults,
}

struct Open {
    url_key: UrlKey,
    form: Form,
}

impl Source for Open {
    fn verify(&self, request: &Inbound, now: DateTime<Utc>) -> Result<Verified, Refusal> {
        self.url_key.check(request)?;
        self.form.origin(&request.headers).ok_or(Refusal::BadOrigin)?;
        let fields = fields(request)?;
        let nonce = self.form.nonce.as_ref();
        let nonce = fields.iter().find(|(name, value)| Some(name) == nonce && !value.trim().is_empty());
        // A button that is pressed twice is one lead; the same words an hour later are not.
        let minute = || format!("{}\n{fields:?}", now.timestamp() / 60);
        let key = nonce.map_or_else(minute, |(_, nonce)| nonce.clone());
        let page =
            request.headers.get(REFERER).and_then(|page| page.to_str().ok()).filter(|page| page.len() <= MAX_PAGE);
        let body = json!({"fields": fields, "page": page}).to_string();
        Ok(Verified { key: hex::encode(&Sha256::digest(key)[..16]), body: Bytes::from(body) })
    }

    fn parse(&self, body: &[u8]) -> Result<Parsed, ParseError> {
        json::read(body, |root| {
            let fields = root.below("/fields").ok_or_else(|| root.invalid("`fields` is missing"))?;
            let mut lead = Fields::default();
            let mut honeypot = false;
            let mut ticked = Vec::new();
            for (name, value) in joined(&fields)? {
                let own = self.form.named.iter().find(|(theirs, _)| *theirs == name).map(|(_, own)| *own);
                if self.form.honeypot.as_ref() == Some(&name) {
                    honeypot |= !value.trim().is_empty();
                } else if self.form.consent.contains(&name) {
                    ticked.push((name, truth(&value) != Some(false) && !value.trim().is_empty()));
                } else if self.form.nonce.as_ref() != Some(&name) {
                    match own {
                        Some(own) if lead.put_known(own, &value) => {}
                        _ => lead.put(&name, &value),
                    }
                }
            }
            // A box that nobody ticks is not posted at all.
            for words in &self.form.consent {
                lead.consent(words, ticked.iter().any(|(name, given)| name == words && *given));
            }
            if let Some(page) = root.below("/page").and_then(|page| page.flat()) {
                lead.put_page(&page);
            }
            let mut lead = lead.read("", root.notes)?;
            lead.honeypot = honeypot;
            Ok(self.form.defaults.content(vec![Draft::Lead(lead)]))
        })
    }

    fn answer(&self, request: &HeaderMap, ended: Ended<'_>) -> Option<Response<String>> {
        let (status, told, page) = match ended {
            Ended::Accepted => (StatusCode::OK, json!({"status": "accepted"}), &self.form.redirect),
            Ended::NotUnderstood(error) => {
                let told = json!({"status": "not understood", "message": error.to_string()});
                (StatusCode::UNPROCESSABLE_ENTITY, told, &self.form.redirect_failed)
            }
            Ended::Refused(refusal) => {
                let status = match refusal {
                    Refusal::BadOrigin => StatusCode::FORBIDDEN,
                    Refusal::BadKey { .. } => StatusCode::UNAUTHORIZED,
                    _ => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                };
                (status, json!({"status": "refused", "message": refusal.to_string()}), &None)
            }
        };
        let mut response = reply(status, &told);
        let headers = response.headers_mut();
        let wants_json = request.get(ACCEPT).is_some_and(|accept| accept.as_bytes().starts_with(b"application/json"));
        let address = page.as_ref().filter(|_| !wants_json).and_then(|page| HeaderValue::from_str(page.as_str()).ok());
        if let Some(address) = &address {
            headers.insert(LOCATION, address.clone());
        }
        if let Some(origin) = self.form.origin(request).and_then(|site| HeaderValue::from_str(&site).ok()) {
            headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(VARY, HeaderValue::from_static("origin, accept"));
        }
        if address.is_some() {
            // 303: the browser then reads the page instead of posting to it.
            *response.status_mut() = StatusCode::SEE_OTHER;
        }
        Some(response)
    }

    fn client_rate(&self) -> Option<Rate> {
        self.form.rate
    }
}

impl Form {
    /// The site that the request comes from, if it may.
    fn origin(&self, headers: &HeaderMap) -> Option<String> {
        let text = |name: HeaderName| headers.get(name)?.to_str().ok();
        let site = match text(ORIGIN) {
            Some(origin) => origin.to_ascii_lowercase(),
            None => match text(REFERER) {
                Some(page) => Url::parse(page).ok()?.origin().ascii_serialization(),
                None => "*".to_owned(),
            },
        };
        self.origins.iter().any(|allowed| allowed == "*" || *allowed == site).then_some(site)
    }
}

/// The fields of a form, in its order. Files are not taken, only named.
fn fields(request: &Inbound) -> Result<Vec<(String, String)>, Refusal> {
    let bad = |detail: String| Refusal::BadHeader { header: "content-type", detail };
    let kind = request.headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let fields: Vec<_> = if kind.to_ascii_lowercase().starts_with("application/x-www-form-urlencoded") {
        let pairs = form_urlencoded::parse(&request.body);
        pairs.take(MAX_FIELDS).map(|(name, value)| (name.into_owned(), value.into_owned())).collect()
    } else if let Ok(boundary) = multer::parse_boundary(kind) {
        let whole = stream::iter([Ok::<_, std::convert::Infallible>(request.body.clone())]);
        // The body is here as a whole: there is nothing to wait for.
        let parts = parts(Multipart::new(whole, boundary)).now_or_never();
        parts.and_then(Result::ok).ok_or_else(|| bad("the parts of the form cannot be read".to_owned()))?
    } else {
        return Err(bad("expected `application/x-www-form-urlencoded` or `multipart/form-data`".to_owned()));
    };
    Ok(fields)
}

async fn parts(mut form: Multipart<'_>) -> multer::Result<Vec<(String, String)>> {
    let mut fields = Vec::new();
    while let Some(part) = form.next_field().await? {
        let name = part.name().unwrap_or_default().to_owned();
        let value = match part.file_name() {
            Some(file) => file.to_owned(),
            None => part.text().await?,
        };
        if fields.len() < MAX_FIELDS {
            fields.push((name, value));
        }
    }
    Ok(fields)
}

/// The kept fields; those of one name (`interest[]`) as one.
fn joined(fields: &Node<'_>) -> Result<Vec<(String, String)>, ParseError> {
    let mut joined: Vec<(String, String)> = Vec::new();
    for field in fields.items(MAX_FIELDS)? {
        let text = |index: usize| field.value.get(index).and_then(Value::as_str).map(json::clean);
        let (Some(name), Some(value)) = (text(0), text(1)) else { return Err(field.expected("a name and a value")) };
        let name = name.trim_end_matches("[]").to_owned();
        match joined.iter_mut().find(|(known, _)| *known == name) {
            Some((_, values)) if values.is_empty() => *values = value,
            Some((_, values)) if value.is_empty() || *values == value => {}
            Some((_, values)) => *values = format!("{values}, {value}"),
            None => joined.push((name, value)),
        }
    }
    Ok(joined)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        domain::LeadDraft,
        sources::testing::{lead, open},
    };

    const KEY: &str = "f0123456789abcdef";
    const SITE: &str = "https://www.example.sa";
    const SECTION: &str = "kind = \"form\"\nurl_key = { file = \"SECRET\" }\norigins = [\"https://www.example.sa/\"]\n\
                           redirect = \"https://www.example.sa/thanks\"\nhoneypot = \"nickname\"\nnonce = \"once\"\n\
                           consent = [\"terms\", \"news\"]\n[sources.x.fields]\nphone = \"your-tel\"\n";

    fn form() -> Box<dyn Source> {
        open(SECTION, KEY)
    }

    fn request(kind: &'static str, body: &[u8], headers: &[(HeaderName, &'static str)]) -> Inbound {
        let headers = headers.iter().map(|(name, value)| (name.clone(), HeaderValue::from_static(value)));
        let kind = (CONTENT_TYPE, HeaderValue::from_static(kind));
        Inbound {
            headers: headers.chain([kind]).collect(),
            rest: Some(KEY.to_owned()),
            body: Bytes::copy_from_slice(body),
            query: None,
        }
    }

    fn post(body: &str) -> Inbound {
        let page = "https://www.example.sa/offer?utm_source=Instagram&utm_medium=story&gclid=g-1&email=x@y.z#a";
        request("application/x-www-form-urlencoded", body.as_bytes(), &[(ORIGIN, SITE), (REFERER, page)])
    }

    fn at(seconds: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(seconds, 0).expect("a time")
    }

    fn read(request: &Inbound) -> LeadDraft {
        let form = form();
        let verified = form.verify(request, at(0)).expect("taken");
        lead(form.as_ref(), &serde_json::from_slice(verified.body()).expect("JSON"))
    }

    #[test]
    fn a_form_is_a_lead() {
        let body = "name=%D8%B3%D8%A7%D8%B1%D8%A9+%D8%B9%D9%84%D9%8A&email=sara%40example.com&your-tel=0501234567\
                    &interest%5B%5D=Villa&interest%5B%5D=Flat&Message=Hello%0D%0AWorld&terms=on&nickname=&once=1&empty=";
        let lead = read(&post(body));
        assert_eq!((lead.contact_name.as_deref(), lead.phone.as_deref()), (Some("سارة علي"), Some("0501234567")));
        assert_eq!((lead.email.as_deref(), lead.message.as_deref()), (Some("sara@example.com"), Some("Hello\nWorld")));
        assert_eq!(lead.answers, [("interest".to_owned(), "Villa, Flat".to_owned())]);
        let consent: Vec<_> = lead.consent.iter().map(|consent| (consent.text.as_str(), consent.given)).collect();
        assert_eq!(consent, [("terms", true), ("news", false)]);
        assert_eq!((lead.source.as_deref(), lead.medium.as_deref()), (Some("Instagram"), Some("story")));
        assert_eq!(lead.origin.click_ids["gclid"], "g-1");
        // What else is in the address may be about the person.
        assert_eq!(lead.origin.url.as_deref(), Some("https://www.example.sa/offer"));
        assert!(!lead.honeypot && lead.external_id.is_none());
        assert!(read(&post("name=Bot&nickname=x")).honeypot);
    }

    #[test]
    fn multipart_is_read_too() {
        let body = "--b\r\nContent-Disposition: form-data; name=\"name\"\r\n\r\nنورة\r\n--b\r\n\
                    Content-Disposition: form-data; name=\"plan\"; filename=\"plan.pdf\"\r\n\r\n%PDF\r\n--b--\r\n";
        let kind = "multipart/form-data; boundary=b";
        let lead = read(&request(kind, body.as_bytes(), &[(ORIGIN, SITE)]));
        assert_eq!(lead.contact_name.as_deref(), Some("نورة"));
        assert_eq!(lead.answers, [("plan".to_owned(), "plan.pdf".to_owned())]);
        for (kind, body) in [(kind, "--b\r\nContent"), (kind, ""), ("text/plain", "a=b"), ("multipart/form-data", "")] {
            let refused = form().verify(&request(kind, body.as_bytes(), &[(ORIGIN, SITE)]), at(0));
            assert!(matches!(refused, Err(Refusal::BadHeader { header: "content-type", .. })), "{kind} {body}");
        }
    }

    #[test]
    fn only_the_sites_may_post() {
        let verify = |headers: &[(HeaderName, &'static str)]| {
            let kind = "application/x-www-form-urlencoded";
            form().verify(&request(kind, b"name=a", headers), at(0)).map(|_| ())
        };
        assert_eq!(verify(&[(ORIGIN, SITE)]), Ok(()));
        assert_eq!(verify(&[(REFERER, "https://www.example.sa/a/b?c")]), Ok(()));
        for bad in ["https://example.sa", "http://www.example.sa", "null", "https://www.example.sa.evil.test", ""] {
            assert_eq!(
                verify(&[(ORIGIN, bad), (REFERER, "https://www.example.sa/")]),
                Err(Refusal::BadOrigin),
                "{bad}"
            );
        }
        assert_eq!(verify(&[]), Err(Refusal::BadOrigin));
        let mut request = post("name=a");
        request.rest = None;
        assert_eq!(form().verify(&request, at(0)).map(|_| ()), Err(Refusal::BadKey { place: "URL" }));
    }

    #[test]
    fn pressed_twice_it_is_one_lead() {
        let form = form();
        let key = |body: &str, seconds| form.verify(&post(body), at(seconds)).expect("taken").key;
        assert_eq!(key("name=a", 60), key("name=a", 119));
        assert_ne!(key("name=a", 60), key("name=a", 120));
        assert_ne!(key("name=a", 60), key("name=b", 60));
        assert_eq!(key("name=a&once=7", 0), key("name=b&once=7", 9_000));
        assert_ne!(key("name=a&once=7", 0), key("name=a&once=8", 0));
    }

    #[test]
    fn people_are_redirected_and_programs_are_told() {
        let form = form();
        let answer = |accept: &'static str, ended| {
            let headers =
                [(ORIGIN, SITE), (ACCEPT, accept)].map(|(name, value)| (name, HeaderValue::from_static(value)));
            form.answer(&HeaderMap::from_iter(headers), ended).expect("its own")
        };
        let person = answer("text/html,application/xhtml+xml", Ended::Accepted);
        assert_eq!(person.status(), StatusCode::SEE_OTHER);
        assert_eq!(person.headers()[LOCATION], "https://www.example.sa/thanks");
        let program = answer("application/json", Ended::Accepted);
        assert_eq!((program.status(), program.body().as_str()), (StatusCode::OK, r#"{"status":"accepted"}"#));
        assert_eq!(program.headers()[ACCESS_CONTROL_ALLOW_ORIGIN], SITE);
        assert_eq!(answer("text/html", Ended::Refused(&Refusal::BadOrigin)).status(), StatusCode::FORBIDDEN);
    }

    #[test]
    fn what_is_not_a_lead_says_why() {
        for (bad, expected) in [
            (json!({}), "body: `fields` is missing"),
            (json!({"fields": [["a"]]}), "/fields/0: expected a name and a value"),
            (json!({"fields": [["colour", "red"]]}), "body: a lead needs at least one of"),
        ] {
            let error = form().parse(bad.to_string().as_bytes()).expect_err("no lead").to_string();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
