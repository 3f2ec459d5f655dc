//! Who the people are that write: the Graph API is asked once for each.
//!
//! Who does not let themselves be asked for keeps their id for a name: that is nobody's mistake, and nothing waits for it.

use async_trait::async_trait;
use serde_json::Value;

use super::super::{
    meta::{
        graph::Purpose,
        tokens::{Tokens, checked},
    },
    platform::{FetchError, Found, Platform, Reference},
};
use crate::domain::Channel;

/// What the token is for, and which errors are about one person only. Subcodes from 2018000 are Messenger's own, those
/// from 2534000 Instagram's: that there is no such person, no profile, no consent. So is 230 when a person is asked for.
pub(super) const NAMES: Purpose = Purpose {
    permissions: "a permission is missing: the token needs pages_messaging and pages_manage_metadata (of a system user: \
                  pages_show_list too), for Instagram instagram_manage_messages, or with its own login \
                  instagram_business_manage_messages; and the app advanced access to it for people without a role in it",
    is_missing: |code, subcode| matches!((code, subcode), (100, 33 | 2_018_000..=2_018_999 | 2_534_000..=2_534_999) | (230 | 551, _)),
};

/// The people who write to pages or accounts that one token can read.
pub(super) struct People {
    channel: Channel,
    tokens: Tokens,
}

impl People {
    pub(super) fn new(channel: Channel, tokens: Tokens) -> Self {
        Self { channel, tokens }
    }

    async fn profile(&self, reference: &Reference) -> Result<Value, FetchError> {
        let person = checked(&reference.lead_id)?;
        // An account of Instagram is no page: there the token is the right one already.
        let page = reference.account.as_deref().filter(|_| self.channel == Channel::Messenger);
        let token = match page {
            Some(page) => self.tokens.page(page).await.map_err(not_ours)?.token,
            None => self.tokens.own().await?,
        };
        let fields = match self.channel {
            Channel::Instagram => "name,username",
            _ => "first_name,last_name",
        };
        match self.tokens.get(&token, person, &[("fields", fields)]).await {
            // Which fields there are has changed before.
            Err(FetchError::Refused(_)) => self.tokens.get(&token, person, &[("fields", "name")]).await,
            answer => answer,
        }
    }
}

/// A page that the token does not see.
fn not_ours(error: FetchError) -> FetchError {
    match error {
        FetchError::Missing(detail) | FetchError::Refused(detail) => FetchError::Denied {
            detail,
            hint: "the token of this source is not one of this page: make one with the page, and put it where `token` \
                   points to"
                .to_owned(),
        },
        error => error,
    }
}

#[async_trait]
impl Platform for People {
    async fn lead(&self, reference: &Reference) -> Result<Found, FetchError> {
        let mut body = self.profile(reference).await?;
        let lead_id = reference.lead_id.clone();
        // Whoever was asked for, whatever the answer calls them.
        body["id"] = lead_id.as_str().into();
        Ok(Found { lead_id, form_id: None, created_at: None, body, form: Some(Value::Null) })
    }

    fn if_missing(&self) -> Option<&'static str> {
        None
    }
}
