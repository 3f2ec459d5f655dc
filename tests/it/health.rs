//! People in Odoo see how the daemon is, and decide there what becomes of parked operations.

use std::{fs, time::Instant};

use g_assistant::odoo::Call;
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    graph::{Graph, PAGE},
    meta,
    odoo::{Database, Person, Server, Template, until},
};

/// Tells the addon where the daemon is, so that it hears of decisions at once.
async fn connect_addon(admin: &Person, daemon: &Daemon) {
    let secret = admin.call(Call::new("g_assistant.secret", "generate")).await;
    fs::write(daemon.folder.path().join("odoo.secret"), secret.as_str().expect("a secret")).expect("written");
    let url = format!("{}/api/webhooks/odoo", daemon.url);
    let call = Call::new("ir.config_parameter", "set_param").arg("key", "g_assistant_connector.url");
    admin.call(call.arg("value", url)).await;
}

/// What everybody who looks sees of the only record of a model, once it is as expected.
async fn seen(admin: &Person, model: &str, domain: Value, check: impl Fn(&Value) -> bool) -> Value {
    until(&format!("{model} {domain} is as expected in Odoo"), async || {
        let call = Call::new(model, "search_read").arg("domain", domain.clone()).arg("fields", json!([]));
        let rows = admin.call(call).await;
        rows.as_array().expect("rows").iter().find(|row| check(row)).cloned()
    })
    .await
}

async fn parked(admin: &Person, key: &str, state: &str) -> Value {
    let domain = json!([["key", "like", key], ["state", "=", state]]);
    seen(admin, "g_assistant.parked", domain, |_| true).await
}

fn lead(id: &str) -> Value {
    json!({"lead": {"external_id": id, "contact_name": id, "company": "Nowhere", "email": format!("{id}@example.com")}})
}

/// Odoo refuses leads of this company, until it does not.
fn refuse(database: &Database) {
    database.sql("alter table crm_lead add constraint no_such_company check (partner_name is distinct from 'Nowhere')");
}

