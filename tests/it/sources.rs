//! What platforms push, and what forms post, ends in Odoo once, whatever is repeated.

use reqwest::{StatusCode, header::LOCATION};
use serde_json::json;

use crate::{
    daemon::{Daemon, http_client},
    odoo::{Database, Server, Template},
};

const KEY: &str = "0b7f5d0c9a3e41c2b8d6";

const SECTIONS: &str = r#"
[sources.google]
kind = "google"
google_key = { env = "URL_KEY" }

[sources.tiktok]
kind = "tiktok"
url_key = { env = "URL_KEY" }

[sources.snapchat]
kind = "snapchat"
url_key = { env = "URL_KEY" }

[sources.contact]
kind = "form"
url_key = { env = "URL_KEY" }
origins = ["https://www.example.sa"]
redirect = "https://www.example.sa/thanks"
nonce = "once"
rate = "6/h"
"#;

/// Posts to a path below the webhooks.
async fn post(daemon: &Daemon, path: &str, kind: &str, accept: &str, body: String) -> reqwest::Response {
    let request = http_client().post(format!("{}/api/webhooks/{path}", daemon.url)).body(body);
    let request = request.header("content-type", kind).header("accept", accept);
    // As the web server in front says it: what it does not name is nobody's, and has no limit.
    let request = request.header("x-forwarded-for", "203.0.113.7");
    request.header("origin", "https://www.example.sa").send().await.expect("an answer")
}

async fn post_json(daemon: &Daemon, path: &str, body: serde_json::Value) -> StatusCode {
    post(daemon, path, "application/json", "*/*", body.to_string()).await.status()
}

#[tokio::test(flavor = "multi_thread")]
async fn each_pushed_lead_arrives_once() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure_at(&server.url, &database, "", SECTIONS);
    daemon.variables.push(("URL_KEY".to_owned(), KEY.to_owned()));
    daemon.start_connected().await;

    let google = |key: &str, email: &str| {
        json!({"lead_id": "g-1", "form_id": 40_000_000_000u64, "campaign_id": 1_234_567_890, "google_key": key,
               "gcl_id": "g-click", "user_column_data": [
                   {"column_id": "FULL_NAME", "string_value": "سارة علي"}, {"column_id": "EMAIL", "string_value": email},
                   {"column_id": "budget", "column_name": "ما هي الميزانية؟", "string_value": "500 ألف"}]})
    };
    let tiktok = json!({"object": "LEAD", "entry": [
        {"changes": [{"field": "lead_id", "value": "t-1"}, {"field": "name", "value": "Omar"}, {"field": "email", "value": "omar@example.com"}]},
        {"changes": [{"field": "lead_id", "value": "t-2"}, {"field": "name", "value": "Noura"}, {"field": "email", "value": "noura@example.com"}]},
    ]});
    let snapchat = json!({"lead_id": "s-1", "form_id": "f", "campaign_name": "Q4", "first_name": "Huda", "last_name": "Saleh",
                          "email": "huda@example.com", "create_time": "1763690000123", "custom_field_1": "Villa"});
    let (tiktok_path, snapchat_path) = (format!("tiktok/{KEY}"), format!("snapchat?key={KEY}"));
    // Each is sent again, as it was and in another delivery.
    for _ in 0..2 {
        assert_eq!(post_json(&daemon, "google", google(KEY, "sara@example.com")).await, 200);
        assert_eq!(post_json(&daemon, &tiktok_path, tiktok.clone()).await, 200);
        assert_eq!(post_json(&daemon, &snapchat_path, snapchat.clone()).await, 200);
    }
    assert_eq!(post_json(&daemon, "google", google(KEY, "sara.ali@example.com")).await, 200);
    assert_eq!(post_json(&daemon, &tiktok_path, tiktok["entry"][0].clone()).await, 200);

    // Without the key nothing is taken.
    let refused =
        post(&daemon, "google", "application/json", "*/*", google("wrong", "x@example.com").to_string()).await;
    assert_eq!(
        (refused.status().as_u16(), refused.text().await.expect("read")),
        (401, r#"{"message":"Invalid google_key"}"#.to_owned())
    );
    for path in ["tiktok", "tiktok/wrong", "snapchat?key=", "contact/wrong"] {
        assert_eq!(post_json(&daemon, path, json!({"name": "X", "email": "x@example.com"})).await, 401, "{path}");
    }

    // A form is posted twice by an impatient visitor, then by a program.
    let (kind, person) = ("application/x-www-form-urlencoded", "text/html");
    let form = "name=Layla&email=layla%40example.com&utm_campaign=Spring&colour=red&once=1".to_owned();
    for _ in 0..2 {
        let answer = post(&daemon, &format!("contact/{KEY}"), kind, person, form.clone()).await;
        assert_eq!(answer.status(), 303);
        assert_eq!(answer.headers()[LOCATION], "https://www.example.sa/thanks");
    }
    let mut last = None;
    for number in 0..5 {
        let again = format!("email=layla%40example.com&n={number}");
        last = Some(post(&daemon, &format!("contact/{KEY}"), kind, "application/json", again).await.status());
    }
    assert_eq!(last, Some(StatusCode::TOO_MANY_REQUESTS), "a visitor has a rate");

    // What is not understood is kept for a person, and the platform need not send it again.
    assert_eq!(post_json(&daemon, &tiktok_path, json!({"entry": [{"id": "t-9"}]})).await, 200);
    daemon.drained().await;
    let parked = daemon.parked();
    assert!(parked.to_string().contains("ids and no answers"), "{parked}");

    let admin = database.admin(server).await;
    for (email, expected) in [
        ("sara.ali@example.com", "سارة علي"),
        ("omar@example.com", "Omar"),
        ("noura@example.com", "Noura"),
        ("huda@example.com", "Huda Saleh"),
    ] {
        let found = admin.search("crm.lead", json!([["email_from", "=", email]])).await;
        assert_eq!(found.len(), 1, "{email}");
        let lead = admin.read("crm.lead", found[0], &["contact_name", "source_id", "description"]).await;
        assert_eq!(lead["contact_name"], expected);
        assert!(lead["source_id"].is_number(), "{lead}");
        if email.starts_with("sara") {
            assert!(lead["description"].to_string().contains("ما هي الميزانية؟"), "{lead}");
        }
    }
    assert_eq!(database.count("select count(*) from crm_lead where contact_name = 'Layla'"), 1);
    // 4 of platforms; what the program sent with Layla's address became part of her lead.
    assert_eq!(database.count("select count(*) from crm_lead"), 5);
    assert!(!daemon.log().contains(KEY), "a key is in the log");
    assert_eq!(daemon.stop().await, Some(0));
}
