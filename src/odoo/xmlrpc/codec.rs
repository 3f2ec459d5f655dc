//! XML-RPC text ↔ values.
//!
//! - Requests are written by the `xmlrpc` crate, after removing the characters that XML forbids: one of them would
//!   make Odoo refuse the whole call.
//! - Answers are read by the reader below into the same crate's [`Value`]. The crate's own parser loses white space,
//!   cannot read empty names or textual fault codes, overflows the stack on deep nesting and is an order of magnitude
//!   slower; tests hold the two together where it is right.
//!
//! An answer is untrusted: nesting is limited, document type declarations (and so entities) are refused, and no error
//! quotes any part of it, because errors are logged and answers hold personal data. The caller bounds its size.

use base64::{Engine, engine::general_purpose::STANDARD};
use quick_xml::{
    Reader,
    events::{BytesStart, Event},
};
use serde_json::Value as Json;
use xmlrpc::{Request, Value};

/// Deepest nesting of values.
const MAX_DEPTH: usize = 64;

/// What a server answered.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Response {
    /// The method's result.
    Value(Value),
    /// An error of the server or the method.
    Fault(Fault),
}

/// An error of the server or the method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) code: FaultCode,
    pub(super) text: String,
}

/// `/xmlrpc/2` sends numbers; the specification's older dialects, and some proxies, send text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum FaultCode {
    Number(i64),
    Text(String),
}

/// Why an answer is not XML-RPC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what} at byte {offset}")]
pub(super) struct ReadError {
    what: &'static str,
    offset: u64,
}

/// Writes a method call.
pub(super) fn write_request(method: &str, arguments: impl IntoIterator<Item = Value>) -> Vec<u8> {
    let request = arguments.into_iter().fold(Request::new(method), Request::arg);
    let mut text = Vec::with_capacity(1024);
    request.write_as_xml(&mut text).expect("writing to memory cannot fail");
    text
}

/// The value as the `xmlrpc` crate has it, without the characters that XML forbids.
pub(super) fn from_json(value: &Json) -> Value {
    match value {
        Json::Null => Value::Nil,
        Json::Bool(flag) => Value::Bool(*flag),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => integer_value(integer),
            None => Value::Double(number.as_f64().unwrap_or_default()),
        },
        Json::String(text) => Value::String(printable(text)),
        Json::Array(items) => Value::Array(items.iter().map(from_json).collect()),
        Json::Object(fields) => {
            Value::Struct(fields.iter().map(|(name, value)| (printable(name), from_json(value))).collect())
        }
    }
}

/// The value as JSON. Binary data becomes base64 text, a number that JSON cannot hold becomes `null`.
pub(super) fn into_json(value: Value) -> Json {
    match value {
        Value::Nil => Json::Null,
        Value::Bool(flag) => Json::Bool(flag),
        Value::Int(integer) => integer.into(),
        Value::Int64(integer) => integer.into(),
        Value::Double(number) => number.into(),
        Value::String(text) => Json::String(text),
        Value::DateTime(time) => Json::String(time.to_string()),
        Value::Base64(bytes) => Json::String(STANDARD.encode(bytes)),
        Value::Array(items) => Json::Array(items.into_iter().map(into_json).collect()),
        Value::Struct(fields) => {
            Json::Object(fields.into_iter().map(|(name, value)| (name, into_json(value))).collect())
        }
    }
}

fn integer_value(integer: i64) -> Value {
    i32::try_from(integer).map_or(Value::Int64(integer), Value::Int)
}

/// The text without what XML 1.0 cannot hold in any form.
fn printable(text: &str) -> String {
    let forbidden = |c: char| matches!(c, '\0'..='\x08' | '\x0b' | '\x0c' | '\x0e'..='\x1f' | '\u{fffe}' | '\u{ffff}');
    if text.contains(forbidden) { text.replace(forbidden, "") } else { text.to_owned() }
}

/// Reads a whole answer.
pub(super) fn read_response(body: &[u8]) -> Result<Response, ReadError> {
    let text = std::str::from_utf8(body)
        .map_err(|error| ReadError { what: "the text is not UTF-8", offset: error.valid_up_to() as u64 })?;
    let mut parser = Parser::new(text);
    let response = parser.response()?;
    match parser.next_after_blanks()? {
        Token::End => Ok(response),
        _ => parser.fail("content after the end"),
    }
}

/// A tag that XML-RPC knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tag {
    MethodResponse,
    Params,
    Param,
    Fault,
    Value,
    Struct,
    Member,
    Name,
    Array,
    Data,
    String,
    Int,
    Int64,
    Boolean,
    Double,
    DateTime,
    Base64,
    Nil,
}

