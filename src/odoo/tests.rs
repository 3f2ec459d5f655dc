//! Client and transports against a scripted server: every class of failure, and what is sent.

use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
};
use wiremock::{
    Mock, MockServer, ResponseTemplate,
    matchers::{body_string_contains, header, method, path},
};

use super::{Call, Class, Client, OdooError, transport::Server};
use crate::{
    config::{AddonChoice, Odoo, TransportChoice},
    secret::SecretRef,
};

pub(crate) fn config(url: &str, transport: TransportChoice) -> Odoo {
    Odoo {
        url: url.parse().expect("a URL"),
        database: "shop".to_owned(),
        login: "daemon".to_owned(),
        secret: SecretRef::Env("UNUSED".to_owned()),
        transport,
        addon: AddonChoice::Auto,
        timeout: Duration::from_secs(5),
        batch: 200,
        company: None,
        owned_lead_fields: Vec::new(),
        owned_order_fields: Vec::new(),
    }
}

async fn mount(server: &MockServer, at: &str, contains: &str, answer: ResponseTemplate) {
    Mock::given(method("POST"))
        .and(path(at))
        .and(body_string_contains(contains))
        .respond_with(answer)
        .mount(server)
        .await;
}

fn xml(value: &str) -> ResponseTemplate {
    let body = format!("<methodResponse><params><param>{value}</param></params></methodResponse>");
    ResponseTemplate::new(200).set_body_raw(body, "text/xml")
}

fn fault(code: i64, text: &str) -> ResponseTemplate {
    let body = format!(
        "<methodResponse><fault><value><struct><member><name>faultCode</name><value><int>{code}</int></value></member>\
         <member><name>faultString</name><value><string>{text}</string></value></member></struct></value></fault>\
         </methodResponse>"
    );
    ResponseTemplate::new(200).set_body_raw(body, "text/xml")
}

fn version(major: &str) -> ResponseTemplate {
    xml(&format!(
        "<value><struct><member><name>server_version</name><value>{major}.0-2026</value></member><member>\
         <name>server_version_info</name><value><array><data><value><int>{major}</int></value><value><int>0</int></value>\
         </data></array></value></member></struct></value>"
    ))
}

/// An Odoo that lets `daemon` in by XML-RPC.
async fn xmlrpc_server(major: &str) -> MockServer {
    let server = MockServer::start().await;
    mount(&server, "/xmlrpc/2/common", "<methodName>version<", version(major)).await;
    mount(&server, "/xmlrpc/2/common", "<string>daemon</string>", xml("<value><int>7</int></value>")).await;
    server
}

/// An Odoo without XML-RPC, that lets `daemon` in with the key `key`.
pub(crate) async fn json2_server() -> MockServer {
    let server = MockServer::start().await;
    Mock::given(method("GET"))
        .and(path("/web/version"))
        .respond_with(json_answer(200, json!({"version_info": [22, 0, 0, "final", 0, ""], "version": "22.0"})))
        .mount(&server)
        .await;
    mount_json(&server, "res.users/context_get", json!({"lang": "ar_001", "tz": false, "uid": 7})).await;
    mount_json(&server, "res.users/read", json!([{"id": 7, "login": "daemon", "company_id": [1, "Shop"]}])).await;
    server
}

pub(crate) fn json_answer(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).set_body_json(body)
}

pub(crate) async fn mount_json(server: &MockServer, at: &str, body: Value) {
    Mock::given(method("POST"))
        .and(path(format!("/json/2/{at}")))
        .and(header("authorization", "bearer key"))
        .and(header("x-odoo-database", "shop"))
        .respond_with(json_answer(200, body))
        .mount(server)
        .await;
}

pub(crate) async fn connect(server: &MockServer, transport: TransportChoice) -> Result<Client, OdooError> {
    Client::connect(&config(&server.uri(), transport), SecretString::from("key")).await
}

fn ping() -> Call {
    Call::new("res.users", "ping")
}

