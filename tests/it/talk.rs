//! What people write on messengers is on their lead in Odoo: each message once, in order, whatever is repeated or killed.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    daemon::{Daemon, http_client},
    graph::{APP_SECRET, signature},
    odoo::{Database, Person, Server, Template, until},
};

const TOKEN: &str = "0b7f5d0c9a3e41c2b8d6";

const SECTIONS: &str = r#"
[intake]
country = "SA"

[sources.whatsapp]
kind = "whatsapp"
app_secret = { env = "APP_SECRET" }
verify_token = { env = "VERIFY_TOKEN" }

[sources.messenger]
kind = "messenger"
app_secret = { env = "APP_SECRET" }
verify_token = { env = "VERIFY_TOKEN" }

[sources.instagram]
kind = "instagram"
app_secret = { env = "APP_SECRET" }
verify_token = { env = "VERIFY_TOKEN" }

[sources.telegram]
kind = "telegram"
bot = "example_bot"
secret_token = { env = "VERIFY_TOKEN" }
"#;

fn configure(server: &Server, database: &Database) -> Daemon {
    let mut daemon = Daemon::configure_at(&server.url, database, "", SECTIONS);
    for (name, value) in [("APP_SECRET", APP_SECRET), ("VERIFY_TOKEN", TOKEN)] {
        daemon.variables.push((name.to_owned(), value.to_owned()));
    }
    daemon
}

/// What Meta posts; 0 while nobody answers.
async fn post_signed(daemon: &Daemon, source: &str, body: &Value) -> u16 {
    let body = body.to_string();
    daemon.post_webhook(source, ("x-hub-signature-256", &signature(&body)), &body).await
}

fn whatsapp(value: Value) -> Value {
    let mut value = value;
    value["metadata"] = json!({"phone_number_id": "106540352242922"});
    json!({"object": "whatsapp_business_account", "entry": [{"id": "2", "changes": [{"field": "messages", "value": value}]}]})
}

/// Message `number` of whoever has this phone number.
fn text(phone: &str, number: u64) -> Value {
    json!({"from": phone, "id": format!("wamid.{phone}.{number}"), "timestamp": (1_763_690_000 + number).to_string(),
           "type": "text", "text": {"body": format!("text {number} <b>")}})
}

fn from(phone: &str, name: &str, messages: Vec<Value>) -> Value {
    whatsapp(json!({"contacts": [{"profile": {"name": name}, "wa_id": phone}], "messages": messages}))
}

/// The texts on a lead, in the order of its history.
async fn history(admin: &Person, lead: i64) -> Vec<String> {
    let domain = json!([["model", "=", "crm.lead"], ["res_id", "=", lead], ["message_type", "=", "comment"]]);
    let mut texts = Vec::new();
    for id in admin.search("mail.message", domain).await {
        texts.push(admin.read("mail.message", id, &["body"]).await["body"].as_str().unwrap_or_default().to_owned());
    }
    texts
}

fn numbers(texts: &[String]) -> Vec<u64> {
    let number = |text: &String| text.split("text ").nth(1)?.split(' ').next()?.parse().ok();
    texts.iter().filter_map(number).collect()
}

