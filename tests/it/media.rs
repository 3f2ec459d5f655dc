//! Pictures, voice notes and files of messages are attachments of their message in Odoo: each once, and no message waits.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    files::{Files, TOKEN},
    graph::{APP_SECRET, signature},
    odoo::{Database, Person, Server, Template, until},
};

const SECRET: &str = "0b7f5d0c9a3e41c2b8d6";
const SARA: &str = "966501110001";
/// Larger than one piece of a stream.
const SIZE: usize = 200_000;

fn configure(server: &Server, database: &Database, platform: &Files, odoo: &str) -> Daemon {
    let url = &platform.url;
    let meta = "app_secret = { file = \"app\" }\nverify_token = { file = \"verify\" }\ndownload_media = true\n\
                max_media_size = \"1 MB\"\nmedia_hosts = [\"127.0.0.1\"]";
    let sections = format!(
        "[sources.whatsapp]\nkind = \"whatsapp\"\n{meta}\ngraph = \"{url}\"\ntoken = {{ file = \"token\" }}\n\
         [sources.messenger]\nkind = \"messenger\"\n{meta}\n\
         [sources.instagram]\nkind = \"instagram\"\n{meta}\n\
         [sources.telegram]\nkind = \"telegram\"\nbot = \"example_bot\"\nsecret_token = {{ file = \"verify\" }}\n\
         token = {{ file = \"token\" }}\napi = \"{url}\"\ndownload_media = true\nmax_media_size = \"1 MB\"\n"
    );
    let daemon = Daemon::configure_at(&server.url, database, odoo, &sections);
    for (name, secret) in [("app", APP_SECRET), ("verify", SECRET), ("token", TOKEN)] {
        daemon.put_secret(name, secret);
    }
    daemon
}

/// Bytes that no other number gives.
fn bytes(number: u8, size: usize) -> Vec<u8> {
    (0..size).map(|at| (at as u8).wrapping_mul(31).wrapping_add(number)).collect()
}

async fn post_signed(daemon: &Daemon, source: &str, body: &Value) {
    let body = body.to_string();
    let status = daemon.post_webhook(source, ("x-hub-signature-256", &signature(&body)), &body).await;
    assert_eq!(status, 200);
}

/// A message of WhatsApp with one file.
async fn whatsapp(daemon: &Daemon, id: &str, kind: &str, part: Value) {
    let mut message = json!({"from": SARA, "id": format!("wamid.{id}"), "timestamp": "1763690000", "type": kind});
    message[kind] = part;
    let value = json!({"metadata": {"phone_number_id": "106540352242922"}, "messages": [message],
                       "contacts": [{"profile": {"name": "Sara"}, "wa_id": SARA}]});
    let change = json!({"field": "messages", "value": value});
    let body = json!({"object": "whatsapp_business_account", "entry": [{"id": "2", "changes": [change]}]});
    post_signed(daemon, "whatsapp", &body).await;
}

async fn image(daemon: &Daemon, id: &str) {
    whatsapp(daemon, id, "image", json!({"id": id, "mime_type": "image/png", "caption": format!("caption {id}.")}))
        .await;
}

async fn page(daemon: &Daemon, source: &str, id: &str, attachments: Value) {
    let event = json!({"sender": {"id": "u1"}, "recipient": {"id": "1"}, "timestamp": 1_763_690_000_000u64,
                       "message": {"mid": id, "attachments": attachments}});
    let object = if source == "messenger" { "page" } else { source };
    post_signed(daemon, source, &json!({"object": object, "entry": [{"id": "1", "messaging": [event]}]})).await;
}

async fn telegram(daemon: &Daemon, number: u64, more: Value) {
    let mut message = json!({"message_id": number, "date": 1_763_690_000 + number,
        "from": {"id": 5_000_000_001u64, "first_name": "Sara"}, "chat": {"id": 5_000_000_001u64, "type": "private"}});
    message.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
    let update = json!({"update_id": number, "message": message}).to_string();
    let header = ("x-telegram-bot-api-secret-token", SECRET);
    assert_eq!(daemon.post_webhook("telegram", header, &update).await, 200);
}

