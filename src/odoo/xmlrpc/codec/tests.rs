//! The reader beside the `xmlrpc` crate's own parser, and alone where that one is wrong or unsafe.

use std::{error::Error, io::Cursor};

use proptest::prelude::*;
use serde_json::json;

use super::*;

/// Hands a prepared answer to the crate's own parser.
struct Prepared<'a>(&'a [u8]);

impl<'a> xmlrpc::Transport for Prepared<'a> {
    type Stream = Cursor<&'a [u8]>;

    fn transmit(self, _: &Request<'_>) -> Result<Self::Stream, Box<dyn Error + Send + Sync>> {
        Ok(Cursor::new(self.0))
    }
}

fn oracle(body: &[u8]) -> Option<Response> {
    match Request::new("x").call(Prepared(body)) {
        Ok(value) => Some(Response::Value(value)),
        Err(error) => error.fault().map(|fault| {
            Response::Fault(Fault {
                code: FaultCode::Number(fault.fault_code.into()),
                text: fault.fault_string.clone(),
            })
        }),
    }
}

fn answer(content: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<methodResponse>\n<params><param>{content}</param></params></methodResponse>\n")
}

fn read_value(content: &str) -> Result<Value, ReadError> {
    match read_response(answer(content).as_bytes())? {
        Response::Value(value) => Ok(value),
        Response::Fault(fault) => panic!("a fault: {fault:?}"),
    }
}

/// What both parsers read alike: no carriage returns, and no strings of white space alone.
fn text() -> impl Strategy<Value = String> {
    prop_oneof!["[a-z<>&'\"\\] ]{0,12}", "[ -~\u{a0}-\u{2fff}\t\n🙂]{0,20}"]
        .prop_map(|text| if is_blank(&text) { String::new() } else { text })
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        any::<i32>().prop_map(Value::Int),
        any::<i64>().prop_map(Value::Int64),
        any::<bool>().prop_map(Value::Bool),
        any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Value::Double),
        prop::collection::vec(any::<u8>(), 0..40).prop_map(Value::Base64),
        text().prop_map(Value::String),
        Just(Value::Nil),
    ];
    leaf.prop_recursive(6, 60, 6, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..6).prop_map(Value::Array),
            prop::collection::btree_map(text().prop_filter("a name", |name| !name.is_empty()), inner, 0..6)
                .prop_map(Value::Struct),
        ]
    })
}

fn written(value: &Value) -> String {
    let mut text = Vec::new();
    value.write_as_xml(&mut text).expect("memory");
    answer(std::str::from_utf8(&text).expect("UTF-8"))
}

/// Strings of white space alone as the oracle reads them.
fn without_blanks(value: Value) -> Value {
    match value {
        Value::String(text) if is_blank(&text) => Value::String(String::new()),
        Value::Array(items) => Value::Array(items.into_iter().map(without_blanks).collect()),
        Value::Struct(fields) => {
            Value::Struct(fields.into_iter().map(|(name, value)| (name, without_blanks(value))).collect())
        }
        other => other,
    }
}

proptest! {
    #[test]
    fn reads_what_the_crate_writes_and_as_the_crate_reads_it(value in value()) {
        let body = written(&value);
        let read = read_response(body.as_bytes()).expect("a response");
        prop_assert_eq!(&read, &Response::Value(value));
        prop_assert_eq!(Some(read), oracle(body.as_bytes()));
    }

    #[test]
    fn damaged_answers_are_refused_or_read_alike(
        value in value(),
        place in any::<prop::sample::Index>(),
        length in 0_usize..12,
        insert in "[<>/&;a-z0-9 ]{0,6}",
    ) {
        let mut characters: Vec<char> = written(&value).chars().collect();
        let start = place.index(characters.len());
        let end = (start + length).min(characters.len());
        characters.splice(start..end, insert.chars());
        let body: String = characters.into_iter().collect();
        if let (Ok(Response::Value(ours)), Some(Response::Value(theirs))) =
            (read_response(body.as_bytes()), oracle(body.as_bytes()))
        {
            prop_assert_eq!(without_blanks(ours), without_blanks(theirs));
        }
    }

    #[test]
    fn garbage_is_an_error(body in prop::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(read_response(&body).is_err());
    }

    #[test]
    fn json_survives_the_way_through(value in json_value()) {
        let body = written(&from_json(&value));
        let Ok(Response::Value(read)) = read_response(body.as_bytes()) else { panic!("no value") };
        prop_assert_eq!(into_json(read), value);
    }
}

fn json_value() -> impl Strategy<Value = Json> {
    let leaf = prop_oneof![
        Just(Json::Null),
        any::<bool>().prop_map(Json::from),
        any::<i64>().prop_map(Json::from),
        (-1e9..1e9).prop_filter("not whole", |number: &f64| number.fract() != 0.0).prop_map(Json::from),
        "[ -~\u{600}-\u{6ff}\t\n]{0,20}".prop_map(Json::from),
    ];
    leaf.prop_recursive(5, 40, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Json::from),
            prop::collection::btree_map("[ -~]{0,8}", inner, 0..5)
                .prop_map(|fields| Json::Object(fields.into_iter().collect())),
        ]
    })
}

