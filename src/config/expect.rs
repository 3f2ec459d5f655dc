//! What a key may hold: one function per type of value.
//!
//! An [`Expect`] knows how to read a value, what to call it and what a good one looks like, so that every message can
//! say both. They combine: `list(string())`, `string().try_map(HeaderName::try_from)`.

use std::{
    fmt::Display,
    net::{IpAddr, SocketAddr},
    ops::RangeInclusive,
    path::PathBuf,
    rc::Rc,
    time::Duration,
};

use ipnet::IpNet;
use toml::de::{DeInteger, DeValue};
use url::Url;

use super::{
    reader::{Item, closest, quoted},
    secret_ref,
    units::{self, Rate},
};
use crate::secret::SecretRef;

/// How to read one value.
pub struct Expect<T> {
    what: String,
    example: String,
    /// Whether a wrong value may be a secret in plain text, and must not be shown.
    sensitive: bool,
    /// Writes a value as in TOML, so that a default can be the example.
    show: Option<fn(&T) -> String>,
    read: Rc<Read<T>>,
}

type Read<T> = dyn Fn(&Item<'_>) -> Result<T, Fault>;

/// Why a value is not what was expected.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// It is something else than what was wanted.
    Unexpected {
        /// What is there, if more than the line itself shows.
        found: Option<String>,
        /// What to do; the example when absent.
        hint: Option<String>,
    },
    /// It is what was wanted, but not good.
    Invalid(String),
    /// Something inside it is wrong, and already reported at its own place.
    Reported,
}

impl<T: 'static> Expect<T> {
    /// A way to read one value: its name with an article, an example as in TOML, and the function that reads it.
    pub fn new(
        what: impl Into<String>,
        example: impl Into<String>,
        read: impl Fn(&Item<'_>) -> Result<T, Fault> + 'static,
    ) -> Self {
        Self { what: what.into(), example: example.into(), sensitive: false, show: None, read: Rc::new(read) }
    }

    /// Replaces the example, which is written as in TOML: `"\"crm_production\""`.
    pub fn example(self, example: impl Into<String>) -> Self {
        Self { example: example.into(), ..self }
    }

    /// Checks or converts the value further. The error says what is wrong with it, without repeating it.
    pub fn try_map<U: 'static, E: Display>(self, convert: impl Fn(T) -> Result<U, E> + 'static) -> Expect<U> {
        let read = self.read;
        let mapped = Expect::new(self.what, self.example, move |item| {
            convert(read(item)?).map_err(|error| Fault::Invalid(error.to_string()))
        });
        mapped.sensitive(self.sensitive)
    }

    /// Makes a good value the example, if it can be written.
    pub(super) fn example_of(self, value: &T) -> Self {
        match self.show {
            Some(show) => self.example(show(value)),
            None => self,
        }
    }

    fn show(self, show: fn(&T) -> String) -> Self {
        Self { show: Some(show), ..self }
    }

    /// Whether a wrong value may be a secret in plain text.
    pub(super) fn sensitive(self, sensitive: bool) -> Self {
        Self { sensitive, ..self }
    }

    /// Reads a value; what is wrong with it is reported.
    pub(super) fn read(&self, item: &Item<'_>) -> Option<T> {
        let fault = match (self.read)(item) {
            Ok(value) => return Some(value),
            Err(fault) => fault,
        };
        if self.sensitive {
            item.mask();
        }
        let (message, hint) = match fault {
            Fault::Reported => return None,
            Fault::Unexpected { found: Some(found), hint } => (format!("expected {}, found {found}", self.what), hint),
            Fault::Unexpected { found: None, hint } => (format!("expected {}", self.what), hint),
            Fault::Invalid(message) => (message, None),
        };
        item.problem(
            message,
            hint.unwrap_or_else(|| match item.name() {
                Some(key) => format!("for example `{}`", self.line(key)),
                None => format!("for example `{}`", self.example),
            }),
        );
        None
    }

    /// An example line for `key`.
    pub(super) fn line(&self, key: &str) -> String {
        format!("{key} = {}", self.example)
    }
}

/// A string that is not blank.
pub fn string() -> Expect<String> {
    Expect::new("a string", "\"…\"", |item| Ok(text(item)?.to_owned()))
}

