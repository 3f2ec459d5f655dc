//! Rows of files as leads: our own columns, those of platforms' exports, and whatever people call them.

use serde_json::{Map, Value};

use super::{
    fields::{Fields, folded},
    map,
};

/// A platform, the columns that only its exports have, and what its leads get as source and medium.
struct Platform {
    name: &'static str,
    columns: &'static [&'static str],
    source: &'static str,
    medium: &'static str,
}

const PLATFORMS: [Platform; 5] = [
    Platform {
        name: "meta",
        columns: &["adsetid", "adsetname", "isorganic"],
        source: "Facebook",
        medium: "Paid social",
    },
    Platform { name: "snapchat", columns: &["adsquadid", "adsquadname"], source: "Snapchat", medium: "Paid social" },
    Platform {
        name: "google",
        columns: &["gclid", "googleclickid", "googlekey"],
        source: "Google Ads",
        medium: "Paid search",
    },
    Platform { name: "tiktok", columns: &["adgroupid", "adgroupname"], source: "TikTok", medium: "Paid social" },
    Platform {
        name: "linkedin",
        columns: &["leadtype", "leadgenformname", "leadgenform"],
        source: "LinkedIn",
        medium: "Paid social",
    },
];

/// What Meta writes into the answers of its test leads.
const TEST_LEAD: &str = "<test lead:";

/// Reads rows of one file, whose columns have these names.
pub struct Export {
    header: Vec<String>,
    platform: Option<&'static Platform>,
}

impl Export {
    /// Looks whose export it is, if it is one.
    pub fn new(header: Vec<String>) -> Self {
        let names: Vec<_> = header.iter().map(|name| folded(name)).collect();
        let platform = PLATFORMS
            .iter()
            .find(|platform| platform.columns.iter().any(|column| names.iter().any(|name| name == column)));
        Self { header, platform }
    }

    /// The platform's name.
    pub fn platform(&self) -> Option<&'static str> {
        self.platform.map(|platform| platform.name)
    }

    /// A row as a documented lead. `typed` makes what our own columns want of their cells.
    pub fn lead(&self, cells: &[String], typed: impl Fn(&str, &str) -> Value) -> Map<String, Value> {
        let mut fields = self.platform().map_or_else(Fields::default, Fields::of);
        let mut own = Map::new();
        for (column, cell) in self.header.iter().zip(cells).filter(|(_, cell)| !cell.is_empty()) {
            match self.platform {
                Some(platform) => {
                    put(&mut fields, platform, column, cell);
                    if cell.starts_with(TEST_LEAD) {
                        fields.set("test", true);
                    }
                }
                None if map::is_field(column) => drop(own.insert(column.clone(), typed(column, cell))),
                None if fields.put_known(column, cell) => {}
                None => drop(own.insert(column.clone(), cell.as_str().into())),
            }
        }
        fields.identify();
        let mut lead = fields.into_json();
        if let Some(platform) = self.platform {
            lead.entry("source").or_insert(platform.source.into());
            lead.entry("medium").or_insert(platform.medium.into());
        }
        lead.extend(own);
        lead
    }
}

fn put(fields: &mut Fields, platform: &Platform, column: &str, cell: &str) {
    match (platform.name, folded(column).as_str()) {
        (_, "id") => drop(fields.put_known("lead_id", cell)),
        ("meta", "platform") => {
            let source = match cell {
                "ig" => "Instagram",
                "fb" => "Facebook",
                other => other,
            };
            fields.set("source", source);
        }
        ("meta", "isorganic") if cell.eq_ignore_ascii_case("true") => fields.set("medium", "Organic social"),
        ("meta", "isorganic") => {}
        _ => fields.put(column, cell),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn lead(columns: &[(&str, &str)]) -> (Option<&'static str>, Value) {
        let export = Export::new(columns.iter().map(|(name, _)| (*name).to_owned()).collect());
        let cells: Vec<_> = columns.iter().map(|(_, cell)| (*cell).to_owned()).collect();
        (export.platform(), export.lead(&cells, |_, cell| cell.into()).into())
    }

    #[test]
    fn metas_export() {
        let (platform, lead) = lead(&[
            ("id", "l:1122334455667788"),
            ("created_time", "2026-11-20T10:00:00+0300"),
            ("ad_id", "ag:120210000000000001"),
            ("ad_name", "Video A"),
            ("adset_id", "as:120210000000000002"),
            ("adset_name", "KSA"),
            ("campaign_id", "c:120210000000000003"),
            ("campaign_name", "المنازل"),
            ("form_id", "f:998877665544332"),
            ("form_name", "Villas"),
            ("is_organic", "false"),
            ("platform", "ig"),
            ("ما_هي_الميزانية؟", "500_ألف"),
            ("full_name", "سارة علي"),
            ("phone_number", "p:+966501234567"),
            ("email", "<test lead: dummy data for email>"),
            ("lead_status", "CREATED"),
        ]);
        assert_eq!(platform, Some("meta"));
        let expected = json!({
            "external_id": "1122334455667788", "submitted_at": "2026-11-20T07:00:00Z", "contact_name": "سارة علي",
            "phone": "+966501234567", "email": "<test lead: dummy data for email>", "test": true,
            "source": "Instagram", "medium": "Paid social",
            "answers": [["ما_هي_الميزانية؟", "500_ألف"], ["lead_status", "CREATED"]],
            "origin": {
                "platform": "meta", "lead_id": "1122334455667788", "ad_id": "120210000000000001", "ad_name": "Video A",
                "adset_id": "120210000000000002", "adset_name": "KSA", "campaign_id": "120210000000000003",
                "campaign_name": "المنازل", "form_id": "998877665544332", "form_name": "Villas"
            }
        });
        assert_eq!(lead, expected);
    }

    #[test]
    fn other_exports_are_recognised() {
        for (columns, name, source) in [
            (vec![("Lead ID", "7"), ("GCLID", "g-1"), ("Full Name", "Sara")], "google", "Google Ads"),
            (vec![("Lead ID", "7"), ("Ad Group ID", "8"), ("Name", "Sara")], "tiktok", "TikTok"),
            (vec![("Lead ID", "7"), ("Lead Type", "Sponsored"), ("First Name", "Sara")], "linkedin", "LinkedIn"),
            (vec![("lead_id", "7"), ("ad_squad_id", "8"), ("first_name", "Sara")], "snapchat", "Snapchat"),
        ] {
            let (platform, lead) = lead(&columns);
            assert_eq!(
                (platform, &lead["source"], &lead["contact_name"]),
                (Some(name), &json!(source), &json!("Sara"))
            );
            assert_eq!(lead["external_id"], "7");
        }
    }

    #[test]
    fn our_own_columns_and_peoples() {
        let (platform, lead) = lead(&[
            ("external_id", "7"),
            ("name", "Fleet"),
            ("الاسم الكامل", "سارة"),
            ("رقم الجوال", "0501234567"),
            ("Colour", "red"),
        ]);
        assert_eq!(platform, None);
        let expected = json!({"contact_name": "سارة", "phone": "0501234567", "external_id": "7", "name": "Fleet", "Colour": "red"});
        assert_eq!(lead, expected);
    }
}
