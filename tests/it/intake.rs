//! What is found out about a lead on its way: in the addon's own fields, in the description without them, and explained.

use std::fs;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    odoo::{Database, Server, Template},
};

/// Two good leads and two odd ones.
fn leads() -> Value {
    json!({"leads": [
        {"external_id": "good", "contact_name": "سارة علي", "email": "sara@example.com", "phone": "٠٥٠ ١٢٣ ٤٥٦٧",
         "city": "الرياض", "campaign": "Ramadan 2026", "message": "I need twenty cars by the end of May"},
        {"external_id": "spam", "contact_name": "Win", "email": "win@mailinator.com",
         "message": "https://a.example https://b.example https://c.example https://d.example"},
        {"external_id": "listed", "contact_name": "Omar", "phone": "0551112222"},
    ]})
}

/// A daemon whose leads from a campaign go to the administrator, and whose spam waits.
fn daemon(server: &Server, database: &Database) -> Daemon {
    let daemon = Daemon::configure(server, database, "");
    let list = daemon.config().with_file_name("dnc.txt");
    fs::write(&list, "# asked us not to call\n+966 55 111 2222\n").expect("written");
    let sections = "[intake]\ncountry = \"SA\"\n\n[flags]\nSPAM = \"hold\"\nDNC_LIST = \"archive\"\n\
                    DISPOSABLE_EMAIL = \"tag\"\ndnc_files = [\"dnc.txt\"]\n\n[routing]\n\
                    rules = [{ name = \"Ads\", campaign = \"ramadan*\", salespeople = [\"admin\"], priority = 3 }]\n\
                    default = { tags = [\"Unsorted\"] }\n\n[store]\n";
    daemon.edit("[store]\n", sections);
    daemon
}