async fn last_body(server: &MockServer) -> String {
    let requests = server.received_requests().await.expect("recorded");
    String::from_utf8(requests.last().expect("a request").body.clone()).expect("UTF-8")
}

#[tokio::test]
async fn xmlrpc_answers_are_told_apart() {
    let page = || ResponseTemplate::new(200).set_body_raw("<!DOCTYPE html><html>hidden</html>", "text/html");
    let traceback = |end: &str| fault(1, &format!("Traceback (most recent call last):\n  File \"x\", line 1\n{end}"));
    let refused = |kind: &str, message: &str| OdooError::Refused { kind: kind.into(), message: message.into() };
    for (answer, expected) in [
        (xml("<value><int>5</int></value>"), Ok(json!(5))),
        (traceback("TypeError: cannot marshal None unless allow_none is enabled"), Ok(json!(null))),
        (traceback("KeyError: 'x'"), Err(refused("KeyError", "'x'"))),
        (traceback("psycopg2.errors.SerializationFailure: x"), Err(OdooError::Conflict { message: "x".into() })),
        (fault(2, "no"), Err(refused("Fault 2", "no"))),
        (fault(3, "no"), Err(OdooError::Denied { detail: "no".into() })),
        (fault(4, "no"), Err(OdooError::Access { message: "no".into() })),
        (
            ResponseTemplate::new(429).insert_header("retry-after", "7"),
            Err(OdooError::Busy { status: 429, retry_after: Some(Duration::from_secs(7)) }),
        ),
        (ResponseTemplate::new(503), Err(OdooError::Busy { status: 503, retry_after: None })),
        (ResponseTemplate::new(413), Err(OdooError::TooLarge)),
        (ResponseTemplate::new(500), Err(OdooError::Garbled { detail: "HTTP 500".into() })),
    ] {
        let server = xmlrpc_server("18").await;
        let client = connect(&server, TransportChoice::Auto).await.expect("a login");
        mount(&server, "/xmlrpc/2/object", "ping", answer).await;
        assert_eq!(client.call(ping()).await, expected);
    }
    for (answer, class, words) in [
        (ResponseTemplate::new(401), Class::Denied, "proxy"),
        (ResponseTemplate::new(403), Class::Permanent, "proxy"),
        (ResponseTemplate::new(404), Class::Temporary, "there is no /xmlrpc/2/object"),
        (
            ResponseTemplate::new(308).insert_header("location", "https://u:p@odoo.example/x?y"),
            Class::Temporary,
            "redirects to https://odoo.example/x;",
        ),
        (page(), Class::Ambiguous, "document type"),
        (ResponseTemplate::new(200).set_body_string("<methodResponse><params>"), Class::Ambiguous, "too early"),
    ] {
        let server = xmlrpc_server("18").await;
        let client = connect(&server, TransportChoice::Xmlrpc).await.expect("a login");
        mount(&server, "/xmlrpc/2/object", "ping", answer).await;
        let error = client.call(ping()).await.expect_err(words);
        assert_eq!(error.class(), class, "{error}");
        assert!(error.to_string().contains(words) && !error.to_string().contains("hidden"), "{error}");
    }
}

