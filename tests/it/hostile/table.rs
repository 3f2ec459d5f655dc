//! Every request: what is sent, byte by byte, and the answers that `docs/API.md` promises.

use chrono::{DateTime, TimeDelta, Utc};
use g_assistant::sources::standard_webhooks::Key;
use serde_json::json;

use crate::daemon::{TOKEN, WEBSITE_SECRET};

/// A request and its answers.
pub struct Row {
    pub name: &'static str,
    pub sent: Sent,
    /// The answers, joined by ` + `: a status, with the code if it is an error in our shape. A status alone is given
    /// before there is a request that a path could be found for. `closed`: the connection ends, here and not later.
    /// Where it depends on how the bytes arrive, `|` is between the possible ones.
    pub expected: &'static str,
}

impl Row {
    /// Whether it ends by a limit of time, so that others need not wait for it.
    pub fn is_slow(&self) -> bool {
        self.expected.starts_with("408") || self.expected.contains("closed") || matches!(self.sent, Sent::Dripped(_))
    }
}

/// How the bytes are sent.
pub enum Sent {
    /// At once; then the connection stays open, silent.
    AtOnce(Vec<u8>),
    /// At once; then nothing more will come, and the server is told so.
    Ended(Vec<u8>),
    /// One by one, slowly, for ever: when the last one is sent, it is repeated.
    Dripped(Vec<u8>),
    /// The first part once, the second again and again.
    Endless(Vec<u8>, Vec<u8>),
}

const WEBSITE: &str = "/api/webhooks/website";
const LEADS: &str = "/api/odoo/leads";
const LEAD: &[u8] = br#"{"lead": {"contact_name": "Sara"}}"#;
const GET: &str = "GET /api/health HTTP/1.1\r\nhost: x\r\n\r\n";

fn sign(id: &str, at: DateTime<Utc>, body: &[u8]) -> String {
    Key::parse(WEBSITE_SECRET).expect("a secret").sign(id, at, body)
}

