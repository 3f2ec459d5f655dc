//! LinkedIn's lead forms: a notification holds only URNs, and the lead is in Odoo once whatever happens on the way.

use chrono::{TimeDelta, Utc};
use serde_json::json;

use crate::{
    daemon::{Daemon, http_client},
    odoo::{Database, Server, Template, until},
    support::linkedin::{self, FORM, LinkedIn, OWNER, Trouble, notification, signature},
};

fn configure(server: &Server, database: &Database, platform: &LinkedIn, more: &str) -> Daemon {
    let daemon = Daemon::configure_at(&server.url, database, "", &platform.section(more));
    daemon.put_secret("li-app", linkedin::CLIENT_SECRET);
    daemon.put_secret("li-token", linkedin::TOKEN);
    daemon
}

/// The same with a refresh token instead of a token.
fn configure_renewal(server: &Server, database: &Database, platform: &LinkedIn) -> Daemon {
    let section = platform.section("poll_interval = \"2s\"");
    let section = section.replace("token = { file = \"li-token\" }", "refresh_token = { file = \"li-refresh\" }");
    let daemon = Daemon::configure_at(&server.url, database, "", &section);
    daemon.put_secret("li-app", linkedin::CLIENT_SECRET);
    daemon.put_secret("li-refresh", linkedin::REFRESH_TOKEN);
    daemon
}

