//! The same person is not three leads: the real binary, the real Odoo.

use std::time::Duration;

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    odoo::{Database, Person, Server, Template, until},
};

const COUNTRY: &str = "[intake]\ncountry = \"SA\"\n";

fn configure(server: &Server, database: &Database, sections: &str) -> Daemon {
    Daemon::configure_at(&server.url, database, "", &format!("{COUNTRY}{sections}"))
}

fn lead(external_id: &str, name: &str, phone: &str, message: &str) -> Value {
    json!({"lead": {"external_id": external_id, "contact_name": name, "phone": phone, "message": message}})
}

async fn send(daemon: &Daemon, id: &str, body: &Value) {
    assert!(daemon.send(id, body).await.status < 300);
    daemon.drained().await;
}

async fn notes(admin: &Person, lead: i64) -> String {
    let domain = json!([["model", "=", "crm.lead"], ["res_id", "=", lead]]);
    let mut notes = String::new();
    for id in admin.search("mail.message", domain).await {
        notes.push_str(admin.read("mail.message", id, &["body"]).await["body"].as_str().unwrap_or_default());
    }
    notes
}

fn leads(database: &Database) -> i64 {
    database.count("select count(*) from crm_lead")
}

#[tokio::test(flavor = "multi_thread")]
async fn three_spellings_are_one_lead_with_notes() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = configure(server, &database, "");
    daemon.start_connected().await;
    send(&daemon, "m1", &lead("w-1", "محمد القحطاني", "٠٥٠ ٩٨٧ ٦٥٤٣", "first")).await;
    let admin = database.admin(server).await;
    let id = admin.search("crm.lead", json!([])).await[0];
    admin.write("crm.lead", id, json!({"contact_name": "Mohammed (CEO) Alqahtani", "city": "Abha"})).await;

    send(&daemon, "m2", &lead("w-2", "Mohammed Al-Qahtani", "+966 50 987 6543", "second")).await;
    let other = json!({"contact_name": "Muhammad Alqahtani", "phone": "00966509876543", "city": "Jeddah",
                       "email": "m.qahtani@example.com", "message": "third"});
    assert!(daemon.post("/api/odoo/leads", &other).await.status < 300);
    daemon.drained().await;
    // Delivered again: nothing more.
    send(&daemon, "m2", &lead("w-2", "Mohammed Al-Qahtani", "+966 50 987 6543", "second")).await;

    assert_eq!(leads(&database), 1);
    let now =
        admin.read("crm.lead", id, &["contact_name", "city", "email_from", "g_assistant_duplicate_decision"]).await;
    assert_eq!(now["contact_name"], "Mohammed (CEO) Alqahtani", "what a person wrote stays");
    assert_eq!(now["city"], "Abha");
    assert_eq!(now["email_from"], "m.qahtani@example.com", "what was missing is filled in");
    assert_eq!(now["g_assistant_duplicate_decision"], "attach");
    let notes = notes(&admin, id).await;
    for text in ["second", "third", "same mobile number", "Jeddah"] {
        assert_eq!(notes.matches(text).count(), if text == "same mobile number" { 2 } else { 1 }, "{text}: {notes}");
    }
    // A later update of the second one is one of this lead.
    let update = json!({"lead": {"external_id": "w-2", "contact_name": "Mohammed Al-Qahtani", "website": "https://qahtani.example.com"}});
    send(&daemon, "m5", &update).await;
    assert_eq!(admin.read("crm.lead", id, &["website"]).await["website"], "https://qahtani.example.com");
    assert_eq!(leads(&database), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_state_has_its_policy() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = configure(server, &database, "");
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    let create = async |name: &str, phone: &str| {
        admin
            .create("crm.lead", json!({"name": name, "contact_name": name, "phone": phone, "type": "opportunity"}))
            .await
    };
    let lost = create("Sara Haddad", "0501110001").await;
    admin.act("crm.lead", "action_set_lost", lost).await;
    let archived = create("Huda Kamel", "0501110002").await;
    admin.write("crm.lead", archived, json!({"active": false})).await;
    let won = create("Omar Saleh", "0501110003").await;
    admin.act("crm.lead", "action_set_won", won).await;
    let brother = create("Khalid Alharbi", "0501110004").await;
    let elsewhere = create("Reem Alshehri", "0501110005").await;
    let company = admin.create("res.company", json!({"name": "Elsewhere"})).await;
    database.sql(&format!("update crm_lead set company_id = {company}, team_id = null where id = {elsewhere}"));

    let list = json!({"leads": [
        {"contact_name": "سارة حداد", "phone": "+966501110001"},
        {"contact_name": "Hoda Kamel", "phone": "+966501110002"},
        {"contact_name": "عمر صالح", "phone": "+966501110003"},
        {"contact_name": "Noura Alharbi", "phone": "+966501110004"},
        {"contact_name": "Reem Alshehri", "phone": "+966501110005"},
    ]});
    send(&daemon, "m1", &list).await;

    // Reopened twice; new ones for who is won, perhaps known, and known to another company only.
    assert_eq!(leads(&database), 5 + 3);
    for id in [lost, archived] {
        let lead = admin.read("crm.lead", id, &["active", "g_assistant_duplicate_decision"]).await;
        assert_eq!((&lead["active"], &lead["g_assistant_duplicate_decision"]), (&json!(true), &json!("reopen")));
    }
    let of = async |phone: &str| {
        let domain = json!([["phone", "like", phone], ["id", ">", elsewhere]]);
        let id = admin.search("crm.lead", domain).await[0];
        let fields = ["g_assistant_duplicate_decision", "g_assistant_duplicate_id", "g_assistant_duplicate_reason"];
        admin.read("crm.lead", id, &fields).await
    };
    let new = of("501110003").await;
    assert_eq!(new["g_assistant_duplicate_decision"], "create");
    assert_eq!(new["g_assistant_duplicate_id"], won);
    let asked = of("501110004").await;
    assert_eq!(asked["g_assistant_duplicate_decision"], "ask");
    assert_eq!(asked["g_assistant_duplicate_id"], brother);
    assert_eq!(asked["g_assistant_duplicate_reason"], "same mobile number, other name");
    assert!(!of("501110005").await["g_assistant_duplicate_decision"].is_string());
    let untouched = format!(
        "select count(*) from mail_message where model = 'crm.lead' and res_id = {elsewhere}
                             and body like '%wrote again%'"
    );
    assert_eq!(database.count(&untouched), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_can_be_another() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let sections = "[intake.duplicates]\nopen = \"ask\"\nlost = \"create\"\nwon = \"attach\"\n";
    let mut daemon = configure(server, &database, sections);
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    let mut ids = Vec::new();
    for (name, phone) in [("Sara Haddad", "0501110001"), ("Huda Kamel", "0501110002"), ("Omar Saleh", "0501110003")] {
        let values = json!({"name": name, "contact_name": name, "phone": phone, "type": "opportunity"});
        ids.push(admin.create("crm.lead", values).await);
    }
    admin.act("crm.lead", "action_set_lost", ids[1]).await;
    admin.act("crm.lead", "action_set_won", ids[2]).await;
    let list = json!({"leads": [
        {"contact_name": "Sara Haddad", "phone": "+966501110001"},
        {"contact_name": "Huda Kamel", "phone": "+966501110002"},
        {"contact_name": "Omar Saleh", "phone": "+966501110003"},
    ]});
    send(&daemon, "m1", &list).await;
    assert_eq!(leads(&database), 5);
    assert_eq!(database.count("select count(*) from crm_lead where g_assistant_duplicate_decision = 'ask'"), 1);
    assert_eq!(
        admin.read("crm.lead", ids[2], &["g_assistant_duplicate_decision"]).await["g_assistant_duplicate_decision"],
        "attach"
    );

    daemon.stop().await;
    daemon.edit("open = \"ask\"", "enabled = false");
    daemon.start_connected().await;
    send(&daemon, "m2", &json!({"lead": {"contact_name": "Sara Haddad", "phone": "+966501110001"}})).await;
    assert_eq!(leads(&database), 6);
}

/// One person, many times at once, in one batch and in several calls that run at the same time.
#[tokio::test(flavor = "multi_thread")]
async fn at_once_they_are_one_lead_all_the_same() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut first = configure(server, &database, "");
    let mut second = configure(server, &database, "");
    first.start_connected().await;
    second.start_connected().await;
    let of = |daemon: usize| {
        let people = (0..4).map(|n| {
            let name = ["Faisal Alharbi", "فيصل الحربي"][n % 2];
            let phone = ["0541112233", "+966541112233"][n / 2];
            json!({"external_id": format!("{daemon}-{n}"), "contact_name": name, "phone": phone})
        });
        json!({"leads": people.collect::<Vec<_>>()})
    };
    let (one, two) = (of(1), of(2));
    let (a, b) = tokio::join!(first.send("m1", &one), second.send("m2", &two));
    assert!(a.status == 202 && b.status == 202);
    first.drained().await;
    second.drained().await;
    assert_eq!(leads(&database), 1);
    assert_eq!(database.count("select count(*) from g_assistant_binding where model = 'crm.lead'"), 8);
}