#[tokio::test(flavor = "multi_thread")]
async fn the_addon_has_score_flags_and_route_on_the_lead() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = daemon(server, &database);
    daemon.start_connected().await;
    assert_eq!(daemon.send("m1", &leads()).await.status, 202);
    daemon.drained().await;

    let admin = database.admin(server).await;
    let good = admin.search("crm.lead", json!([["phone", "=", "+966501234567"]])).await[0];
    let fields = ["city", "priority", "user_id", "g_assistant_score", "g_assistant_route", "g_assistant_flag_ids"];
    let lead = admin.read("crm.lead", good, &fields).await;
    assert_eq!((&lead["city"], &lead["priority"]), (&json!("Riyadh"), &json!("3")), "{lead}");
    assert_eq!((&lead["g_assistant_route"], &lead["g_assistant_flag_ids"]), (&json!("Ads"), &json!([])), "{lead}");
    assert!(lead["user_id"].is_number(), "{lead}");
    assert!(lead["g_assistant_score"].as_i64().is_some_and(|score| score >= 50), "{lead}");
    let description = database.sql(&format!("select description from crm_lead where id = {good}"));
    assert!(description.contains("٠٥٠ ١٢٣ ٤٥٦٧"), "what was typed is kept: {description}");

    // Whom the list names is there, archived; what is spam waits until somebody lets it go on.
    let listed = "select count(*) from crm_lead where not active and phone = '+966551112222'";
    assert_eq!(database.count(listed), 1);
    assert_eq!(database.count("select count(*) from crm_lead where email_from like 'win@%'"), 0);
    let parked = daemon.parked();
    assert_eq!(parked[0]["error"], "held for review: SPAM", "{parked}");
    let id = parked[0]["id"].to_string();
    assert!(daemon.cli(&["outbox", "retry", &id]).status.success());
    daemon.drained().await;
    let flags = database.sql(
        "select string_agg(f.code, ' ' order by f.code) from crm_lead l \
         join g_assistant_lead_flag_rel r on r.lead_id = l.id join g_assistant_flag f on f.id = r.flag_id \
         where l.email_from = 'win@mailinator.com'",
    );
    assert_eq!(flags.trim(), "DISPOSABLE_EMAIL SPAM");

    // A person takes the lead; a later delivery neither gives it back nor keeps the old score.
    let other = admin.create("res.users", json!({"name": "Huda", "login": "huda"})).await;
    admin.write("crm.lead", good, json!({"user_id": other, "g_assistant_score": 1})).await;
    let again = json!({"lead": {"external_id": "good", "contact_name": "سارة علي", "campaign": "Ramadan 2026"}});
    daemon.send("m2", &again).await;
    daemon.drained().await;
    let now = admin.read("crm.lead", good, &["user_id", "g_assistant_score"]).await;
    assert_eq!(now["user_id"], json!(other), "{now}");
    assert!(now["g_assistant_score"].as_i64().is_some_and(|score| score > 1), "{now}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_addon_what_matters_is_in_the_description() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let mut daemon = daemon(server, &database);
    daemon.start_connected().await;
    daemon.send("m1", &leads()).await;
    daemon.drained().await;
    let description = database.sql("select description from crm_lead where phone = '+966501234567'");
    assert!(description.contains("Score: "), "{description}");
    let listed = database.sql("select description from crm_lead where phone = '+966551112222' and not active");
    assert!(listed.contains("Flags: DNC_LIST"), "{listed}");
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_prints_every_step() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let daemon = daemon(server, &database);
    let file = daemon.config().with_file_name("leads.json");
    fs::write(&file, leads().to_string()).expect("written");
    let file = file.to_str().expect("text");
    let all = daemon.cli_json(&["explain", file, "--json"]);
    let [good, spam, listed] = [0, 1, 2].map(|n| &all["leads"][n]);
    assert_eq!(good["normalised"]["phone"], "+966501234567", "{good}");
    assert_eq!(good["route"]["rule"], "Ads");
    assert_eq!(good["operation"]["ref"], "api:good");
    assert_eq!(spam["held"], "held for review: SPAM");
    assert_eq!(spam["score"]["total"], 0);
    assert_eq!((&listed["flags"][0]["flag"], &listed["flags"][0]["action"]), (&json!("DNC_LIST"), &json!("archive")));
    assert_eq!(listed["route"]["rule"], "default");

    let text = daemon.cli(&["explain", file]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    for step in ["read", "normalised", "flags", "score ", "route Ads", "operation crm.lead upsert"] {
        assert!(text.contains(step), "{step} in {text}");
    }
    // Nothing was sent anywhere.
    assert_eq!(database.count("select count(*) from crm_lead"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn explain_online_tells_what_odoo_would_do_and_nothing_stays() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = daemon(server, &database);
    daemon.start_connected().await;
    daemon
        .send("m1", &json!({"lead": {"external_id": "first", "contact_name": "سارة علي", "phone": "0501234567"}}))
        .await;
    daemon.drained().await;

    let file = daemon.config().with_file_name("leads.json");
    fs::write(&file, leads().to_string()).expect("written");
    let file = file.to_str().expect("text");
    let tables = ["crm_lead", "crm_tag", "utm_campaign", "g_assistant_operation", "g_assistant_turn", "mail_message"];
    let count = || tables.map(|table| database.count(&format!("select count(*) from {table}")));
    let before = count();
    let all = daemon.cli_json(&["explain", file, "--online", "--json"]);
    let [known, spam, listed] = [0, 1, 2].map(|n| &all["leads"][n]["odoo"]);
    let first = database.count("select id from crm_lead");
    assert_eq!((&known["decision"]["do"], &known["decision"]["id"]), (&json!("attach"), &json!(first)), "{known}");
    assert_eq!((&known["result"]["status"], &known["result"]["id"]), (&json!("updated"), &json!(first)), "{known}");
    assert_eq!(known["lead"]["flags"], json!(["DUPLICATE"]));
    assert_eq!((&spam["result"]["status"], &spam["decision"]), (&json!("created"), &Value::Null), "{spam}");
    assert_eq!(listed["lead"]["flags"], json!(["DNC_LIST"]), "{listed}");
    assert_eq!(count(), before, "{tables:?}");

    let text = daemon.cli(&["explain", file, "--online"]);
    let text = String::from_utf8_lossy(&text.stdout).into_owned();
    let attach = format!("decision: attach (lead {first}: same mobile number, same name)");
    for step in [attach.as_str(), "updated: lead", "nobody known", "salesperson: admin"] {
        assert!(text.contains(step), "{step} in {text}");
    }
}

/// Three salespeople: one with a limit of two, one away today.
async fn with_salespeople(server: &Server, database: &Database) -> Daemon {
    let admin = database.admin(server).await;
    for login in ["sara", "omar", "huda"] {
        admin.create("res.users", json!({"name": login, "login": login})).await;
    }
    let daemon = Daemon::configure(server, database, "");
    let sections = "[intake]\ncountry = \"SA\"\n\n[routing]\n\
                    away = [{ login = \"huda\", from = \"2020-01-01\", until = \"2099-12-31\" }]\n\
                    rules = [{ name = \"All\", salespeople = [{ login = \"sara\", limit = 2 }, \"omar\", \"huda\"] }]\n\
                    default = { salespeople = [\"admin\"] }\n\n[store]\n";
    daemon.edit("[store]\n", sections);
    daemon
}

fn owner_of(database: &Database, email: &str) -> String {
    let sql = format!(
        "select u.login from crm_lead l left join res_users u on u.id = l.user_id where l.email_from = '{email}' \
         order by l.id desc limit 1"
    );
    database.sql(&sql).trim().to_owned()
}

fn people(first: usize, last: usize) -> Value {
    let lead = |n| json!({"external_id": format!("p{n}"), "contact_name": format!("Person {n}"), "email": format!("p{n}@x.sa")});
    json!({"leads": (first..=last).map(lead).collect::<Vec<_>>()})
}

#[tokio::test(flavor = "multi_thread")]
async fn leads_are_given_in_turn_and_who_is_known_stays_with_their_salesperson() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = with_salespeople(server, &database).await;
    daemon.start_connected().await;
    daemon.send("m1", &people(1, 3)).await;
    daemon.drained().await;
    daemon.send("m2", &people(4, 6)).await;
    daemon.drained().await;
    let owners: Vec<String> = (1..=6).map(|n| owner_of(&database, &format!("p{n}@x.sa"))).collect();
    let of = |login: &str| owners.iter().filter(|owner| *owner == login).count();
    assert_eq!((of("sara"), of("omar"), of("huda")), (2, 4, 0), "in turn up to the limit: {owners:?}");
    assert!(owners[..4].windows(2).all(|pair| pair[0] != pair[1]), "{owners:?}");
    let admin = database.admin(server).await;
    let last = admin.search("crm.lead", json!([["email_from", "=", "p6@x.sa"]])).await[0];
    let lead = admin.read("crm.lead", last, &["g_assistant_owner_reason", "g_assistant_route"]).await;
    assert_eq!(lead["g_assistant_route"], "All");
    assert_eq!(lead["g_assistant_owner_reason"], "Next of 1 in turn. Away: huda. At the limit: sara");

    // A customer's next lead goes to whoever sold to them, whatever the limit.
    let first = owners.iter().position(|owner| owner == "sara").expect("sara has one") + 1;
    let email = format!("p{first}@x.sa");
    let won = admin.search("crm.lead", json!([["email_from", "=", email]])).await[0];
    admin.act("crm.lead", "action_set_won", won).await;
    let sara = database.count("select id from res_users where login = 'sara'");
    database.sql(&format!("update crm_lead set user_id = {sara} where email_from like 'p%'"));
    let again = json!({"lead": {"external_id": "again", "contact_name": format!("Person {first}"), "email": email}});
    daemon.send("m3", &again).await;
    daemon.drained().await;
    assert_eq!(database.count(&format!("select count(*) from crm_lead where email_from = '{email}'")), 2);
    assert_eq!(owner_of(&database, &email), "sara");
    let newest = admin.search("crm.lead", json!([["email_from", "=", email]])).await;
    let newest = newest.into_iter().max().expect("two leads");
    let lead = admin.read("crm.lead", newest, &["g_assistant_owner_reason"]).await;
    assert_eq!(lead["g_assistant_owner_reason"], "Has the person's earlier lead");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_addon_limits_and_absences_hold_too() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let mut daemon = with_salespeople(server, &database).await;
    daemon.start_connected().await;
    daemon.send("m1", &people(1, 12)).await;
    daemon.drained().await;
    let owners: Vec<String> = (1..=12).map(|n| owner_of(&database, &format!("p{n}@x.sa"))).collect();
    let of = |login: &str| owners.iter().filter(|owner| *owner == login).count();
    assert_eq!((of("sara"), of("omar"), of("huda")), (2, 10, 0), "{owners:?}");
    let first = owners.iter().position(|owner| owner == "sara").expect("sara has one") + 1;
    let email = format!("p{first}@x.sa");
    daemon.send("m2", &json!({"lead": {"external_id": "again", "name": "Again", "email": email}})).await;
    daemon.drained().await;
    assert_eq!(owner_of(&database, &email), "sara", "who had the person keeps them");
}

#[tokio::test(flavor = "multi_thread")]
async fn odoos_blacklists_and_duplicates_are_flags_like_the_others() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.edit("[store]\n", "[flags]\nDNC_LIST = \"hold\"\nDUPLICATE = \"tag\"\n\n[store]\n");
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    admin.create("mail.blacklist", json!({"email": "no@example.com"})).await;
    let lead = |id: &str, email: &str| json!({"external_id": id, "contact_name": "Sara Haddad", "email": email});
    daemon.send("m1", &json!({"leads": [lead("1", "no@example.com"), lead("2", "yes@example.com")]})).await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
    let parked = daemon.parked();
    assert_eq!(parked[0]["error"], "held for review: DNC_LIST", "{parked}");
    // Somebody looks, and lets it go on: it is not held again.
    let id = parked[0]["id"].to_string();
    assert!(daemon.cli(&["outbox", "retry", &id]).status.success());
    daemon.drained().await;
    let flags = "select f.code from crm_lead l join g_assistant_lead_flag_rel r on r.lead_id = l.id \
                 join g_assistant_flag f on f.id = r.flag_id where l.email_from = ";
    assert_eq!(database.sql(&format!("{flags} 'no@example.com'")).trim(), "DNC_LIST");

    daemon.send("m2", &json!({"lead": lead("3", "Yes@example.com")})).await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 2);
    assert_eq!(database.sql(&format!("{flags} 'yes@example.com'")).trim(), "DUPLICATE");
    let tagged =
        "select count(*) from crm_tag_rel r join crm_tag t on t.id = r.tag_id where t.name->>'en_US' = 'DUPLICATE'";
    assert_eq!(database.count(tagged), 1);
}

