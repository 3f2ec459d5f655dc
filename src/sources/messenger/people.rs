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
            Some(page) => match self.tokens.page(page).await {
                Ok(page) => page.token,
                // A page's own token need not be allowed to read the page. If it is bad, people say so too.
                Err(FetchError::Denied { .. }) => self.tokens.own().await?,
                Err(error) => return Err(not_ours(error)),
            },
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

#[cfg(test)]
mod tests {
    use serde_json::json;
    use url::Url;
    use wiremock::{
        Mock, MockServer, ResponseTemplate,
        matchers::{header, path, query_param},
    };

    use super::*;
    use crate::{
        secret::SecretRef,
        sources::{hex_key::HexKey, meta::graph::Graph, remote::KeptToken},
    };

    async fn asked(channel: Channel, server: &MockServer) -> Result<Value, FetchError> {
        let base = Url::parse(&server.uri()).expect("a URL");
        let graph = Graph::new(&base, "v26.0", HexKey::new(&"secret".to_owned().into()).expect("a key"), NAMES);
        // It is read again after a refusal.
        let place = tempfile::NamedTempFile::new().expect("a file, for its owner only");
        std::fs::write(&place, "own").expect("written");
        let token = KeptToken::new(SecretRef::File(place.path().to_owned()), "own".to_owned().into());
        let people = People::new(channel, Tokens::new(graph, token));
        let reference = Reference { lead_id: "71".to_owned(), account: Some("9".to_owned()), form_id: None };
        people.lead(&reference).await.map(|found| found.body)
    }

    async fn answers(server: &MockServer, at: &str, token: &str, status: u16, body: Value) {
        let request = Mock::given(path(format!("/v26.0/{at}"))).and(header("authorization", format!("Bearer {token}")));
        request.respond_with(ResponseTemplate::new(status).set_body_json(body)).mount(server).await;
    }

    fn error(code: i64, subcode: i64) -> Value {
        json!({"error": {"message": "words", "code": code, "error_subcode": subcode}})
    }

    #[tokio::test]
    async fn a_page_asks_with_its_own_token_and_an_account_with_the_configured_one() {
        let server = MockServer::start().await;
        answers(&server, "9", "own", 200, json!({"id": "9", "name": "Acme", "access_token": "of-page"})).await;
        answers(&server, "71", "of-page", 200, json!({"first_name": "Sara", "id": "other"})).await;
        answers(&server, "71", "own", 200, json!({"username": "sara"})).await;
        assert_eq!(asked(Channel::Messenger, &server).await, Ok(json!({"first_name": "Sara", "id": "71"})));
        assert_eq!(asked(Channel::Instagram, &server).await, Ok(json!({"username": "sara", "id": "71"})));
    }

    #[tokio::test]
    async fn a_token_of_a_page_that_may_not_read_it_is_good_enough() {
        let server = MockServer::start().await;
        answers(&server, "9", "own", 403, error(10, 0)).await;
        answers(&server, "71", "own", 200, json!({"first_name": "Sara"})).await;
        assert_eq!(asked(Channel::Messenger, &server).await, Ok(json!({"first_name": "Sara", "id": "71"})));
    }

    #[tokio::test]
    async fn fields_that_are_not_there_any_more_are_no_obstacle() {
        let server = MockServer::start().await;
        let by_name = Mock::given(path("/v26.0/71")).and(query_param("fields", "name"));
        by_name.respond_with(ResponseTemplate::new(200).set_body_json(json!({"name": "Sara"}))).mount(&server).await;
        answers(&server, "71", "own", 400, error(100, 0)).await;
        assert_eq!(asked(Channel::Instagram, &server).await, Ok(json!({"name": "Sara", "id": "71"})));
    }

    #[tokio::test]
    async fn errors_about_a_person_are_told_from_those_about_the_token() {
        for (code, subcode, expected) in [
            (100, 33, "does not have it"),
            (100, 2_018_001, "does not have it"),
            (100, 2_018_218, "does not have it"),
            (100, 2_534_037, "does not have it"),
            (230, 0, "does not have it"),
            (551, 1_545_041, "does not have it"),
            (100, 0, "refuses this request"),
            (190, 463, "refuses: "),
            (10, 0, "refuses: "),
            (200, 0, "refuses: "),
            (4, 0, "wants fewer requests"),
            (2, 0, "cannot be reached"),
            (1, 0, "failed"),
        ] {
            let server = MockServer::start().await;
            answers(&server, "71", "own", 400, error(code, subcode)).await;
            let error = asked(Channel::Instagram, &server).await.expect_err("an error").to_string();
            assert!(error.starts_with(expected), "{code}/{subcode}: {error}");
        }
        // A page that the token does not see is nobody's missing name.
        let server = MockServer::start().await;
        answers(&server, "9", "own", 400, error(100, 33)).await;
        let error = asked(Channel::Messenger, &server).await.expect_err("an error");
        assert!(matches!(&error, FetchError::Denied { hint, .. } if hint.contains("page")), "{error}");
    }
}