/// Killed between Odoo's question and the daemon's answer, or anywhere else: still one lead.
#[tokio::test(flavor = "multi_thread")]
async fn killed_while_it_decides() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = configure(server, &database, "");
    daemon.start_connected().await;
    send(&daemon, "m0", &lead("k-0", "Lina Farah", "0541112244", "zero")).await;
    for round in 1..=6u64 {
        let body = lead(&format!("k-{round}"), "لينا فرح", "+966541112244", &format!("round {round}"));
        until("the delivery is acknowledged", async || daemon.try_send(&format!("m{round}"), &body).await.ok()).await;
        tokio::time::sleep(Duration::from_millis(15 * round)).await;
        daemon.kill();
        daemon.start_connected().await;
    }
    daemon.drained().await;
    assert_eq!(leads(&database), 1);
    let admin = database.admin(server).await;
    let id = admin.search("crm.lead", json!([])).await[0];
    let notes = notes(&admin, id).await;
    for round in 1..=6 {
        assert_eq!(notes.matches(&format!("round {round}")).count(), 1, "{notes}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_addon_they_are_one_lead_too() {
    let server = Server::shared();
    let database = Database::fresh(Template::Plain);
    let mut daemon = configure(server, &database, "\n[routing]\ndefault = { salespeople = [\"admin\"] }\n");
    daemon.start_connected().await;
    let admin = database.admin(server).await;
    send(&daemon, "m1", &lead("w-1", "محمد القحطاني", "٠٥٠ ٩٨٧ ٦٥٤٣", "first")).await;
    let id = admin.search("crm.lead", json!([])).await[0];
    admin.write("crm.lead", id, json!({"city": "Abha"})).await;

    // Two of them in one delivery, and one of them again: one lead, and each is told once.
    let more = json!({"contact_name": "Mohammed Al-Qahtani", "phone": "+966 50 987 6543", "city": "Jeddah"});
    let with = |external_id: &str, field: &str, value: &str| {
        let mut lead = more.clone();
        (lead["external_id"], lead[field]) = (external_id.into(), value.into());
        lead
    };
    let both =
        json!({"leads": [with("w-2", "email", "m@example.com"), with("w-3", "website", "https://m.example.com")]});
    send(&daemon, "m2", &both).await;
    assert_eq!(leads(&database), 1);
    let now = admin.read("crm.lead", id, &["city", "email_from", "website"]).await;
    assert_eq!((&now["city"], &now["email_from"]), (&json!("Abha"), &json!("m@example.com")), "{now}");
    assert_eq!(now["website"], "https://m.example.com");
    let told = notes(&admin, id).await;
    assert_eq!(told.matches("The same person wrote again (same mobile number, same name)").count(), 2, "{told}");
    assert_eq!(told.matches("Jeddah").count(), 2, "{told}");
    // A later update of the second is one of this lead.
    send(&daemon, "m3", &json!({"lead": {"external_id": "w-2", "contact_name": "M. Al-Qahtani", "job_title": "CEO"}}))
        .await;
    assert_eq!(admin.read("crm.lead", id, &["function"]).await["function"], "CEO");

    // As a person typed it, and lost since.
    let values = json!({"name": "By hand", "contact_name": "Sara Haddad", "phone": "055-765 43 21"});
    let typed = admin.create("crm.lead", values).await;
    admin.call(g_assistant::odoo::Call::new("crm.lead", "action_set_lost").on([typed])).await;
    send(&daemon, "m4", &lead("w-4", "سارة حداد", "0557654321", "I am back")).await;
    assert_eq!(leads(&database), 2);
    assert_eq!(admin.read("crm.lead", typed, &["active"]).await["active"], true);
    assert!(notes(&admin, typed).await.contains("the lead is open again"));

    // Perhaps: the same number, and clearly another name.
    send(&daemon, "m5", &lead("w-5", "Omar Haddad", "0557654321", "hello")).await;
    assert_eq!(leads(&database), 3);
    let new = admin.search("crm.lead", json!([["contact_name", "=", "Omar Haddad"]])).await[0];
    assert!(notes(&admin, new).await.contains(&format!(
        "This may be the person of <a href=\"#\" data-oe-model=\"crm.lead\" data-oe-id=\"{typed}\""
    )));
    let asked = format!("select count(*) from mail_activity where res_model = 'crm.lead' and res_id = {new}");
    assert_eq!(database.count(&asked), 1);

    // Somebody else is.
    send(&daemon, "m6", &lead("w-6", "Sara Haddad", "0551112222", "hello")).await;
    assert_eq!(leads(&database), 4);
}