fn accept(database: &Database) {
    database.sql("alter table crm_lead drop constraint no_such_company");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_parked_is_decided_in_odoo() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    let mut daemon = Daemon::configure(server, &database, "");
    // With polling as good as off, a decision that is carried out was told by the addon.
    daemon.edit("poll_interval = \"2s\"", "poll_interval = \"1h\"");
    connect_addon(&admin, &daemon).await;
    refuse(&database);
    daemon.start_connected().await;
    let well = seen(&admin, "g_assistant.connection", json!([]), |_| true).await;
    assert_eq!((well["state"].as_str(), well["version"].as_str()), (Some("ok"), Some(env!("CARGO_PKG_VERSION"))));

    for id in ["retried", "edited", "discarded"] {
        assert_eq!(daemon.send(id, &lead(id)).await.status, 202);
    }
    let began = Instant::now();
    let one = parked(&admin, "retried", "parked").await;
    println!("a parked operation was seen in Odoo after {:.1} s", began.elapsed().as_secs_f64());
    assert!(one["error"].as_str().expect("why").contains("no_such_company"), "{one}");
    assert_eq!(one["source"], "website");
    let told = seen(&admin, "g_assistant.connection", json!([]), |row| row["parked"] == 3).await;
    assert_eq!(told["state"], "attention");
    let activities = "select count(*) from mail_activity where res_model = 'g_assistant.connection' and active";
    assert_eq!(database.count(activities), 1, "the administrator has something to do");

    // Once more refused, in vain: it waits again. Then corrected.
    let id = one["id"].as_i64().expect("an id");
    admin.act("g_assistant.parked", "action_retry", id).await;
    seen(&admin, "g_assistant.parked", json!([["id", "=", id]]), |row| row["state"] == "parked" && row["tries"] == 2)
        .await;
    let edited = parked(&admin, "edited", "parked").await;
    let mut values: Value = serde_json::from_str(edited["payload"].as_str().expect("values")).expect("JSON");
    values["partner_name"] = json!({"plain": "Acme"});
    let edit = json!({"parked_id": edited["id"], "payload": values.to_string()});
    let wizard = admin.create("g_assistant.parked.edit", edit).await;
    admin.act("g_assistant.parked.edit", "action_apply", wizard).await;
    parked(&admin, "edited", "done").await;
    assert_eq!(database.count("select count(*) from crm_lead where partner_name = 'Acme'"), 1);

    accept(&database);
    let began = Instant::now();
    admin.act("g_assistant.parked", "action_retry", id).await;
    let done = parked(&admin, "retried", "done").await;
    println!("a decision was carried out and told after {:.1} s", began.elapsed().as_secs_f64());
    let made = database.count("select id from crm_lead where contact_name = 'retried'");
    assert_eq!((done["res_model"].as_str(), done["res_id"].as_i64()), (Some("crm.lead"), Some(made)));
    assert_eq!(done["payload"], false, "what is in the lead is not kept twice");

    let discarded = parked(&admin, "discarded", "parked").await;
    admin.act("g_assistant.parked", "action_discard", discarded["id"].as_i64().expect("an id")).await;
    parked(&admin, "discarded", "discarded").await;
    assert_eq!(daemon.parked(), json!([]));
    assert_eq!(database.count("select count(*) from crm_lead"), 2);
    seen(&admin, "g_assistant.connection", json!([]), |row| row["state"] == "ok").await;
    assert_eq!(database.count(activities), 0, "it is taken back when all is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_daemon_is_told_and_finds_what_was_decided_meanwhile() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    // The addon does not know where the daemon is: it finds decisions by polling.
    let mut daemon = Daemon::configure(server, &database, "");
    refuse(&database);
    daemon.start_connected().await;
    assert_eq!(daemon.send("a", &lead("a")).await.status, 202);
    let one = parked(&admin, "website", "parked").await;
    daemon.kill();

    database.sql("update g_assistant_connection set seen_at = seen_at - interval '6 minutes'");
    let cron = admin.search("ir.cron", json!([["code", "=", "model._cron_send()"]])).await[0];
    admin.act("ir.cron", "method_direct_trigger", cron).await;
    let silent = seen(&admin, "g_assistant.connection", json!([]), |row| row["state"] == "silent").await;
    assert!(silent["problems"].as_str().expect("what").contains("has been silent since"), "{silent}");
    let note = "select note from mail_activity where res_model = 'g_assistant.connection' and active";
    assert!(database.sql(note).contains("has been silent since"));

    // Decided twice while it is away, and told by nobody: once is enough.
    accept(&database);
    let id = one["id"].as_i64().expect("an id");
    admin.act("g_assistant.parked", "action_retry", id).await;
    admin.act("g_assistant.parked", "action_retry", id).await;
    let asked = parked(&admin, "website", "asked").await;
    assert_eq!(asked["silent_since"], silent["seen_at"]);
    daemon.start_connected().await;
    parked(&admin, "website", "done").await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
    let back = seen(&admin, "g_assistant.connection", json!([]), |row| row["state"] == "ok").await;
    assert_eq!(database.count("select count(*) from g_assistant_connection"), 1, "the same daemon: {back}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_told_in_the_platforms_words() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    let platform = Graph::start().await;
    for id in 1..=3 {
        platform.add(&format!("700{id}"), "found");
    }
    let mut daemon = meta::configure(server, &database, &platform, "poll_interval = \"2s\"");
    daemon.start_connected().await;
    let of_meta = json!([["source", "=", "meta"]]);
    let state = |state: &'static str| move |row: &Value| row["state"] == state && row["account"] == PAGE;
    seen(&admin, "g_assistant.connection.source", of_meta.clone(), state("ok")).await;

    platform.facts().token = "EAAG-new".to_owned();
    let began = Instant::now();
    let told = seen(&admin, "g_assistant.connection.source", of_meta.clone(), state("denied")).await;
    println!("an expired token was seen in Odoo after {:.1} s", began.elapsed().as_secs_f64());
    assert!(told["detail"].as_str().expect("its words").contains("the token is not valid"), "{told}");
    assert!(told["hint"].as_str().expect("what to do").contains("token"), "{told}");
    let note = "select note from mail_activity where res_model = 'g_assistant.connection' and active";
    assert!(database.sql(note).contains(PAGE));
    let secrets = "select count(*) from g_assistant_connection_source where row(g_assistant_connection_source.*)::text like '%EAAG%'";
    assert_eq!(database.count(secrets), 0);

    daemon.put_secret("meta-token", "EAAG-new");
    seen(&admin, "g_assistant.connection.source", of_meta, state("ok")).await;
    assert_eq!(database.sql(note), "");
    // Reports come once a minute; a restart does not wait for it.
    daemon.drained().await;
    daemon.kill();
    daemon.start_connected().await;
    let forms = seen(&admin, "g_assistant.connection.form", json!([]), |row| row["odoo"] == 3).await;
    assert_eq!((forms["platform"].as_i64(), forms["missing"].as_i64()), (Some(3), Some(0)));
    assert_eq!(forms["form"], "فلل الرياض");
}
