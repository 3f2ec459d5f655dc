//! The bridge through the addon: each method carries JSON text both ways, whatever the transport.

use std::collections::HashMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use bytes::Bytes;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::{BridgeInfo, DatabaseState, Events, fields_of_all, missing_of};
use crate::{
    domain::{Attached, Attachment, JobReport, Model, OpResult, Page, Report, ReportAnswer, Spend, SpendAnswer},
    odoo::{Applied, Call, Client, FieldMap, OdooError, ReadyOperation, Rehearsed, client::unexpected, transport},
};

/// The only version of the protocol so far.
const PROTOCOL: u32 = 1;

/// Most operations that one call may carry.
const MAX_OPERATIONS: usize = 500;

/// Most rows of spend.
const MAX_SPEND: usize = 1_000;

/// Calls `g_assistant.bridge`.
#[derive(Debug)]
pub struct AddonBridge {
    pub(super) client: Client,
    pub(super) info: BridgeInfo,
    /// The database of the first answer: operations are for no other.
    database: Option<String>,
    pub(super) fields: HashMap<Model, FieldMap>,
    reports: bool,
    spend: bool,
    files: bool,
}

/// Whether the addon answers.
pub(super) enum Found {
    /// It does.
    Addon(Box<AddonBridge>),
    /// The database has no such model.
    Nothing(Client),
}

#[derive(Deserialize)]
struct Hello {
    protocol: u32,
    addon: String,
    database: Option<String>,
    neutralized: bool,
    pending_events: u64,
    phonenumbers: bool,
    /// Older addons take no reports.
    #[serde(default)]
    reports: bool,
    /// Nor what campaigns cost.
    #[serde(default)]
    spend: bool,
    /// Nor files of messages.
    #[serde(default)]
    files: bool,
    fields: HashMap<Model, Vec<String>>,
}

/// What is answered to a call that is meant for another database.
#[derive(Deserialize)]
struct WrongDatabase {
    wrong_database: Value,
}

impl AddonBridge {
    /// Looks for the addon.
    pub(super) async fn find(client: Client) -> Result<Found, OdooError> {
        let hello = match hello(&client).await {
            Ok(hello) => hello,
            // An unknown model is a `UserError` to XML-RPC. The addon itself raises none here.
            Err(OdooError::Refused { kind, .. }) if kind == "Fault 2" || kind == "NotFound" => {
                return Ok(Found::Nothing(client));
            }
            Err(OdooError::Access { message }) => {
                let hint = "add the user to the group G-Assistant daemon, or set odoo.addon = \"off\"";
                return Err(OdooError::Access { message: format!("{message} ({hint})") });
            }
            Err(error) => return Err(error),
        };
        if hello.protocol != PROTOCOL {
            let message = format!(
                "the addon speaks protocol {}, this daemon speaks {PROTOCOL}; update the older of the two",
                hello.protocol
            );
            return Err(OdooError::Refused { kind: "Protocol".to_owned(), message });
        }
        let fields = fields_of_all(&client).await?;
        let (reports, spend, files) = (hello.reports, hello.spend, hello.files);
        let info = BridgeInfo {
            addon: Some(hello.addon),
            pending_events: Some(hello.pending_events),
            phonenumbers: Some(hello.phonenumbers),
            fields: hello.fields,
            missing: missing_of(&fields),
        };
        Ok(Found::Addon(Box::new(Self { client, info, database: hello.database, fields, reports, spend, files })))
    }

    pub(super) async fn apply(&self, operations: &[ReadyOperation]) -> Result<Vec<Applied>, OdooError> {
        let mut applied = Vec::with_capacity(operations.len());
        for batch in operations.chunks(MAX_OPERATIONS) {
            let fitted: Vec<ReadyOperation> = batch.iter().map(|operation| self.fit(operation)).collect();
            let call = bridge_call("apply").arg("ops", json!(fitted).to_string());
            let results: Vec<OpResult> = self.answer_of_ours(call).await?;
            if results.len() != batch.len() {
                return Err(unexpected("apply"));
            }
            applied.extend(results.into_iter().map(|result| Applied { result, written: None }));
        }
        Ok(applied)
    }