#[test]
fn reads_what_the_crate_cannot() {
    let string = |text: &str| Value::String(text.to_owned());
    for (content, expected) in [
        ("<value><string>  \n </string></value>", string("  \n ")),
        ("<value> \n</value>", string(" \n")),
        ("<value>\n <string>a</string>\n</value>", string("a")),
        ("<value/>", string("")),
        ("<value><string/></value>", string("")),
        ("<value>a\r\nb\rc</value>", string("a\nb\nc")),
        ("<value>a&#13;&#10;b&#x41;</value>", string("a\r\nbA")),
        ("<value><string>A &amp; B &lt;&gt;&quot;&apos;</string></value>", string("A & B <>\"'")),
        ("<value><![CDATA[<b>&amp;</b>]]> x<!-- y -->z</value>", string("<b>&amp;</b> xz")),
        ("<value><int> 5 </int></value>", Value::Int(5)),
        ("<value><int>5000000000</int></value>", Value::Int64(5_000_000_000)),
        ("<value><base64>aGVs\n bG8=\r\n</base64></value>", Value::Base64(b"hello".to_vec())),
        ("<value><dateTime.iso8601>20261121T10:00:00</dateTime.iso8601></value>", string("20261121T10:00:00")),
        ("<value><nil/></value>", Value::Nil),
        ("<value><nil></nil></value>", Value::Nil),
        ("<value>\u{8}</value>", string("\u{8}")),
        (
            "<value><struct><member><name></name><value><i4>1</i4></value></member></struct></value>",
            Value::Struct([(String::new(), Value::Int(1))].into()),
        ),
    ] {
        assert_eq!(read_value(content), Ok(expected), "{content}");
    }
}

#[test]
fn reads_faults_with_number_or_text() {
    let fault = |code: &str| {
        format!(
            "<methodResponse><fault><value><struct><member><name>faultCode</name><value>{code}</value></member>\
             <member><name>faultString</name><value><string>no</string></value></member></struct></value></fault>\
             </methodResponse>"
        )
    };
    for (code, expected) in [
        ("<int>3</int>", FaultCode::Number(3)),
        ("<i8>4</i8>", FaultCode::Number(4)),
        ("<string>AccessDenied</string>", FaultCode::Text("AccessDenied".to_owned())),
    ] {
        let expected = Response::Fault(Fault { code: expected, text: "no".to_owned() });
        assert_eq!(read_response(fault(code).as_bytes()), Ok(expected));
    }
    assert!(read_response(fault("<boolean>1</boolean>").as_bytes()).is_err());
}

#[test]
fn refuses_hostile_and_broken_answers() {
    let nested =
        |depth: usize| "<value><array><data>".repeat(depth) + "<value/>" + &"</data></array></value>".repeat(depth);
    assert!(read_value(&nested(MAX_DEPTH - 1)).is_ok());
    let bomb = "<!DOCTYPE x [<!ENTITY a \"ha\"><!ENTITY b \"&a;&a;\">]>".to_owned() + &answer("<value>&b;</value>");
    let whole = answer("<value><string>secret</string></value>");
    let cut = (1..whole.trim_end().len()).map(|end| whole[..end].to_owned());
    let broken = [
        nested(MAX_DEPTH),
        nested(20_000),
        "<value><array><data>".repeat(20_000),
        "<value>&b;</value>".to_owned(),
        "<value>&#0;</value>".to_owned(),
        "<value><int></int></value>".to_owned(),
        "<value><int>1.5</int></value>".to_owned(),
        "<value><boolean>2</boolean></value>".to_owned(),
        "<value><base64>!</base64></value>".to_owned(),
        "<value><array></array></value>".to_owned(),
        "<value><string>a</int></value>".to_owned(),
        "<value>a<int>1</int></value>".to_owned(),
        "<value><b>1</b></value>".to_owned(),
        "<value><param/></value>".to_owned(),
        "<value/><value/>".to_owned(),
        "".to_owned(),
    ]
    .map(|content| answer(&content));
    let pages = ["", "not XML", "<!DOCTYPE html><html><body>secret</body></html>", "<html>secret</html>", "{}"];
    for body in broken.into_iter().chain(cut).chain(pages.map(str::to_owned)).chain([bomb, whole.clone() + "<x/>"]) {
        let error = read_response(body.as_bytes()).expect_err(&body);
        assert!(!error.to_string().contains("secret"), "{error}");
    }
    assert!(read_response(b"<methodResponse>\xff</methodResponse>").is_err());
}

#[test]
fn requests_hold_nothing_that_xml_forbids() {
    let arguments =
        [json!({"a\u{1}": "b\u{0}\t\u{fffe}ü"}), json!(7), json!(5_000_000_000_i64), json!(0.5), json!(null)];
    let request = write_request("m", arguments.iter().map(from_json));
    let text = String::from_utf8(request).expect("UTF-8");
    for part in ["<name>a</name>", "<string>b\tü</string>", "<i4>7</i4>", "<i8>5000000000</i8>", "<nil/>"] {
        assert!(text.contains(part), "{part} in {text}");
    }
}