#[tokio::test]
async fn json2_answers_are_told_apart() {
    let exception = |status, name: &str| {
        json_answer(status, json!({"name": name, "message": "no", "arguments": ["no"], "context": {}, "debug": "x"}))
    };
    let refused = |kind: &str| OdooError::Refused { kind: kind.into(), message: "no".into() };
    let garbled = |detail: &str| OdooError::Garbled { detail: detail.into() };
    for (answer, expected) in [
        (json_answer(200, json!({"a": [1, null]})), Ok(json!({"a": [1, null]}))),
        (json_answer(200, json!(null)), Ok(json!(null))),
        (exception(401, "werkzeug.exceptions.Unauthorized"), Err(OdooError::Denied { detail: "no".into() })),
        (exception(403, "odoo.exceptions.AccessError"), Err(OdooError::Access { message: "no".into() })),
        (exception(403, "odoo.exceptions.AccessDenied"), Err(OdooError::Denied { detail: "no".into() })),
        (exception(404, "odoo.exceptions.MissingError"), Err(refused("MissingError"))),
        (exception(404, "werkzeug.exceptions.NotFound"), Err(refused("NotFound"))),
        (exception(422, "odoo.exceptions.ValidationError"), Err(refused("ValidationError"))),
        (exception(500, "builtins.ValueError"), Err(refused("ValueError"))),
        (exception(500, "psycopg2.errors.LockNotAvailable"), Err(OdooError::Conflict { message: "no".into() })),
        (ResponseTemplate::new(502), Err(OdooError::Busy { status: 502, retry_after: None })),
        (ResponseTemplate::new(500).set_body_string("<html>"), Err(garbled("HTTP 500"))),
        (ResponseTemplate::new(200).set_body_string("<html>"), Err(garbled("it is not JSON"))),
    ] {
        let server = json2_server().await;
        let client = connect(&server, TransportChoice::Auto).await.expect("a login");
        mount(&server, "/json/2/res.users/ping", "", answer).await;
        assert_eq!(client.call(ping()).await, expected);
    }
}

#[tokio::test]
async fn picks_the_transport_that_works() {
    let server = json2_server().await;
    let client = connect(&server, TransportChoice::Auto).await.expect("a login");
    assert_eq!((client.info().transport, client.info().uid, client.info().series.major), ("json2", 7, 22));

    // A password instead of a key.
    let server = xmlrpc_server("19").await;
    let denied = json!({"name": "werkzeug.exceptions.Unauthorized", "message": "Invalid apikey"});
    mount(&server, "/json/2/res.users/context_get", "", json_answer(401, denied)).await;
    let client = connect(&server, TransportChoice::Auto).await.expect("a login");
    assert_eq!(client.info().transport, "xmlrpc");
    let error = connect(&server, TransportChoice::Json2).await.expect_err("a password");
    assert_eq!(error.class(), Class::Denied);
    assert!(error.to_string().contains("API key"), "{error}");

    // Nothing is mounted at `/json/2`: that is how a server answers for a database that it does not have.
    let error = connect(&xmlrpc_server("19").await, TransportChoice::Json2).await.expect_err("no database");
    assert_eq!(error.class(), Class::Denied);
    assert!(error.to_string().contains("no database \"shop\""), "{error}");

    let server = xmlrpc_server("18").await;
    let error = connect(&server, TransportChoice::Json2).await.expect_err("too old");
    assert!(error.to_string().contains("needs Odoo 19 or later, and this is 18.0"), "{error}");
}

#[tokio::test]
async fn refuses_a_wrong_login_and_a_stranger_s_key() {
    let server = MockServer::start().await;
    mount(&server, "/xmlrpc/2/common", "<methodName>version<", version("17")).await;
    mount(&server, "/xmlrpc/2/common", "authenticate", xml("<value><boolean>0</boolean></value>")).await;
    let error = connect(&server, TransportChoice::Auto).await.expect_err("wrong");
    assert_eq!(error.class(), Class::Denied);
    assert!(!error.to_string().contains("key"), "{error}");

    let server = json2_server().await;
    let config = Odoo { login: "other".to_owned(), ..config(&server.uri(), TransportChoice::Json2) };
    let error = Client::connect(&config, SecretString::from("key")).await.expect_err("a stranger's key");
    assert_eq!(error.class(), Class::Denied);
}

