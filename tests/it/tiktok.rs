//! TikTok's leads of which only ids come: fetched once, whatever happens on the way.

use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, http_client},
    odoo::{Database, Server, Template, until},
    support::tiktok::{ADVERTISER, TOKEN, TikTok},
};

const KEY: &str = "0b7f5d0c9a3e41c2b8d6";

async fn post(daemon: &Daemon, body: &Value) -> u16 {
    let request = http_client().post(format!("{}/api/webhooks/tiktok/{KEY}", daemon.url)).body(body.to_string());
    request.send().await.expect("an answer").status().as_u16()
}

fn ids(lead: &str) -> Value {
    json!({"object": "LEAD", "entry": [{"id": "7340000000000000000", "changes": [
        {"field": "lead_id", "value": lead}, {"field": "page_id", "value": "7320000000000000000"},
        {"field": "advertiser_id", "value": ADVERTISER}]}]})
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_only_ids_is_fetched_once() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = TikTok::start().await;
    let section = format!(
        "[sources.tiktok]\nkind = \"tiktok\"\nurl_key = {{ file = \"tt-url\" }}\ntoken = {{ file = \"tt-token\" }}\n\
         api = \"{}/open_api/v1.3\"\n",
        platform.url
    );
    let mut daemon = Daemon::configure_at(&server.url, &database, "", &section);
    daemon.put_secret("tt-url", KEY);
    daemon.put_secret("tt-token", TOKEN);
    daemon.start_connected().await;
    let leads = || database.count("select count(*) from crm_lead");
    for (id, name) in
        [("7400000000000000001", "سارة"), ("7400000000000000002", "Omar"), ("7400000000000000003", "Huda")]
    {
        platform.facts().leads.insert(id.to_owned(), name.to_owned());
    }

    // Told twice, in two forms; and one with its answers, which is not asked for.
    let flat = json!({"lead_id": "7400000000000000001", "advertiser_id": ADVERTISER});
    for body in [&ids("7400000000000000001"), &ids("7400000000000000001"), &flat] {
        assert_eq!(post(&daemon, body).await, 200);
    }
    let whole = json!({"lead_id": "7400000000000000009", "name": "Noura", "email": "noura@example.com"});
    assert_eq!(post(&daemon, &whole).await, 200);
    daemon.drained().await;
    assert_eq!((leads(), platform.facts().asked.len()), (2, 1));
    let admin = database.admin(server).await;
    let found = admin.search("crm.lead", json!([["email_from", "=", "lead-7400000000000000001@example.com"]])).await;
    let lead = admin.read("crm.lead", found[0], &["contact_name", "description"]).await;
    assert_eq!(lead["contact_name"], "سارة");
    assert!(lead["description"].to_string().contains("ما هي الميزانية؟"), "{lead}");

    // A request too many, then a token that ended: told, waited out, and healed by a new one.
    platform.facts().trouble = Some((1, 51_000));
    assert_eq!(post(&daemon, &ids("7400000000000000002")).await, 200);
    until("it is fetched", async || (leads() == 3).then_some(())).await;
    platform.facts().token = "tt-second".to_owned();
    assert_eq!(post(&daemon, &ids("7400000000000000003")).await, 200);
    let told = until("the refusal is told", async || {
        let one = daemon.get("/api/health").await.ok()?.body["platforms"][0].clone();
        (one["state"] == "denied").then_some(one)
    })
    .await;
    assert!(told["detail"].to_string().contains("40105") && told["hint"].to_string().contains("token"), "{told}");
    daemon.put_secret("tt-token", "tt-second");
    until("it goes on", async || (leads() == 4).then_some(())).await;

    // What TikTok does not know is parked with its words.
    assert_eq!(post(&daemon, &ids("7400000000000000007")).await, 200);
    daemon.drained().await;
    let parked = daemon.parked();
    assert!(parked[0]["error"].to_string().contains("40002 lead_id is not valid"), "{parked}");
    assert_eq!(leads(), 4);
}
