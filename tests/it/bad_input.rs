//! Bad and hostile deliveries: each gets a clear answer, nothing is half done, and the next good one passes.

use chrono::Utc;
use serde_json::json;

use crate::{
    daemon::{Daemon, http_client},
    odoo::{Database, Server, Template},
};

#[tokio::test(flavor = "multi_thread")]
async fn each_bad_delivery_has_its_answer() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    let http = http_client();
    let url = format!("{}/api/webhooks/website", daemon.url);
    let now = Utc::now().timestamp();
    let good = json!({"lead": {"contact_name": "Sara"}}).to_string();

    // Not signed, or not as it should be.
    let bare = http.post(&url).body(good.clone()).send().await.expect("answered");
    assert_eq!(bare.status(), 401);
    let forged = http
        .post(&url)
        .header("webhook-id", "forged")
        .header("webhook-timestamp", now.to_string())
        .header("webhook-signature", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        .body(good.clone())
        .send()
        .await
        .expect("answered");
    assert_eq!(forged.status(), 401);
    for (name, offset) in [("old", -3600), ("future", 3600)] {
        let answer = daemon.deliver("website", name, good.as_bytes(), now + offset).await.expect("answered");
        assert_eq!(
            (answer.status, &answer.body["error"]["code"]),
            (401, &json!("timestamp_out_of_tolerance")),
            "{name}"
        );
    }

    // Signed, but not what we take.
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    let mut nul = good.clone().into_bytes();
    nul.push(0);
    let cases: [(&str, Vec<u8>, u16); 9] = [
        ("not_json", b"name=Sara".to_vec(), 400),
        ("empty", Vec::new(), 400),
        ("cut", b"{\"lead\": {\"contact_name\": \"Sa".to_vec(), 400),
        ("deep", deep.into_bytes(), 400),
        ("nul", nul, 400),
        ("wrong_type", json!({"lead": {"contact_name": ["Sara"]}}).to_string().into_bytes(), 422),
        ("wrong_shape", json!({"people": []}).to_string().into_bytes(), 422),
        ("nothing_in_it", json!({"lead": {}}).to_string().into_bytes(), 422),
        (
            "one_bad_of_two",
            json!({"leads": [{"contact_name": "A"}, {"email": {"work": "a@b.example"}}]}).to_string().into_bytes(),
            422,
        ),
    ];
    for (name, body, expected) in &cases {
        let answer = daemon.deliver("website", name, body, now).await.expect("answered");
        assert_eq!(answer.status, *expected, "{name}: {:?}", answer.body);
        let error = &answer.body["error"];
        assert!(error["code"].is_string() && error["message"].is_string(), "{name}: {:?}", answer.body);
    }
    let bad = daemon.deliver("website", "pointer", &cases[8].1, now).await.expect("answered");
    assert!(bad.body["error"]["message"].as_str().expect("a message").contains("/leads/1/email"), "{bad:?}");

    let large = json!({"lead": {"contact_name": "x".repeat(2_000_000)}}).to_string();
    let answer = daemon.deliver("website", "large", large.as_bytes(), now).await;
    // The daemon may close the connection while the rest is still on its way.
    assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 413));
    assert_eq!(daemon.deliver("nobody", "unknown", good.as_bytes(), now).await.expect("answered").status, 404);
    assert_eq!(daemon.read("/api/webhooks/website").await.status, 405);
    assert_eq!(daemon.read("/api/nothing").await.status, 404);
    assert_eq!(daemon.read("/api/odoo/leads?colour=red").await.status, 400);
    let anonymous = http.get(format!("{}/api/odoo/leads", daemon.url)).send().await.expect("answered");
    assert_eq!(anonymous.status(), 401);

    // What was authentic is kept for a person, and can be tried again.
    let parked = daemon.parked();
    assert_eq!(parked.as_array().map(Vec::len), Some(cases.len() + 1));

    // Unknown fields are kept, control characters are cleaned, and all of it still works.
    let odd = json!({"lead": {"contact_name": "Sa\u{1}ra\u{202e}", "emial": "s@example.com", "shoe size": 38}});
    let answer = daemon.send("odd", &odd).await;
    assert_eq!(answer.status, 202);
    let warnings = answer.body["warnings"].to_string();
    assert!(warnings.contains("emial") && warnings.contains("email"), "{warnings}");
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
    assert_eq!(database.count("select count(*) from crm_lead where description like '%s@example.com%'"), 1);
    assert_eq!(database.count("select count(*) from crm_lead where contact_name ~ '[[:cntrl:]]'"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_api_creates_a_lead_once() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    let lead = json!({"external_id": "crm-1", "contact_name": "Sara", "email": "sara@example.com"});
    for _ in 0..2 {
        assert_eq!(daemon.post("/api/odoo/leads", &lead).await.status, 202);
    }
    assert_eq!(daemon.post("/api/odoo/leads", &json!({"email": 3})).await.status, 422);
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
    let metrics = http_client().get(format!("{}/metrics", daemon.url)).send().await.expect("answered");
    let metrics = metrics.text().await.expect("text");
    assert!(metrics.contains("# TYPE"), "{metrics}");
    assert!(!metrics.contains("sara"), "no personal data in metrics");
    assert!(!daemon.log().contains("sara@"), "no personal data in the log");
}
