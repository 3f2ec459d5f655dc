//! Ad accounts and organizations, their forms and their leads.

use std::{fmt::Write, time::Duration};

use async_trait::async_trait;
use chrono::DateTime;
use secrecy::SecretString;
use serde_json::Value;

use super::{
    super::platform::{Account, FetchError, Found, FoundPage, List, Platform, Reference, Setting, Window},
    rest::{self, Introspection, Rest, TokenState},
    token::{Outlook, Token},
    urn::{self, Owner},
};

/// What is asked of a listed lead.
const FIELDS: &str = "ownerInfo,associatedEntityInfo,leadMetadataInfo,owner,associatedEntity,leadMetadata,leadType,\
                      versionedLeadGenFormUrn,id,submittedAt,testLead,formResponse,\
                      form:(hiddenFields,creationLocale,name,id,content)";
/// Fewer may come.
const PAGE_SIZE: u64 = 100;
/// What the token needs.
const SCOPE: &str = "r_marketing_leadgen_automation";
/// Another name of it in newer documents.
const OTHER_SCOPE: &str = "r_ads_leadgen_automation";

/// What [`Owners`] is made of.
pub(super) struct Options {
    pub rest: Rest,
    pub introspection: Introspection,
    pub token: Token,
    pub owners: Vec<Owner>,
    pub lead_types: Vec<String>,
    pub poll_interval: Duration,
    pub backfill: Duration,
}

/// The owners of leads that one token can read.
pub(super) struct Owners {
    options: Options,
    urns: Vec<String>,
}

impl Owners {
    pub(super) fn new(options: Options) -> Self {
        let urns = options.owners.iter().map(|owner| owner.urn().to_owned()).collect();
        Self { options, urns }
    }

    async fn get(&self, path: &str, query: &str) -> Result<Value, FetchError> {
        let Options { rest, token, .. } = &self.options;
        let known = token.get().await?;
        let mut answer = rest.ask(path, query, &known).await?;
        if answer.status == 401
            && let Some(other) = token.instead_of(&known).await?
        {
            answer = rest.ask(path, query, &other).await?;
        }
        let answer = rest::read(&answer);
        if matches!(answer, Err(FetchError::Denied { .. })) {
            self.options.token.forget();
        }
        answer
    }

    /// What LinkedIn knows about a token; nothing if it does not say.
    async fn introspect(&self, token: &SecretString, setting: &mut Setting) -> Result<Option<TokenState>, FetchError> {
        match self.options.introspection.of(token).await {
            Ok(state) => Ok(Some(state)),
            Err(error @ (FetchError::Unreachable(_) | FetchError::Limited { .. })) => Err(error),
            // Leads can be fetched without it.
            Err(error) => {
                setting.warnings.push(format!(
                    "LinkedIn does not say when the token ends ({error}): check `client_id` and `client_secret`"
                ));
                Ok(None)
            }
        }
    }

    /// When the token ends, and what it lacks.
    async fn look_at(&self, token: &SecretString, setting: &mut Setting) -> Result<(), FetchError> {
        let mut state = self.introspect(token, setting).await?.unwrap_or_default();
        if state.ended.is_some()
            && let Some(other) = self.options.token.instead_of(token).await?
        {
            state = self.introspect(&other, setting).await?.unwrap_or_default();
        }
        if let Some(detail) = state.ended {
            self.options.token.forget();
            return Err(FetchError::Denied { detail, hint: rest::NEW_TOKEN.to_owned() });
        }
        setting.token_expires_at = state.expires_at;
        if let Token::Made(renewal) = &self.options.token {
            let Outlook { expires_at, trouble } = renewal.outlook().await;
            (setting.token_expires_at, setting.is_refresh_token) = (expires_at, true);
            setting.warnings.extend(trouble.map(|trouble| format!("the token cannot be renewed: LinkedIn {trouble}")));
        }
        let lacks = |scopes: &Vec<String>| !scopes.iter().any(|scope| scope == SCOPE || scope == OTHER_SCOPE);
        if state.scopes.as_ref().is_some_and(lacks) {
            setting.warnings.push(format!("the token has no {SCOPE}: make one with it"));
        }
        Ok(())
    }