impl Tag {
    fn of(start: &BytesStart<'_>) -> Option<Self> {
        Some(match start.name().as_ref() {
            "methodResponse" => Self::MethodResponse,
            "params" => Self::Params,
            "param" => Self::Param,
            "fault" => Self::Fault,
            "value" => Self::Value,
            "struct" => Self::Struct,
            "member" => Self::Member,
            "name" => Self::Name,
            "array" => Self::Array,
            "data" => Self::Data,
            "string" => Self::String,
            "int" | "i4" => Self::Int,
            "i8" => Self::Int64,
            "boolean" => Self::Boolean,
            "double" => Self::Double,
            "dateTime.iso8601" => Self::DateTime,
            "base64" => Self::Base64,
            "nil" => Self::Nil,
            _ => return None,
        })
    }
}

/// What the parser acts on. A closing tag needs no name: the XML reader checks that it fits the opening one.
enum Token<'a> {
    Open(Tag),
    Close,
    Text(std::borrow::Cow<'a, str>),
    Character(char),
    End,
}

struct Parser<'a> {
    reader: Reader<&'a [u8]>,
}

impl<'a> Parser<'a> {
    fn new(text: &'a str) -> Self {
        let mut reader = Reader::from_str(text);
        reader.config_mut().expand_empty_elements = true;
        Self { reader }
    }

    fn fail<T>(&self, what: &'static str) -> Result<T, ReadError> {
        Err(ReadError { what, offset: self.reader.buffer_position() })
    }