async fn lead_of(admin: &Person, phone: &str) -> i64 {
    let found = admin.search("crm.lead", json!([["phone", "=", phone]])).await;
    assert_eq!(found.len(), 1, "{phone}");
    found[0]
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_of_whatsapp_are_on_one_lead_each() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = configure(server, &database);
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    // Somebody who filled in a form before, and then writes.
    let values =
        json!({"name": "Noura", "contact_name": "Noura Alharbi", "phone": "0501110002", "type": "opportunity"});
    let noura = admin.create("crm.lead", values).await;

    // One alone; a batch with it again, out of order and with another person; all of it again.
    let sara = "966501110001";
    let first = from(sara, "Sara 🌸", vec![text(sara, 1)]);
    let mut batch = from(sara, "Sara 🌸", vec![text(sara, 3), text(sara, 2), text(sara, 1)]);
    let other = from("966501110002", "نورة", vec![text("966501110002", 1)]);
    batch["entry"].as_array_mut().expect("a list").push(other["entry"][0].clone());
    for body in [&first, &batch, &first, &batch] {
        assert_eq!(post_signed(&daemon, "whatsapp", body).await, 200);
    }
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 2);
    let lead = lead_of(&admin, "+966501110001").await;
    let texts = history(&admin, lead).await;
    assert_eq!(numbers(&texts), [1, 2, 3]);
    assert!(texts[0].contains("WhatsApp") && texts[0].contains("&lt;b&gt;"), "{texts:?}");
    assert_eq!(numbers(&history(&admin, noura).await), [1]);
    let read =
        admin.read("crm.lead", lead, &["contact_name", "source_id", "description", "g_assistant_platform"]).await;
    assert_eq!((&read["contact_name"], &read["g_assistant_platform"]), (&json!("Sara 🌸"), &json!("whatsapp")));
    assert!(read["source_id"].is_number() && !read["description"].to_string().contains("text 1"), "{read}");

    // An ad, statuses before and after what they are about, and a reaction.
    let mut ad = text(sara, 4);
    ad["referral"] =
        json!({"source_type": "ad", "source_id": "120210000000000001", "headline": "Villas", "ctwa_clid": "click"});
    assert_eq!(post_signed(&daemon, "whatsapp", &from(sara, "Sara 🌸", vec![ad])).await, 200);
    let status =
        |status: &str| json!({"id": "wamid.out", "status": status, "timestamp": "1763690300", "recipient_id": sara});
    let statuses = whatsapp(json!({"statuses": [status("read"), status("sent"), status("delivered")]}));
    let reaction = json!({"from": sara, "id": "wamid.r", "timestamp": "1763690400", "type": "reaction",
                          "reaction": {"message_id": format!("wamid.{sara}.4"), "emoji": "👍"}});
    assert_eq!(post_signed(&daemon, "whatsapp", &statuses).await, 200);
    assert_eq!(post_signed(&daemon, "whatsapp", &from(sara, "Sara", vec![reaction])).await, 200);
    daemon.drained().await;
    let read = admin.read("crm.lead", lead, &["g_assistant_ad", "g_assistant_click_ids"]).await;
    assert_eq!(read["g_assistant_ad"], "120210000000000001");
    assert_eq!(read["g_assistant_click_ids"], "ctwa_clid: click");
    assert_eq!(database.sql("select status from g_assistant_message where message = 'wamid.out'"), "read");
    assert!(history(&admin, lead).await[4].contains("👍"));

    // Lost: open again. Won: a lead of its own, with the conversation.
    admin.act("crm.lead", "action_set_lost", lead).await;
    assert_eq!(post_signed(&daemon, "whatsapp", &from(sara, "Sara", vec![text(sara, 5)])).await, 200);
    daemon.drained().await;
    assert_eq!(admin.read("crm.lead", lead, &["active"]).await["active"], true);
    admin.act("crm.lead", "action_set_won", lead).await;
    for number in [6, 7] {
        assert_eq!(post_signed(&daemon, "whatsapp", &from(sara, "Sara", vec![text(sara, number)])).await, 200);
    }
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 3);
    assert_eq!(numbers(&history(&admin, lead).await), [1, 2, 3, 4, 5]);
    let conversation = database.sql("select lead_id from g_assistant_conversation where phone = '+966501110001'");
    assert_eq!(numbers(&history(&admin, conversation.parse().expect("an id")).await), [6, 7]);

    let told = "select count(*) from mail_notification n join g_assistant_message m using (mail_message_id)";
    assert_eq!(database.count(told), 0, "nobody is sent an e-mail");
    assert_eq!(daemon.stop().await, Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_kill_in_the_middle_loses_and_doubles_no_message() {
    const PEOPLE: u64 = 8;
    const MESSAGES: u64 = 12;
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = configure(server, &database);
    daemon.start_connected().await;
    let phone = |person: u64| format!("96650222{person:04}");
    for number in 1..=MESSAGES {
        for person in 0..PEOPLE {
            let phone = phone(person);
            let body = from(&phone, "", vec![text(&phone, number)]);
            // As Meta does: until it is acknowledged.
            until("the message is acknowledged", async || {
                (post_signed(&daemon, "whatsapp", &body).await == 200).then_some(())
            })
            .await;
        }
        if number % 4 == 0 {
            tokio::time::sleep(Duration::from_millis(90 * number)).await;
            daemon.kill();
            daemon.start().await;
        }
    }
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), PEOPLE as i64);
    assert_eq!(database.count("select count(*) from g_assistant_message"), (PEOPLE * MESSAGES) as i64);
    let admin = database.admin(server).await;
    for person in 0..PEOPLE {
        let lead = lead_of(&admin, &format!("+{}", phone(person))).await;
        assert_eq!(numbers(&history(&admin, lead).await), (1..=MESSAGES).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_addon_messages_are_lines_of_the_history() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let mut daemon = configure(server, &database);
    daemon.start_connected().await;
    let sara = "966501110001";
    for number in [1, 2, 2, 3] {
        assert_eq!(post_signed(&daemon, "whatsapp", &from(sara, "Sara", vec![text(sara, number)])).await, 200);
    }
    let status = json!({"id": "wamid.out", "status": "read", "timestamp": "1763690300", "recipient_id": sara});
    assert_eq!(post_signed(&daemon, "whatsapp", &whatsapp(json!({"statuses": [status]}))).await, 200);
    daemon.drained().await;
    let admin = database.admin(server).await;
    let lead = lead_of(&admin, "+966501110001").await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1);
    let texts = history(&admin, lead).await;
    assert_eq!(numbers(&texts), [1, 2, 3]);
    assert!(texts[0].contains("&lt;b&gt;"), "{texts:?}");
    assert_eq!(database.sql("select max(date) from mail_message where body like '%text 3%'"), "2025-11-21 01:53:23");
    let parked = daemon.parked();
    assert_eq!(parked, json!([]));
}

