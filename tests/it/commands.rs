//! The commands that people type.

use std::{fs, os::unix::fs::PermissionsExt, process::Command};

use serde_json::json;

use crate::{
    daemon::{BINARY, Daemon},
    odoo::{Database, Server, Template},
};

#[tokio::test(flavor = "multi_thread")]
async fn init_writes_a_configuration_that_works() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, &database.key).expect("written");
    Command::new("chmod").arg("600").arg(&key).status().expect("ours");
    let config = folder.path().join("etc/config.toml");
    let store = folder.path().join("store.db");
    let init = |key: &std::path::Path| {
        Command::new(BINARY)
            .arg("--config")
            .arg(&config)
            .args(["init", "--url", &server.url, "--database", &database.name, "--login", &database.login])
            .arg("--key-file")
            .arg(key)
            .arg("--store")
            .arg(&store)
            .output()
            .expect("runs")
    };
    // A key that does not work writes nothing.
    let wrong = folder.path().join("wrong");
    fs::write(&wrong, "not the key").expect("written");
    Command::new("chmod").arg("600").arg(&wrong).status().expect("ours");
    assert_eq!(init(&wrong).status.code(), Some(1));
    assert!(!config.exists());

    let output = init(&key);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let check = Command::new(BINARY).arg("--config").arg(&config).args(["check", "--online"]).output().expect("runs");
    let said = String::from_utf8_lossy(&check.stdout).into_owned();
    assert!(check.status.success(), "{said}{}", String::from_utf8_lossy(&check.stderr));
    assert!(said.contains("g_assistant_connector") && said.contains("everything works"), "{said}");
    assert_eq!(init(&key).status.code(), Some(1), "what is there is never overwritten");
}

#[test]
fn init_for_the_service_keeps_secrets_as_credentials() {
    let folder = tempfile::tempdir().expect("a folder");
    let key = folder.path().join("key");
    fs::write(&key, "the key of the user").expect("written");
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).expect("ours");
    let config = folder.path().join("config.toml");
    let credentials = folder.path().join("credentials");
    let daemon = || {
        let mut daemon = Command::new(BINARY);
        daemon.arg("--config").arg(&config).env_remove("CREDENTIALS_DIRECTORY");
        daemon
    };
    let init = daemon()
        .args(["init", "--offline", "--url", "http://127.0.0.1:9", "--database", "test", "--login", "test"])
        .arg("--key-file")
        .arg(&key)
        .arg("--credentials")
        .arg(&credentials)
        .output()
        .expect("runs");
    let said = String::from_utf8_lossy(&init.stdout).into_owned();
    assert!(init.status.success(), "{}", String::from_utf8_lossy(&init.stderr));
    assert!(said.contains("systemctl restart g-assistant"), "{said}");

    let mode = |path: &std::path::Path| fs::metadata(path).expect("there").permissions().mode() & 0o777;
    assert_eq!((mode(&credentials), mode(&config)), (0o700, 0o640));
    for name in ["odoo", "api-token", "website", "odoo-webhook"] {
        assert_eq!(mode(&credentials.join(name)), 0o600, "{name}");
    }
    let text = fs::read_to_string(&config).expect("readable");
    assert!(text.contains("credential = \"odoo\"") && !text.contains("file ="), "{text}");

    // As in the service, and outside it.
    let inside = daemon().arg("check").env("CREDENTIALS_DIRECTORY", &credentials).output().expect("runs");
    assert!(inside.status.success(), "{}", String::from_utf8_lossy(&inside.stderr));
    assert!(!String::from_utf8_lossy(&inside.stdout).contains("only inside the service"));
    let outside = daemon().arg("check").output().expect("runs");
    assert!(outside.status.success(), "{}", String::from_utf8_lossy(&outside.stderr));
}