#[tokio::test]
async fn calls_carry_context_and_arguments() {
    let server = json2_server().await;
    let config = Odoo { company: Some(3), ..config(&server.uri(), TransportChoice::Auto) };
    let client = Client::connect(&config, SecretString::from("key")).await.expect("a login");
    mount_json(&server, "crm.lead/write", json!(true)).await;
    let call = Call::new("crm.lead", "write").on([1, 2]).arg("vals", json!({"name": "x"})).context("lang", "ar_001");
    client.call(call.clone()).await.expect("an answer");
    let sent: Value = serde_json::from_str(&last_body(&server).await).expect("JSON");
    let expected = json!({
        "ids": [1, 2], "vals": {"name": "x"},
        "context": {"lang": "ar_001", "tz": "UTC", "allowed_company_ids": [3]},
    });
    assert_eq!(sent, expected);

    let server = xmlrpc_server("18").await;
    let client = connect(&server, TransportChoice::Auto).await.expect("a login");
    mount(&server, "/xmlrpc/2/object", "execute_kw", xml("<value><boolean>1</boolean></value>")).await;
    client.call(call).await.expect("an answer");
    let sent = last_body(&server).await.replace('\n', "");
    let positions = "<array><data><value><array><data><value><i4>1</i4></value><value><i4>2</i4></value></data></array>\
        </value><value><struct><member><name>name</name><value><string>x</string></value></member></struct></value>\
        </data></array>";
    assert!(sent.contains(positions), "{sent}");
    assert!(sent.contains("<name>context</name>") && !sent.contains("vals"), "{sent}");
}

/// Odoo 14 calls the domain of `search_count` `args`.
#[tokio::test]
async fn a_count_does_not_name_its_domain_over_xmlrpc() {
    let server = xmlrpc_server("14").await;
    let client = connect(&server, TransportChoice::Auto).await.expect("a login");
    mount(&server, "/xmlrpc/2/object", "search_count", xml("<value><int>3</int></value>")).await;
    assert_eq!(client.search_count("crm.lead", json!([["id", ">", 5]])).await.expect("a number"), 3);
    let sent = last_body(&server).await;
    assert!(!sent.contains("domain") && sent.contains("<string>&gt;</string>"), "{sent}");
}

#[tokio::test]
async fn a_silent_server_is_ambiguous_and_an_absent_one_is_not() {
    let server = xmlrpc_server("18").await;
    let client = connect(&server, TransportChoice::Auto).await.expect("a login");
    mount(&server, "/xmlrpc/2/object", "", xml("<value/>").set_delay(Duration::from_secs(3))).await;
    let error = client.call(ping().timeout(Duration::from_millis(50))).await.expect_err("silence");
    assert_eq!(error, OdooError::NoAnswer { detail: "it took too long".to_owned() });

    let free = TcpListener::bind("127.0.0.1:0").await.expect("a port").local_addr().expect("its address");
    let config = config(&format!("http://user:pw@{free}"), TransportChoice::Auto);
    let error = Client::connect(&config, SecretString::from("key")).await.expect_err("nobody");
    assert!(matches!(error, OdooError::Unreachable { .. }), "{error}");
    assert!(!error.to_string().contains("pw"), "{error}");
}

/// Answers one request with these bytes and hangs up.
async fn raw_server(answer: Vec<u8>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its address");
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let mut request = [0; 4096];
        let _ = stream.read(&mut request).await;
        let _ = stream.write_all(&answer).await;
    });
    format!("http://{address}/")
}

#[tokio::test]
async fn a_broken_connection_is_ambiguous() {
    for answer in ["", "HTTP/1.1 200 OK\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n<methodResponse>"] {
        let url = raw_server(answer.into()).await.parse().expect("a URL");
        let server = Server::new(&url, Duration::from_secs(5)).expect("a client");
        let error = server.get("x").await.expect_err("broken");
        assert!(matches!(error, OdooError::NoAnswer { .. }), "{error}");
    }
}

#[tokio::test]
async fn an_answer_may_not_be_larger_than_the_limit() {
    let body = "x".repeat(2000);
    for head in ["Connection: close", "Content-Length: 2000"] {
        let url = raw_server(format!("HTTP/1.1 200 OK\r\n{head}\r\n\r\n{body}").into()).await;
        let url = url.parse().expect("a URL");
        let server = Server::new(&url, Duration::from_secs(5)).expect("a client").with_max_answer(1999);
        let error = server.get("x").await.expect_err(head);
        assert!(matches!(error, OdooError::Garbled { .. }), "{error}");
    }
}
