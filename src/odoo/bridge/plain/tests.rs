//! The addon-less bridge against a scripted Odoo that speaks `/json/2`, and its pure parts.

use std::sync::atomic::AtomicUsize;

use serde_json::{Map, Value, json};
use wiremock::{
    Mock, MockServer, Request, ResponseTemplate,
    matchers::{method, path},
};

use super::*;
use crate::{
    config::{AddonChoice, TransportChoice},
    odoo::{
        Bridge,
        tests::{connect, json_answer, json2_server, mount_json},
        xmlid_for,
    },
};

fn operation(model: Model, action: Action, reference: &str, values: Value) -> ReadyOperation {
    ReadyOperation {
        key: format!("{reference}/{action:?}"),
        model,
        action,
        reference: reference.to_owned(),
        id: None,
        xmlid: xmlid_for(model, reference),
        values: serde_json::from_value(values).expect("an object"),
        base: None,
        owned: Vec::new(),
        create_only: Vec::new(),
        silent: false,
        matching: None,
        message: None,
        mark: None,
        profile: None,
        owner: None,
        flags: None,
        bound_id: None,
    }
}

fn bound(mut operation: ReadyOperation, id: i64, base: Value) -> ReadyOperation {
    operation.bound_id = Some(id);
    operation.base = serde_json::from_value(base).expect("an object");
    operation
}

/// An Odoo with a few fields, whose user may not see external ids.
async fn server() -> MockServer {
    let server = json2_server().await;
    let text = |label: &str| json!({"type": "char", "string": label});
    let lead = json!({
        "id": {"type": "integer"}, "name": text("Opportunity"), "phone": text("Phone"),
        "description": {"type": "html"}, "stage_id": {"type": "many2one", "relation": "crm.stage"},
        "tag_ids": {"type": "many2many", "relation": "crm.tag"}, "write_date": {"type": "datetime"},
    });
    let order = json!({
        "id": {"type": "integer"}, "state": {"type": "selection"}, "client_order_ref": text("Reference"),
        "partner_id": {"type": "many2one", "relation": "res.partner"},
        "order_line": {"type": "one2many", "relation": "sale.order.line"},
    });
    mount_json(&server, "crm.lead/fields_get", lead).await;
    mount_json(&server, "sale.order/fields_get", order).await;
    mount_json(&server, "res.partner/fields_get", json!({"id": {"type": "integer"}, "name": text("Name")})).await;
    mount_json(&server, "crm.lead/search_count", json!(3)).await;
    mount_json(&server, "sale.order/search_count", json!(0)).await;
    respond(&server, "ir.model.data/search_read", |_| {
        json_answer(403, json!({"name": "odoo.exceptions.AccessError", "message": "no"}))
    })
    .await;
    server
}

async fn respond(server: &MockServer, at: &str, answer: impl Fn(Value) -> ResponseTemplate + Send + Sync + 'static) {
    Mock::given(method("POST"))
        .and(path(format!("/json/2/{at}")))
        .respond_with(move |request: &Request| answer(request.body_json().expect("JSON")))
        .mount(server)
        .await;
}

async fn open(server: &MockServer) -> Bridge {
    let client = connect(server, TransportChoice::Json2).await.expect("a login");
    Bridge::open(client, AddonChoice::Off).await.expect("a bridge")
}

async fn calls(server: &MockServer, at: &str) -> Vec<Value> {
    let requests = server.received_requests().await.expect("recorded");
    let wanted = requests.iter().filter(|request| request.url.path() == format!("/json/2/{at}"));
    wanted.map(|request| request.body_json().expect("JSON")).collect()
}

/// `load` as Odoo does it: rows with a bad name are refused, the first row is blamed for the batch, nothing is kept.
fn load(request: Value, next_id: &AtomicUsize) -> ResponseTemplate {
    let names = request["fields"].as_array().expect("columns").iter().position(|column| column == "name");
    let rows = request["data"].as_array().expect("rows");
    let bad = |row: &Value| row[names.expect("a name")].as_str().is_some_and(|name| name.starts_with("bad"));
    let message = |row: usize| json!({"type": "error", "message": "bad name", "rows": {"from": row, "to": row}});
    let mut messages: Vec<Value> = (0..rows.len()).filter(|&row| bad(&rows[row])).map(message).collect();
    if messages.is_empty() {
        let ids: Vec<usize> = rows.iter().map(|_| next_id.fetch_add(1, Ordering::Relaxed)).collect();
        return json_answer(200, json!({"ids": ids, "messages": [{"type": "warning", "message": "x"}]}));
    }
    messages.insert(0, message(0));
    json_answer(200, json!({"ids": false, "messages": messages}))
}

fn statuses(applied: &[Applied]) -> Vec<OpStatus> {
    applied.iter().map(|applied| applied.result.status).collect()
}