#[tokio::test(flavor = "multi_thread")]
async fn push_file_shows_first_and_sends_once() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    let csv = daemon.folder.path().join("leads.csv");
    fs::write(
        &csv,
        "\u{feff}external_id,contact_name,email,phone,tags,budget\n\
         1,Sara,sara@example.com,+966501234567,\"VIP, Riyadh\",5000\n\
         2,محمد القحطاني,m@example.com,٠٥٠١٢٣٤٥٦٧,,\n",
    )
    .expect("written");
    let csv = csv.to_str().expect("a path");
    let dry = daemon.cli(&["push", csv]);
    let said = String::from_utf8_lossy(&dry.stdout).into_owned();
    assert!(dry.status.success(), "{}", String::from_utf8_lossy(&dry.stderr));
    assert!(said.contains("dry run: 2 operations") && said.contains("Sara"), "{said}");
    assert_eq!(database.count("select count(*) from crm_lead"), 0);

    // Alone, then again through the running service: once.
    let alone = daemon.cli(&["push", csv, "--apply"]);
    assert!(alone.status.success(), "{}", String::from_utf8_lossy(&alone.stderr));
    assert_eq!(database.count("select count(*) from crm_lead"), 2);
    daemon.start_connected().await;
    assert!(daemon.cli(&["push", csv, "--apply"]).status.success());
    let json = daemon.folder.path().join("more.json");
    fs::write(&json, json!([{"external_id": "3", "contact_name": "Lina"}]).to_string()).expect("written");
    let through = daemon.cli(&["push", json.to_str().expect("a path"), "--apply"]);
    assert!(through.status.success(), "{}", String::from_utf8_lossy(&through.stderr));
    assert!(String::from_utf8_lossy(&through.stdout).contains("1 operations: 1 created"));
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 3);

    let bad = daemon.folder.path().join("bad.csv");
    fs::write(&bad, "external_id,expected_revenue\n1,a lot\n").expect("written");
    let refused = daemon.cli(&["push", bad.to_str().expect("a path")]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("bad.csv") && said.contains("expected_revenue"), "{said}");
}

#[tokio::test(flavor = "multi_thread")]
async fn push_file_says_what_became_of_each_row() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let daemon = Daemon::configure_at(&server.url, &database, "", "[flags]\nTEST_LEAD = \"hold\"");
    let file = |name: &str, text: &str| {
        let path = daemon.folder.path().join(name);
        fs::write(&path, text).expect("written");
        path.to_str().expect("a path").to_owned()
    };
    let first = file("first.csv", "external_id,contact_name,email\n1,Sara,sara@example.com\n");
    assert!(daemon.cli(&["push", &first, "--apply"]).status.success());
    // Odoo itself refuses one of them.
    let refuse = "alter table crm_lead add constraint no_zero check (coalesce(contact_name, '') <> 'Zero')";
    database.sql(refuse);
    let second = file(
        "second.csv",
        "external_id,contact_name,email,is_test\n1,Sara Ali,sara@example.com,\n2,Omar,omar@example.com,\n\
         3,Zero,zero@example.com,\n4,Tester,tester@example.com,true\n",
    );
    let report = daemon.folder.path().join("report.csv");
    let pushed = daemon.cli(&["push", &second, "--apply", "--report", report.to_str().expect("a path")]);
    let said = String::from_utf8_lossy(&pushed.stdout).into_owned();
    assert!(pushed.status.success(), "{said}{}", String::from_utf8_lossy(&pushed.stderr));
    let counts = "4 operations: 1 created, 1 attached or updated, 1 refused, 1 held for review";
    assert!(said.contains(counts) && said.contains("held for review: TEST_LEAD"), "{said}");
    let rows = fs::read_to_string(&report).expect("written");
    let rows: Vec<Vec<&str>> = rows.lines().map(|line| line.splitn(5, ',').collect()).collect();
    assert_eq!(rows[0], ["row", "identity", "became", "odoo_id", "why"]);
    let became: Vec<_> = rows[1..].iter().filter(|row| row.len() == 5).map(|row| (row[0], row[1], row[2])).collect();
    assert_eq!(became[..2], [("1", "file:1", "attached or updated"), ("2", "file:2", "created")], "{rows:?}");
    let omar = database.count("select id from crm_lead where contact_name = 'Omar'");
    assert_eq!(rows[2][3], omar.to_string());
    assert!(
        became.contains(&("3", "file:3", "refused")) && became.contains(&("4", "file:4", "held for review")),
        "{rows:?}"
    );
    assert_eq!(daemon.cli(&["push", &second, "--report", "x.csv"]).status.code(), Some(2), "a dry run has no report");
}

