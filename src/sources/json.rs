//! Reads JSON strictly: every error names the value's JSON pointer, what was expected there and what it is.
//!
//! - `null`, a missing key and a blank string are all "absent".
//! - Control characters are removed from every text; line breaks and tabs stay.
//! - What people typed never fails a delivery by its content: it is shortened, or set aside, with a warning. What a
//!   program wrote (ids, names of tags) fails, because a shortened id is another id.

use std::{cell::RefCell, collections::HashMap, fmt::Display};

use serde_json::{Map, Value};

use super::{Content, ParseError, Parsed, strict};

/// Warnings beyond this only say that there are more.
const MAX_WARNINGS: usize = 100;
/// Longest key that may be a known one misspelt.
const MAX_GUESSED: usize = 64;
/// Longest text that is kept of a value nobody asked for.
const MAX_ASIDE: usize = 5_000;

/// The value that a body holds.
pub(super) fn parse(body: &[u8], notes: &Notes) -> Result<Value, ParseError> {
    if body.trim_ascii().is_empty() {
        return Err(ParseError::NotJson("it is empty".to_owned()));
    }
    let (value, mended) = strict::parse(body).map_err(|error| {
        let text = error.to_string();
        // serde_json counts its recursion, so that a deep body cannot exhaust the stack.
        let deep = text.starts_with("recursion limit exceeded");
        ParseError::NotJson(if deep { "it is nested more than 127 levels deep".to_owned() } else { text })
    })?;
    if mended {
        notes.add("halves of surrogate pairs are no characters: each became U+FFFD".to_owned());
    }
    Ok(value)
}

/// Reads a body, with the warnings there are on the way.
pub(super) fn read(
    body: &[u8],
    content: impl FnOnce(&Node<'_>) -> Result<Content, ParseError>,
) -> Result<Parsed, ParseError> {
    let notes = Notes::default();
    let body = parse(body, &notes)?;
    let content = content(&Node::root(&body, &notes))?;
    Ok(Parsed { content, warnings: notes.into_list() })
}

/// The warnings of one body. A cell, because every value of the body may add to it.
#[derive(Debug, Default)]
pub(super) struct Notes(RefCell<Vec<String>>);

impl Notes {
    pub(super) fn add(&self, note: String) {
        let mut notes = self.0.borrow_mut();
        match notes.len() {
            ..MAX_WARNINGS => notes.push(note),
            MAX_WARNINGS => notes.push("there are more warnings".to_owned()),
            _ => {}
        }
    }

    /// Whether a further warning would not be told.
    fn are_many(&self) -> bool {
        self.0.borrow().len() >= MAX_WARNINGS
    }

    fn into_list(self) -> Vec<String> {
        self.0.into_inner()
    }
}

/// A value and its place.
#[derive(Debug, Clone)]
pub(super) struct Node<'a> {
    pub pointer: String,
    pub value: &'a Value,
    pub notes: &'a Notes,
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value, notes: &'a Notes) -> Self {
        Self { pointer: String::new(), value, notes }
    }

    pub(super) fn invalid(&self, message: impl Into<String>) -> ParseError {
        ParseError::Invalid { pointer: self.pointer.clone(), message: message.into() }
    }

    pub(super) fn expected(&self, what: &str) -> ParseError {
        self.invalid(format!("expected {what}, got {}", name_of(self.value)))
    }

    pub(super) fn warn(&self, message: impl Display) {
        self.notes.add(format!("{}: {message}", self.pointer));
    }

    /// The value at a JSON pointer below this one.
    pub(super) fn below(&self, pointer: &str) -> Option<Node<'a>> {
        let value = self.value.pointer(pointer)?;
        Some(Node { pointer: format!("{}{pointer}", self.pointer), value, notes: self.notes })
    }

    pub(super) fn object(&self) -> Result<Object<'a>, ParseError> {
        let fields = self.value.as_object().ok_or_else(|| self.expected("an object"))?;
        let (origins, known, aside) = Default::default();
        Ok(Object { node: self.clone(), fields, origins, known, aside })
    }

    pub(super) fn items(&self, max: usize) -> Result<Vec<Node<'a>>, ParseError> {
        let items = self.value.as_array().ok_or_else(|| self.expected("a list"))?;
        if items.len() > max {
            return Err(self.invalid(format!("at most {max} items, got {}", items.len())));
        }
        let node = |(index, value)| Node { pointer: format!("{}/{index}", self.pointer), value, notes: self.notes };
        Ok(items.iter().enumerate().map(node).collect())
    }

    fn string(&self) -> Result<Option<String>, ParseError> {
        match self.value {
            Value::Null => Ok(None),
            Value::String(text) => Ok(present(text)),
            _ => Err(self.expected("a string")),
        }
    }

    /// A string, or a whole number, whose digits are the same text.
    fn string_or_integer(&self) -> Result<Option<String>, ParseError> {
        match self.value {
            Value::Number(number) if number.is_i64() || number.is_u64() => Ok(Some(number.to_string())),
            Value::Number(_) => Err(self.invalid("this number is not exact: send it as a string")),
            Value::Null | Value::String(_) => self.string(),
            _ => Err(self.expected("a string or a whole number")),
        }
    }

    fn number(&self) -> Result<Option<f64>, ParseError> {
        match self.value {
            Value::Null => Ok(None),
            Value::Number(number) => Ok(number.as_f64()),
            _ => Err(self.expected("a number")),
        }
    }

    /// At most `max` characters of a text.
    pub(super) fn cut(&self, text: String, max: usize) -> String {
        match text.char_indices().nth(max) {
            Some((end, _)) => {
                self.warn(format_args!("longer than {max} characters: only those are kept"));
                text[..end].to_owned()
            }
            None => text,
        }
    }

    /// Any value as one text, or `None` if it is absent.
    pub(super) fn flat(&self) -> Option<String> {
        let text = match self.value {
            Value::Null => return None,
            Value::String(text) => present(text)?,
            Value::Array(items) if items.iter().all(|item| !item.is_array() && !item.is_object()) => {
                let items: Vec<_> = items.iter().filter_map(|value| Node { value, ..self.clone() }.flat()).collect();
                items.join(", ")
            }
            other => clean(&other.to_string()),
        };
        (!text.is_empty()).then(|| self.cut(text, MAX_ASIDE))
    }
}

