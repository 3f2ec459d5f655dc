//! Without the addon: Odoo Online, and every Odoo before somebody installs it.

use g_assistant::odoo::Call;
use serde_json::json;

use crate::{
    daemon::Daemon,
    odoo::{Database, Server, Template, until},
};

#[tokio::test(flavor = "multi_thread")]
async fn leads_go_in_once_and_updates_keep_what_people_changed() {
    let server = Server::shared();
    for transport in ["transport = \"xmlrpc\"", "transport = \"json2\""] {
        let database = Database::fresh(Template::Plain);
        let mut daemon = Daemon::configure(server, &database, transport);
        daemon.start_connected().await;
        let leads: Vec<_> = (0..50)
            .map(|n| {
                json!({"external_id": format!("l{n}"), "contact_name": format!("عميل {n}"), "source": "Facebook",
                            "phone": format!("+9665012345{n:02}"), "message": "line one\nline two & <more>"})
            })
            .collect();
        for message in ["m1", "m1", "m2"] {
            daemon.send(message, &json!({ "leads": leads })).await;
        }
        daemon.drained().await;
        assert_eq!(database.count("select count(*) from crm_lead"), 50);
        assert_eq!(database.count("select count(*) from crm_lead where contact_name = 'عميل 7'"), 1);

        let admin = database.admin(server).await;
        let id = admin.search("crm.lead", json!([["contact_name", "=", "عميل 7"]])).await[0];
        admin.write("crm.lead", id, json!({"phone": "+966509999999"})).await;
        daemon
            .send(
                "m3",
                &json!({"lead": {"external_id": "l7", "email": "seven@example.com", "phone": "+966500000000",
                                           "city": "Abha"}}),
            )
            .await;
        daemon.drained().await;
        assert_eq!(admin.read("crm.lead", id, &["name"]).await["name"], "عميل 7");
        let lead = admin.read("crm.lead", id, &["phone", "city"]).await;
        assert_eq!((lead["phone"].as_str(), lead["city"].as_str()), (Some("+966509999999"), Some("Abha")));
        let notes = database.count(&format!(
            "select count(*) from mail_message where model = 'crm.lead' and res_id = {id} and body like '%500000000%'"
        ));
        assert_eq!(notes, 1, "what was kept is noted once");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_lead_is_parked_and_its_neighbours_go_in() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    database.sql("alter table crm_lead add constraint no_curse check (contact_name <> 'cursed')");
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    let names = ["one", "cursed", "three"];
    let leads: Vec<_> = names.map(|name| json!({"external_id": name, "contact_name": name})).into();
    daemon.send("m1", &json!({ "leads": leads })).await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 2);
    let parked = daemon.parked();
    assert_eq!(parked.as_array().map(Vec::len), Some(1), "{parked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_doubles_nothing() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let mut daemon = Daemon::configure(server, &database, "batch = 20");
    daemon.start().await;
    let leads: Vec<_> =
        (0..200).map(|n| json!({"external_id": format!("{n}"), "contact_name": format!("lead {n}")})).collect();
    assert_eq!(daemon.send("m1", &json!({ "leads": leads })).await.status, 202);
    for round in 0..4u64 {
        tokio::time::sleep(std::time::Duration::from_millis(200 + 130 * round)).await;
        daemon.kill();
        daemon.start().await;
    }
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_found_by_polling_and_deletions_by_the_sweep() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let admin = database.admin(server).await;
    let before = admin.create("crm.lead", json!({"name": "there before", "active": false})).await;
    let mut daemon = Daemon::configure(server, &database, "");
    let config = std::fs::read_to_string(daemon.config()).expect("read");
    std::fs::write(daemon.config(), config.replace("[log]", "sweep_interval = \"5s\"\n\n[log]")).expect("written");
    daemon.start_connected().await;
    let is = async |id: i64, field: &str, value: serde_json::Value| {
        let answer = daemon.read(&format!("/api/odoo/leads/{id}")).await;
        (answer.status == 200 && answer.body[field] == value).then_some(())
    };
    until("the archived lead is mirrored", async || is(before, "name", json!("there before")).await).await;
    let born = admin.create("crm.lead", json!({"name": "born", "city": "Riyadh"})).await;
    until("the new lead is found", async || is(born, "city", json!("Riyadh")).await).await;
    admin.write("crm.lead", born, json!({"city": "Jeddah"})).await;
    until("the change is found", async || is(born, "city", json!("Jeddah")).await).await;
    admin.unlink("crm.lead", born).await;
    until("the deletion is found", async || {
        (daemon.read(&format!("/api/odoo/leads/{born}")).await.status == 404).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addon_can_be_ignored_or_demanded() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let daemon = Daemon::configure(server, &database, "addon = \"required\"");
    let output = daemon.cli(&["check", "--online"]);
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("g_assistant_connector"), "it names the addon: {said}");
}

/// What was written through the addon has its identity there: without it, each update would make a second lead.
#[tokio::test(flavor = "multi_thread")]
async fn an_addon_that_disappears_stops_the_daemon() {
    let database = Database::fresh(Template::Addon);
    let server = Server::own(&database);
    let groups = "g_assistant_connector.group_daemon,sales_team.group_sale_salesman_all_leads";
    database.user("g-assistant", "a long password", groups);
    let lead = |city: &str| json!({"lead": {"external_id": "a", "contact_name": "Sara", "city": city}});
    let mut daemon = Daemon::configure(&server, &database, "");
    daemon.start_connected().await;
    daemon.send("m1", &lead("Riyadh")).await;
    daemon.drained().await;
    daemon.stop().await;
    let admin = database.admin(&server).await;
    let module = admin.search("ir.module.module", json!([["name", "=", "g_assistant_connector"]])).await[0];
    // Odoo refuses while one of its scheduled actions runs; an administrator presses the button again.
    until("the addon is uninstalled", async || {
        let press = Call::new("ir.module.module", "button_immediate_uninstall").on([module]);
        match admin.try_call(press).await {
            Ok(_) => Some(()),
            Err(error) if error.to_string().contains("scheduled action") => None,
            Err(error) => panic!("{error}"),
        }
    })
    .await;

    daemon.start().await;
    daemon.send("m2", &lead("Jeddah")).await;
    until("the daemon says why it stopped", async || {
        let health = daemon.read("/api/odoo/health").await.body;
        health["blocked"].as_str().filter(|reason| reason.contains("g_assistant_connector")).map(|_| ())
    })
    .await;
    assert_eq!(database.sql("select count(*), max(city) from crm_lead"), "1|Riyadh");
    server.stop();
}

/// What was written without the addon keeps its identity when the addon comes.
#[tokio::test(flavor = "multi_thread")]
async fn installing_the_addon_later_doubles_nothing() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let lead = |city: &str| json!({"lead": {"external_id": "a", "contact_name": "Sara", "city": city}});
    let mut daemon = Daemon::configure(server, &database, "addon = \"off\"");
    daemon.start_connected().await;
    daemon.send("m1", &lead("Riyadh")).await;
    daemon.drained().await;
    daemon.stop().await;
    let config = std::fs::read_to_string(daemon.config()).expect("read");
    std::fs::write(daemon.config(), config.replace("addon = \"off\"", "")).expect("written");
    daemon.start_connected().await;
    daemon.send("m2", &lead("Jeddah")).await;
    daemon.drained().await;
    assert_eq!(database.sql("select city from crm_lead"), "Jeddah");
}
