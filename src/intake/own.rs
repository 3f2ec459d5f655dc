//! The addon's own fields on a lead: where it comes from on its platform, what is odd about it, and its score.
//!
//! They belong to the daemon, so a later delivery writes them anew. An Odoo without the addon has none of them; what
//! matters then goes into the description (`sync::own`).

use super::{
    Examined,
    flags::Raised,
    learned::Chance,
    values::{plain, present},
};
use crate::domain::{FieldValue, Lookup, OWN_FIELDS};

/// The values of the addon's own fields.
pub(super) fn values(examined: &Examined) -> Vec<(String, FieldValue)> {
    let lead = &examined.normalised.lead;
    let origin = &lead.origin;
    let text = |text: &Option<String>| plain(text.clone().filter(|text| !text.is_empty()));
    let lines = |lines: Vec<String>| plain((!lines.is_empty()).then(|| lines.join("\n")));
    let clicks = origin.click_ids.iter().map(|(name, id)| format!("{name}: {id}")).collect();
    let consent =
        lead.consent.iter().map(|consent| format!("{} {}", if consent.given { "✓" } else { "✗" }, consent.text));
    let flags = examined.flags.iter().map(|raised| Lookup::Flag(raised.flag.code().to_owned())).collect();
    let reasons = examined.flags.iter().map(|Raised { flag, reason, .. }| format!("{flag}: {reason}")).collect();
    let values = present([
        ("score", plain(Some(examined.score.total))),
        ("score_reasons", plain(Some(examined.score.reasons()))),
        ("chance", plain(examined.chance.as_ref().map(|chance| chance.percent))),
        ("chance_reasons", plain(examined.chance.as_ref().map(Chance::reasons))),
        ("flag_ids", Some(FieldValue::Lookups(flags))),
        ("flag_reasons", lines(reasons)),
        ("route", plain(examined.route.rule.clone())),
        ("platform", text(&origin.platform)),
        ("platform_lead", text(&origin.lead_id)),
        ("account", text(&origin.account_id)),
        ("form", text(&origin.form_id)),
        ("form_name", text(&origin.form_name)),
        ("campaign", text(&origin.campaign_id)),
        ("campaign_name", text(&origin.campaign_name)),
        ("adset", text(&origin.adset_id)),
        ("adset_name", text(&origin.adset_name)),
        ("ad", text(&origin.ad_id)),
        ("ad_name", text(&origin.ad_name)),
        ("page", text(&origin.page_id)),
        ("page_name", text(&origin.page_name)),
        ("click_ids", lines(clicks)),
        ("url", text(&origin.url)),
        ("utm_content", text(&lead.utm_content)),
        ("utm_term", text(&lead.utm_term)),
        ("consent", lines(consent.collect())),
        // As JSON: a question or an answer may have any sign in it.
        ("answers", plain((!lead.answers.is_empty()).then(|| serde_json::json!(lead.answers).to_string()))),
        ("submitted_at", plain(lead.submitted_at.map(|time| time.format("%Y-%m-%d %H:%M:%S").to_string()))),
    ]);
    values.into_iter().map(|(field, value)| (format!("{OWN_FIELDS}{field}"), value)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{domain::LeadDraft, intake::normalise::Normalised};

    #[test]
    fn answers_keep_their_order_and_their_signs() {
        let lead: LeadDraft = serde_json::from_value(serde_json::json!({
            "email": "sara@example.com", "answers": [["Rooms: how many?", "4\nor 5"], ["الميزانية", "1.5"]],
            "submitted_at": "2026-11-20T13:00:00+03:00"
        }))
        .expect("a lead");
        let examined = Examined { normalised: Normalised { lead, typed: Vec::new() }, ..Examined::default() };
        let values = values(&examined);
        let value = |name: &str| {
            let found = values.iter().find(|(field, _)| field == name).map(|(_, value)| value.clone());
            serde_json::to_value(found).expect("JSON")["plain"].clone()
        };
        let told: Vec<(String, String)> =
            serde_json::from_str(value("g_assistant_answers").as_str().expect("a text")).expect("pairs");
        assert_eq!(told, [("Rooms: how many?".into(), "4\nor 5".into()), ("الميزانية".into(), "1.5".into())]);
        assert_eq!(value("g_assistant_submitted_at"), "2026-11-20 10:00:00");
    }
}
