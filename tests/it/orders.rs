//! Quotations go in, are updated while they are quotations, confirmed and cancelled.

use serde_json::{Value, json};

use crate::{
    daemon::Daemon,
    odoo::{Database, Person, Server, Template},
};

/// The products that the orders name.
async fn products(admin: &Person) {
    admin
        .create("product.product", json!({"name": "Hub", "default_code": "HUB", "list_price": 450.0, "taxes_id": []}))
        .await;
    admin
        .create(
            "product.product",
            json!({"name": "Sensor", "barcode": "6281000000014", "list_price": 80.0, "taxes_id": []}),
        )
        .await;
}

fn order(id: &str, extra: Value) -> Value {
    let mut order = json!({
        "external_id": id,
        "customer": {"name": "مؤسسة نجد", "email": format!("{id}@najd.example"), "phone": "+966112345678", "country": "SA"},
        "lines": [
            {"product": "HUB", "quantity": 2},
            {"product": "6281000000014", "quantity": 10, "price_unit": 75.0, "name": "حساس"},
        ],
    });
    let fields = order.as_object_mut().expect("an object");
    fields.extend(extra.as_object().expect("an object").clone());
    json!({ "order": order })
}

async fn only_order(database: &Database, admin: &Person, id: &str) -> Value {
    let ids = admin.search("sale.order", json!([["client_order_ref", "=", id]])).await;
    assert_eq!(ids.len(), 1, "order {id} is there once; in all: {}", database.count("select count(*) from sale_order"));
    admin
        .read("sale.order", ids[0], &["id", "state", "amount_total", "order_line", "partner_id", "client_order_ref"])
        .await
}

async fn check_orders(template: Template, extra: &str) {
    let server = Server::shared();
    let database = Database::fresh(template);
    let admin = database.admin(server).await;
    products(&admin).await;
    let mut daemon = Daemon::configure(server, &database, extra);
    daemon.start_connected().await;

    // A quotation, the customer made with it; again and again the same.
    for message in ["m1", "m1", "m2"] {
        daemon.send(message, &order("S-1", json!({}))).await;
    }
    daemon.drained().await;
    let quotation = only_order(&database, &admin, "S-1").await;
    assert_eq!(quotation["state"], "draft");
    assert_eq!(quotation["amount_total"], 2.0 * 450.0 + 10.0 * 75.0);
    assert_eq!(quotation["order_line"].as_array().map(Vec::len), Some(2));
    assert_eq!(database.count("select count(*) from res_partner where email = 'S-1@najd.example'"), 1);

    // Updated while it is a quotation; the known customer is found by e-mail.
    let lines = json!([{"product": "HUB", "quantity": 3}]);
    daemon.send("m3", &order("S-1", json!({ "lines": lines }))).await;
    daemon.drained().await;
    assert_eq!(only_order(&database, &admin, "S-1").await["amount_total"], 1350.0);
    assert_eq!(database.count("select count(*) from res_partner where email = 'S-1@najd.example'"), 1);

    // Confirmed; then it is no quotation any more, and a change of its lines is for a person.
    daemon.send("m4", &json!({"order": {"external_id": "S-1", "state": "confirmed"}})).await;
    daemon.drained().await;
    assert_eq!(only_order(&database, &admin, "S-1").await["state"], "sale");
    daemon.send("m5", &order("S-1", json!({"lines": [{"product": "HUB", "quantity": 9}]}))).await;
    daemon.drained().await;
    let parked = daemon.parked();
    assert_eq!(parked.as_array().map(Vec::len), Some(1), "{parked}");
    assert_eq!(only_order(&database, &admin, "S-1").await["amount_total"], 1350.0);

    // Created and confirmed in one go; then cancelled, twice.
    daemon.send("m6", &order("S-2", json!({"state": "confirmed"}))).await;
    daemon.drained().await;
    assert_eq!(only_order(&database, &admin, "S-2").await["state"], "sale");
    for message in ["m7", "m8"] {
        daemon.send(message, &json!({"order": {"external_id": "S-2", "state": "cancelled"}})).await;
    }
    daemon.drained().await;
    assert_eq!(only_order(&database, &admin, "S-2").await["state"], "cancel");

    // An unknown product is for a person; its neighbours go through.
    let orders = json!({"orders": [
        order("S-3", json!({}))["order"],
        order("S-4", json!({"lines": [{"product": "NOT-THERE", "quantity": 1}]}))["order"],
        order("S-5", json!({}))["order"],
    ]});
    daemon.send("m9", &orders).await;
    daemon.drained().await;
    only_order(&database, &admin, "S-3").await;
    only_order(&database, &admin, "S-5").await;
    assert!(admin.search("sale.order", json!([["client_order_ref", "=", "S-4"]])).await.is_empty());
    let parked = daemon.parked().to_string();
    assert!(parked.contains("NOT-THERE"), "the reason names the product: {parked}");
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_with_the_addon_over_xmlrpc() {
    check_orders(Template::Addon, "transport = \"xmlrpc\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_with_the_addon_over_json2() {
    check_orders(Template::Addon, "transport = \"json2\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_without_the_addon() {
    check_orders(Template::Plain, "transport = \"xmlrpc\"").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_currency_picks_its_price_list() {
    let server = Server::shared();
    let database = Database::fresh(Template::Addon);
    let admin = database.admin(server).await;
    products(&admin).await;
    let sar = admin.search("res.currency", json!([["name", "=", "SAR"]])).await[0];
    admin.write("res.currency", sar, json!({"active": true})).await;
    let list = admin.create("product.pricelist", json!({"name": "Saudi", "currency_id": sar})).await;
    let mut daemon = Daemon::configure(server, &database, "");
    daemon.start_connected().await;
    // The company's own currency needs no price list.
    let own =
        database.sql("select c.name from res_company b join res_currency c on c.id = b.currency_id where b.id = 1");
    daemon.send("m0", &order("S-0", json!({ "currency": own }))).await;
    daemon.send("m1", &order("S-1", json!({"currency": "SAR"}))).await;
    daemon.send("m2", &order("S-2", json!({"currency": "XXX"}))).await;
    daemon.drained().await;
    assert_eq!(admin.search("sale.order", json!([["client_order_ref", "=", "S-0"]])).await.len(), 1);
    let id = admin.search("sale.order", json!([["client_order_ref", "=", "S-1"]])).await[0];
    assert_eq!(admin.read("sale.order", id, &["pricelist_id"]).await["pricelist_id"], list);
    let parked = daemon.parked().to_string();
    assert!(parked.contains("XXX"), "{parked}");
}