#[tokio::test]
async fn refused_rows_stand_alone_and_the_others_are_created() {
    let server = server().await;
    let next_id = AtomicUsize::new(1);
    respond(&server, "crm.lead/load", move |request| load(request, &next_id)).await;
    respond(&server, "crm.lead/read", |request| {
        let record =
            |id: &Value| json!({"id": id, "name": "x", "stage_id": [1, "New"], "write_date": "2026-01-01 00:00:00"});
        json_answer(200, request["ids"].as_array().expect("ids").iter().map(record).collect())
    })
    .await;
    let operations: Vec<_> = (0..20)
        .map(|index| {
            let name = if matches!(index, 3 | 11) { "bad" } else { "good" };
            operation(Model::Lead, Action::Upsert, &format!("web:{index}"), json!({"name": name, "phone": null}))
        })
        .collect();
    let applied = open(&server).await.apply(&operations).await.expect("results");
    for (index, applied) in applied.iter().enumerate() {
        let bad = matches!(index, 3 | 11);
        assert_eq!(applied.result.status, if bad { OpStatus::Refused } else { OpStatus::Created }, "{index}");
        assert_eq!(applied.result.error.is_some(), bad);
    }
    let written = applied[0].written.as_ref().expect("what Odoo holds");
    assert_eq!(Value::Object(written.clone()), json!({"name": "x", "stage_id": 1}));
    // All, the rest, and each of the three that were blamed.
    let calls = calls(&server, "crm.lead/load").await;
    assert_eq!(calls.len(), 5);
    assert_eq!(calls[0]["fields"], json!(["company_id/.id", "id", "name", "user_id/.id"]));
    assert_eq!(calls[0]["data"][0], json!(["1", operations[0].xmlid, "good", ""]));
    assert_eq!(calls[0]["context"]["mail_create_nosubscribe"], true);
}

#[tokio::test]
async fn a_person_s_value_is_kept_and_noted_and_equal_writes_are_one_call() {
    let server = server().await;
    respond(&server, "crm.lead/read", |request| {
        let record = |id: &Value| json!({"id": id, "name": "Lead", "phone": if id == 1 { "theirs" } else { "ours" }});
        let ids = request["ids"].as_array().expect("ids");
        json_answer(200, ids.iter().filter(|id| **id != 9).map(record).collect())
    })
    .await;
    mount_json(&server, "crm.lead/write", json!(true)).await;
    mount_json(&server, "mail.message.subtype/search_read", json!([{"id": 2}])).await;
    mount_json(&server, "mail.message/create", json!([1])).await;
    let update = |id: i64| {
        let operation =
            operation(Model::Lead, Action::Upsert, &format!("web:{id}"), json!({"name": "Lead", "phone": "<new>"}));
        bound(operation, id, json!({"name": "Lead", "phone": "ours"}))
    };
    let applied = open(&server).await.apply(&[update(1), update(2), update(3), update(9)]).await.expect("results");
    assert_eq!(statuses(&applied), [OpStatus::Unchanged, OpStatus::Updated, OpStatus::Updated, OpStatus::Gone]);
    assert_eq!(applied[0].result.kept, ["phone"]);
    assert_eq!(applied[0].written, Some(Map::from_iter([("name".to_owned(), json!("Lead"))])));
    let writes = calls(&server, "crm.lead/write").await;
    assert_eq!(writes.len(), 1);
    assert_eq!((&writes[0]["ids"], &writes[0]["vals"]), (&json!([2, 3]), &json!({"phone": "<new>"})));
    let notes = calls(&server, "mail.message/create").await;
    let body = notes[0]["vals_list"][0]["body"].as_str().expect("a body");
    assert!(body.contains("<li>Phone: yours theirs, incoming &lt;new&gt;</li>"), "{body}");
}

#[tokio::test]
async fn an_order_waits_for_its_customer_and_reaches_its_state() {
    let server = server().await;
    mount_json(&server, "res.partner/load", json!({"ids": [5], "messages": []})).await;
    mount_json(&server, "res.partner/read", json!([{"id": 5, "name": "Sara", "user_id": [8, "Omar"]}])).await;
    mount_json(&server, "sale.order/load", json!({"ids": [6], "messages": []})).await;
    mount_json(&server, "sale.order/read", json!([{"id": 6, "state": "draft", "partner_id": [5, "Sara"]}])).await;
    mount_json(&server, "sale.order.line/search_read", json!([])).await;
    mount_json(&server, "sale.order/action_confirm", json!(null)).await;
    let line = |product: i64, quantity: f64| json!({"product_id": product, "product_uom_qty": quantity});
    let order = json!({"partner_id": {"ref": "o/customer"}, "order_line": [line(1, 2.0), line(2, 0.5)]});
    let operations = [
        operation(Model::Partner, Action::Upsert, "o/customer", json!({"name": "Sara"})),
        operation(Model::Order, Action::Upsert, "o", order),
        operation(Model::Order, Action::Confirm, "o", json!({})),
    ];
    let applied = open(&server).await.apply(&operations).await.expect("results");
    assert_eq!(statuses(&applied), [OpStatus::Created, OpStatus::Created, OpStatus::Updated]);
    assert_eq!(applied.iter().map(|applied| applied.result.id).collect::<Vec<_>>(), [Some(5), Some(6), Some(6)]);
    let loaded = &calls(&server, "sale.order/load").await[0];
    let xmlid = &operations[1].xmlid;
    assert_eq!(
        loaded["fields"],
        json!([
            "id",
            "order_line/id",
            "order_line/product_id/.id",
            "order_line/product_uom_qty",
            "partner_id/.id",
            "user_id/.id"
        ])
    );
    assert_eq!(
        loaded["data"],
        json!([
            [xmlid, format!("{xmlid}_line_0"), "1", "2.0", "5", "8"],
            ["", format!("{xmlid}_line_1"), "2", "0.5", "", ""],
        ])
    );
    assert_eq!(calls(&server, "sale.order/action_confirm").await[0]["ids"], json!([6]));
}