/// A request with any headers and a right `Content-Length`.
fn request(line: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{line} HTTP/1.1\r\nhost: x\r\n");
    for (name, value) in headers {
        head += &format!("{name}: {value}\r\n");
    }
    head += &format!("content-length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

fn post(headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    request(&format!("POST {WEBSITE}"), headers, body)
}

/// The three headers of a good signature.
struct Signed {
    id: String,
    timestamp: String,
    signature: String,
}

impl Signed {
    fn at(id: &str, at: DateTime<Utc>, body: &[u8]) -> Self {
        Self { id: id.to_owned(), timestamp: at.timestamp().to_string(), signature: sign(id, at, body) }
    }

    fn headers(&self) -> [(&str, &str); 3] {
        [("webhook-id", &self.id), ("webhook-timestamp", &self.timestamp), ("webhook-signature", &self.signature)]
    }

    fn lines(&self) -> String {
        self.headers().map(|(name, value)| format!("{name}: {value}\r\n")).concat()
    }
}

/// A good request for this body, and further headers.
fn signed(id: &str, headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    post(&[&Signed::at(id, Utc::now(), body).headers(), headers].concat(), body)
}

/// A good delivery, as every row is followed by one.
pub fn good(id: &str) -> Vec<u8> {
    signed(id, &[], LEAD)
}

/// The whole table. Ids of deliveries start with `round`, so that the table can be sent again.
pub fn rows(round: usize) -> Vec<Row> {
    let id = |name: &str| format!("{name}-{round}");
    [signatures(&id), tokens(), framing(&id), bodies(&id), json_bodies(&id), paths(), heads(&id)]
        .into_iter()
        .flatten()
        .collect()
}

fn at_once(name: &'static str, expected: &'static str, bytes: impl Into<Vec<u8>>) -> Row {
    Row { name, sent: Sent::AtOnce(bytes.into()), expected }
}

type Id<'a> = &'a dyn Fn(&str) -> String;

/// Signatures of every wrong kind, and some right ones that look odd.
fn signatures(id: Id<'_>) -> Vec<Row> {
    const MISSING: &str = "401 missing_header";
    const BAD: &str = "401 bad_header";
    const MISMATCH: &str = "401 signature_mismatch";
    const STALE: &str = "401 timestamp_out_of_tolerance";
    let now = Utc::now();
    let good = Signed::at(&id("s"), now, LEAD);
    let with = |name: &str, value: &str| {
        post(&good.headers().map(|(own, v)| (own, if own == name { value } else { v })), LEAD)
    };
    let without = |name: &str| {
        let rest: Vec<_> = good.headers().into_iter().filter(|(own, _)| *own != name).collect();
        post(&rest, LEAD)
    };
    let also = |name: &str, value: &str| post(&[&good.headers()[..], &[(name, value)]].concat(), LEAD);
    let signature = |value: &str| with("webhook-signature", value);
    let at = |moment: DateTime<Utc>| post(&Signed::at(&id("t"), moment, LEAD).headers(), LEAD);
    // One whose Base64 differs in the other alphabet.
    let tricky =
        (0..).map(|n| Signed::at(&format!("{}-{n}", id("u")), now, LEAD)).find(|s| s.signature.contains(['+', '/']));
    let tricky = tricky.expect("one");
    let url_safe = Signed { signature: tricky.signature.replace('+', "-").replace('/', "_"), ..tricky };
    let base64 = &good.signature[3..];
    let hex = "v1,6d6f7374207365637265742062757420686578206e6f7420626173653634212121";
    let other =
        Key::parse("whsec_b3RoZXJvdGhlcm90aGVyb3RoZXJvdGhlcm90aGVy").expect("a secret").sign(&good.id, now, LEAD);
    let many = vec!["v1,AAAA"; 17].join(" ");
    let odd = |name: &str, list: &dyn Fn(&str) -> String| {
        let own = Signed::at(&id(name), now, LEAD);
        post(&Signed { signature: list(&own.signature), ..own }.headers(), LEAD)
    };
    let svix = Signed::at(&id("svix"), now, LEAD);
    let svix = [("svix-id", &*svix.id), ("svix-timestamp", &svix.timestamp), ("svix-signature", &svix.signature)];
    let replayed = Signed::at(&id("replay"), now, LEAD);
    let changed = br#"{"lead": {"contact_name": "Another"}}"#;
    let replayed_with_another_body = Signed::at(&id("replay"), now + TimeDelta::seconds(1), changed);
    vec![
        at_once("no signature at all", MISSING, post(&[], LEAD)),
        at_once("no id", MISSING, without("webhook-id")),
        at_once("no timestamp", MISSING, without("webhook-timestamp")),
        at_once("no signature", MISSING, without("webhook-signature")),
        at_once(
            "a token instead of a signature",
            MISSING,
            post(&[("authorization", &format!("Bearer {TOKEN}"))], LEAD),
        ),
        at_once("an empty id", BAD, with("webhook-id", "")),
        at_once("an id with a full stop", BAD, with("webhook-id", "a.b")),
        at_once("a long id", BAD, with("webhook-id", &"i".repeat(256))),
        at_once("an id that is not ASCII", BAD, with("webhook-id", "سارة")),
        at_once("an id with another one", BAD, also("webhook-id", "other")),
        at_once("a timestamp with another one", BAD, also("webhook-timestamp", "1")),
        at_once("a signature with another one", BAD, also("webhook-signature", &good.signature)),
        at_once("a timestamp in words", BAD, with("webhook-timestamp", "now")),
        at_once("a timestamp with a fraction", BAD, with("webhook-timestamp", "1614265330.5")),
        at_once("a timestamp in hexadecimal", BAD, with("webhook-timestamp", "0x60377f32")),
        at_once("a timestamp beyond 64 bits", BAD, with("webhook-timestamp", "9999999999999999999999")),
        at_once("the least timestamp", MISMATCH, with("webhook-timestamp", "-9223372036854775808")),
        at_once("an empty signature", MISMATCH, signature("")),
        at_once("a signature of words", MISMATCH, signature("please let me in")),
        at_once("a signature that is not Base64", MISMATCH, signature("v1,%%%%")),
        at_once("a signature in hexadecimal", MISMATCH, signature(hex)),
        at_once("a signature in the other Base64", MISMATCH, post(&url_safe.headers(), LEAD)),
        at_once("a signature without padding", MISMATCH, signature(good.signature.trim_end_matches('='))),
        at_once("half a signature", MISMATCH, signature(&format!("v1,{}", &base64[..20]))),
        at_once("a signature without version", MISMATCH, signature(base64)),
        at_once("a signature of version v1a", MISMATCH, signature(&format!("v1a,{base64}"))),
        at_once("a signature of version v2", MISMATCH, signature(&format!("v2,{base64}"))),
        at_once("a signature of version V1", MISMATCH, signature(&format!("V1,{base64}"))),
        at_once("a signature by another secret", MISMATCH, signature(&other)),
        at_once("a signature of another body", MISMATCH, post(&good.headers(), changed)),
        at_once("a signature of another id", MISMATCH, with("webhook-id", "another")),
        at_once("a signature of another time", MISMATCH, with("webhook-timestamp", &(now.timestamp() + 1).to_string())),
        at_once("more signatures than anybody needs", BAD, signature(&many)),
        at_once("a delivery of an hour ago", STALE, at(now - TimeDelta::hours(1))),
        at_once("a delivery of six minutes ago", STALE, at(now - TimeDelta::minutes(6))),
        at_once("a delivery in six minutes", STALE, at(now + TimeDelta::minutes(6))),
        at_once("a delivery of 1970", STALE, at(DateTime::UNIX_EPOCH)),
        at_once("a delivery at the end of time", STALE, at(DateTime::<Utc>::MAX_UTC)),
        at_once("a good signature among wrong ones", "202", odd("among", &|own| format!("v1,AAAA {own} v1,BBBB"))),
        at_once("a good signature among versions", "202", odd("versions", &|own| format!("v1a,AAAA v9,x {own}"))),
        at_once("the names that Svix gives the headers", "202", post(&svix, LEAD)),
        at_once("a delivery", "202", post(&replayed.headers(), LEAD)),
        at_once("the same delivery again", "200", post(&replayed.headers(), LEAD)),
        at_once("the same id with another body", "200", post(&replayed_with_another_body.headers(), changed)),
        at_once("a lead for the source of Odoo's changes", "422 invalid_body", {
            let own = Signed::at(&id("odoo"), now, LEAD);
            request("POST /api/webhooks/odoo", &own.headers(), LEAD)
        }),
    ]
}

/// The paths that want a token.
fn tokens() -> Vec<Row> {
    let bearer = format!("Bearer {TOKEN}");
    let get = |headers: &[(&str, &str)], query: &str| request(&format!("GET {LEADS}{query}"), headers, b"");
    let list = |query: &str| get(&[("authorization", &bearer)], query);
    let key = "k".repeat(256);
    vec![
        at_once("no token", "401 unauthorized", get(&[], "")),
        at_once("a wrong token", "401 unauthorized", get(&[("authorization", "Bearer wrong-token-0123456789")], "")),
        at_once("half a token", "401 unauthorized", get(&[("authorization", &bearer[..20])], "")),
        at_once("a token by another scheme", "401 unauthorized", get(&[("authorization", "Basic YTpi")], "")),
        at_once(
            "a token of 60,000 bytes",
            "401 unauthorized",
            get(&[("authorization", &format!("Bearer {}", "x".repeat(60_000)))], ""),
        ),
        at_once("a token in the address", "401 unauthorized", get(&[], &format!("?token={TOKEN}"))),
        at_once(
            "a long idempotency key",
            "401 bad_header",
            request(&format!("POST {LEADS}"), &[("authorization", &bearer), ("idempotency-key", &key)], LEAD),
        ),
        at_once("a limit below zero", "400 bad_parameter", list("?limit=-1")),
        at_once("a limit of a billion", "400 bad_parameter", list("?limit=1000000000")),
        at_once("a cursor beyond 64 bits", "400 bad_parameter", list("?after=99999999999999999999")),
        at_once("a parameter nobody knows", "400 unknown_parameter", list("?1=1%27--")),
        at_once("SQL in a parameter", "200", list("?q=%27%20or%201=1;drop%20table%20mirror--")),
        at_once("a NUL in a parameter", "200", list("?q=%00")),
        at_once("a parameter that is not UTF-8", "200", list("?q=%ff")),
        at_once("wildcards in a parameter", "200", list(&format!("?q={}", "%25_".repeat(1_000)))),
        at_once("an id beyond 64 bits", "404 not_found", list("/99999999999999999999")),
        at_once("an id below zero", "404 not_found", list("/-1")),
        at_once("an id that climbs", "404 not_found", list("/1%2f..%2f2")),
    ]
}

/// Where one request ends and the next one begins.
fn framing(id: Id<'_>) -> Vec<Row> {
    let head = |lines: &str| format!("POST {WEBSITE} HTTP/1.1\r\nhost: x\r\n{lines}\r\n");
    let plain = |lines: &str, body: &str| format!("{}{body}", head(lines)).into_bytes();
    let ended = |name, expected, bytes: Vec<u8>| Row { name, sent: Sent::Ended(bytes), expected };
    let chunked = |name: &str, body: &str| {
        let own = Signed::at(&id(name), Utc::now(), LEAD);
        plain(&format!("{}transfer-encoding: chunked\r\n", own.lines()), body)
    };
    let whole = format!("{:x}\r\n{}\r\n0\r\n\r\n", LEAD.len(), String::from_utf8_lossy(LEAD));
    let smuggled = "0\r\n\r\nGET /api/odoo/leads HTTP/1.1\r\nhost: x\r\n\r\n";
    let in_body = [post(&[], GET.as_bytes()), good(&id("after"))].concat();
    vec![
        at_once(
            "both lengths",
            "401 missing_header + closed",
            plain(&format!("content-length: {}\r\ntransfer-encoding: chunked\r\n", smuggled.len()), smuggled),
        ),
        at_once(
            "both lengths, the other way round",
            "401 missing_header + closed",
            plain("transfer-encoding: chunked\r\ncontent-length: 5\r\n", smuggled),
        ),
        ended("two lengths", "400", plain("content-length: 2\r\ncontent-length: 3\r\n", "{}x")),
        ended("two lengths in one", "400", plain("content-length: 2, 3\r\n", "{}x")),
        at_once(
            "the same length twice",
            "401 missing_header",
            plain("content-length: 2\r\ncontent-length: 2\r\n", "{}"),
        ),
        ended("a length below zero", "400", plain("content-length: -2\r\n", "{}")),
        ended("a length with a sign", "400", plain("content-length: +2\r\n", "{}")),
        ended("a length in hexadecimal", "400", plain("content-length: 0x2\r\n", "{}")),
        ended("a length beyond 64 bits", "400", plain("content-length: 18446744073709551618\r\n", "{}")),
        ended("an empty length", "400", plain("content-length: \r\n", "{}")),
        ended("a coding that is not the last", "400", plain("transfer-encoding: chunked, gzip\r\n", smuggled)),
        ended("a coding nobody knows", "400", plain("transfer-encoding: xchunked\r\n", smuggled)),
        ended("a coding that means nothing", "400", plain("transfer-encoding: identity\r\n", smuggled)),
        ended("a space before the colon", "400", plain("transfer-encoding : chunked\r\n", smuggled)),
        ended("a folded header", "400", plain("x-a: 1\r\n 2\r\n", "")),
        ended("a NUL in a header", "400", plain("x-a: a\0b\r\n", "")),
        ended("a NUL in a header's name", "400", plain("x\0a: b\r\n", "")),
        ended("a lone CR in a header", "400", plain("x-a: a\rb\r\n", "")),
        ended("a header without a name", "400", plain(": x\r\n", "")),
        ended("a header without a colon", "400", plain("x\r\n", "")),
        ended("a header's name in brackets", "400", plain("x[a]: b\r\n", "")),
        at_once(
            "lines that end in LF alone",
            "401 missing_header",
            format!("POST {WEBSITE} HTTP/1.1\nhost: x\ncontent-length: 2\n\n{{}}").into_bytes(),
        ),
        at_once("another request in a body", "401 missing_header + 202", in_body),
        at_once("two requests at once", "200 + 200", GET.repeat(2).into_bytes()),
        at_once("a request and rubbish", "200 + 400", format!("{GET}\x01\x02\x03\r\n\r\n").into_bytes()),
        ended("HTTP 0.9", "400", b"GET /api/health\r\n\r\n".to_vec()),
        at_once("HTTP 1.0", "200", b"GET /api/health HTTP/1.0\r\n\r\n".to_vec()),
        at_once("HTTP 2 without asking", "closed", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0".to_vec()),
        ended("HTTP 3.0", "400", b"GET /api/health HTTP/3.0\r\nhost: x\r\n\r\n".to_vec()),
        ended(
            "TLS",
            "400",
            b"\x16\x03\x01\x00\xc8\x01\x00\x00\xc4\x03\x03\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\r\n\r\n".to_vec(),
        ),
        ended("SSH", "400", b"SSH-2.0-OpenSSH_9.2\r\n".to_vec()),
        ended("rubbish", "400", (0..=255).chain(*b"\r\n\r\n").collect()),
        at_once("an empty line first", "200", format!("\r\n{GET}").into_bytes()),
        at_once("chunks", "202", chunked("chunks", &whole)),
        at_once("chunks with an extension", "202", chunked("extension", &whole.replacen("\r\n", ";a=b\r\n", 1))),
        ended("a chunk that is not numbered", "400 incomplete_body", chunked("c1", "zz\r\n{}\r\n0\r\n\r\n")),
        ended(
            "a chunk of more than 64 bits",
            "400 incomplete_body",
            chunked("c2", "fffffffffffffffff\r\n{}\r\n0\r\n\r\n"),
        ),
        ended("a chunk below zero", "400 incomplete_body", chunked("c3", "-2\r\n{}\r\n0\r\n\r\n")),
        ended("a chunk without its end", "400 incomplete_body", chunked("c4", "2\r\n{}0\r\n\r\n")),
        ended("chunks that stop", "400 incomplete_body", chunked("c5", "2\r\n{}\r\n")),
        ended("a chunk of 64 bits", "400 incomplete_body", chunked("c6", "ffffffffffffffff\r\n{}")),
        Row {
            name: "an extension of a chunk without end",
            sent: Sent::Endless(chunked("c7", "2;"), vec![b'x'; 4096]),
            expected: "400 incomplete_body",
        },
        Row {
            name: "trailers without end",
            sent: Sent::Endless(chunked("c8", "0\r\n"), b"x-trailer: y\r\n".repeat(64)),
            expected: "400 incomplete_body",
        },
        Row {
            name: "chunks without end",
            sent: Sent::Endless(chunked("c9", ""), format!("1000\r\n{}\r\n", "x".repeat(4096)).into_bytes()),
            expected: "413 body_too_large",
        },
        at_once("chunks that wait for ever", "408 body_timeout", chunked("c10", "2\r\n{}\r\n")),
        Row {
            name: "a chunk that drips",
            sent: Sent::Dripped(chunked("c11", "ffff\r\nx")),
            expected: "408 body_timeout",
        },
    ]
}

/// Bodies that are too large, too slow, or packed.
fn bodies(id: Id<'_>) -> Vec<Row> {
    let announced = |lines: &str| format!("POST {WEBSITE} HTTP/1.1\r\nhost: x\r\n{lines}\r\n").into_bytes();
    // A small file that becomes 1 GB: what is in it does not matter, because nobody opens it.
    let packed =
        |encoding: &str| signed(&id(encoding), &[("content-encoding", encoding)], b"\x1f\x8b\x08\0\0\0\0\0\0\x03");
    const PACKED: &str = "415 encoded_body";
    vec![
        at_once("a body larger than allowed", "413 body_too_large", announced("content-length: 1000001\r\n")),
        at_once("a body of 18 exabytes", "413 body_too_large", announced("content-length: 18446744073709551000\r\n")),
        at_once(
            "a large body that waits for a word",
            "413 body_too_large",
            announced("content-length: 1000001\r\nexpect: 100-continue\r\n"),
        ),
        at_once("a body of the largest size, not signed", "401 missing_header", post(&[], &vec![b' '; 1_000_000])),
        at_once("a body that never comes", "408 body_timeout", announced("content-length: 10\r\n")),
        Row {
            name: "a body that is cut",
            sent: Sent::Ended([&announced("content-length: 10\r\n")[..], b"{}"].concat()),
            expected: "400 incomplete_body",
        },
        Row {
            name: "a body that drips",
            sent: Sent::Dripped(announced("content-length: 100000\r\n")),
            expected: "408 body_timeout",
        },
        at_once("gzip", PACKED, packed("gzip")),
        at_once("gzip in capitals", PACKED, packed("GZIP")),
        at_once("gzip twice", PACKED, packed("gzip, gzip")),
        at_once("deflate", PACKED, packed("deflate")),
        at_once("Brotli", PACKED, packed("br")),
        at_once("Zstandard", PACKED, packed("zstd")),
        at_once("an encoding nobody knows", PACKED, packed("rot13")),
        at_once(
            "two encodings in two lines",
            PACKED,
            signed(&id("e2"), &[("content-encoding", "identity"), ("content-encoding", "gzip")], LEAD),
        ),
        at_once("an encoding that is not ASCII", PACKED, signed(&id("e3"), &[("content-encoding", "ü")], LEAD)),
        at_once("an encoding that is none", "202", signed(&id("e4"), &[("content-encoding", "identity")], LEAD)),
        at_once(
            "another content type",
            "202",
            signed(&id("t1"), &[("content-type", "text/html; charset=utf-7")], LEAD),
        ),
        at_once("a content type that is not ASCII", "202", signed(&id("t2"), &[("content-type", "ü")], LEAD)),
        at_once(
            "a form",
            "400 not_json",
            signed(&id("t3"), &[("content-type", "application/x-www-form-urlencoded")], b"contact_name=Sara"),
        ),
        at_once(
            "a file",
            "400 not_json",
            signed(&id("t4"), &[("content-type", "multipart/form-data; boundary=x")], b"--x\r\n\r\n{}\r\n--x--"),
        ),
        at_once(
            "XML with an entity",
            "400 not_json",
            signed(
                &id("t5"),
                &[("content-type", "text/xml")],
                b"<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>",
            ),
        ),
    ]
}

/// Bodies that are signed, and hostile all the same.
fn json_bodies(id: Id<'_>) -> Vec<Row> {
    const NOT_JSON: &str = "400 not_json";
    const INVALID: &str = "422 invalid_body";
    let mut number = 0;
    let mut row = |name, expected, body: Vec<u8>| {
        number += 1;
        at_once(name, expected, signed(&id(&format!("j{number}")), &[], &body))
    };
    let lead = |fields: &str| format!(r#"{{"lead": {{"contact_name": "Sara", {fields}}}}}"#).into_bytes();
    let nested = |open: &str, close: &str| format!("{}{}", open.repeat(10_000), close.repeat(10_000)).into_bytes();
    let utf16 = String::from_utf8_lossy(LEAD).encode_utf16().flat_map(u16::to_le_bytes).collect();
    let unknown: String = (0..20_000).map(|n| format!(r#""x{n}": 1, "#)).collect();
    vec![
        row("nothing", NOT_JSON, Vec::new()),
        row("spaces", NOT_JSON, vec![b' '; 100_000]),
        row("JSON that is cut", NOT_JSON, br#"{"lead": {"contact_name": "Sa"#.to_vec()),
        row("two bodies in one", NOT_JSON, [LEAD, LEAD].concat()),
        row("a NUL behind the body", NOT_JSON, [LEAD, b"\0"].concat()),
        row("a byte order mark", NOT_JSON, [b"\xef\xbb\xbf", LEAD].concat()),
        row("UTF-16", NOT_JSON, utf16),
        row("bytes that are not UTF-8", NOT_JSON, b"{\"lead\": {\"contact_name\": \"\xc0\x80\"}}".to_vec()),
        row("a raw control character", NOT_JSON, b"{\"lead\": {\"contact_name\": \"a\x01b\"}}".to_vec()),
        row("10,000 lists in each other", NOT_JSON, nested("[", "]")),
        row("10,000 objects in each other", NOT_JSON, nested("{\"lead\":", "}")),
        row("128 lists in a field", NOT_JSON, lead(&format!(r#""x": {}{}"#, "[".repeat(128), "]".repeat(128)))),
        row("100 lists in a field", "202", lead(&format!(r#""x": {}{}"#, "[".repeat(100), "]".repeat(100)))),
        row("a key twice", NOT_JSON, br#"{"lead": {"contact_name": "Sara", "contact_name": "Mallory"}}"#.to_vec()),
        row(
            "a key twice, spelt differently",
            NOT_JSON,
            br#"{"lead": {"contact_name": "a"}, "\u006cead": {"contact_name": "b"}}"#.to_vec(),
        ),
        row("a key twice, far inside", NOT_JSON, lead(r#""answers": {"q": [{"a": 1, "a": 2}]}"#)),
        row("a number beyond all", NOT_JSON, lead(r#""expected_revenue": 1e999"#)),
        row("a number of 100,000 digits", NOT_JSON, lead(&format!(r#""expected_revenue": {}"#, "9".repeat(100_000)))),
        row("a number next to nothing", "202", lead(r#""expected_revenue": 1e-999"#)),
        row("a very large number", "202", lead(r#""expected_revenue": 1e300"#)),
        row("not a number", NOT_JSON, lead(r#""expected_revenue": NaN"#)),
        row("infinity", NOT_JSON, lead(r#""expected_revenue": -Infinity"#)),
        row("an id beyond 64 bits", INVALID, lead(r#""external_id": 18446744073709551616"#)),
        row("the largest id", "202", lead(r#""external_id": 18446744073709551615"#)),
        row("an id with a fraction", INVALID, lead(r#""external_id": 1.0"#)),
        row("a long id", INVALID, lead(&format!(r#""external_id": "{}""#, "x".repeat(181)))),
        row("NUL in texts", "202", lead(r#""message": "a\u0000b", "x\u0000y": "z", "external_id": "n\u0000ul""#)),
        row("an id of nothing but NUL", "202", lead(r#""external_id": "\u0000""#)),
        row(
            "marks of direction",
            "202",
            lead(r#""company": "\u202eevil\u202c \u2066x\u2069", "phone": "\u200e+966\u202c""#),
        ),
        row("half of a surrogate pair", "202", lead(r#""company": "\ud83d", "city": "\udc00\ud800""#)),
        row("an escape that is cut", NOT_JSON, lead(r#""company": "\ud83""#)),
        row("code points that are no characters", "202", lead(r#""company": "\ufffe\uffff\ufdd0""#)),
        row(
            "markup and formulas",
            "202",
            lead(r#""company": "<script>alert(1)</script>", "city": "=cmd|' /C calc'!A0""#),
        ),
        row("a template", "202", lead(r#""company": "{{7*7}} ${jndi:ldap://x} %s%s%n""#)),
        row(
            "names with a meaning in other languages",
            "202",
            lead(r#""__proto__": {"admin": true}, "constructor": 1"#),
        ),
        row("20,000 unknown fields", "202", lead(&unknown[..unknown.len() - 2])),
        row("a key of 500,000 characters", "202", lead(&format!(r#""{}": 1"#, "k".repeat(500_000)))),
        row("a text of 500,000 characters", "202", lead(&format!(r#""message": "{}""#, "m".repeat(500_000)))),
        row("an e-mail address of 500,000 characters", "202", lead(&format!(r#""email": "{}""#, "@".repeat(500_000)))),
        row("100,000 marks on one letter", "202", lead(&format!(r#""company": "e{}""#, "\u{301}".repeat(100_000)))),
        row("501 leads", INVALID, json!({"leads": vec![json!({"name": "x"}); 501]}).to_string().into_bytes()),
        row("a text where a lead should be", INVALID, br#"{"lead": "Sara"}"#.to_vec()),
        row("a list where a text should be", INVALID, lead(r#""email": ["a@example.com"]"#)),
        row("a body that is a text", INVALID, br#""lead""#.to_vec()),
        row("a body that is null", INVALID, b"null".to_vec()),
        row("a body without a lead", INVALID, b"{}".to_vec()),
        row("a lead without anything", INVALID, br#"{"lead": {}}"#.to_vec()),
    ]
}

/// Ways to reach what should not be reached.
fn paths() -> Vec<Row> {
    const NOTHING: &str = "404 not_found";
    const UNKNOWN: &str = "404 unknown_source";
    let get = |path: &str| request(&format!("GET {path}"), &[], b"");
    let to = |path: &str| request(&format!("POST {path}"), &[], LEAD);
    let by = |method: &str| request(&format!("{method} {WEBSITE}"), &[], b"");
    const METHOD: &str = "405 method_not_allowed";
    vec![
        at_once("up and down", METHOD, get("/api/webhooks/../health")),
        at_once("up and out", NOTHING, get("/../../../../etc/passwd")),
        at_once("up, encoded", UNKNOWN, to("/api/webhooks/%2e%2e")),
        at_once("up, encoded, with slashes", UNKNOWN, to("/api/webhooks/..%2f..%2fhealth")),
        at_once("two slashes", NOTHING, get("//api/health")),
        at_once("two slashes inside", NOTHING, get("/api//health")),
        at_once("a slash at the end", NOTHING, get("/api/health/")),
        at_once("a backslash", NOTHING, get("/api\\health")),
        at_once("a NUL in the path", UNKNOWN, to("/api/webhooks/%00")),
        at_once("a NUL behind a source", UNKNOWN, to("/api/webhooks/website%00")),
        at_once("a path that is not UTF-8", UNKNOWN, to("/api/webhooks/%ff%fe")),
        at_once("a source with a slash", UNKNOWN, to("/api/webhooks/web%2fsite")),
        at_once("a source in capitals", UNKNOWN, to("/api/webhooks/WEBSITE")),
        at_once("a source with a parameter", "401 missing_header", to("/api/webhooks/website?source=odoo")),
        at_once("a source, encoded", "401 missing_header", to("/api/webhooks/%77ebsite")),
        at_once("a source of the daemon's own", UNKNOWN, to("/api/webhooks/file")),
        at_once("a source of 60,000 letters", UNKNOWN, to(&format!("/api/webhooks/{}", "x".repeat(60_000)))),
        at_once("a path of 60,000 letters", NOTHING, get(&format!("/{}", "x".repeat(60_000)))),
        at_once("a path in capitals", NOTHING, get("/API/HEALTH")),
        at_once("the address of another server", "200", get("http://evil.example/api/health")),
        at_once("a path that is an asterisk", NOTHING, get("*")),
        at_once("a path without a slash", "400", get("api/health")),
        at_once("a path with raw bytes", "400", [b"GET /\x80\xff\x00 HTTP/1.1\r\nhost: x\r\n\r\n".as_slice()].concat()),
        at_once("a tunnel", NOTHING, b"CONNECT evil.example:443 HTTP/1.1\r\nhost: x\r\n\r\n".to_vec()),
        at_once("GET", METHOD, by("GET")),
        at_once("PUT", METHOD, by("PUT")),
        at_once("DELETE", METHOD, by("DELETE")),
        at_once("TRACE", METHOD, by("TRACE")),
        at_once("OPTIONS", METHOD, by("OPTIONS")),
        at_once("a method in small letters", METHOD, by("post")),
        at_once("a method that is none", METHOD, by("BREW")),
        at_once("a method with a NUL", "400", by("PO\0ST")),
        at_once("a method of 60,000 letters", METHOD, by(&"M".repeat(60_000))),
    ]
}

/// Heads that are too large or too slow.
fn heads(id: Id<'_>) -> Vec<Row> {
    let headers = |count: usize| (0..count).map(|n| format!("x-{n}: y\r\n")).collect::<String>();
    let own = Signed::at(&id("headers"), Utc::now(), LEAD);
    let many = |count: usize| {
        let head = format!(
            "POST {WEBSITE} HTTP/1.1\r\n{}{}content-length: {}\r\n\r\n",
            own.lines(),
            headers(count),
            LEAD.len()
        );
        [head.as_bytes(), LEAD].concat()
    };
    vec![
        at_once("90 headers", "202", many(90)),
        at_once("101 headers", "431", many(101)),
        at_once("a header of 200,000 bytes", "431", format!("GET / HTTP/1.1\r\nx: {}\r\n\r\n", "y".repeat(200_000))),
        at_once("an address of 200,000 bytes", "414|431", format!("GET /{} HTTP/1.1\r\n\r\n", "y".repeat(200_000))),
        Row {
            name: "headers without end",
            sent: Sent::Endless(b"GET / HTTP/1.1\r\n".to_vec(), b"x: yyyyyyyy\r\n".repeat(100)),
            expected: "431",
        },
        Row {
            name: "a first line without end",
            sent: Sent::Endless(b"GET /".to_vec(), vec![b'x'; 4096]),
            expected: "414|431",
        },
        Row {
            name: "empty lines without end",
            sent: Sent::Endless(Vec::new(), b"\r\n".repeat(1_000)),
            expected: "431",
        },
        Row { name: "headers that drip", sent: Sent::Dripped(b"GET / HTTP/1.1\r\nx: y".to_vec()), expected: "closed" },
        at_once("headers that stop", "closed", b"GET /api/health HTTP/1.1\r\nhost: x\r\n".to_vec()),
        at_once("silence", "closed", Vec::new()),
        at_once("silence after a request", "200", GET.as_bytes().to_vec()),
    ]
}