#[tokio::test(flavor = "multi_thread")]
async fn push_file_makes_orders_from_rows() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    admin
        .create("product.product", json!({"name": "Hub", "default_code": "HUB", "list_price": 10.0, "taxes_id": []}))
        .await;
    let daemon = Daemon::configure(server, &database, "");
    let csv = daemon.folder.path().join("orders.csv");
    fs::write(
        &csv,
        "external_id,customer,customer_email,product,quantity,price_unit\n\
         S-1,Najd,najd@example.com,HUB,2,\n\
         S-1,Najd,najd@example.com,HUB,1,7.5\n",
    )
    .expect("written");
    let output = daemon.cli(&["push", csv.to_str().expect("a path"), "--kind", "orders", "--apply"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(database.sql("select amount_total from sale_order where client_order_ref = 'S-1'"), "27.50");
}

#[tokio::test(flavor = "multi_thread")]
async fn sync_does_one_pass_and_status_tells_of_it() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    admin.create("crm.lead", json!({"name": "there before"})).await;
    let mut daemon = Daemon::configure(server, &database, "");
    let output = daemon.cli(&["sync", "--full"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let status = daemon.cli_json(&["status", "--json"]);
    assert_eq!(status["store"]["mirror"]["crm.lead"], 1);
    assert_eq!(status["service"], json!(null));
    let human = daemon.cli(&["status"]);
    assert!(String::from_utf8_lossy(&human.stdout).contains("not running"));

    daemon.start_connected().await;
    let status = daemon.cli_json(&["status", "--json"]);
    assert_eq!(status["service"]["status"], "ok");
    // The service has the store; a pass beside it would do things twice.
    let second = daemon.cli(&["sync"]);
    assert_eq!(second.status.code(), Some(1));
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_outbox_can_be_looked_into_and_given_up() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    daemon.send("bad", &json!({"lead": {"contact_name": 7}})).await;
    let parked = daemon.parked();
    let id = parked[0]["id"].to_string();
    let shown = daemon.cli(&["outbox", "show", &id]);
    let said = String::from_utf8_lossy(&shown.stdout).into_owned();
    assert!(said.contains("/lead/contact_name") && said.contains("\"contact_name\":7"), "{said}");
    assert!(daemon.cli(&["outbox", "discard", &id]).status.success());
    assert_eq!(daemon.parked(), json!([]));
    assert_eq!(daemon.cli(&["outbox", "show", "999999"]).status.code(), Some(1));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_odoo_that_is_not_there_has_its_own_exit_code() {
    let database = Database::fresh(Template::Plain);
    let daemon = Daemon::configure_at("http://127.0.0.1:9", &database, "", "");
    assert_eq!(daemon.cli(&["check", "--online"]).status.code(), Some(69));
    assert_eq!(daemon.cli(&["sync"]).status.code(), Some(69));
}

#[test]
fn help_teaches() {
    let help = |arguments: &[&str]| {
        let output = Command::new(BINARY).args(arguments).output().expect("runs");
        String::from_utf8(output.stdout).expect("UTF-8")
    };
    let all = help(&["--help"]);
    for command in ["init", "check", "run", "sync", "status", "outbox", "push"] {
        assert!(all.contains(command), "{command}");
        assert!(help(&[command, "--help"]).contains("Usage:"), "{command}");
    }
}
