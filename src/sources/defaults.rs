//! `[sources.<id>.defaults]`: what leads and orders get where their body says nothing.

use super::body;
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

    pub(super) fn fill(&self, draft: &mut Draft) {
        let fill = |field: &mut Option<String>, default: &Option<String>| {
            if field.is_none() {
                field.clone_from(default);
            }
        };
        let (source, medium, campaign, team, tags) = match draft {
            Draft::Lead(lead) => {
                fill(&mut lead.country, &self.country);
                let named = lead.origin.campaign_name.as_ref();
                fill(&mut lead.campaign, &named.map(|name| name.chars().take(body::lead::MAX_NAME).collect()));
                (&mut lead.source, &mut lead.medium, &mut lead.campaign, &mut lead.team, &mut lead.tags)
            }
            Draft::Order(order) => {
                (&mut order.source, &mut order.medium, &mut order.campaign, &mut order.team, &mut order.tags)
            }
        };
        fill(source, &self.source);
        fill(medium, &self.medium);
        fill(campaign, &self.campaign);
        fill(team, &self.team);
        if tags.is_empty() {
            tags.clone_from(&self.tags);
        }
    }
}