    pub(super) async fn rehearse(&self, operation: &ReadyOperation) -> Result<Rehearsed, OdooError> {
        let call = bridge_call("rehearse").arg("ops", json!([self.fit(operation)]).to_string());
        let [rehearsed] = self.answer_of_ours(call).await?;
        Ok(rehearsed)
    }

    fn fit(&self, operation: &ReadyOperation) -> ReadyOperation {
        let mut operation = operation.clone();
        if let Some(fields) = self.fields.get(&operation.model) {
            fields.fit(&mut operation.values);
        }
        operation
    }

    pub(super) async fn pull(&self, model: Model, after_id: i64, limit: u32) -> Result<Page, OdooError> {
        let call = bridge_call("pull").arg("model", model.as_str()).arg("after_id", after_id).arg("limit", limit);
        answer(&self.client, call).await
    }

    pub(super) async fn guard(&self) -> Result<DatabaseState, OdooError> {
        let hello = hello(&self.client).await?;
        Ok(DatabaseState { uuid: hello.database, neutralized: Some(hello.neutralized) })
    }

    /// The oldest undelivered events.
    pub async fn events(&self, limit: u32) -> Result<Events, OdooError> {
        self.answer_of_ours(bridge_call("events").arg("limit", limit)).await
    }

    /// Marks events as delivered; returns how many were.
    pub async fn ack(&self, ids: &[String]) -> Result<u64, OdooError> {
        #[derive(Deserialize)]
        struct Acked {
            acked: u64,
        }
        let acked: Acked = self.answer_of_ours(bridge_call("ack").arg("uuids", ids)).await?;
        Ok(acked.acked)
    }

    /// Whether this addon wants to know how the daemon is.
    pub fn takes_reports(&self) -> bool {
        self.reports
    }

    /// Tells how the daemon is; returns what people want of it.
    pub async fn report(&self, report: &Report) -> Result<ReportAnswer, OdooError> {
        self.answer_of_ours(bridge_call("report").arg("report", json!(report).to_string())).await
    }

    /// Whether this addon keeps what campaigns cost.
    pub fn takes_spend(&self) -> bool {
        self.spend
    }

    /// Tells what campaigns cost; what became of each, in order.
    pub async fn spend(&self, rows: &[Spend]) -> Result<Vec<SpendAnswer>, OdooError> {
        let mut answers = Vec::with_capacity(rows.len());
        for some in rows.chunks(MAX_SPEND) {
            let call = bridge_call("spend").arg("rows", json!(some).to_string());
            answers.extend(self.answer_of_ours::<Vec<SpendAnswer>>(call).await?);
        }
        Ok(answers)
    }

    /// Whether this addon takes files of messages.
    pub(super) fn takes_files(&self) -> bool {
        self.files
    }

    /// Attaches a file to its message, or notes there why it is missing.
    pub(super) async fn attach(&self, file: &Attachment, bytes: Vec<u8>) -> Result<Attached, OdooError> {
        #[derive(Deserialize)]
        struct Answer {
            status: Attached,
        }
        let data = BASE64_STANDARD.encode(&bytes);
        drop(bytes);
        let call = bridge_call("attach").arg("file", json!(file).to_string()).arg("data", data);
        let answer: Answer = self.answer_of_ours(call).await?;
        Ok(answer.status)
    }

    /// Tells how jobs stand.
    pub async fn operations(&self, daemon: &str, jobs: &[JobReport]) -> Result<(), OdooError> {
        #[derive(Deserialize)]
        struct Kept {
            #[serde(rename = "kept")]
            _kept: u64,
        }
        let call = bridge_call("operations").arg("daemon", daemon).arg("jobs", json!(jobs).to_string());
        self.answer_of_ours::<Kept>(call).await?;
        Ok(())
    }

    /// Calls for nothing but the database that this bridge was opened to.
    async fn answer_of_ours<T: DeserializeOwned + Send + 'static>(&self, call: Call) -> Result<T, OdooError> {
        let database = self.database.clone().map_or(Value::Bool(false), Value::String);
        transport::read(text_of(&self.client, call.arg("database", database)).await?, parse_of_ours).await
    }
}

async fn hello(client: &Client) -> Result<Hello, OdooError> {
    answer(client, bridge_call("hello")).await
}

fn bridge_call(method: &str) -> Call {
    Call::new("g_assistant.bridge", method)
}

async fn answer<T: DeserializeOwned + Send + 'static>(client: &Client, call: Call) -> Result<T, OdooError> {
    transport::read(text_of(client, call).await?, parse).await
}