/// Where the fields of a mapped object came from: field → JSON pointer.
pub(super) type Origins = HashMap<&'static str, String>;

/// An object, read field by field.
pub(super) struct Object<'a> {
    node: Node<'a>,
    fields: &'a Map<String, Value>,
    origins: Origins,
    /// The fields asked for.
    known: Vec<&'static str>,
    /// Values that could not be used where they were.
    aside: Vec<(String, String)>,
}

impl<'a> Object<'a> {
    pub(super) fn with_origins(self, origins: Origins) -> Self {
        Self { origins, ..self }
    }

    pub(super) fn node(&self) -> &Node<'a> {
        &self.node
    }

    /// A field that is there and not `null`.
    pub(super) fn get(&mut self, key: &'static str) -> Option<Node<'a>> {
        self.known.push(key);
        let value = self.fields.get(key).filter(|value| !value.is_null())?;
        let pointer = self.origins.get(key).cloned().unwrap_or_else(|| join(&self.node.pointer, key));
        Some(Node { pointer, value, notes: self.node.notes })
    }

    /// A name or id that a program wrote: a string of at most `max` characters.
    pub(super) fn name(&mut self, key: &'static str, max: usize) -> Result<Option<String>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        within(&node, node.string()?, max)
    }

    /// The same, or a whole number.
    pub(super) fn id(&mut self, key: &'static str, max: usize) -> Result<Option<String>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        within(&node, node.string_or_integer()?, max)
    }

    /// A text that people wrote; shortened to `max` characters.
    pub(super) fn text(&mut self, key: &'static str, max: usize) -> Result<Option<String>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        Ok(node.string()?.map(|text| node.cut(text, max)))
    }

    /// A text that people wrote and that is of use only whole: what `read` refuses is set aside.
    pub(super) fn whole<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ParseError> {
        self.read_whole(key, Node::string, expected, read)
    }

    /// The same, or a whole number: what is made of digits is often sent as one.
    pub(super) fn whole_or_integer<T>(
        &mut self,
        key: &'static str,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ParseError> {
        self.read_whole(key, Node::string_or_integer, expected, read)
    }

    fn read_whole<T>(
        &mut self,
        key: &'static str,
        text_of: fn(&Node<'a>) -> Result<Option<String>, ParseError>,
        expected: &str,
        read: impl FnOnce(&str) -> Option<T>,
    ) -> Result<Option<T>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        let Some(text) = text_of(&node)? else { return Ok(None) };
        let value = read(&text);
        if value.is_none() {
            node.warn(format_args!("expected {expected}: not used as such"));
            self.aside.push((key.to_owned(), node.cut(text, MAX_ASIDE)));
        }
        Ok(value)
    }

    pub(super) fn number(&mut self, key: &'static str) -> Result<Option<f64>, ParseError> {
        self.get(key).map_or(Ok(None), |node| node.number())
    }

    pub(super) fn boolean(&mut self, key: &'static str) -> Result<Option<bool>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(None) };
        node.value.as_bool().map(Some).ok_or_else(|| node.expected("true or false"))
    }

    /// A list of names that a program wrote.
    pub(super) fn names(&mut self, key: &'static str, items: usize, max: usize) -> Result<Vec<String>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let names = node.items(items)?.into_iter().map(|item| within(&item, item.string()?, max));
        names.filter_map(Result::transpose).collect()
    }

    /// A list of texts that people wrote and that are of use only whole, or one of them alone.
    pub(super) fn texts(&mut self, key: &'static str, items: usize, max: usize) -> Result<Vec<String>, ParseError> {
        let Some(node) = self.get(key) else { return Ok(Vec::new()) };
        let nodes = if node.value.is_array() { node.items(items)? } else { vec![node] };
        let mut texts = Vec::new();
        for node in nodes {
            let Some(text) = node.string_or_integer()? else { continue };
            if text.chars().count() <= max {
                texts.push(text);
            } else {
                node.warn(format_args!("longer than {max} characters: not used as such"));
                self.aside.push((key.to_owned(), node.cut(text, MAX_ASIDE)));
            }
        }
        Ok(texts)
    }

    /// What was set aside and the fields that nobody asked for, as texts, each with a warning.
    pub(super) fn rest(mut self) -> Vec<(String, String)> {
        let mut rest = std::mem::take(&mut self.aside);
        for (key, node) in self.unknown() {
            if let Some(text) = node.flat() {
                node.warn(format_args!("unknown field: kept as an answer{}", self.guess(key)));
                rest.push((shown(key), text));
            }
        }
        rest
    }

    /// Warns of the fields that nobody asked for.
    pub(super) fn finish(self) {
        for (key, node) in self.unknown() {
            node.warn(format_args!("unknown field: ignored{}", self.guess(key)));
        }
    }

    fn unknown(&self) -> Vec<(&'a str, Node<'a>)> {
        let unknown = self.fields.iter().filter(|(key, _)| !self.known.contains(&key.as_str()));
        let node = |key, value| Node { pointer: join(&self.node.pointer, key), value, notes: self.node.notes };
        unknown.map(|(key, value)| (key.as_str(), node(key, value))).collect()
    }

    /// The known field that was probably meant and is not there itself. Keys are the sender's, of any length and number:
    /// comparing is worth its time only where it can find something that is told.
    fn guess(&self, key: &str) -> String {
        if key.len() > MAX_GUESSED || self.node.notes.are_many() {
            return String::new();
        }
        let free = self.known.iter().filter(|known| !self.fields.contains_key(**known));
        let near = free.map(|known| {
            let contained = known.len() > 3 && key.contains(*known);
            (if contained { 0 } else { strsim::damerau_levenshtein(key, known) }, *known)
        });
        let guess = near.filter(|(distance, known)| *distance <= 1 + known.len() / 4).min();
        guess.map_or_else(String::new, |(_, known)| format!("; did you mean `{known}`?"))
    }
}