/// `true` or `false`.
pub fn boolean() -> Expect<bool> {
    Expect::new("`true` or `false`", "true", |item| match item.value() {
        DeValue::Boolean(value) => Ok(*value),
        _ => Err(wrong_type(item)),
    })
    .show(bool::to_string)
}

/// A whole number in a range.
pub fn integer<N>(range: RangeInclusive<N>) -> Expect<N>
where
    N: TryFrom<i64> + PartialOrd + Display + 'static,
{
    let example = range.start().to_string();
    Expect::new(format!("a whole number from {} to {}", range.start(), range.end()), example, move |item| {
        let DeValue::Integer(number) = item.value() else { return Err(wrong_type(item)) };
        let value = i64_of(number).and_then(|number| N::try_from(number).ok());
        value.filter(|value| range.contains(value)).ok_or_else(|| found(number))
    })
    .show(N::to_string)
}

/// A number in a range, with or without a fraction.
pub fn float(range: RangeInclusive<f64>) -> Expect<f64> {
    let example = format!("{:?}", range.start());
    Expect::new(format!("a number from {:?} to {:?}", range.start(), range.end()), example, move |item| {
        let (value, number) = match item.value() {
            DeValue::Float(number) => (number.as_str().parse().ok(), number.to_string()),
            DeValue::Integer(number) => (i64_of(number).map(|value| value as f64), number.to_string()),
            _ => return Err(wrong_type(item)),
        };
        value.filter(|value| range.contains(value)).ok_or_else(|| found(number))
    })
    .show(|value| format!("{value:?}"))
}

/// A duration in a range, such as `"30s"`, `"10m"`, `"24h"` or `"7d"`.
pub fn duration(range: RangeInclusive<Duration>) -> Expect<Duration> {
    let (least, most) = (units::show_duration(*range.start()), units::show_duration(*range.end()));
    Expect::new(format!("a duration from {least} to {most}"), format!("\"{least}\""), move |item| match item.value() {
        DeValue::String(text) => match units::parse_duration(text) {
            Some(value) if range.contains(&value) => Ok(value),
            Some(_) => Err(found(text)),
            None => Err(wrong("a duration is a whole number with a unit: s, m, h or d")),
        },
        DeValue::Integer(number) => Err(wrong(format!("a duration needs a unit: \"{number}s\", or m, h, d"))),
        _ => Err(wrong_type(item)),
    })
    .show(|value| format!("\"{}\"", units::show_duration(*value)))
}

/// A size in a range: a number of bytes, or text such as `"1 MB"` (1,000,000 bytes) or `"1 MiB"` (1,048,576).
pub fn size(range: RangeInclusive<u64>) -> Expect<u64> {
    let (least, most) = (units::show_size(*range.start()), units::show_size(*range.end()));
    Expect::new(format!("a size from {least} to {most}"), format!("\"{least}\""), move |item| {
        let (value, shown) = match item.value() {
            DeValue::Integer(number) => (i64_of(number).and_then(|n| u64::try_from(n).ok()), number.to_string()),
            DeValue::String(text) => (units::parse_size(text), text.to_string()),
            _ => return Err(wrong_type(item)),
        };
        match value {
            Some(value) if range.contains(&value) => Ok(value),
            Some(_) => Err(found(shown)),
            None => Err(wrong("a size is a number of bytes, or has a unit: kB, MB, GB, KiB, MiB or GiB")),
        }
    })
    .show(|value| format!("\"{}\"", units::show_size(*value)))
}

/// A rate such as `"100/s"` or `"6/m"`, or `"off"` for none.
pub fn rate() -> Expect<Option<Rate>> {
    Expect::new("a rate, or \"off\"", "\"100/s\"", |item| match text(item)? {
        "off" => Ok(None),
        text => match units::parse_rate(text) {
            Some(rate) => Ok(Some(rate)),
            None => Err(wrong("a rate is a whole number above 0, a slash and one of s, m, h and d: \"100/s\"")),
        },
    })
    .show(|rate| format!("\"{}\"", rate.map_or_else(|| "off".to_owned(), units::show_rate)))
}

/// An IP address, or a network such as `"10.0.0.0/8"`.
pub fn network() -> Expect<IpNet> {
    Expect::new("an IP address or network", "\"10.0.0.0/8\"", |item| {
        let text = text(item)?;
        let network = text.parse().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        network.map_err(|_| Fault::Unexpected { found: None, hint: None })
    })
}