    /// Whether LinkedIn notifies anybody of an owner's leads. What it answers here is not certain: only a good answer
    /// without any subscription counts.
    async fn look_at_subscriptions(&self, owner: &Owner, setting: &mut Setting) -> Result<(), FetchError> {
        for lead_type in &self.options.lead_types {
            let query = format!("q=criteria&owner=(value:({}))&leadType=(leadType:{lead_type})", owner.finder());
            let answer = match self.get("leadNotifications", &query).await {
                Ok(answer) => answer,
                Err(error @ (FetchError::Unreachable(_) | FetchError::Limited { .. })) => return Err(error),
                Err(_) => continue,
            };
            if answer.get("elements").and_then(Value::as_array).is_some_and(Vec::is_empty) {
                setting.warnings.push(format!(
                    "LinkedIn notifies nobody of {lead_type} leads of {}, so they come only by polling: POST \
                     /rest/leadNotifications, see the README",
                    owner.urn()
                ));
            }
        }
        Ok(())
    }

    fn owner(&self, urn: &str) -> Result<Owner, FetchError> {
        Owner::parse(urn).ok_or_else(|| FetchError::Refused("this is not an owner of leads at LinkedIn".to_owned()))
    }
}

#[async_trait]
impl Platform for Owners {
    fn accounts(&self) -> &[String] {
        &self.urns
    }

    fn poll_interval(&self) -> Duration {
        self.options.poll_interval
    }

    fn backfill(&self) -> Duration {
        self.options.backfill
    }

    async fn lead(&self, reference: &Reference) -> Result<Found, FetchError> {
        let refused = || FetchError::Refused("this is not the id of a lead at LinkedIn".to_owned());
        let id = urn::id(&reference.lead_id, "leadGenFormResponse").ok_or_else(refused)?;
        let answer = self.get(&format!("leadFormResponses/{id}"), "").await?;
        let found = found(answer).ok_or_else(|| FetchError::Failed("its answer is not a lead".to_owned()))?;
        // Known by the id under which it was announced.
        Ok(Found { lead_id: reference.lead_id.clone(), ..found })
    }

    async fn account(&self, id: &str) -> Result<Account, FetchError> {
        Ok(Account { id: self.owner(id)?.urn().to_owned(), name: None })
    }

    async fn form(&self, _: Option<&str>, id: &str) -> Result<Value, FetchError> {
        let refused = || FetchError::Refused("this is not the id of a form at LinkedIn".to_owned());
        let id = urn::id(id, "leadGenForm").ok_or_else(refused)?;
        self.get(&format!("leadForms/{id}"), "").await
    }

    /// The leads of each type come together, whatever their form.
    async fn lists(&self, account: &str) -> Result<Vec<List>, FetchError> {
        let list = |lead_type: &String| List { id: format!("{account}:{lead_type}"), form: None, is_empty: false };
        Ok(self.options.lead_types.iter().map(list).collect())
    }

    async fn leads(
        &self,
        account: &str,
        list: &str,
        window: Window,
        after: Option<&str>,
    ) -> Result<FoundPage, FetchError> {
        let owner = self.owner(account)?;
        let lead_type = list.rsplit(':').next().unwrap_or_default();
        let start: u64 = after.and_then(|after| after.parse().ok()).unwrap_or(0);
        let (since, until) = (window.since.timestamp_millis(), window.until.timestamp_millis());
        let mut query = format!("q=owner&owner=({})&leadType=(leadType:{lead_type})", owner.finder());
        // Writing to a string cannot fail.
        let _ = write!(
            query,
            "&limitedToTestLeads=false&submittedAtTimeRange=(start:{since},end:{until})&fields={FIELDS}\
             &count={PAGE_SIZE}&start={start}"
        );
        let answer = self.get("leadFormResponses", &query).await?;
        let elements = answer.get("elements").and_then(Value::as_array);
        let elements = elements.ok_or_else(|| FetchError::Failed("its answer is not a list".to_owned()))?;
        let next = next(&answer, start, elements.len());
        Ok(FoundPage { leads: elements.iter().cloned().filter_map(found).collect(), next })
    }

