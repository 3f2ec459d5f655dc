//! `replay`: what was kept because nobody understood it is read again when the map is right, and nothing is done twice.

use std::process::Output;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    odoo::{Database, Server, Template},
};

const SECTION: &str = r#"
[sources.forms]
kind = "generic"
secret = { file = "website.secret" }

[sources.forms.map]
items = "/leads"
external_id = "/id"
contact_name = "/person/name"
email = "/mail"
"#;

fn body(ids: &[&str]) -> Value {
    let lead =
        |id: &&str| json!({"id": id, "person": {"name": format!("Lead {id}")}, "mail": format!("{id}@example.com")});
    json!({"data": {"leads": ids.iter().map(lead).collect::<Vec<_>>()}})
}

async fn send(daemon: &Daemon, key: &str, body: &Value) -> u16 {
    let now = chrono::Utc::now().timestamp();
    daemon.deliver("forms", key, body.to_string().as_bytes(), now).await.expect("an answer").status
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_understood_is_read_again_once() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure_at(&server.url, &database, "", SECTION);
    daemon.start_connected().await;
    let leads = |database: &Database| database.count("select count(*) from crm_lead");

    // The map is wrong: the leads are below `data`. One that is right comes too, and one that will never be.
    assert_eq!(send(&daemon, "m1", &body(&["a", "b"])).await, 422);
    assert_eq!(send(&daemon, "m2", &body(&["c"])).await, 422);
    assert_eq!(send(&daemon, "m3", &json!({"data": 7})).await, 422);
    assert_eq!(send(&daemon, "m4", &json!({"leads": [{"id": "d", "mail": "d@example.com"}]})).await, 202);
    daemon.drained().await;
    assert_eq!(leads(&database), 1);
    let nothing = said(&daemon.cli(&["replay"]));
    assert!(nothing.contains("3 deliveries, 3 of them still not understood. There is nothing to do"), "{nothing}");

    // Corrected, beside the service, which still has the old map. A dry run changes nothing.
    daemon.edit("items = \"/leads\"", "items = \"/data/leads\"");
    for _ in 0..2 {
        let dry = said(&daemon.cli(&["replay", "--source", "forms", "--since", "1h"]));
        assert!(
            dry.contains("dry run: 3 deliveries, 1 of them still not understood; 3 leads or orders: 3 new"),
            "{dry}"
        );
        assert!(dry.contains("still not understood: body: nothing at `/data/leads`"), "{dry}");
    }
    for none in [["--since", "2100-01-01"], ["--until", "2020-01-01"], ["--source", "website"]] {
        assert!(said(&daemon.cli(&["replay", none[0], none[1]])).contains("0 deliveries"), "{none:?}");
    }
    daemon.drained().await;
    assert_eq!(leads(&database), 1);

    let done = said(&daemon.cli(&["replay", "--go"]));
    assert!(done.contains("3 leads or orders: 3 new"), "{done}");
    daemon.drained().await;
    assert_eq!(leads(&database), 4);
    assert_eq!(database.count("select count(distinct email_from) from crm_lead"), 4);

    // Again, with everything that is kept: what was done is not done twice, whoever sends it.
    let again = daemon.cli_json(&["replay", "--all", "--go", "--json"]);
    let results: Vec<_> = again.as_array().expect("a list").iter().map(|one| &one["result"]).collect();
    assert_eq!(results, ["understood", "understood", "not_understood", "not_understood"], "{again}");
    assert_eq!((&again[0]["operations"]["done"], &again[1]["operations"]["done"]), (&json!(2), &json!(1)), "{again}");
    daemon.kill();
    daemon.start_connected().await;
    assert_eq!(send(&daemon, "m1", &body(&["a", "b"])).await, 422, "a repeated delivery gets its first answer");
    daemon.drained().await;
    assert_eq!(leads(&database), 4);

    // Without the service: queued, and sent by the next pass. What is there already is an update of it.
    daemon.edit("items = \"/data/leads\"", "items = \"/leads\"");
    daemon.kill();
    daemon.start_connected().await;
    assert_eq!(send(&daemon, "m5", &body(&["a", "e"])).await, 422);
    assert_eq!(daemon.stop().await, Some(0));
    daemon.edit("items = \"/leads\"", "items = \"/data/leads\"");
    let alone = said(&daemon.cli(&["replay", "--go"]));
    assert!(alone.contains("2 leads or orders: 1 new, 1 an update"), "{alone}");
    assert!(daemon.cli(&["sync"]).status.success());
    assert_eq!(leads(&database), 5);

    let unknown = daemon.cli(&["replay", "--source", "nobody"]);
    assert_eq!(unknown.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&unknown.stderr).contains("there is no source `nobody`"));
    assert_eq!(daemon.cli(&["replay", "--since", "yesterday"]).status.code(), Some(2));
}
