//! `[scoring]`: how much each part of a lead's score weighs, and what is learned.

use std::time::Duration;

use super::{
    DAY, HOUR, Reader,
    expect::{boolean, duration, integer},
};

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
    /// `[scoring.learned]`
    pub learned: Learned,
}

/// `[scoring.learned]`: a chance learned from the shop's own leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Learned {
    /// Whether to learn.
    pub enabled: bool,
    /// How often.
    pub every: Duration,
    /// Fewer leads that came in and were won or lost are too few.
    pub least: usize,
}

impl Default for Learned {
    fn default() -> Self {
        Self { enabled: true, every: 7 * DAY, least: 200 }
    }
}

impl Learned {
    fn read(mut section: Reader<'_>) -> Self {
        let default = Self::default();
        let learned = Self {
            enabled: section.or("enabled", boolean(), default.enabled),
            every: section.or("every", duration(HOUR..=365 * DAY), default.every),
            least: section.or("least", integer(100..=50_000), default.least as i64) as usize,
        };
        section.finish();
        learned
    }
}

impl Default for Scoring {
    fn default() -> Self {
        Self { campaign: 30, activity: 25, quality: 25, engagement: 20, learned: Learned::default() }
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
            learned: Learned::read(section.table("learned")),
        };
        if [scoring.campaign, scoring.activity, scoring.quality, scoring.engagement] == [0; 4] {
            section.problem("", "every weight is 0", Some("give at least one part a weight".to_owned()));
        }
        section.finish();
        scoring
    }
}