    fn next(&mut self) -> Result<Token<'a>, ReadError> {
        loop {
            let Ok(event) = self.reader.read_event() else { return self.fail("malformed XML") };
            return Ok(match event {
                Event::Start(start) | Event::Empty(start) => match Tag::of(&start) {
                    Some(tag) => Token::Open(tag),
                    None => return self.fail("a tag that XML-RPC does not know"),
                },
                Event::End(_) => Token::Close,
                Event::Text(text) => Token::Text(text.xml10_content()),
                Event::CData(text) => Token::Text(text.xml10_content()),
                Event::GeneralRef(name) => match name.resolve_char_ref() {
                    Ok(Some(character)) => Token::Character(character),
                    Ok(None) => match &*name.xml10_content() {
                        "amp" => Token::Character('&'),
                        "lt" => Token::Character('<'),
                        "gt" => Token::Character('>'),
                        "quot" => Token::Character('"'),
                        "apos" => Token::Character('\''),
                        _ => return self.fail("an unknown entity"),
                    },
                    Err(_) => return self.fail("a character reference that is not valid"),
                },
                Event::DocType(_) => return self.fail("a document type declaration (an HTML page?)"),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
                Event::Eof => Token::End,
            });
        }
    }

    fn next_after_blanks(&mut self) -> Result<Token<'a>, ReadError> {
        loop {
            match self.next()? {
                Token::Text(text) if is_blank(&text) => {}
                Token::Character(character) if is_xml_space(character) => {}
                token => return Ok(token),
            }
        }
    }

    fn open(&mut self, tag: Tag, what: &'static str) -> Result<(), ReadError> {
        match self.next_after_blanks()? {
            Token::Open(found) if found == tag => Ok(()),
            Token::End => self.fail("the text ends too early"),
            _ => self.fail(what),
        }
    }

    fn close(&mut self) -> Result<(), ReadError> {
        match self.next_after_blanks()? {
            Token::Close => Ok(()),
            Token::End => self.fail("the text ends too early"),
            _ => self.fail("a closing tag was expected"),
        }
    }

    /// The text up to the closing tag, which is consumed.
    fn text(&mut self) -> Result<String, ReadError> {
        let mut all = String::new();
        loop {
            match self.next()? {
                Token::Text(text) if all.is_empty() => all = text.into_owned(),
                Token::Text(text) => all.push_str(&text),
                Token::Character(character) => all.push(character),
                Token::Close => return Ok(all),
                Token::Open(_) => return self.fail("a tag where text was expected"),
                Token::End => return self.fail("the text ends too early"),
            }
        }
    }

    fn response(&mut self) -> Result<Response, ReadError> {
        self.open(Tag::MethodResponse, "`methodResponse` was expected")?;
        let response = match self.next_after_blanks()? {
            Token::Open(Tag::Params) => {
                self.open(Tag::Param, "`param` was expected")?;
                self.open(Tag::Value, "`value` was expected")?;
                let value = self.value(0)?;
                self.close()?;
                Response::Value(value)
            }
            Token::Open(Tag::Fault) => {
                self.open(Tag::Value, "`value` was expected")?;
                let value = self.value(0)?;
                match fault(value) {
                    Some(fault) => Response::Fault(fault),
                    None => return self.fail("a fault without code or text"),
                }
            }
            Token::End => return self.fail("the text ends too early"),
            _ => return self.fail("`params` or `fault` was expected"),
        };
        self.close()?;
        self.close()?;
        Ok(response)
    }

    /// The value whose `<value>` was just opened, up to and including `</value>`.
    fn value(&mut self, depth: usize) -> Result<Value, ReadError> {
        if depth >= MAX_DEPTH {
            return self.fail("values are nested too deeply");
        }
        // Text without a type is a string, white space and all. Before a type, white space means nothing.
        let mut untyped = String::new();
        loop {
            match self.next()? {
                Token::Text(text) => untyped.push_str(&text),
                Token::Character(character) => untyped.push(character),
                Token::Close => return Ok(Value::String(untyped)),
                Token::Open(_) if !is_blank(&untyped) => return self.fail("text before a tag"),
                Token::Open(tag) => {
                    let value = self.typed(tag, depth)?;
                    self.close()?;
                    return Ok(value);
                }
                Token::End => return self.fail("the text ends too early"),
            }
        }
    }

    /// The content of the type tag that was just opened, up to and including its closing tag.
    fn typed(&mut self, tag: Tag, depth: usize) -> Result<Value, ReadError> {
        match tag {
            // Odoo sends times as strings; where another server does not, the text is kept as it is.
            Tag::String | Tag::DateTime => self.text().map(Value::String),
            Tag::Int => self.parsed("an integer was expected", |text| text.parse().map(integer_value).ok()),
            Tag::Int64 => self.parsed("an integer was expected", |text| text.parse().map(Value::Int64).ok()),
            Tag::Double => self.parsed("a number was expected", |text| text.parse().map(Value::Double).ok()),
            Tag::Boolean => self.parsed("0 or 1 was expected", |text| match text {
                "0" => Some(Value::Bool(false)),
                "1" => Some(Value::Bool(true)),
                _ => None,
            }),
            Tag::Base64 => self.parsed("base64 text was expected", |text| {
                let dense: Vec<u8> = text.bytes().filter(|byte| !byte.is_ascii_whitespace()).collect();
                STANDARD.decode(dense).map(Value::Base64).ok()
            }),
            Tag::Nil => self.close().map(|()| Value::Nil),
            Tag::Array => {
                self.open(Tag::Data, "`data` was expected")?;
                let mut items = Vec::new();
                loop {
                    match self.next_after_blanks()? {
                        Token::Open(Tag::Value) => items.push(self.value(depth + 1)?),
                        Token::Close => break,
                        Token::End => return self.fail("the text ends too early"),
                        _ => return self.fail("`value` was expected"),
                    }
                }
                self.close()?;
                Ok(Value::Array(items))
            }
            Tag::Struct => {
                let mut members = std::collections::BTreeMap::new();
                loop {
                    match self.next_after_blanks()? {
                        Token::Open(Tag::Member) => {
                            self.open(Tag::Name, "`name` was expected")?;
                            let name = self.text()?;
                            self.open(Tag::Value, "`value` was expected")?;
                            let value = self.value(depth + 1)?;
                            self.close()?;
                            members.insert(name, value);
                        }
                        Token::Close => return Ok(Value::Struct(members)),
                        Token::End => return self.fail("the text ends too early"),
                        _ => return self.fail("`member` was expected"),
                    }
                }
            }
            _ => self.fail("a type was expected"),
        }
    }

    fn parsed(
        &mut self,
        expected: &'static str,
        parse: impl FnOnce(&str) -> Option<Value>,
    ) -> Result<Value, ReadError> {
        let text = self.text()?;
        match parse(text.trim_matches(is_xml_space)) {
            Some(value) => Ok(value),
            None => self.fail(expected),
        }
    }
}

fn fault(value: Value) -> Option<Fault> {
    let Value::Struct(mut members) = value else { return None };
    let code = match members.remove("faultCode")? {
        Value::Int(code) => FaultCode::Number(code.into()),
        Value::Int64(code) => FaultCode::Number(code),
        Value::String(code) => FaultCode::Text(code),
        _ => return None,
    };
    let Value::String(text) = members.remove("faultString")? else { return None };
    Some(Fault { code, text })
}

fn is_xml_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\r' | '\n')
}

fn is_blank(text: &str) -> bool {
    text.chars().all(is_xml_space)
}

#[cfg(test)]
mod tests;
