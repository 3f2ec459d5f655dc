//! What people do in Odoo arrives in the daemon, whatever breaks in between.

use g_assistant::odoo::Call;
use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    odoo::{Database, Person, Server, Template, until},
};

/// Tells the addon where the daemon is.
async fn connect_addon(admin: &Person, daemon: &Daemon) {
    let secret = admin.call(Call::new("g_assistant.secret", "generate")).await;
    let secret = secret.as_str().expect("a secret");
    std::fs::write(daemon.folder.path().join("odoo.secret"), secret).expect("written");
    for (key, value) in [("url", format!("{}/api/webhooks/odoo", daemon.url)), ("enabled", "True".to_owned())] {
        let call = Call::new("ir.config_parameter", "set_param").arg("key", format!("g_assistant_connector.{key}"));
        admin.call(call.arg("value", value)).await;
    }
}

async fn mirrored(daemon: &Daemon, path: &str, check: impl Fn(&Value) -> bool) -> Value {
    until(&format!("{path} is as expected"), async || {
        let answer = daemon.read(path).await;
        (answer.status == 200 && check(&answer.body)).then_some(answer.body)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_change_comes_back_signed() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    // With polling as good as off, what arrives has been posted by Odoo.
    let mut daemon = Daemon::configure(server, &database, "");
    let config = std::fs::read_to_string(daemon.config()).expect("read");
    std::fs::write(daemon.config(), config.replace("poll_interval = \"2s\"", "poll_interval = \"1h\""))
        .expect("written");
    connect_addon(&admin, &daemon).await;
    daemon.start_connected().await;

    let id = admin.create("crm.lead", json!({"name": "Villa", "contact_name": "Sara", "type": "opportunity"})).await;
    let path = format!("/api/odoo/leads/{id}");
    mirrored(&daemon, &path, |lead| lead["contact_name"] == "Sara").await;
    admin.write("crm.lead", id, json!({"phone": "+966501234567", "expected_revenue": 10.5})).await;
    mirrored(&daemon, &path, |lead| lead["phone"] == "+966501234567" && lead["expected_revenue"] == 10.5).await;
    admin.act("crm.lead", "action_set_won", id).await;
    let won = mirrored(&daemon, &path, |lead| lead["probability"] == 100.0).await;
    assert_eq!(won["stage_name"], "Won");
    admin.act("crm.lead", "action_archive", id).await;
    mirrored(&daemon, &path, |lead| lead["active"] == false).await;
    admin.unlink("crm.lead", id).await;
    until("the deleted lead is gone", async || (daemon.read(&path).await.status == 404).then_some(())).await;
    until("everything is delivered", async || {
        (database.count("select count(*) from g_assistant_event where state = 'pending'") == 0).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_while_the_daemon_is_down_is_fetched_later() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    let mut daemon = Daemon::configure(server, &database, "");
    connect_addon(&admin, &daemon).await;
    daemon.start_connected().await;
    let kept = admin.create("crm.lead", json!({"name": "kept"})).await;
    let deleted = admin.create("crm.lead", json!({"name": "deleted"})).await;
    mirrored(&daemon, &format!("/api/odoo/leads/{deleted}"), |_| true).await;
    daemon.kill();
    admin.write("crm.lead", kept, json!({"city": "Riyadh"})).await;
    admin.unlink("crm.lead", deleted).await;
    let born = admin.create("crm.lead", json!({"name": "born meanwhile"})).await;
    daemon.start_connected().await;
    mirrored(&daemon, &format!("/api/odoo/leads/{kept}"), |lead| lead["city"] == "Riyadh").await;
    mirrored(&daemon, &format!("/api/odoo/leads/{born}"), |lead| lead["name"] == "born meanwhile").await;
    until("the deletion is known", async || {
        (daemon.read(&format!("/api/odoo/leads/{deleted}")).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_there_before_is_pulled_and_the_sweep_finds_what_nobody_told() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    database.sql(
        "insert into crm_lead (name, contact_name, type, active, company_id, create_date, write_date, user_id, team_id) \
         select 'lead ' || n, 'contact ' || n, 'lead', n % 10 <> 0, 1, now(), now(), 2, 1 from generate_series(1, 5000) n",
    );
    let mut daemon = Daemon::configure(server, &database, "");
    let config = std::fs::read_to_string(daemon.config()).expect("read");
    std::fs::write(daemon.config(), config.replace("[log]", "sweep_interval = \"5s\"\npage = 1000\n\n[log]"))
        .expect("written");
    daemon.start_connected().await;
    let total = async || {
        let mut after = 0;
        let mut count = 0;
        loop {
            let page = daemon.read(&format!("/api/odoo/leads?limit=500&after={after}")).await.body;
            count += page["leads"].as_array().map_or(0, Vec::len);
            match page["next"].as_i64() {
                Some(next) => after = next,
                None => return count,
            }
        }
    };
    until("all leads are mirrored, archived ones too", async || (total().await == 5000).then_some(())).await;

    // Behind everybody's back.
    let id = database.count("select min(id) from crm_lead where active");
    database.sql(&format!("update crm_lead set city = 'Tabuk' where id = {id}"));
    database.sql(&format!("delete from crm_lead where id = {id} + 1"));
    mirrored(&daemon, &format!("/api/odoo/leads/{id}"), |lead| lead["city"] == "Tabuk").await;
    until("the sweep finds the deletion", async || {
        (daemon.read(&format!("/api/odoo/leads/{}", id + 1)).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemons_own_writes_come_back_marked_with_their_operation() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    let mut daemon = Daemon::configure(server, &database, "");
    connect_addon(&admin, &daemon).await;
    daemon.start_connected().await;
    daemon.send("m1", &json!({"lead": {"external_id": "a", "contact_name": "Sara"}})).await;
    daemon.drained().await;
    let marks = database.sql("select operation from g_assistant_event where model = 'crm.lead'");
    assert_eq!(marks, "website:m1:0");
    let id = database.count("select id from crm_lead");
    mirrored(&daemon, &format!("/api/odoo/leads/{id}"), |lead| lead["contact_name"] == "Sara").await;
}
