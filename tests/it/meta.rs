//! Lead Ads of Meta: a webhook holds only an id, and the lead is in Odoo once whatever happens on the way.

use std::time::{Duration, Instant};

use chrono::{TimeDelta, Utc};
use g_assistant::odoo::Call;
use serde_json::json;

use crate::{
    daemon::Daemon,
    graph::{self, AD_ACCOUNT, FORM, Graph, PAGE, Trouble, signature, webhook},
    odoo::{Database, Server, Template, until},
};

/// The daemon with a source that asks this platform.
pub fn configure(server: &Server, database: &Database, platform: &Graph, more: &str) -> Daemon {
    let daemon = Daemon::configure_at(&server.url, database, "", &platform.section(more));
    for (name, secret) in
        [("meta-app", graph::APP_SECRET), ("meta-verify", graph::VERIFY_TOKEN), ("meta-token", graph::TOKEN)]
    {
        daemon.put_secret(name, secret);
    }
    daemon
}

/// Meta posts; it takes anything but 200 for a failure.
async fn post(daemon: &Daemon, body: &str) -> u16 {
    daemon.post_webhook("meta", ("x-hub-signature-256", &signature(body)), body).await
}

fn status(daemon: &Daemon) -> String {
    String::from_utf8(daemon.cli(&["status"]).stdout).expect("UTF-8")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_ends_in_odoo_once_with_all_that_the_form_says() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;

    let http = crate::daemon::http_client();
    let handshake = async |token: &str| {
        let query = format!("hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token={token}");
        let answer = http.get(format!("{}/api/webhooks/meta?{query}", daemon.url)).send().await.expect("an answer");
        (answer.status().as_u16(), answer.text().await.expect("text"))
    };
    assert_eq!(handshake(graph::VERIFY_TOKEN).await, (200, "1158201444".to_owned()));
    assert_eq!(handshake("other").await.0, 401);
    let other = http.get(format!("{}/api/webhooks/website?hub.mode=subscribe", daemon.url)).send().await;
    assert_eq!(other.expect("an answer").status(), 405);

    // A batch, a part of it again in another order, and a lead that cannot be read at once.
    for id in ["1001", "1002", "1003"] {
        platform.add(id, &format!("lead {id}"));
    }
    platform.facts().not_yet.insert("1003".to_owned(), 2);
    let batch = webhook(&["1001", "1002"]);
    assert_eq!(post(&daemon, &batch).await, 200);
    assert_eq!(post(&daemon, &batch).await, 200);
    assert_eq!(post(&daemon, &webhook(&["1003", "1002", "1001"])).await, 200);
    daemon.drained().await;
    assert_eq!(database.leads(), (3, 3));
    assert_eq!(platform.count("/1001"), 1, "what is announced twice is fetched once");
    assert_eq!(platform.count("/1003"), 3);
    assert!(platform.count(FORM) <= 1, "the form is fetched once");

    let admin = database.admin(server).await;
    let id = admin.search("crm.lead", json!([["email_from", "=", "lead-1001@example.com"]])).await[0];
    let lead = admin.read("crm.lead", id, &["contact_name", "source_id", "campaign_id", "description"]).await;
    assert_eq!(lead["contact_name"], "lead 1001");
    for (model, field, name) in [("utm.source", "source_id", "Instagram"), ("utm.campaign", "campaign_id", "Q4 leads")]
    {
        let id = lead[field].as_i64().expect("an id");
        assert_eq!(admin.read(model, id, &["name"]).await["name"], name);
    }
    let description = lead["description"].as_str().expect("text");
    assert!(description.contains("متى نتصل بك؟: صباحاً, مساءً"), "{description}");

    // From the platform's answer to Odoo.
    platform.add("1004", "fast");
    assert_eq!(post(&daemon, &webhook(&["1004"])).await, 200);
    let count = "select count(*) from crm_lead where contact_name = 'fast'";
    until("the lead is in Odoo", async || (database.count(count) == 1).then_some(())).await;
    let fetched = platform.facts().asked.iter().rev().find(|(_, path)| path.ends_with("/1004")).expect("fetched").0;
    println!("{} ms after the platform was asked, the lead was seen in Odoo", fetched.elapsed().as_millis());

    // What is authentic and not understood is kept, and Meta is told that it arrived.
    assert_eq!(post(&daemon, "{\"object\":\"page\"}").await, 200);
    let parked = daemon.parked();
    assert!(parked[0]["error"].as_str().expect("why").contains("`entry` is missing"), "{parked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_with_the_platform_is_waited_out() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;
    daemon.platform("ok").await;
    let mut next = 2_000;
    for (trouble, state) in
        [(Trouble::Down, "unreachable"), (Trouble::Cut, "unreachable"), (Trouble::Error(200, 0), "denied")]
    {
        let ids: Vec<_> = (next..next + 3).map(|id| id.to_string()).collect();
        next += 3;
        ids.iter().for_each(|id| platform.add(id, id));
        platform.trouble(trouble.clone());
        assert_eq!(post(&daemon, &webhook(&ids.iter().map(String::as_str).collect::<Vec<_>>())).await, 200);
        let told = daemon.platform(state).await;
        let jobs = daemon.cli_json(&["outbox", "list", "--kind", "fetch", "--state", "ready", "--json"]);
        let jobs = jobs.as_array().expect("a list");
        assert!(jobs.iter().all(|job| job["attempts"] == 0), "{trouble:?}: it is nobody's fault: {jobs:?}");
        let shown = status(&daemon);
        assert!(shown.contains(&format!("meta      account {PAGE}: {state}")), "{trouble:?}: {shown}");
        if state == "denied" {
            assert!(told["hint"].as_str().expect("what to do").contains("token"), "{told}");
            assert!(daemon.log().contains("nothing can be fetched"));
        }
        let metrics = daemon.metrics().await;
        assert!(metrics.contains(&format!("g_assistant_platform_up{{source=\"meta\",account=\"{PAGE}\"}} 0")));
        platform.trouble(None);
        daemon.platform("ok").await;
        daemon.drained().await;
        assert_eq!(database.leads(), (next - 2_000, next - 2_000), "{trouble:?}");
    }
    assert_eq!(daemon.parked(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_token_is_used_as_soon_as_it_is_there() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;
    daemon.platform("ok").await;
    platform.add("3001", "waits");
    platform.facts().token = "EAAG-new".to_owned();
    assert_eq!(post(&daemon, &webhook(&["3001"])).await, 200);
    daemon.platform("denied").await;
    assert_eq!(database.leads().0, 0);
    daemon.put_secret("meta-token", "EAAG-new");
    daemon.drained().await;
    daemon.platform("ok").await;
    assert_eq!(database.leads(), (1, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_budget_that_ends_is_spread_and_a_used_one_is_left_alone() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;
    daemon.platform("ok").await;
    for id in ["4001", "4002", "4003"] {
        platform.add(id, id);
    }
    // 78 %: one request in 3.6 seconds.
    platform.facts().usage = 78;
    assert_eq!(post(&daemon, &webhook(&["4001"])).await, 200);
    until("the first is fetched", async || (platform.count("/4001") == 1).then_some(())).await;
    assert_eq!(post(&daemon, &webhook(&["4002", "4003"])).await, 200);
    daemon.drained().await;
    let asked =
        platform.facts().asked.iter().filter(|(_, path)| path.contains("/400")).map(|(at, _)| *at).collect::<Vec<_>>();
    assert_eq!(asked.len(), 3);
    assert!(asked.windows(2).all(|pair| pair[1] - pair[0] > Duration::from_secs(3)), "{asked:?}");
    assert_eq!(database.leads(), (3, 3));

    // All of it is used: not asked again, until the next start finds the lead by looking through the form.
    platform.facts().usage = 3;
    platform.add("4004", "limited");
    platform.trouble(Trouble::Error(80_005, 2_446_079));
    assert_eq!(post(&daemon, &webhook(&["4004"])).await, 200);
    daemon.platform("limited").await;
    let asked = platform.facts().asked.len();
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(platform.facts().asked.len(), asked);
    daemon.kill();
    platform.trouble(None);
    daemon.start_connected().await;
    until("it was found", async || (database.leads() == (4, 4)).then_some(())).await;
    daemon.drained().await;
    assert_eq!(database.leads(), (4, 4));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_webhook_told_of_is_found_and_counted() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    // Three pages of leads, one of them from days ago and one from before the back-fill.
    for id in 5_001..=5_006 {
        platform.add(&id.to_string(), &format!("lead {id}"));
    }
    platform.add_at("5007", "days ago", Utc::now() - TimeDelta::days(2));
    platform.add_at("5008", "long ago", Utc::now() - TimeDelta::days(9));
    platform.facts().subscribed = false;
    platform.facts().expires_at = (Utc::now() + TimeDelta::days(3)).timestamp();
    let mut daemon = configure(server, &database, &platform, "poll_interval = \"2s\"");
    daemon.start_connected().await;
    until("they were found", async || (database.leads() == (7, 7)).then_some(())).await;
    daemon.drained().await;
    let shown = status(&daemon);
    for part in ["فلل الرياض", "platform 6, Odoo 6", "platform 1, Odoo 1", "subscribed_apps", "the token expires at"]
    {
        assert!(shown.contains(part), "{part} is not in\n{shown}");
    }
    // A webhook that comes late changes nothing, and a lead after it is found without one.
    assert_eq!(post(&daemon, &webhook(&["5001", "5002"])).await, 200);
    platform.add("5009", "unannounced");
    until("it was found", async || (database.leads() == (8, 8)).then_some(())).await;
    daemon.drained().await;
    assert_eq!(database.leads(), (8, 8));

    platform.facts().subscribed = true;
    let checked = daemon.cli(&["check", "--online"]);
    let text = String::from_utf8_lossy(&checked.stdout).into_owned();
    assert!(checked.status.success(), "{text}");
    assert!(text.contains(&format!("meta      account {PAGE} (Acme Homes)")), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_daemon_is_killed_between_fetch_and_push() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    platform.trouble(Trouble::Slow(Duration::from_millis(60)));
    daemon.start_connected().await;
    let ids: Vec<_> = (6_000..6_060).map(|id| id.to_string()).collect();
    ids.iter().for_each(|id| platform.add(id, id));
    for part in ids.chunks(20) {
        assert_eq!(post(&daemon, &webhook(&part.iter().map(String::as_str).collect::<Vec<_>>())).await, 200);
    }
    let began = Instant::now();
    for round in 0..4 {
        tokio::time::sleep(Duration::from_millis(150 + round * 130)).await;
        daemon.kill();
        daemon.start().await;
    }
    daemon.drained().await;
    println!("60 leads and 4 kills took {} s", began.elapsed().as_secs());
    assert_eq!(database.leads(), (60, 60));
    assert_eq!(daemon.parked(), json!([]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_campaigns_cost_is_in_odoo_and_corrected() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Graph::start().await;
    // That of the leads; more rows than a page has; and one from before.
    let campaign = "120210000000000100";
    platform.add("5001", "who came by it");
    for (days_ago, spend) in [(0, "100.50"), (1, "200"), (2, "300"), (3, "400"), (90, "7")] {
        platform.spent(campaign, days_ago, spend);
    }
    platform.spent("120210000000000200", 1, "50");
    let more = format!("ad_accounts = [\"act_{AD_ACCOUNT}\"]\nspend_interval = \"1s\"\npoll_interval = \"2s\"");
    let mut daemon = configure(server, &database, &platform, &more);
    daemon.start_connected().await;
    let spent = |domain: &str| {
        database
            .sql(&format!("select count(*) || ' ' || coalesce(sum(amount), 0)::float from g_assistant_spend{domain}"))
    };
    until("the costs are in Odoo", async || (spent("") == "5 1050.5").then_some(())).await;
    let row =
        format!(" where campaign = '{campaign}' and account = '{AD_ACCOUNT}' and impressions = 80211 and clicks = 912");
    assert_eq!(spent(&row), "4 1000.5");

    // Meta corrects a day, and Odoo has it once.
    platform.spent(campaign, 1, "250");
    until("the correction is in Odoo", async || (spent("") == "5 1100.5").then_some(())).await;

    // Leads and costs meet.
    daemon.drained().await;
    let admin = database.admin(server).await;
    let call = Call::new("g_assistant.campaign.report", "formatted_read_group");
    let call = call.arg("domain", json!([["campaign", "=", campaign]])).arg("groupby", json!(["platform"]));
    let both = admin.call(call.arg("aggregates", json!(["leads:sum", "clicks:sum"]))).await;
    assert_eq!((&both[0]["leads:sum"], &both[0]["clicks:sum"]), (&json!(1), &json!(4 * 912)), "{both}");

    // A refusal is told as that of the ad account.
    platform.facts().token = "EAAG-new".to_owned();
    until("the refusal is told", async || {
        let health = daemon.get("/api/health").await.ok()?.body;
        let one = health["platforms"].as_array()?.iter().find(|one| one["account"] == AD_ACCOUNT)?.clone();
        (one["state"] == "denied").then_some(())
    })
    .await;
}
