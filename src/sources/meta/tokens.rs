//! What the Graph API is asked with: the configured token, and those of pages that it gives.
//!
//! The configured one is best that of a system user, which does not expire; each page's own token is asked for with it.
//! After a refusal all are forgotten: the secret is read again, so that a new token is used as soon as it is there.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
};

use secrecy::SecretString;
use serde_json::Value;

use super::{
    super::{platform::FetchError, remote::KeptToken},
    graph::Graph,
    webhook::is_id,
};

/// The Graph API with its tokens.
pub(in crate::sources) struct Tokens {
    graph: Graph,
    own: KeptToken,
    /// The pages whose tokens are known.
    pages: Mutex<HashMap<String, Page>>,
}

/// A page with its own token.
#[derive(Clone)]
pub(in crate::sources) struct Page {
    pub name: Option<String>,
    pub token: SecretString,
}

impl Tokens {
    pub(in crate::sources) fn new(graph: Graph, own: KeptToken) -> Self {
        Self { graph, own, pages: Mutex::default() }
    }

    fn pages(&self) -> MutexGuard<'_, HashMap<String, Page>> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What is known of them: they were refused.
    pub(in crate::sources) fn forget(&self) {
        self.own.forget();
        self.pages().clear();
    }

    /// The configured one.
    pub(in crate::sources) async fn own(&self) -> Result<SecretString, FetchError> {
        self.own.get().await
    }

    /// A page, asked for with the configured one.
    pub(in crate::sources) async fn page(&self, id: &str) -> Result<Page, FetchError> {
        let known = self.pages().get(id).cloned();
        if let Some(page) = known {
            return Ok(page);
        }
        let own = self.own().await?;
        let answer = self.get(&own, checked(id)?, &[("fields", "name,access_token")]).await?;
        let text = |key: &str| answer.get(key).and_then(Value::as_str).map(str::to_owned);
        let page = Page { name: text("name"), token: text("access_token").map_or(own, SecretString::from) };
        self.pages().insert(id.to_owned(), page.clone());
        Ok(page)
    }

    /// Asks with one of them.
    pub(in crate::sources) async fn get(
        &self,
        token: &SecretString,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Value, FetchError> {
        let answer = self.graph.get(path, parameters, token).await;
        if matches!(answer, Err(FetchError::Denied { .. })) {
            self.forget();
        }
        answer
    }
}

/// An id that may be part of an address.
pub(in crate::sources) fn checked(id: &str) -> Result<&str, FetchError> {
    is_id(id).then_some(id).ok_or_else(|| FetchError::Refused("this is not an id of Meta".to_owned()))
}
