//! `[scoring]`: how much each part of a lead's score weighs.

use super::{Reader, expect::integer};

/// `[scoring]`: weights; only their proportion counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scoring {
    /// Where the lead comes from.
    pub campaign: u8,
    /// What it did on the ad and the site.
    pub activity: u8,
    /// How well it can be reached.
    pub quality: u8,
    /// How much it told.
    pub engagement: u8,
}

impl Default for Scoring {
    fn default() -> Self {
        Self { campaign: 30, activity: 25, quality: 25, engagement: 20 }
    }
}

impl Scoring {
    pub(super) fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let scoring = Self {
            campaign: section.or("campaign", integer(0..=100), default.campaign),
            activity: section.or("activity", integer(0..=100), default.activity),
            quality: section.or("quality", integer(0..=100), default.quality),
            engagement: section.or("engagement", integer(0..=100), default.engagement),
        };
        if [scoring.campaign, scoring.activity, scoring.quality, scoring.engagement] == [0; 4] {
            section.problem("", "every weight is 0", Some("give at least one part a weight".to_owned()));
        }
        section.finish();
        scoring
    }
}
