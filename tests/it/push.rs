//! Leads reach Odoo once each, and an update never takes what a person changed.

use serde_json::json;

use crate::{
    daemon::Daemon,
    odoo::{Database, Server, Template, until},
};

/// Every transport must keep every promise.
const TRANSPORTS: [&str; 2] = ["transport = \"xmlrpc\"", "transport = \"json2\""];

#[tokio::test(flavor = "multi_thread")]
async fn each_lead_arrives_once_with_all_it_said() {
    let server = Server::shared();
    for transport in TRANSPORTS {
        let database = Database::fresh(Template::Addon);
        let mut daemon = Daemon::configure(server, &database, transport);
        daemon.start_connected().await;
        let lead = json!({"lead": {
            "external_id": "fb-1", "contact_name": "محمد القحطاني", "company": "شركة البناء الحديث",
            "email": "m.qahtani@example.com", "phone": "٠٥٠ ٩٨٧ ٦٥٤٣", "country": "SA", "city": "جدة",
            "source": "Facebook", "medium": "Paid social", "campaign": "المنازل", "tags": ["VIP", "Riyadh"],
            "message": "أرغب في عرض سعر <b>مفصل</b>", "expected_revenue": 45000.5, "priority": 2,
            "how many rooms": "أربع"
        }});
        assert_eq!(daemon.send("m1", &lead).await.status, 202);
        // The same delivery, the same lead in another delivery, and at the same time both.
        assert_eq!(daemon.send("m1", &lead).await.status, 200);
        assert_eq!(daemon.send("m2", &lead).await.status, 202);
        let (_, _) = tokio::join!(daemon.send("m1", &lead), daemon.send("m3", &lead));
        let list = json!({"leads": [
            {"external_id": "fb-2", "contact_name": "Sara", "phone": "+966501234567"},
            {"contact_name": "No id", "email": "no.id@example.com"},
        ]});
        assert_eq!(daemon.send("m4", &list).await.status, 202);
        daemon.drained().await;

        assert_eq!(database.count("select count(*) from crm_lead"), 3);
        let admin = database.admin(server).await;
        let id = admin.search("crm.lead", json!([["email_from", "=", "m.qahtani@example.com"]])).await[0];
        let fields = [
            "name",
            "contact_name",
            "partner_name",
            "phone",
            "city",
            "country_id",
            "source_id",
            "medium_id",
            "campaign_id",
            "tag_ids",
            "description",
            "expected_revenue",
            "priority",
        ];
        let lead = admin.read("crm.lead", id, &fields).await;
        assert_eq!(lead["contact_name"], "محمد القحطاني");
        assert_eq!(lead["partner_name"], "شركة البناء الحديث");
        assert_eq!(lead["phone"].as_str().map(|phone| phone.replace(' ', "")), Some("+966509876543".to_owned()));
        assert_eq!(lead["expected_revenue"], 45000.5);
        assert_eq!(lead["priority"], "2");
        assert_eq!(lead["tag_ids"].as_array().map(Vec::len), Some(2));
        assert!(lead["country_id"].is_number() && lead["source_id"].is_number() && lead["campaign_id"].is_number());
        let description = lead["description"].as_str().expect("a description");
        assert!(description.contains("أربع") && description.contains("how many rooms"), "{description}");
        assert!(description.contains("&lt;b&gt;"), "what a person typed is text, not markup: {description}");
        assert_eq!(database.count("select count(*) from utm_source where name = 'Facebook'"), 1);
        assert_eq!(daemon.stop().await, Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_update_keeps_what_a_person_changed_and_says_so() {
    let server = Server::shared();
    for transport in TRANSPORTS {
        let database = Database::fresh(Template::Addon);
        let mut daemon = Daemon::configure(server, &database, transport);
        daemon.start_connected().await;
        let lead = |phone: &str, city: &str, revenue: f64| {
            json!({"lead": {"external_id": "a", "contact_name": "Sara", "email": "sara@example.com",
                            "phone": phone, "city": city, "expected_revenue": revenue}})
        };
        daemon.send("m1", &lead("+966501111111", "Riyadh", 10.0)).await;
        daemon.drained().await;
        let admin = database.admin(server).await;
        let id = admin.search("crm.lead", json!([["email_from", "=", "sara@example.com"]])).await[0];
        admin.write("crm.lead", id, json!({"phone": "+966502222222"})).await;

        daemon.send("m2", &lead("+966503333333", "Jeddah", 10.0)).await;
        daemon.drained().await;
        let now = admin.read("crm.lead", id, &["phone", "city", "expected_revenue"]).await;
        assert_eq!(now["phone"], "+966502222222", "a person's value stays");
        assert_eq!(now["city"], "Jeddah", "the source's own value follows the source");
        let notes = database.sql(&format!(
            "select body from mail_message where model = 'crm.lead' and res_id = {id} and body like '%502222222%'"
        ));
        assert!(notes.contains("503333333"), "the note names both values: {notes}");

        // Nothing new: nothing is written, nothing is noted.
        let written = database.sql(&format!("select write_date from crm_lead where id = {id}"));
        daemon.send("m3", &lead("+966503333333", "Jeddah", 10.0)).await;
        daemon.drained().await;
        assert_eq!(database.sql(&format!("select write_date from crm_lead where id = {id}")), written);
        // Less is said: the title that was made from the contact is not made again from the e-mail address. (The score
        // is that of the newest delivery, so the lead is written.)
        daemon.send("m4", &json!({"lead": {"external_id": "a", "email": "sara@example.com"}})).await;
        daemon.drained().await;
        assert_eq!(admin.read("crm.lead", id, &["name"]).await["name"], "Sara");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fields_that_the_daemon_owns_are_always_written() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "owned_lead_fields = [\"expected_revenue\"]");
    daemon.start_connected().await;
    let lead =
        |revenue: f64| json!({"lead": {"external_id": "a", "contact_name": "Sara", "expected_revenue": revenue}});
    daemon.send("m1", &lead(10.0)).await;
    daemon.drained().await;
    let admin = database.admin(server).await;
    let id = admin.search("crm.lead", json!([["contact_name", "=", "Sara"]])).await[0];
    admin.write("crm.lead", id, json!({"expected_revenue": 99.0})).await;
    daemon.send("m2", &lead(20.0)).await;
    daemon.drained().await;
    assert_eq!(admin.read("crm.lead", id, &["expected_revenue"]).await["expected_revenue"], 20.0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_a_person_deleted_or_merged_is_not_re_created() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    let lead = |id: &str, city: &str| json!({"lead": {"external_id": id, "contact_name": id, "city": city}});
    daemon
        .send(
            "m1",
            &json!({"leads": [
                {"external_id": "deleted", "contact_name": "deleted"},
                {"external_id": "winner", "contact_name": "winner"},
                {"external_id": "loser", "contact_name": "loser"},
            ]}),
        )
        .await;
    daemon.drained().await;
    let admin = database.admin(server).await;
    let find = async |name: &str| admin.search("crm.lead", json!([["contact_name", "=", name]])).await;
    admin.unlink("crm.lead", find("deleted").await[0]).await;
    let (winner, loser) = (find("winner").await[0], find("loser").await[0]);
    let wizard = admin.create("crm.merge.opportunity", json!({"opportunity_ids": [[6, 0, [winner, loser]]]})).await;
    admin.act("crm.merge.opportunity", "action_merge", wizard).await;
    let left = database.count("select count(*) from crm_lead");
    assert_eq!(left, 1);
    let survivor = database.count("select id from crm_lead");

    daemon.send("m2", &lead("deleted", "Nowhere")).await;
    daemon.send("m3", &lead("loser", "Dammam")).await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 1, "nothing was re-created");
    assert_eq!(admin.read("crm.lead", survivor, &["city"]).await["city"], "Dammam", "the identity follows the merge");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lead_that_odoo_refuses_is_parked_with_odoos_words_and_the_rest_is_done() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    // A rule of this company, as any Odoo may have one.
    database.sql("alter table crm_lead add constraint no_curse check (contact_name <> 'cursed')");
    let mut daemon = Daemon::configure(server, &database, "");
    let leads: Vec<_> = (0..40)
        .map(|n| {
            let name = if n == 17 { "cursed".to_owned() } else { format!("lead {n}") };
            json!({"external_id": format!("l{n}"), "contact_name": name})
        })
        .collect();
    daemon.start().await;
    assert_eq!(daemon.send("m1", &json!({"leads": leads})).await.status, 202);
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead"), 39);
    let parked = daemon.parked();
    let parked = parked.as_array().expect("a list");
    assert_eq!(parked.len(), 1);
    assert!(parked[0]["error"].as_str().expect("Odoo's words").contains("no_curse"), "{parked:?}");

    database.sql("alter table crm_lead drop constraint no_curse");
    let id = parked[0]["id"].to_string();
    assert!(daemon.cli(&["outbox", "retry", &id]).status.success());
    until("the parked lead is in Odoo", async || (database.count("select count(*) from crm_lead") == 40).then_some(()))
        .await;
    daemon.drained().await;
    assert_eq!(database.count("select count(*) from crm_lead where contact_name = 'cursed'"), 1);
}
