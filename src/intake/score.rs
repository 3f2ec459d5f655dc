//! How promising a lead is, 0 to 100, and why: parts with a weight each, every point with its reason.

use serde::Serialize;

use super::flags::Raised;
use crate::{
    config,
    domain::{Flag, LeadDraft},
};

/// A score with its reasons.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Score {
    /// 0 to 100.
    pub total: u8,
    /// What it is made of.
    pub parts: Vec<Part>,
}

/// One part of a score.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Part {
    /// What was looked at.
    pub name: &'static str,
    /// Its points.
    pub points: u8,
    /// Its most points.
    pub most: u8,
    /// What the points are for.
    pub reasons: Vec<String>,
}

/// What speaks for a lead: percents of its part, and why.
type Findings = Vec<(u8, String)>;

/// The score of a normalised lead.
pub(super) fn score(lead: &LeadDraft, flags: &[Raised], weights: &config::Scoring) -> Score {
    let found: [(&'static str, u8, Findings); 4] = [
        ("campaign source", weights.campaign, campaign(lead)),
        ("ad and site activity", weights.activity, activity(lead)),
        ("data quality", weights.quality, quality(lead, flags)),
        ("engagement", weights.engagement, engagement(lead)),
    ];
    let all: f64 = found.iter().map(|(_, weight, _)| f64::from(*weight)).sum();
    let hopeless = flags.iter().find(|raised| matches!(raised.flag, Flag::Spam | Flag::TestLead));
    let mut exact = 0.0;
    let mut parts: Vec<Part> = found
        .into_iter()
        .map(|(name, weight, findings)| {
            let most = f64::from(weight) / all.max(1.0) * 100.0;
            let percent: u32 = findings.iter().map(|(percent, _)| u32::from(*percent)).sum();
            let points = most * f64::from(percent.min(100)) / 100.0;
            exact += points;
            let reasons = findings.into_iter().map(|(_, reason)| reason).collect();
            Part { name, points: points.round() as u8, most: most.round() as u8, reasons }
        })
        .collect();
    let mut total = exact.round() as u8;
    if let Some(raised) = hopeless {
        total = 0;
        let reasons = vec![format!("{}: {}", raised.flag, raised.reason)];
        parts.push(Part { name: "no lead at all", points: 0, most: 0, reasons });
    }
    Score { total, parts }
}

impl Score {
    /// The reasons as people read them, one part per line.
    pub fn reasons(&self) -> String {
        self.parts.iter().map(Part::to_string).collect::<Vec<_>>().join("\n")
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {}/{}", self.name, self.points, self.most)?;
        if self.reasons.is_empty() {
            f.write_str(": nothing known")
        } else {
            write!(f, ": {}", self.reasons.join(", "))
        }
    }
}

fn campaign(lead: &LeadDraft) -> Findings {
    let origin = &lead.origin;
    if let Some(who) = &lead.referred {
        return vec![(100, format!("recommended by {who}"))];
    }
    if let Some(campaign) = lead.campaign.as_ref().or(origin.campaign_name.as_ref()).or(origin.campaign_id.as_ref()) {
        return vec![(100, format!("campaign {campaign}"))];
    }
    let source = lead.source.as_ref().or(origin.platform.as_ref());
    source.map(|source| (60, format!("source {source}, no campaign"))).into_iter().collect()
}

fn activity(lead: &LeadDraft) -> Findings {
    let origin = &lead.origin;
    let mut found = Findings::new();
    if let Some(id) = origin.click_ids.keys().next() {
        found.push((60, format!("clicked an ad ({id})")));
    } else if let Some(ad) = origin.ad_name.as_ref().or(origin.ad_id.as_ref()).or(lead.utm_content.as_ref()) {
        found.push((60, format!("answered the ad {ad}")));
    }
    if let Some(term) = &lead.utm_term {
        found.push((20, format!("searched for {term}")));
    }
    if origin.url.is_some() {
        found.push((20, "its page is known".to_owned()));
    } else if let Some(form) = origin.form_name.as_ref().or(origin.form_id.as_ref()) {
        found.push((20, format!("form {form}")));
    }
    found
}

fn quality(lead: &LeadDraft, flags: &[Raised]) -> Findings {
    let has = |wanted: &[Flag]| flags.iter().any(|raised| wanted.contains(&raised.flag));
    let mut found = Findings::new();
    if lead.phone.is_some() && !has(&[Flag::InvalidPhone]) {
        found.push((40, "valid phone".to_owned()));
    }
    if lead.email.is_some() && !has(&[Flag::InvalidEmail, Flag::DisposableEmail, Flag::SuspiciousDomain]) {
        found.push((30, "good e-mail".to_owned()));
    }
    if lead.contact_name.as_ref().is_some_and(|name| name.contains(' ')) {
        found.push((15, "full name".to_owned()));
    }
    if lead.company.is_some() {
        found.push((15, "company".to_owned()));
    }
    found
}

fn engagement(lead: &LeadDraft) -> Findings {
    let mut found = Findings::new();
    match lead.message.as_ref().map_or(0, |message| message.chars().count()) {
        0 => {}
        1..=19 => found.push((25, "a short message".to_owned())),
        _ => found.push((50, "a message".to_owned())),
    }
    match lead.answers.len() {
        0 => {}
        few @ 1..=2 => found.push((30, format!("{few} answered"))),
        many => found.push((50, format!("{many} answered"))),
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::{config::FlagAction, intake::dictionary};

    fn lead() -> LeadDraft {
        serde_json::from_value(json!({
            "contact_name": "Sara Ali", "email": "sara@example.com", "phone": "+966501234567", "company": "Acme",
            "source": "Google", "message": "I need twenty cars by May", "answers": [["Size", "20"]],
            "origin": {"click_ids": {"gclid": "x"}},
        }))
        .expect("a lead")
    }

    fn raised(flag: Flag) -> Raised {
        Raised { flag, reason: "because".to_owned(), action: FlagAction::Keep }
    }

    #[test]
    fn every_point_has_a_reason() {
        let score = score(&lead(), &[], &config::Scoring::default());
        assert_eq!(
            score.reasons(),
            "campaign source 18/30: source Google, no campaign\n\
             ad and site activity 15/25: clicked an ad (gclid)\n\
             data quality 25/25: valid phone, good e-mail, full name, company\n\
             engagement 16/20: a message, 1 answered"
        );
        assert_eq!(score.total, 74);
    }

    #[test]
    fn the_addon_knows_the_words() {
        let origin = |origin: serde_json::Value| json!({"message": "Call me", "origin": origin});
        let leads = [
            json!({}),
            json!({"referred": "Omar", "utm_term": "villa", "answers": [["a", "1"], ["b", "2"], ["c", "3"]]}),
            origin(json!({"campaign_name": "Q4", "ad_name": "Video", "form_name": "Villas"})),
            origin(json!({"platform": "meta", "url": "https://villas.example.com"})),
        ];
        let leads = leads.map(|lead| serde_json::from_value(lead).expect("a lead"));
        for lead in leads.iter().chain([&lead()]) {
            for line in score(lead, &[raised(Flag::Spam)], &config::Scoring::default()).reasons().lines() {
                let (part, reasons) = line.split_once(": ").expect("reasons");
                let (name, _points) = part.rsplit_once(' ').expect("points");
                for phrase in reasons.split(", ").chain([name]).filter(|phrase| !phrase.starts_with("SPAM")) {
                    assert!(dictionary::knows(phrase), "the addon cannot say `{phrase}` in Arabic");
                }
            }
        }
    }

    #[test]
    fn weights_are_proportions() {
        let only_quality =
            config::Scoring { campaign: 0, activity: 0, quality: 7, engagement: 0, ..config::Scoring::default() };
        assert_eq!(score(&lead(), &[], &only_quality).total, 100);
        assert_eq!(score(&lead(), &[raised(Flag::InvalidPhone)], &only_quality).total, 60);
        assert_eq!(score(&LeadDraft::default(), &[], &config::Scoring::default()).total, 0);
    }

    #[test]
    fn spam_and_tests_are_worth_nothing() {
        for flag in [Flag::Spam, Flag::TestLead] {
            let score = score(&lead(), &[raised(flag)], &config::Scoring::default());
            assert_eq!(score.total, 0);
            assert!(score.reasons().ends_with(&format!("no lead at all 0/0: {flag}: because")), "{}", score.reasons());
        }
    }
}