async fn post(daemon: &Daemon, body: &str) -> u16 {
    daemon.post_webhook("linkedin", ("x-li-signature", &signature(body)), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_notification_ends_in_odoo_once_with_all_that_the_form_says() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = LinkedIn::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;
    daemon.platform("ok").await;

    let challenge = async |code: &str| {
        let query = format!("challengeCode={code}&applicationId=12345");
        let request = http_client().get(format!("{}/api/webhooks/linkedin?{query}", daemon.url));
        let answer = request.send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    let (status, text) = challenge("890e4665-4dfe-4ab1-b689-ed553bceeed0").await;
    assert_eq!(status, 200);
    assert!(text.contains("3ceda89cb18cf5471b844e08c4b771bcab6f5bec8ab1b0837ca04ab05c909d8c"), "{text}");
    assert_eq!(challenge("hmacsha256%3D%7B%7D").await.0, 401, "nobody may have anything signed");

    // Repeated, out of order, and one that cannot be read at once. A forged one is refused.
    for id in ["a1-4", "a2-4", "a3-4"] {
        platform.add(id, &format!("lead {id}"));
    }
    platform.facts().not_yet.insert("a3-4".to_owned(), 2);
    let (first, second) = (notification("a1-4", "CREATED"), notification("a2-4", "CREATED"));
    for body in [&second, &first, &second, &notification("a3-4", "CREATED"), &notification("a1-4", "CREATED")] {
        assert_eq!(post(&daemon, body).await, 200);
    }
    let forged = http_client().post(format!("{}/api/webhooks/linkedin", daemon.url)).body(first.clone());
    let forged = forged.header("x-li-signature", signature(&second)).send().await.expect("an answer");
    assert_eq!(forged.status(), 401);
    daemon.drained().await;
    assert_eq!(database.leads(), (3, 3));
    assert_eq!(platform.count("leadFormResponses/a1-4"), 1, "what is announced twice is fetched once");
    assert_eq!(platform.count("leadFormResponses/a3-4"), 3);
    assert_eq!(platform.count(&format!("leadForms/{FORM}")), 1, "the form is fetched once");

    let admin = database.admin(server).await;
    let id = admin.search("crm.lead", json!([["email_from", "=", "lead-a1-4@example.com"]])).await[0];
    let lead = admin.read("crm.lead", id, &["contact_name", "source_id", "campaign_id", "description"]).await;
    assert_eq!(lead["contact_name"], "lead a1-4");
    for (model, field, name) in
        [("utm.source", "source_id", "LinkedIn"), ("utm.campaign", "campaign_id", "q4-linkedin")]
    {
        let id = lead[field].as_i64().expect("an id");
        assert_eq!(admin.read(model, id, &["name"]).await["name"], name);
    }
    let description = lead["description"].as_str().expect("text");
    assert!(description.contains("ماذا تريد؟: فيلا"), "{description}");

    // That a member has deleted a lead is for a person; what is not understood is kept, and LinkedIn told that it came.
    assert_eq!(post(&daemon, &notification("a1-4", "DELETED")).await, 200);
    assert_eq!(post(&daemon, "{\"type\":\"LEAD_ACTION\"}").await, 200);
    let parked = daemon.parked().to_string();
    assert!(parked.contains("has deleted lead a1-4") && parked.contains("is missing"), "{parked}");
    assert_eq!(database.leads(), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_waited_out_and_an_outage_is_back_filled() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = LinkedIn::start().await;
    platform.facts().subscribed = false;
    platform.facts().expires_at = (Utc::now() + TimeDelta::days(3)).timestamp();
    // From before the back-fill, from days ago, and more than a page of them.
    platform.add_at("old-1", "long ago", Utc::now() - TimeDelta::days(9));
    for number in 0..5 {
        platform.add_at(&format!("day-{number}"), &format!("d{number}"), Utc::now() - TimeDelta::days(2));
    }
    let mut daemon = configure(server, &database, &platform, "poll_interval = \"2s\"\n[flags]\nTEST_LEAD = \"hold\"");
    daemon.start_connected().await;
    until("they were found", async || (database.leads() == (5, 5)).then_some(())).await;
    let shown = String::from_utf8(daemon.cli(&["status"]).stdout).expect("UTF-8");
    for part in ["LinkedIn notifies nobody", "the token expires at", "platform 5, Odoo 5  فلل جدة"] {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    platform.facts().subscribed = true;
    let metrics = daemon.metrics().await;
    for at in ["platform", "odoo"] {
        let line = format!("g_assistant_form_leads{{source=\"linkedin\",form=\"{FORM}\",at=\"{at}\"}} 5");
        assert!(metrics.contains(&line), "{line} is not in\n{metrics}");
    }
    assert!(daemon.log().contains("compared with Odoo"));

    let mut expected = 5;
    // What else there is, each as `rest` tells it apart, has the same three ends.
    let troubles = [
        (Trouble::Cut, "unreachable"),
        (Trouble::Status(429, Some(1)), "limited"),
        (Trouble::Status(403, None), "denied"),
    ];
    for (trouble, state) in troubles {
        platform.trouble(trouble.clone());
        daemon.platform(state).await;
        // One is announced, one is not.
        let (told, untold) = (format!("t-{expected}"), format!("u-{expected}"));
        platform.add(&told, &told);
        platform.add(&untold, &untold);
        assert_eq!(post(&daemon, &notification(&told, "CREATED")).await, 200);
        let jobs = daemon.cli_json(&["outbox", "list", "--kind", "fetch", "--state", "ready", "--json"]);
        assert!(jobs.as_array().expect("a list").iter().all(|job| job["attempts"] == 0), "{trouble:?}: {jobs}");
        platform.trouble(None);
        expected += 2;
        until("both are there", async || (database.leads() == (expected, expected)).then_some(())).await;
    }

    // An expired token is told with what to do, and a new one used as soon as it is there.
    platform.facts().token = "AQX-second".to_owned();
    let told = daemon.platform("denied").await;
    assert_eq!((&told["account"], &told["detail"]), (&json!(OWNER), &json!("refuses: the token is expired")), "{told}");
    assert!(told["hint"].as_str().expect("what to do").contains("`token` of this source"), "{told}");
    platform.add("last-1", "last");
    daemon.put_secret("li-token", "AQX-second");
    until("it goes on", async || (database.leads() == (expected + 1, expected + 1)).then_some(())).await;
    daemon.platform("ok").await;
    daemon.drained().await;
    assert_eq!(database.leads(), (expected + 1, expected + 1));
    assert_eq!(daemon.parked(), json!([]));

    // What is still missing after all has been compared is told with the reason.
    platform.add("held-1", "held");
    platform.facts().leads.get_mut("held-1").expect("there")["testLead"] = json!(true);
    until("it is told", async || {
        let health = daemon.get("/api/health").await.ok()?.body;
        let warnings = health["platforms"][0]["warnings"].to_string();
        warnings.contains("of فلل جدة: 1 parked: `g-assistant outbox list --state parked`").then_some(())
    })
    .await;

    let checked = daemon.cli(&["check", "--online"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{text}{}", String::from_utf8_lossy(&checked.stderr));
    assert!(text.contains(&format!("linkedin  account {OWNER}")), "{text}");
    assert!(text.contains("its token expires at"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_are_made_by_a_refresh_token() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = LinkedIn::start().await;
    let mut daemon = configure_renewal(server, &database, &platform);
    let arrives = async |daemon: &Daemon, id: &str, expected: i64| {
        platform.add(id, id);
        assert_eq!(post(daemon, &notification(id, "CREATED")).await, 200);
        until(&format!("{id} is in Odoo"), async || (database.leads() == (expected, expected)).then_some(())).await;
    };
    daemon.start_connected().await;
    daemon.platform("ok").await;
    arrives(&daemon, "r1-4", 1).await;
    assert_eq!(platform.facts().made, 1, "one for all that is asked");
    let shown = String::from_utf8(daemon.cli(&["status"]).stdout).expect("UTF-8");
    assert!(shown.contains("the refresh token expires at"), "{shown}");
    let checked = daemon.cli(&["check", "--online"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success() && text.contains("its refresh token expires at"), "{text}");

    // That one made the token of the daemon bad. Nobody notices, nor a revocation, nor a restart.
    assert_eq!(platform.facts().made, 2);
    arrives(&daemon, "r2-4", 2).await;
    platform.facts().token = "AQX-revoked".to_owned();
    arrives(&daemon, "r3-4", 3).await;
    assert_eq!(platform.facts().made, 4);
    daemon.kill();
    daemon.start_connected().await;
    arrives(&daemon, "r4-4", 4).await;

    // One that lives six seconds is replaced after five: no request has a token that has ended.
    platform.facts().lives = 6;
    platform.facts().token = "AQX-revoked".to_owned();
    arrives(&daemon, "r5-4", 5).await;
    let made = platform.facts().made;
    until("another was made", async || (platform.facts().made >= made + 2).then_some(())).await;
    assert!(!daemon.log().contains("nothing can be fetched"), "{}", daemon.log());

    // Nobody makes tokens: what is good is used to its end, then it is waited for.
    platform.facts().oauth_trouble = Some(503);
    daemon.platform("unreachable").await;
    platform.add("r6-4", "r6");
    assert_eq!(post(&daemon, &notification("r6-4", "CREATED")).await, 200);
    platform.facts().lives = 5_184_000;
    platform.facts().oauth_trouble = None;
    until("it goes on", async || (database.leads() == (6, 6)).then_some(())).await;
    daemon.platform("ok").await;

    // A revoked refresh token is told with what to do, and a new one used as soon as it is there.
    platform.facts().refresh_token = "AQR-second".to_owned();
    platform.facts().token = "AQX-revoked".to_owned();
    let told = daemon.platform("denied").await;
    assert!(told["detail"].as_str().expect("why").contains("invalid_grant"), "{told}");
    assert!(told["hint"].as_str().expect("what to do").contains("`refresh_token` of this source"), "{told}");
    daemon.put_secret("li-refresh", "AQR-second");
    daemon.platform("ok").await;
    arrives(&daemon, "r7-4", 7).await;
    assert_eq!(daemon.parked(), json!([]));
    for secret in ["AQX-", "AQR-", linkedin::CLIENT_SECRET] {
        assert!(!daemon.log().contains(secret), "{secret} is in the log");
        let kept = std::fs::read(daemon.config().with_file_name("store.db")).expect("the store");
        assert!(!kept.windows(secret.len()).any(|part| part == secret.as_bytes()), "{secret} is in the store");
    }
}