#[tokio::test]
async fn what_cannot_be_sent_is_refused_alone() {
    let server = server().await;
    mount_json(&server, "sale.order/read", json!([{"id": 6, "state": "sale", "client_order_ref": "a"}])).await;
    let changed = operation(Model::Order, Action::Upsert, "o", json!({"client_order_ref": "b"}));
    let operations = [
        operation(Model::Lead, Action::Upsert, "a", json!({"mobile": "1"})),
        operation(Model::Lead, Action::Upsert, "b", json!({"id": 1})),
        operation(Model::Lead, Action::Confirm, "c", json!({})),
        operation(Model::Lead, Action::Update, "d", json!({"name": "x"})),
        bound(changed, 6, json!({"client_order_ref": "a"})),
        bound(operation(Model::Order, Action::Confirm, "o", json!({})), 6, json!({})),
    ];
    let applied = open(&server).await.apply(&operations).await.expect("results");
    let messages: Vec<&str> = applied
        .iter()
        .map(|applied| applied.result.error.as_ref().map_or("", |error| error.message.as_str()))
        .collect();
    assert_eq!(
        messages,
        [
            "crm.lead has no field \"mobile\" to write",
            "crm.lead has no field \"id\" to write",
            "only an order can be confirmed or cancelled",
            "nothing is known under the reference \"d\"",
            "The order is not a quotation any more.",
            "",
        ]
    );
    assert_eq!(applied[5].result.status, OpStatus::Unchanged);
}

#[tokio::test]
async fn pages_are_in_normal_form_with_names() {
    let server = server().await;
    let lead = |id: i64| json!({"id": id, "name": "x", "phone": false, "stage_id": [1, "New"], "tag_ids": [4, 3], "write_date": false});
    mount_json(&server, "crm.lead/search_read", json!([lead(1), lead(2), lead(3)])).await;
    mount_json(&server, "crm.tag/read", json!([{"id": 3, "display_name": "Hot"}, {"id": 4, "display_name": "VIP"}]))
        .await;
    let page = open(&server).await.pull(Model::Lead, 0, 2).await.expect("a page");
    assert_eq!((page.records.len(), page.next, page.total), (2, Some(2), Some(3)));
    let expected = json!({"id": 1, "name": "x", "phone": null, "stage_id": 1, "tag_ids": [3, 4], "write_date": null});
    assert_eq!(serde_json::from_str::<Value>(&page.records[0].json).expect("JSON"), expected);
    assert_eq!((page.names["crm.stage"][&1].as_str(), page.names["crm.tag"][&3].as_str()), ("New", "Hot"));
    let asked = &calls(&server, "crm.lead/search_read").await[0];
    assert_eq!((&asked["limit"], &asked["order"]), (&json!(3), &json!("id")));
    assert_eq!((&asked["domain"], &asked["context"]["active_test"]), (&json!([["id", ">", 0]]), &json!(false)));
}

#[test]
fn a_batch_keeps_the_order_of_each_record() {
    let operations = [
        operation(Model::Partner, Action::Upsert, "o/customer", json!({})),
        operation(Model::Order, Action::Upsert, "o", json!({"partner_id": {"ref": "o/customer"}})),
        operation(Model::Order, Action::Confirm, "o", json!({})),
        operation(Model::Lead, Action::Upsert, "l", json!({})),
        operation(Model::Lead, Action::Update, "l", json!({})),
    ];
    let mut batch = Batch::new(&operations);
    assert_eq!(batch.ready(), [0, 3]);
    batch.finish(0, OpStatus::Created, 1);
    batch.finish(3, OpStatus::Created, 2);
    assert_eq!(batch.ready(), [1, 4]);
    batch.refuse(1, "x", "x");
    batch.finish(4, OpStatus::Updated, 2);
    assert_eq!(batch.ready(), [2]);
    batch.refuse_unknown(2);
    assert!(batch.ready().is_empty());
}