fn within(node: &Node<'_>, text: Option<String>, max: usize) -> Result<Option<String>, ParseError> {
    match &text {
        Some(long) if long.chars().count() > max => {
            Err(node.invalid(format!("at most {max} characters, got {}", long.chars().count())))
        }
        _ => Ok(text),
    }
}

/// A pointer to `key` below `pointer`.
fn join(pointer: &str, key: &str) -> String {
    format!("{pointer}/{}", shown(key).replace('~', "~0").replace('/', "~1"))
}

/// A key as it is shown: keys are the sender's, of any length.
pub(super) fn shown(key: &str) -> String {
    clean(key).chars().take(100).collect()
}

/// A text without control characters, or `None` if nothing is left.
fn present(text: &str) -> Option<String> {
    let text = clean(text);
    (!text.trim().is_empty()).then_some(text)
}

/// Removes what no text should hold: control characters other than line breaks and tabs, and the two code points that
/// XML cannot carry.
pub(super) fn clean(text: &str) -> String {
    let unwanted = |c: char| (c.is_control() && !matches!(c, '\n' | '\t')) || matches!(c, '\u{fffe}' | '\u{ffff}');
    text.replace("\r\n", "\n").replace('\r', "\n").replace(unwanted, "")
}

fn name_of(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "true or false",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    }
}