/// What Telegram posts.
async fn post_update(daemon: &Daemon, token: &str, update: &Value) -> u16 {
    daemon.post_webhook("telegram", ("x-telegram-bot-api-secret-token", token), &update.to_string()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn telegram_messenger_and_instagram_end_in_odoo_once() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = configure(server, &database);
    daemon.start_connected().await;
    let admin = database.admin(server).await;

    // By a link, then their own number, a correction, a post in a group, all of it twice.
    let telegram = |number: u64, more: Value| {
        let mut message = json!({"message_id": number, "date": 1_763_690_000 + number,
            "from": {"id": 5_000_000_001u64, "first_name": "Sara", "last_name": "Ali", "language_code": "en"},
            "chat": {"id": 5_000_000_001u64, "type": "private"}});
        message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        message
    };
    let contact = json!({"phone_number": "966501234567", "first_name": "Sara", "user_id": 5_000_000_001u64});
    let updates = [
        json!({"update_id": 1, "message": telegram(1, json!({"text": "/start lead_camp42"}))}),
        json!({"update_id": 2, "message": telegram(2, json!({"text": "text 2 "}))}),
        json!({"update_id": 3, "message": telegram(3, json!({"contact": contact}))}),
        json!({"update_id": 4, "edited_message": telegram(2, json!({"text": "text 22 ", "edit_date": 1_763_690_009}))}),
        json!({"update_id": 5, "message": telegram(5, json!({"text": "text 5 ", "chat": {"id": -1, "type": "group"}}))}),
    ];
    for _ in 0..2 {
        for update in &updates {
            assert_eq!(post_update(&daemon, TOKEN, update).await, 200);
        }
    }
    assert_eq!(post_update(&daemon, "0b7f5d0c9a3e41c2b8d7", &updates[1]).await, 401);

    // Of an ad, with its own echo, taken back again; and on Instagram.
    let event = |person: &str, at: u64, more: Value| {
        let mut event =
            json!({"sender": {"id": person}, "recipient": {"id": "1"}, "timestamp": 1_763_690_000_000u64 + at});
        event.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        event
    };
    let body =
        |object: &str, events: Vec<Value>| json!({"object": object, "entry": [{"id": "1", "messaging": events}]});
    let referral =
        json!({"ad_id": "1202", "source": "ADS", "ref": "campaignX", "ads_context_data": {"ad_title": "Villas"}});
    let ad = event("u1", 1, json!({"message": {"mid": "m1", "text": "text 1 ", "referral": referral}}));
    let echo = event("1", 2, json!({"message": {"mid": "m2", "text": "ours", "is_echo": true}}));
    let oops = event("u1", 3, json!({"message": {"mid": "m3", "text": "text 3 oops"}}));
    let back = event("u1", 4, json!({"message": {"mid": "m3", "is_deleted": true}}));
    let story = event("u2", 5, json!({"message": {"mid": "i1", "text": "text 1 nice"}}));
    let like = event("u3", 6, json!({"reaction": {"mid": "i9", "action": "react", "emoji": "❤"}}));
    for _ in 0..2 {
        let events = vec![oops.clone(), echo.clone(), ad.clone(), back.clone()];
        assert_eq!(post_signed(&daemon, "messenger", &body("page", events)).await, 200);
        let events = vec![story.clone(), like.clone()];
        assert_eq!(post_signed(&daemon, "instagram", &body("instagram", events)).await, 200);
    }
    let forged = http_client().post(format!("{}/api/webhooks/instagram", daemon.url));
    let forged = forged.header("x-hub-signature-256", signature("{}")).body(body("instagram", vec![story]).to_string());
    assert_eq!(forged.send().await.expect("an answer").status(), 401);
    daemon.drained().await;

    assert_eq!(database.count("select count(*) from crm_lead"), 3);
    let lead = lead_of(&admin, "+966501234567").await;
    let texts = history(&admin, lead).await;
    assert_eq!((texts.len(), numbers(&texts)), (4, vec![2, 22]));
    assert!(texts[0].contains("Telegram</span> · Came by a link") && texts[0].contains("lead_camp42"), "{texts:?}");
    assert!(texts[3].contains("Corrected"), "{texts:?}");
    let read = admin.read("crm.lead", lead, &["contact_name", "g_assistant_utm_content", "lang_id"]).await;
    assert_eq!((&read["contact_name"], &read["g_assistant_utm_content"]), (&json!("Sara Ali"), &json!("lead_camp42")));
    assert!(read["lang_id"].is_number(), "{read}");

    let lead = admin.search("crm.lead", json!([["g_assistant_ad", "=", "1202"]])).await;
    let texts = history(&admin, lead[0]).await;
    assert_eq!((texts.len(), numbers(&texts)), (2, vec![1]));
    assert!(texts[1].contains("deleted by its sender") && !texts[1].contains("oops"), "{texts:?}");
    let lead = admin.search("crm.lead", json!([["name", "=", "Instagram u2"]])).await;
    assert_eq!(history(&admin, lead[0]).await.len(), 1);
    let parked = daemon.parked();
    assert_eq!(parked, json!([]));
    assert!(!daemon.log().contains(TOKEN), "a key is in the log");
}