/// Of the message in Odoo with this text: its body, and name, type and bytes of its files.
async fn files_of(admin: &Person, domain: Value) -> (String, Vec<(String, String, Vec<u8>)>) {
    let found = admin.search("mail.message", domain).await;
    assert_eq!(found.len(), 1);
    let message = admin.read("mail.message", found[0], &["body", "attachment_ids", "res_id", "model"]).await;
    let mut files = Vec::new();
    for id in message["attachment_ids"].as_array().expect("a list") {
        let id = id.as_i64().expect("an id");
        let file = admin.read("ir.attachment", id, &["name", "mimetype", "datas", "res_model", "res_id"]).await;
        assert_eq!((&file["res_model"], &file["res_id"]), (&message["model"], &message["res_id"]));
        let text = |key: &str| file[key].as_str().unwrap_or_default().to_owned();
        files.push((text("name"), text("mimetype"), base64(&text("datas"))));
    }
    (message["body"].as_str().unwrap_or_default().to_owned(), files)
}

fn base64(text: &str) -> Vec<u8> {
    use base64::{Engine, prelude::BASE64_STANDARD};
    BASE64_STANDARD.decode(text).expect("Base64")
}

/// The message that brought a file.
fn that(id: &str) -> Value {
    json!([["body", "like", format!("caption {id}.")]])
}

fn parked(daemon: &Daemon) -> Value {
    daemon.parked()
}

