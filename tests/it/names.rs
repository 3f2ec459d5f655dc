//! Who writes on Messenger and Instagram: asked of the Graph API once for each, and on their lead as soon as it is known.
//! The message never waits for that.

use std::time::Instant;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    graph::{self, Graph, PAGE, Trouble, signature},
    odoo::{Database, Person, Server, Template, until},
};

const ACCOUNT: &str = "17841400000000000";

fn configure(server: &Server, database: &Database, platform: &Graph) -> Daemon {
    let section = |id: &str, kind: &str, more: &str| {
        format!(
            "[sources.{id}]\nkind = \"{kind}\"\napp_secret = {{ file = \"app\" }}\nverify_token = {{ file = \"app\" }}\n{more}\n"
        )
    };
    let asks = format!("token = {{ file = \"token\" }}\ngraph = \"{}\"", platform.url);
    let sections = [
        section("messenger", "messenger", &asks),
        section("instagram", "instagram", &asks),
        section("quiet", "messenger", ""),
    ];
    let daemon = Daemon::configure_at(&server.url, database, "", &sections.concat());
    daemon.put_secret("app", graph::APP_SECRET);
    daemon.put_secret("token", graph::TOKEN);
    daemon
}

/// Somebody writes to a page or account.
async fn write(daemon: &Daemon, source: &str, person: &str, number: u64) {
    event(daemon, source, person, number, json!({"message": {"mid": format!("m-{person}-{number}"), "text": "Hello"}}))
        .await;
}

async fn event(daemon: &Daemon, source: &str, person: &str, number: u64, more: Value) {
    let (object, account) = if source == "instagram" { ("instagram", ACCOUNT) } else { ("page", PAGE) };
    let mut event =
        json!({"sender": {"id": person}, "recipient": {"id": account}, "timestamp": 1_763_690_000_000u64 + number});
    event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let body = json!({"object": object, "entry": [{"id": account, "time": 1, "messaging": [event]}]}).to_string();
    assert_eq!(daemon.post_webhook(source, ("x-hub-signature-256", &signature(&body)), &body).await, 200);
}

/// Title and contact of the one lead whose title is or was this.
async fn called(admin: &Person, lead: i64) -> (Value, Value) {
    let read = admin.read("crm.lead", lead, &["name", "contact_name"]).await;
    (read["name"].clone(), read["contact_name"].clone())
}

async fn lead_called(admin: &Person, name: &str) -> i64 {
    until(&format!("a lead is called {name}"), async || {
        match admin.search("crm.lead", json!([["name", "=", name]])).await[..] {
            [lead] => Some(lead),
            _ => None,
        }
    })
    .await
}