async fn text_of(client: &Client, call: Call) -> Result<Bytes, OdooError> {
    let method = call.method.clone();
    let Value::String(text) = client.call(call).await? else { return Err(unexpected(&method)) };
    Ok(text.into())
}

/// The same, where another database may have answered.
fn parse_of_ours<T: DeserializeOwned>(text: &[u8]) -> Result<T, OdooError> {
    parse(text).map_err(|error| match parse::<WrongDatabase>(text) {
        Ok(WrongDatabase { wrong_database }) => {
            OdooError::WrongDatabase { found: wrong_database.as_str().unwrap_or_default().to_owned() }
        }
        Err(_) => error,
    })
}

/// The error says where, and not what: answers hold personal data.
fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, OdooError> {
    serde_json::from_slice(text).map_err(|error| OdooError::Garbled {
        detail: format!("the addon's JSON is not as expected (line {}, column {})", error.line(), error.column()),
    })
}

#[cfg(test)]
mod tests {
    use serde_json::Map;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{method, path},
    };

    use super::*;
    use crate::{
        config::{AddonChoice, TransportChoice},
        domain::{Action, OpStatus},
        odoo::{
            Bridge, Class,
            tests::{connect, json_answer, json2_server, mount_json},
            xmlid_for,
        },
    };

    async fn server(hello: ResponseTemplate) -> MockServer {
        let server = json2_server().await;
        Mock::given(method("POST"))
            .and(path("/json/2/g_assistant.bridge/hello"))
            .respond_with(hello)
            .mount(&server)
            .await;
        for model in ["crm.lead", "sale.order", "res.partner"] {
            let fields = json!({"id": {"type": "integer"}, "description": {"type": "html"}});
            mount_json(&server, &format!("{model}/fields_get"), fields).await;
            mount_json(&server, &format!("{model}/search_count"), json!(0)).await;
        }
        server
    }

    fn hello(protocol: u32) -> ResponseTemplate {
        let hello = json!({
            "protocol": protocol, "addon": "1.2.3", "series": "19.0", "database": "u-u-i-d", "neutralized": true,
            "time": "2026-11-21 10:00:00", "pending_events": 4, "phonenumbers": false,
            "fields": {"crm.lead": ["id", "name"], "sale.order": ["id"]},
        });
        json_answer(200, json!(hello.to_string()))
    }

    async fn open(server: &MockServer, choice: AddonChoice) -> Result<Bridge, OdooError> {
        Bridge::open(connect(server, TransportChoice::Json2).await?, choice).await
    }

    async fn answer_with(server: &MockServer, method: &str, answer: Value) {
        mount_json(server, &format!("g_assistant.bridge/{method}"), json!(answer.to_string())).await;
    }

    #[tokio::test]
    async fn says_what_the_addon_says_of_itself() {
        let bridge = open(&server(hello(1)).await, AddonChoice::Required).await.expect("a bridge");
        let info = bridge.info();
        assert_eq!((info.addon.as_deref(), info.pending_events), (Some("1.2.3"), Some(4)));
        assert_eq!(info.fields[&Model::Lead], ["id", "name"]);
        let state = DatabaseState { uuid: Some("u-u-i-d".to_owned()), neutralized: Some(true) };
        assert_eq!(bridge.guard().await, Ok(state));
    }

    #[tokio::test]
    async fn tells_an_absent_addon_from_a_closed_or_newer_one() {
        let exception = |status, name: &str| json_answer(status, json!({"name": name, "message": "no"}));
        let absent = || exception(404, "werkzeug.exceptions.NotFound");
        let bridge = open(&server(absent()).await, AddonChoice::Auto).await.expect("a bridge");
        assert!(matches!(bridge, Bridge::Plain(_)));
        for (hello, choice, class, words) in [
            (absent(), AddonChoice::Required, Class::Permanent, "is not installed"),
            (exception(403, "odoo.exceptions.AccessError"), AddonChoice::Auto, Class::Permanent, "add the user to"),
            (hello(2), AddonChoice::Auto, Class::Permanent, "speaks protocol 2"),
            (exception(500, "builtins.KeyError"), AddonChoice::Auto, Class::Permanent, "KeyError"),
            (ResponseTemplate::new(503), AddonChoice::Auto, Class::Temporary, "503"),
        ] {
            let error = open(&server(hello).await, choice).await.expect_err(words);
            assert_eq!(error.class(), class, "{error}");
            assert!(error.to_string().contains(words), "{error}");
        }
    }

    #[tokio::test]
    async fn carries_operations_as_json_text() {
        let server = server(hello(1)).await;
        let result = json!({"key": "k", "status": "created", "id": 5, "model": "crm.lead", "kept": [], "error": null});
        answer_with(&server, "apply", json!([result])).await;
        let operation = ReadyOperation {
            key: "k".to_owned(),
            model: Model::Lead,
            action: Action::Upsert,
            reference: "web:1".to_owned(),
            id: None,
            xmlid: xmlid_for(Model::Lead, "web:1"),
            values: Map::from_iter([("description".to_owned(), json!("a < b"))]),
            base: None,
            owned: vec!["phone".to_owned()],
            create_only: Vec::new(),
            silent: true,
            matching: None,
            message: None,
            mark: None,
            profile: None,
            owner: None,
            flags: None,
            bound_id: Some(9),
        };
        let bridge = open(&server, AddonChoice::Auto).await.expect("a bridge");
        let applied = bridge.apply(&[operation]).await.expect("results");
        assert_eq!((applied[0].result.status, applied[0].result.id), (OpStatus::Created, Some(5)));
        assert_eq!(applied[0].written, None);
        let requests = server.received_requests().await.expect("recorded");
        let sent: Value = requests.last().expect("a request").body_json().expect("JSON");
        let ops: Value = serde_json::from_str(sent["ops"].as_str().expect("text")).expect("JSON");
        let expected = json!([{
            "key": "k", "model": "crm.lead", "action": "upsert", "ref": "web:1",
            "xmlid": "__gassist__.crm_lead_8724d338e126049234c1d85057d87a9e",
            "values": {"description": "<p>a &lt; b</p>"}, "owned": ["phone"], "silent": true,
        }]);
        assert_eq!(ops, expected);
    }

    #[tokio::test]
    async fn reads_pages_and_events_and_quotes_none_of_them() {
        let server = server(hello(1)).await;
        let page = json!({"records": [{"id": 1}], "names": {"crm.stage": {"1": "New"}}, "next": null, "total": 1});
        answer_with(&server, "pull", page).await;
        answer_with(&server, "ack", json!({"acked": 2})).await;
        answer_with(&server, "events", json!({"events": [{"id": "hidden"}], "pending": 1})).await;
        let Bridge::Addon(bridge) = open(&server, AddonChoice::Auto).await.expect("a bridge") else {
            panic!("the addon was not found");
        };
        assert!(!bridge.takes_reports(), "an addon that does not say so is older");
        let page = bridge.pull(Model::Lead, 0, 10).await.expect("a page");
        assert_eq!((page.records[0].id, page.names["crm.stage"][&1].as_str(), page.total), (1, "New", Some(1)));
        assert_eq!(bridge.ack(&["a".to_owned(), "b".to_owned()]).await, Ok(2));
        let error = bridge.events(10).await.expect_err("half an event");
        assert!(matches!(&error, OdooError::Garbled { detail } if !detail.contains("hidden")), "{error}");
    }

    #[tokio::test]
    async fn events_are_those_of_its_own_database() {
        let server = server(hello(1)).await;
        for method in ["events", "ack", "apply", "report", "operations"] {
            answer_with(&server, method, json!({"wrong_database": "d-2", "neutralized": false})).await;
        }
        let Bridge::Addon(bridge) = open(&server, AddonChoice::Auto).await.expect("a bridge") else {
            panic!("the addon was not found");
        };
        let refused = OdooError::WrongDatabase { found: "d-2".to_owned() };
        assert_eq!(bridge.events(10).await, Err(refused.clone()));
        assert_eq!(bridge.ack(&["a".to_owned()]).await, Err(refused.clone()));
        assert_eq!(bridge.report(&Report::default()).await, Err(refused.clone()));
        assert_eq!(bridge.operations("d", &[]).await, Err(refused.clone()));
        let requests = server.received_requests().await.expect("recorded");
        let sent: Value = requests.last().expect("a request").body_json().expect("JSON");
        assert_eq!(sent["database"], "u-u-i-d");
    }
}
