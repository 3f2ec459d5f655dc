//! Wrong logins, missing rights and copied databases: said clearly, nothing written, nothing hammered, nothing lost.

use serde_json::json;

use crate::{
    daemon::Daemon,
    odoo::{Database, Server, Template, until},
};

/// Sends a lead, waits until the daemon says `expected`, and proves that the lead still waits.
async fn blocked(daemon: &mut Daemon, expected: &str) {
    daemon.start().await;
    assert_eq!(daemon.send("m1", &json!({"lead": {"contact_name": "Sara"}})).await.status, 202);
    let said = until("the daemon says why it stopped", async || {
        let health = daemon.read("/api/odoo/health").await.body;
        health["blocked"].as_str().map(str::to_owned)
    })
    .await;
    assert!(said.contains(expected), "{said}");
    let waiting = daemon.cli_json(&["outbox", "list", "--kind", "push", "--json"]);
    assert_eq!(waiting[0]["attempts"], 0, "{waiting}");
    assert_eq!(waiting[0]["state"], "ready", "{waiting}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_stops_and_does_not_hammer() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    std::fs::write(daemon.folder.path().join("odoo.key"), "wrong").expect("written");
    blocked(&mut daemon, "login").await;
    tokio::time::sleep(std::time::Duration::from_secs(5)).await;
    let refusals = daemon.log().matches("stopped talking to Odoo").count();
    assert_eq!(refusals, 1, "one attempt, one alarm");
    assert!(!daemon.log().contains("wrong\""), "the key is not in the log");

    let check = daemon.cli(&["check", "--online"]);
    assert_eq!(check.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&check.stderr).contains("API key"), "it says what to do");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_database_is_named() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    for transport in ["xmlrpc", "json2"] {
        let daemon = Daemon::configure(server, &database, &format!("transport = \"{transport}\""));
        let config = std::fs::read_to_string(daemon.config()).expect("read");
        std::fs::write(daemon.config(), config.replace(&database.name, "no_such_database")).expect("written");
        let check = daemon.cli(&["check", "--online"]);
        let said = String::from_utf8_lossy(&check.stderr).into_owned();
        assert_eq!(check.status.code(), Some(1), "{said}");
        assert!(said.contains("no_such_database"), "{said}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_user_without_rights_is_told_so_and_loses_nothing() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    database.user("reader", "a long password", "base.group_user");
    let mut daemon = Daemon::configure(server, &database, "addon = \"off\"");
    std::fs::write(daemon.folder.path().join("odoo.key"), database.apikey("reader")).expect("written");
    let config = std::fs::read_to_string(daemon.config()).expect("read");
    std::fs::write(daemon.config(), config.replace("login = \"g-assistant\"", "login = \"reader\"")).expect("written");
    let check = daemon.cli(&["check", "--online"]);
    assert_eq!(check.status.code(), Some(1));
    let said = String::from_utf8_lossy(&check.stderr).into_owned();
    assert!(said.contains("crm.lead"), "it names what the user may not do: {said}");

    blocked(&mut daemon, "crm.lead").await;
    assert_eq!(database.count("select count(*) from crm_lead"), 0);
    daemon.stop().await;
    // Once an administrator has given the rights, the lead goes in.
    database.user("reader", "a long password", "base.group_user,sales_team.group_sale_salesman_all_leads");
    daemon.start_connected().await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copied_database_is_not_written_to() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    daemon.stop().await;
    database.sql("update ir_config_parameter set value = 'a-copy-of-it' where key = 'database.uuid'");
    blocked(&mut daemon, "a-copy-of-it").await;
    assert_eq!(database.count("select count(*) from crm_lead"), 0);
    daemon.stop().await;

    let check = daemon.cli(&["check", "--online", "--accept-database"]);
    assert!(check.status.success(), "{}", String::from_utf8_lossy(&check.stderr));
    daemon.start_connected().await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
}

/// Restored behind the same address while the daemon is connected: its next call is the first to notice.
#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_replaced_under_a_running_daemon_is_not_written_to() {
    let server = Server::shared();
    for transport in ["transport = \"xmlrpc\"", "transport = \"json2\""] {
        let database = Database::fresh(Template::Addon);
        let mut daemon = Daemon::configure(server, &database, transport);
        daemon.start_connected().await;
        daemon.send("before", &json!({"lead": {"contact_name": "before"}})).await;
        daemon.drained().await;
        database.sql("update ir_config_parameter set value = 'restored' where key = 'database.uuid'");
        daemon.send("after", &json!({"lead": {"contact_name": "after"}})).await;
        until("the daemon says why it stopped", async || {
            let health = daemon.read("/api/odoo/health").await.body;
            health["blocked"].as_str().filter(|reason| reason.contains("restored")).map(|_| ())
        })
        .await;
        assert_eq!(database.count("select count(*) from crm_lead"), 1);
        let waiting = daemon.cli_json(&["outbox", "list", "--kind", "push", "--state", "ready", "--json"]);
        assert_eq!(waiting[0]["attempts"], 0, "{waiting}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_neutralised_database_is_not_written_to() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    database.sql("insert into ir_config_parameter (key, value) values ('database.is_neutralized', 'true')");
    let mut daemon = Daemon::configure(server, &database, "");
    blocked(&mut daemon, "neutralised").await;
    assert_eq!(database.count("select count(*) from crm_lead"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn events_of_a_copied_database_are_refused() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    let body = json!({"database": "some-other-database", "events": []}).to_string();
    let answer = daemon.deliver("odoo", "m1", body.as_bytes(), chrono::Utc::now().timestamp()).await.expect("answered");
    assert_eq!(answer.status, 409, "{answer:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_daemon_on_one_store_refuses_to_start() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start().await;
    let second = daemon.cli(&["run"]);
    assert_eq!(second.status.code(), Some(1));
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(said.contains("store.db"), "{said}");
}