/// An `http` or `https` URL with a host, and without a login in it.
pub fn url() -> Expect<Url> {
    Expect::new("a URL", "\"https://odoo.example.com\"", |item| {
        let text = text(item)?;
        if text.contains('@') {
            item.mask();
        }
        let url = Url::parse(text).map_err(|error| Fault::Invalid(format!("is not a URL: {error}")))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Fault::Invalid("a URL must not hold a login or password".to_owned()));
        }
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(Fault::Invalid("expected a URL that starts with `https://` or `http://`".to_owned()));
        }
        Ok(url)
    })
}

/// An IP address with a port.
pub fn socket_addr() -> Expect<SocketAddr> {
    Expect::new("an IP address with a port", "\"127.0.0.1:8077\"", |item| {
        text(item)?.parse().map_err(|_| Fault::Unexpected { found: None, hint: None })
    })
    .show(|value| format!("\"{value}\""))
}

/// One of several words, and what each means.
pub fn one_of<T: Copy + 'static>(words: impl IntoIterator<Item = (&'static str, T)>) -> Expect<T> {
    let words: Vec<_> = words.into_iter().collect();
    let names: Vec<_> = words.iter().map(|(word, _)| *word).collect();
    let example = format!("\"{}\"", names.first().unwrap_or(&""));
    Expect::new(format!("one of {}", quoted(&names)), example, move |item| {
        let text = text(item)?;
        let value = words.iter().find(|(word, _)| *word == text).map(|(_, value)| *value);
        value.ok_or_else(|| Fault::Unexpected {
            found: None,
            hint: closest(text, &names).map(|name| format!("did you mean `{name}`?")),
        })
    })
}

/// A path; a relative one starts at the directory of the configuration file.
pub fn path() -> Expect<PathBuf> {
    Expect::new("a path", "\"/var/lib/g-assistant/…\"", |item| Ok(item.directory().join(text(item)?)))
}

/// Where a secret is kept, such as `{ file = "…" }`. Never the secret itself.
pub fn secret() -> Expect<SecretRef> {
    Expect::new("a reference to a secret", "{ credential = \"…\" }", secret_ref::read).sensitive(true)
}

/// A list, possibly empty.
pub fn list<T: 'static>(each: Expect<T>) -> Expect<Vec<T>> {
    let sensitive = each.sensitive;
    let list = Expect::new("a list", format!("[{}]", each.example), move |item| {
        let Some(items) = item.items() else { return Err(wrong_type(item)) };
        // Every item is read before a bad one fails the list, so that all bad ones are reported.
        let values: Vec<_> = items.iter().map(|item| each.read(item)).collect();
        values.into_iter().collect::<Option<_>>().ok_or(Fault::Reported)
    });
    list.sensitive(sensitive)
}

/// One value, or a list of at least one.
pub fn one_or_more<T: 'static>(each: Expect<T>) -> Expect<Vec<T>> {
    let (what, example, one) = (each.what.clone(), each.example.clone(), each.read.clone());
    let many = list(each);
    let sensitive = many.sensitive;
    let either = Expect::new(what, example, move |item| match item.value() {
        DeValue::Array(items) if items.is_empty() => Err(Fault::Invalid("the list is empty".to_owned())),
        DeValue::Array(_) => (many.read)(item),
        _ => Ok(vec![one(item)?]),
    });
    either.sensitive(sensitive)
}

/// The text of a string that is not blank.
fn text<'a>(item: &Item<'a>) -> Result<&'a str, Fault> {
    match item.value() {
        DeValue::String(text) if text.trim().is_empty() => Err(found("an empty string")),
        DeValue::String(text) => Ok(text),
        _ => Err(wrong_type(item)),
    }
}

fn i64_of(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

/// What a value is, with its article.
pub(super) fn type_of(item: &Item<'_>) -> &'static str {
    match item.value() {
        DeValue::String(_) => "a string",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number with a fraction",
        DeValue::Boolean(_) => "a boolean",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

fn wrong_type(item: &Item<'_>) -> Fault {
    found(type_of(item))
}

fn found(what: impl Display) -> Fault {
    Fault::Unexpected { found: Some(what.to_string()), hint: None }
}

fn wrong(hint: impl Into<String>) -> Fault {
    Fault::Unexpected { found: None, hint: Some(hint.into()) }
}
