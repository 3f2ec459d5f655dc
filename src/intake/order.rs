//! An order as Odoo's `sale.order` has it.

use std::collections::BTreeMap;

use super::values::{lookup, plain, present, tags};
use crate::domain::{FieldValue, Lookup, OrderDraft, OrderLineDraft};

/// The values of an upsert.
pub(super) fn values(order: &OrderDraft) -> BTreeMap<String, FieldValue> {
    // A price list says more than its currency.
    let pricelist = lookup(order.pricelist.as_ref(), Lookup::Pricelist)
        .or_else(|| lookup(order.currency.as_ref(), Lookup::Currency));
    present([
        ("client_order_ref", plain(Some(order.external_id.clone()))),
        ("partner_id", order.customer.clone().map(FieldValue::Partner)),
        ("order_line", order.lines.as_ref().map(|lines| FieldValue::Lines(lines.iter().map(line).collect()))),
        ("pricelist_id", pricelist),
        ("validity_date", plain(order.valid_until.clone())),
        ("team_id", lookup(order.team.as_ref(), Lookup::Team)),
        ("user_id", lookup(order.salesperson.as_ref(), Lookup::Salesperson)),
        ("source_id", lookup(order.source.as_ref(), Lookup::Source)),
        ("medium_id", lookup(order.medium.as_ref(), Lookup::Medium)),
        ("campaign_id", lookup(order.campaign.as_ref(), Lookup::Campaign)),
        ("tag_ids", tags(&order.tags)),
    ])
}

fn line(line: &OrderLineDraft) -> BTreeMap<String, FieldValue> {
    present([
        ("product_id", Some(FieldValue::Lookup(Lookup::Product(line.product.clone())))),
        ("name", plain(line.name.clone())),
        ("product_uom_qty", plain(line.quantity)),
        ("price_unit", plain(line.price_unit)),
        ("discount", plain(line.discount)),
    ])
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_field_arrives() {
        let order: OrderDraft = serde_json::from_value(json!({
            "external_id": "SO-1", "customer": {"name": "Acme", "vat": "300000000000003"},
            "lines": [{"product": "DESK", "quantity": 2.0, "price_unit": 10.5, "discount": 5.0, "name": "Desk"},
                      {"product": "LAMP"}],
            "currency": "SAR", "valid_until": "2026-12-01", "team": "Gulf", "salesperson": "s@example.com",
            "source": "Shop", "medium": "Web", "campaign": "Q4", "tags": ["VIP"]
        }))
        .expect("an order");
        let partner = json!({"name": "Acme", "email": null, "phone": null, "vat": "300000000000003", "street": null,
                             "city": null, "zip": null, "country": null, "is_company": null});
        let expected = json!({
            "client_order_ref": {"plain": "SO-1"},
            "partner_id": {"partner": partner},
            "order_line": {"lines": [
                {"product_id": {"lookup": {"kind": "product", "key": "DESK"}}, "name": {"plain": "Desk"},
                 "product_uom_qty": {"plain": 2.0}, "price_unit": {"plain": 10.5}, "discount": {"plain": 5.0}},
                {"product_id": {"lookup": {"kind": "product", "key": "LAMP"}}}
            ]},
            "pricelist_id": {"lookup": {"kind": "currency", "key": "SAR"}},
            "validity_date": {"plain": "2026-12-01"},
            "team_id": {"lookup": {"kind": "team", "key": "Gulf"}},
            "user_id": {"lookup": {"kind": "salesperson", "key": "s@example.com"}},
            "source_id": {"lookup": {"kind": "source", "key": "Shop"}},
            "medium_id": {"lookup": {"kind": "medium", "key": "Web"}},
            "campaign_id": {"lookup": {"kind": "campaign", "key": "Q4"}},
            "tag_ids": {"lookups": [{"kind": "tag", "key": "VIP"}]},
        });
        assert_eq!(json!(values(&order)), expected);
        let named = OrderDraft { pricelist: Some("Public".to_owned()), ..order };
        let expected = FieldValue::Lookup(Lookup::Pricelist("Public".to_owned()));
        assert_eq!(values(&named)["pricelist_id"], expected);
    }
}