async fn platform(daemon: &Daemon, account: &str, state: &str) -> Value {
    until(&format!("{account} is {state}"), async || {
        let health = daemon.get("/api/health").await.ok()?.body;
        let all = health["platforms"].as_array()?.clone();
        all.into_iter().find(|one| one["account"] == account && one["state"] == state)
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn people_are_called_by_their_names() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let graph = Graph::start().await;
    let mut daemon = configure(server, &database, &graph);
    daemon.start_connected().await;
    let admin = database.admin(server).await;

    graph.person("71", Ok(json!({"first_name": "Sara", "last_name": "Ali"})));
    let started = Instant::now();
    for number in 1..=5 {
        write(&daemon, "messenger", "71", number).await;
    }
    let sara = lead_called(&admin, "Sara Ali").await;
    println!("{} ms after the first message its lead has the name", started.elapsed().as_millis());
    daemon.drained().await;
    write(&daemon, "messenger", "71", 6).await;
    daemon.drained().await;
    assert_eq!(called(&admin, sara).await, (json!("Sara Ali"), json!("Sara Ali")));
    assert_eq!(graph.count("/71"), 1, "many messages, one question");
    assert_eq!(database.count("select count(*) from g_assistant_message where mail_message_id is not null"), 6);
    let conversation = "select name from g_assistant_conversation where person = '71'";
    assert_eq!(database.sql(conversation), "Sara Ali");

    // Of Instagram with its own token, who has a name there and who has not; by fields of another version of the API.
    graph.person("81", Ok(json!({"name": "Noura", "username": "noura.h"})));
    graph.person("82", Ok(json!({"username": "only.this"})));
    graph.person("72", Ok(json!({"name": "Omar Said"})));
    write(&daemon, "instagram", "81", 1).await;
    write(&daemon, "instagram", "82", 1).await;
    write(&daemon, "messenger", "72", 1).await;
    let noura = lead_called(&admin, "Noura").await;
    lead_called(&admin, "only.this").await;
    lead_called(&admin, "Omar Said").await;
    assert_eq!(database.sql("select username from g_assistant_conversation where person = '81'"), "noura.h");

    // Who lets nobody ask keeps their id; nobody else waits for it, and no person has anything to do.
    for (person, why) in [("73", (100, 33)), ("74", (230, 0)), ("75", (100, 2_018_218))] {
        graph.person(person, Err(why));
        write(&daemon, "messenger", person, 1).await;
    }
    // A heart alone is nobody's inquiry, and without a token nobody is asked.
    event(&daemon, "messenger", "76", 1, json!({"reaction": {"mid": "m", "action": "react", "emoji": "❤"}})).await;
    write(&daemon, "quiet", "77", 1).await;
    daemon.drained().await;
    write(&daemon, "messenger", "73", 2).await;
    daemon.drained().await;
    for (person, asked) in [("73", 1), ("74", 1), ("75", 1), ("76", 0), ("77", 0)] {
        assert_eq!(graph.count(&format!("/{person}")), asked, "{person}");
    }
    for person in ["73", "74", "75", "77"] {
        let lead = lead_called(&admin, &format!("Messenger {person}")).await;
        assert_eq!(called(&admin, lead).await.1, json!(false));
    }
    assert_eq!(daemon.parked(), json!([]));
    platform(&daemon, PAGE, "ok").await;

    // Of a lead that was deleted, the next one has the name that is known.
    admin.unlink("crm.lead", noura).await;
    write(&daemon, "instagram", "81", 2).await;
    daemon.drained().await;
    let again = lead_called(&admin, "Noura").await;
    assert_ne!(again, noura);
    assert_eq!((called(&admin, again).await.1, graph.count("/81")), (json!("Noura"), 1));

    // Who wrote before there was a token is asked for by reading again.
    graph.person("77", Ok(json!({"first_name": "Huda"})));
    assert_eq!(daemon.stop().await, Some(0));
    daemon.edit(
        "[sources.quiet]\n",
        &format!("[sources.quiet]\ntoken = {{ file = \"token\" }}\ngraph = \"{}\"\n", graph.url),
    );
    daemon.start_connected().await;
    daemon.cli_json(&["replay", "--all", "--source", "quiet", "--go", "--json"]);
    lead_called(&admin, "Huda").await;
    assert!(!daemon.log().contains(graph::TOKEN), "the token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_message_does_not_wait_for_a_name_and_a_name_waits_for_the_platform() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let graph = Graph::start().await;
    let mut daemon = configure(server, &database, &graph);
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    graph.person("71", Ok(json!({"first_name": "Sara", "last_name": "Ali"})));
    graph.person("72", Ok(json!({"first_name": "Omar"})));
    graph.person("73", Ok(json!({"first_name": "Huda"})));

    // Nobody answers: the lead is there all the same, and a person names it meanwhile.
    graph.trouble(Trouble::Down);
    write(&daemon, "messenger", "71", 1).await;
    let sara = lead_called(&admin, "Messenger 71").await;
    platform(&daemon, PAGE, "unreachable").await;
    admin.write("crm.lead", sara, json!({"name": "Villa in the north"})).await;
    graph.trouble(None);
    daemon.drained().await;
    assert_eq!(called(&admin, sara).await, (json!("Villa in the north"), json!("Sara Ali")));
    let notes = "select count(*) from mail_message where body like '%kept your values%'";
    assert_eq!(database.count(notes), 0);
    platform(&daemon, PAGE, "ok").await;

    // An expired token, and a kill while the name waits.
    graph.facts().token = "EAAG-new".to_owned();
    write(&daemon, "messenger", "72", 1).await;
    let omar = lead_called(&admin, "Messenger 72").await;
    let told = platform(&daemon, PAGE, "denied").await;
    assert!(told["hint"].as_str().expect("what to do").contains("token"), "{told}");
    let status = String::from_utf8(daemon.cli(&["status"]).stdout).expect("UTF-8");
    assert!(status.contains(&format!("messenger account {PAGE}: denied")), "{status}");
    let metrics = daemon.metrics().await;
    assert!(metrics.contains(&format!("g_assistant_platform_up{{source=\"messenger\",account=\"{PAGE}\"}} 0")));
    daemon.kill();
    daemon.put_secret("token", "EAAG-new");
    daemon.start_connected().await;
    daemon.drained().await;
    assert_eq!(called(&admin, omar).await, (json!("Omar"), json!("Omar")));

    // A permission that is missing is not the person's: what to add is told, and the name comes later.
    graph.trouble(Trouble::Error(10, 0));
    write(&daemon, "messenger", "73", 1).await;
    let told = platform(&daemon, PAGE, "denied").await;
    assert!(told["hint"].as_str().expect("what to do").contains("pages_messaging"), "{told}");
    graph.trouble(None);
    daemon.drained().await;
    lead_called(&admin, "Huda").await;
    assert_eq!(daemon.parked(), json!([]));
    assert_eq!(database.leads().0, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_come_without_the_addon_too() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let graph = Graph::start().await;
    let mut daemon = configure(server, &database, &graph);
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    graph.person("71", Ok(json!({"first_name": "Sara", "last_name": "Ali"})));
    graph.person("72", Ok(json!({"first_name": "Omar"})));
    for number in 1..=3 {
        write(&daemon, "messenger", "71", number).await;
    }
    let sara = lead_called(&admin, "Sara Ali").await;
    daemon.drained().await;
    write(&daemon, "messenger", "71", 4).await;
    daemon.drained().await;
    assert_eq!(called(&admin, sara).await, (json!("Sara Ali"), json!("Sara Ali")));
    assert_eq!(graph.count("/71"), 1);

    graph.trouble(Trouble::Down);
    write(&daemon, "messenger", "72", 1).await;
    let omar = lead_called(&admin, "Messenger 72").await;
    admin.write("crm.lead", omar, json!({"name": "Offices", "contact_name": "Abu Said"})).await;
    graph.trouble(None);
    daemon.drained().await;
    assert_eq!(called(&admin, omar).await, (json!("Offices"), json!("Abu Said")));
    assert_eq!(database.count("select count(*) from mail_message where body like '%kept your values%'"), 0);
    event(&daemon, "messenger", "73", 1, json!({"reaction": {"mid": "m", "action": "react", "emoji": "❤"}})).await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 2);
    assert_eq!(daemon.parked(), json!([]));
}
