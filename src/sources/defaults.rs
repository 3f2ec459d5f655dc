//! `[sources.<id>.defaults]`: what leads and orders get where their body says nothing.

use super::{Content, body};
use crate::{
    config::{
        Reader,
        expect::{list, string},
    },
    domain::Draft,
};

/// What leads and orders get where their body says nothing.
#[derive(Debug, Clone, Default)]
pub(super) struct Defaults {
    source: Option<String>,
    medium: Option<String>,
    campaign: Option<String>,
    team: Option<String>,
    /// Of leads only.
    country: Option<String>,
    tags: Vec<String>,
}

impl Defaults {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let country = string()
            .example("\"SA\"")
            .try_map(|code| body::lead::country(&code).ok_or("is not an ISO code of two letters"));
        let defaults = Self {
            source: section.optional("source", string().example("\"Website\"")),
            medium: section.optional("medium", string().example("\"Form\"")),
            campaign: section.optional("campaign", string()),
            team: section.optional("team", string()),
            country: section.optional("country", country),
            tags: section.or("tags", list(string()), Vec::new()),
        };
        section.finish();
        defaults
    }

    /// These defaults, and where they say nothing, those of the platform.
    pub(super) fn or(mut self, source: &str, medium: &str) -> Self {
        self.source.get_or_insert_with(|| source.to_owned());
        self.medium.get_or_insert_with(|| medium.to_owned());
        self
    }

    /// Drafts with these defaults, as a body's content.
    pub(super) fn content(&self, mut drafts: Vec<Draft>) -> Content {
        drafts.iter_mut().for_each(|draft| self.fill(draft));
        Content::Drafts(drafts)
    }

    fn fill(&self, draft: &mut Draft) {
        let lead = match draft {
            Draft::Lead(lead) => lead,
            Draft::Message(draft) => &mut draft.lead,
            Draft::Order(order) => {
                fill(&mut order.source, &self.source);
                fill(&mut order.medium, &self.medium);
                fill(&mut order.campaign, &self.campaign);
                fill(&mut order.team, &self.team);
                return fill_list(&mut order.tags, &self.tags);
            }
            Draft::Mark(_) | Draft::Profile(_) => return,
        };
        fill(&mut lead.country, &self.country);
        let named = lead.origin.campaign_name.as_ref();
        let named = named.map(|name| name.chars().take(body::lead::MAX_NAME).collect());
        fill(&mut lead.campaign, &named);
        fill(&mut lead.source, &self.source);
        fill(&mut lead.medium, &self.medium);
        fill(&mut lead.campaign, &self.campaign);
        fill(&mut lead.team, &self.team);
        fill_list(&mut lead.tags, &self.tags);
    }
}

fn fill(field: &mut Option<String>, default: &Option<String>) {
    if field.is_none() {
        field.clone_from(default);
    }
}

fn fill_list(field: &mut Vec<String>, default: &[String]) {
    if field.is_empty() {
        field.extend_from_slice(default);
    }
}