    fn if_missing(&self) -> Option<&'static str> {
        Some("its member needs a role on the ad account or page, and LinkedIn keeps leads for 365 days")
    }

    async fn setting(&self, account: &str) -> Result<Setting, FetchError> {
        let mut setting = Setting::default();
        let token = self.options.token.get().await?;
        self.look_at(&token, &mut setting).await?;
        self.look_at_subscriptions(&self.owner(account)?, &mut setting).await?;
        Ok(setting)
    }
}

/// Where the next part of a list starts, that had `count` items from `start` on. Pages may be smaller than asked for.
fn next(answer: &Value, start: u64, count: usize) -> Option<String> {
    let of = |key: &str| answer.pointer(&format!("/paging/{key}")).and_then(Value::as_u64);
    let step = u64::try_from(count).unwrap_or(u64::MAX);
    let step = if step == 0 { of("count").unwrap_or(0) } else { step };
    let next = start.saturating_add(step);
    let more = match of("total") {
        Some(total) => next < total,
        None => count > 0,
    };
    (step > 0 && more).then(|| next.to_string())
}

fn found(mut body: Value) -> Option<Found> {
    let text = |key: &str| body.get(key).and_then(Value::as_str);
    let lead_id = urn::id(text("id")?, "leadGenFormResponse")?.to_owned();
    let form_id = ["versionedLeadGenFormUrn", "leadGenForm", "leadGenFormUrn"].into_iter().find_map(|key| {
        let form = text(key).and_then(urn::form);
        form.map(str::to_owned)
    });
    let submitted = body.get("submittedAt").and_then(|time| time.as_i64().or_else(|| time.as_str()?.parse().ok()));
    let created_at = submitted.and_then(DateTime::from_timestamp_millis);
    let form = body.as_object_mut().and_then(|body| body.remove("form")).filter(Value::is_object);
    let of_form = || match form.as_ref()?.get("id")? {
        Value::String(id) => urn::form(id).map(str::to_owned),
        Value::Number(id) => Some(id.to_string()),
        _ => None,
    };
    let form_id = form_id.or_else(of_form);
    Some(Found { lead_id, form_id, created_at, body, form })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_is_followed_to_its_end() {
        let page = |paging: Value| json!({"paging": paging, "elements": []});
        for (paging, start, count, expected) in [
            (json!({"start": 0, "count": 10, "total": 23}), 0, 10, Some("10")),
            (json!({"start": 20, "count": 10, "total": 23}), 20, 3, None),
            // Fewer than asked for, none at all though there are more, and no total.
            (json!({"start": 0, "count": 100, "total": 23}), 0, 10, Some("10")),
            (json!({"start": 0, "count": 10, "total": 23}), 0, 0, Some("10")),
            (json!({"start": 0, "count": 0, "total": 23}), 0, 0, None),
            (json!({}), 0, 10, Some("10")),
            (json!({}), 10, 0, None),
            (json!({"total": "many"}), 0, 0, None),
        ] {
            assert_eq!(next(&page(paging.clone()), start, count).as_deref(), expected, "{paging} from {start}");
        }
    }

    #[test]
    fn a_listed_lead_brings_its_form() {
        let urn = "urn:li:versionedLeadGenForm:(urn:li:leadGenForm:3162,1)";
        let lead = json!({"id": "1a-4", "submittedAt": 1_763_690_000_000_i64, "versionedLeadGenFormUrn": urn,
                          "form": {"id": 3162, "name": "KSA form"}});
        let read = found(lead).expect("a lead");
        assert_eq!((read.lead_id.as_str(), read.form_id.as_deref()), ("1a-4", Some("3162")));
        assert_eq!(read.created_at.map(|time| time.timestamp()), Some(1_763_690_000));
        assert_eq!(read.form.expect("its form")["name"], "KSA form");
        assert!(read.body.get("form").is_none(), "it is kept once");
        let bare = found(json!({"id": "urn:li:leadGenFormResponse:1a-4", "form": {"id": 7}})).expect("a lead");
        assert_eq!((bare.lead_id.as_str(), bare.form_id.as_deref(), bare.created_at), ("1a-4", Some("7"), None));
        for bad in [json!({}), json!({"id": 7}), json!({"id": "../x"}), json!([]), json!(null)] {
            assert_eq!(found(bad), None);
        }
    }
}