fn attachments(database: &Database) -> i64 {
    database.count("select count(*) from ir_attachment where res_model = 'crm.lead'")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_platforms_files_are_with_their_messages() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Files::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    let mime = ["image/png", "audio/ogg; codecs=opus", "application/pdf", "image/jpeg", "", "audio/ogg", "image/jpeg"];
    for (number, mime) in (1u8..).zip(mime) {
        platform.add(&format!("{number}"), mime, &bytes(number, SIZE));
    }
    // Twice, as platforms do.
    for _ in 0..2 {
        image(&daemon, "1").await;
        whatsapp(&daemon, "2", "audio", json!({"id": "2", "mime_type": "audio/ogg; codecs=opus", "voice": true})).await;
        let plan =
            json!({"id": "3", "mime_type": "application/pdf", "filename": "../plan.pdf", "caption": "caption 3."});
        whatsapp(&daemon, "3", "document", plan).await;
        whatsapp(&daemon, "s", "sticker", json!({"id": "9", "mime_type": "image/webp"})).await;
        let attachment = |kind: &str, place: &str| json!({"type": kind, "payload": {"url": format!("{}/{place}", platform.url), "title": "caption 4."}});
        let sticker =
            json!({"type": "image", "payload": {"sticker_id": 369, "url": format!("{}/cdn/9", platform.url)}});
        let link = json!({"type": "fallback", "payload": {"url": "https://example.com/"}});
        page(
            &daemon,
            "messenger",
            "m4",
            json!([attachment("image", "cdn/4"), sticker, link, attachment("image", "away/4")]),
        )
        .await;
        page(
            &daemon,
            "instagram",
            "m6",
            json!([{"type": "audio", "payload": {"url": format!("{}/moved/6", platform.url)}}]),
        )
        .await;
        telegram(&daemon, 5, json!({"photo": [{"file_id": "small"}, {"file_id": "5"}], "caption": "caption 5."})).await;
    }
    daemon.drained().await;

    let (_, files) = files_of(&admin, that("1")).await;
    assert_eq!(files, [("image.png".to_owned(), "image/png".to_owned(), bytes(1, SIZE))]);
    let (body, files) =
        files_of(&admin, json!([["body", "like", "Voice or sound"], ["body", "like", "WhatsApp"]])).await;
    assert_eq!(files, [("audio.ogg".to_owned(), "audio/ogg".to_owned(), bytes(2, SIZE))], "{body}");
    let (_, files) = files_of(&admin, that("3")).await;
    assert_eq!(files, [("plan.pdf".to_owned(), "application/pdf".to_owned(), bytes(3, SIZE))]);
    let (_, files) = files_of(&admin, that("4")).await;
    assert_eq!(files, [("image.jpg".to_owned(), "image/jpeg".to_owned(), bytes(4, SIZE))]);
    let (_, files) = files_of(&admin, that("5")).await;
    assert_eq!(files, [("image.jpg".to_owned(), "image/jpeg".to_owned(), bytes(5, SIZE))]);
    let (_, files) = files_of(&admin, json!([["body", "like", "Voice or sound"], ["body", "like", "Instagram"]])).await;
    assert_eq!(files, [("audio.ogg".to_owned(), "audio/ogg".to_owned(), bytes(6, SIZE))]);
    assert_eq!(attachments(&database), 6);
    assert_eq!((platform.count("9"), platform.count("1")), (0, 2), "stickers are not fetched, and nothing twice");

    // What is sent elsewhere is not followed, and told to a person.
    let left = parked(&daemon);
    assert_eq!(left.as_array().map(Vec::len), Some(1), "{left}");
    assert!(
        left[0]["error"].as_str().expect("why").contains("169.254.169.254, which is none of `media_hosts`"),
        "{left}"
    );

    // As a job that is repeated after its end was not written down.
    assert_eq!(daemon.stop().await, Some(0));
    let store = rusqlite::Connection::open(daemon.config().with_file_name("store.db")).expect("the store");
    let again =
        store.execute("update job set state = 'ready', finished_at = null where kind = 'media' and state = 'done'", []);
    assert_eq!(again, Ok(6));
    let length = std::fs::metadata(daemon.config().with_file_name("store.db")).expect("a file").len();
    drop(store);
    daemon.start_connected().await;
    daemon.drained().await;
    assert_eq!((attachments(&database), platform.count("1")), (6, 4));
    assert!(length < SIZE as u64 * 4, "the store keeps no files: {length}");
    let metrics = daemon.metrics().await;
    assert!(metrics.contains("g_assistant_media_total{source=\"telegram\",result=\"fetched\"} 1"), "{metrics}");
    assert!(!daemon.log().contains(TOKEN), "the token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_fetched_is_said_by_its_message() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Files::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    for id in ["told", "large", "sum", "lost", "good"] {
        platform.add(id, "image/png", &bytes(7, if id == "large" { 1_000_001 } else { SIZE }));
    }
    platform.change("told", |file| file.told_size = Some(30_000_000));
    platform.change("large", |file| file.told_size = Some(10));
    platform.change("sum", |file| file.told_sum = Some("0".repeat(64)));
    platform.change("lost", |file| file.status = 404);
    platform.add("big", "", &vec![0; 20_000_001]);
    let said = [
        ("told", "too large"),
        ("large", "too large"),
        ("sum", "arrived damaged"),
        ("lost", "does not have this file any more"),
        ("never", "does not have this file any more"),
        ("big", "too large"),
        ("none", "does not have this file any more"),
    ];
    for (id, _) in &said[..5] {
        image(&daemon, id).await;
    }
    for (number, id) in [(1, "big"), (2, "none")] {
        telegram(&daemon, number, json!({"photo": [{"file_id": id}], "caption": format!("caption {id}.")})).await;
    }
    image(&daemon, "good").await;
    // Those that may still come hold up nobody.
    until("the good one is there", async || (attachments(&database) == 1).then_some(())).await;
    daemon.drained().await;
    for (id, words) in said {
        let (body, files) = files_of(&admin, that(id)).await;
        assert!(body.contains(words) && body.matches("image").count() >= 1, "{id}: {body}");
        assert!(files.is_empty(), "{id}");
    }
    assert_eq!(attachments(&database), 1);
    assert_eq!(platform.count("sum"), 8, "an address and a file, four times");
    assert_eq!(parked(&daemon), json!([]));
    assert!(!daemon.log().contains(TOKEN), "the token is in the log");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_token_and_an_odoo_that_is_down_are_waited_out() {
    let database = Database::fresh(Template::Addon);
    let server = Server::own(&database);
    let platform = Files::start().await;
    let mut daemon = configure(&server, &database, &platform, "");
    daemon.put_secret("token", "123:an-old_one");
    daemon.start_connected().await;
    let admin = database.admin(&server).await;
    for id in ["a", "b", "c"] {
        platform.add(id, "image/png", &bytes(1, SIZE));
    }
    image(&daemon, "a").await;
    telegram(&daemon, 1, json!({"photo": [{"file_id": "b"}], "caption": "caption b."})).await;
    let denied = async || {
        let health = daemon.get("/api/health").await.ok()?.body;
        let platforms = health["platforms"].as_array()?.clone();
        let are = |state: &str| platforms.len() == 2 && platforms.iter().all(|one| one["state"] == *state);
        Some((are("denied"), are("ok"), platforms))
    };
    let told = until("both are denied", async || denied().await.filter(|told| told.0)).await.2;
    for (source, words) in [("whatsapp", "make a new one for the system user"), ("telegram", "@BotFather")] {
        let one = told.iter().find(|one| one["source"] == *source).expect("told");
        assert!(one["hint"].as_str().expect("what to do").contains(words), "{one}");
    }
    // The messages themselves have come.
    assert_eq!(files_of(&admin, that("a")).await.1, []);
    let jobs = daemon.cli_json(&["outbox", "list", "--kind", "media", "--state", "ready", "--json"]);
    let attempts: Vec<_> = jobs.as_array().expect("a list").iter().map(|job| job["attempts"].clone()).collect();
    assert_eq!(attempts, [0, 0], "it is nobody's fault: {jobs}");
    daemon.put_secret("token", TOKEN);
    until("both are well", async || denied().await.filter(|told| told.1)).await;
    daemon.drained().await;
    assert_eq!(attachments(&database), 2);

    // Odoo goes while the file is on its way.
    platform.change("c", |file| file.slow = Duration::from_secs(4));
    image(&daemon, "c").await;
    until("it is asked for", async || (platform.count("c") == 2).then_some(())).await;
    server.kill();
    tokio::time::sleep(Duration::from_secs(6)).await;
    platform.change("c", |file| file.slow = Duration::ZERO);
    server.start();
    let started = Instant::now();
    daemon.drained().await;
    println!("{} ms after Odoo was back, the file was there", started.elapsed().as_millis());
    assert_eq!(files_of(&admin, that("c")).await.1.len(), 1);
    assert_eq!(attachments(&database), 3);
    assert_eq!(parked(&daemon), json!([]));
    assert!(!daemon.log().contains(TOKEN), "the token is in the log");
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_addon_files_are_linked_to_the_lines_of_the_history() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let platform = Files::start().await;
    let mut daemon = configure(server, &database, &platform, "transport = \"xmlrpc\"\n");
    daemon.start_connected().await;
    platform.add("1", "image/png", &bytes(1, SIZE));
    platform.add("2", "image/svg+xml", b"<svg xmlns=\"http://www.w3.org/2000/svg\"/>");
    for _ in 0..2 {
        image(&daemon, "1").await;
        let drawing = json!({"id": "2", "mime_type": "image/svg+xml", "filename": "x.svg", "caption": "caption 2."});
        whatsapp(&daemon, "2", "document", drawing).await;
    }
    image(&daemon, "3").await;
    daemon.drained().await;
    assert_eq!(parked(&daemon), json!([]));
    let admin = database.admin(server).await;
    let (_, files) = files_of(&admin, that("1")).await;
    assert_eq!(files, [("image.png".to_owned(), "image/png".to_owned(), bytes(1, SIZE))]);
    let (_, files) = files_of(&admin, that("2")).await;
    assert_eq!((files.len(), files[0].1.as_str()), (1, "text/plain"), "no page that a browser runs");
    let (body, files) = files_of(&admin, that("3")).await;
    assert!(body.contains("does not have this file any more") && files.is_empty(), "{body}");
    assert_eq!(daemon.stop().await, Some(0));
    let store = rusqlite::Connection::open(daemon.config().with_file_name("store.db")).expect("the store");
    let again = store.execute("update job set state = 'ready', finished_at = null where kind = 'media'", []);
    assert_eq!(again, Ok(3));
    drop(store);
    daemon.start_connected().await;
    daemon.drained().await;
    assert_eq!(attachments(&database), 2);
    assert_eq!(files_of(&admin, that("3")).await.0.matches("any more").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_large_files_take_no_more_memory_than_two() {
    const LARGE: usize = 9_900_000;
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let platform = Files::start().await;
    let mut daemon = configure(server, &database, &platform, "");
    // 10 MB is what holds without it.
    daemon.edit("max_media_size = \"1 MB\"\n", "");
    daemon.start_connected().await;
    let before = daemon.peak_memory();
    for number in 0..8 {
        platform.add(&format!("large{number}"), "video/mp4", &bytes(number, LARGE));
        let url = format!("{}/cdn/large{number}", platform.url);
        page(&daemon, "messenger", &format!("m{number}"), json!([{"type": "video", "payload": {"url": url}}])).await;
    }
    daemon.drained().await;
    let arrived = "select count(*) from ir_attachment where res_model = 'crm.lead' and file_size = 9900000";
    assert_eq!((database.count(arrived), attachments(&database)), (8, 8));
    let more = daemon.peak_memory().saturating_sub(before);
    println!("8 files of {LARGE} bytes took {more} MiB more");
    assert!(more < 120, "{more} MiB");
}