/// Leads that came in, and how they ended: who answered is won more often, and the weights think nothing of the source.
#[tokio::test(flavor = "multi_thread")]
async fn chances_are_learned_from_leads_that_were_won_and_lost() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.edit("[store]\n", "[intake.duplicates]\nenabled = false\n\n[store]\n");
    daemon.start_connected().await;
    let sources = ["Fair", "Referral"];
    for batch in 0..4 {
        let lead = |n: usize| {
            let number = batch * 150 + n;
            json!({"external_id": format!("l{number}"), "contact_name": format!("Person {number}"), "source": sources[n % 2]})
        };
        daemon.send(&format!("m{batch}"), &json!({"leads": (0..150).map(lead).collect::<Vec<_>>()})).await;
    }
    daemon.drained().await;
    let status = daemon.cli_json(&["status", "--json"]);
    assert_eq!(status["learned"], Value::Null, "{status}");
    // Of the referrals 4 of 5 are won, of the others 1 of 5.
    let won = "(case when s.name = 'Referral' then l.id / 2 % 5 < 4 else l.id / 2 % 5 < 1 end)";
    let ended = format!(
        "update crm_lead l set won_status = case when {won} then 'won' else 'lost' end, \
         probability = case when {won} then 100 else 0 end, active = {won} \
         from utm_source s where s.id = l.source_id"
    );
    database.sql(&ended);
    daemon.stop().await;
    let learned = daemon.cli(&["sync", "--full", "--learn"]);
    let learned = String::from_utf8_lossy(&learned.stdout).into_owned();
    assert!(learned.contains("learned   in use; trained"), "{learned}");
    let status = daemon.cli_json(&["status", "--json"]);
    assert_eq!(status["learned"]["came_in"], 600, "{status}");
    let auc = |of: &str| status["learned"][of]["auc"].as_f64().unwrap_or_default();
    assert!(auc("model") > auc("weights") + 0.2, "{status}");

    // It is on the next lead with its reasons, and explained.
    let next =
        json!({"external_id": "next", "contact_name": "Person next", "source": "Referral", "email": "next@x.sa"});
    daemon.start_connected().await;
    daemon.send("m9", &json!({"lead": next})).await;
    daemon.drained().await;
    let admin = database.admin(server).await;
    let id = admin.search("crm.lead", json!([["email_from", "=", "next@x.sa"]])).await[0];
    let lead =
        admin.read("crm.lead", id, &["g_assistant_chance", "g_assistant_chance_reasons", "g_assistant_score"]).await;
    let chance = lead["g_assistant_chance"].as_i64().unwrap_or_default();
    assert!((65..=92).contains(&chance), "{lead}");
    let reasons = lead["g_assistant_chance_reasons"].as_str().unwrap_or_default();
    assert!(reasons.starts_with("average lead ") && reasons.contains("source referral: odds × "), "{lead}");
    assert!(lead["g_assistant_score"].as_i64().is_some_and(|score| score > 0), "{lead}");
    let file = daemon.config().with_file_name("next.json");
    fs::write(&file, next.to_string()).expect("written");
    let explained = daemon.cli(&["explain", file.to_str().expect("text")]);
    let explained = String::from_utf8_lossy(&explained.stdout).into_owned();
    assert!(explained.contains("score ") && explained.contains(" %\n  average lead "), "{explained}");
}
