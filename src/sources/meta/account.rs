//! Pages, their forms and their leads, by the Graph API.

use std::time::Duration;

use async_trait::async_trait;
use chrono::DateTime;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{
    super::platform::{Account, Days, FetchError, Found, FoundPage, List, Platform, Reference, Setting, Window},
    lead::time_of,
    tokens::{Tokens, checked},
    webhook::is_id,
};
use crate::domain::Spend;

/// What is asked of a lead.
const LEAD: &str = "id,created_time,ad_id,ad_name,adset_id,adset_name,campaign_id,campaign_name,form_id,field_data,\
                    custom_disclaimer_responses,is_organic,platform,partner_name";
const FORM: &str = "id,name,status,locale,questions";
const FORMS: &str = "id,name,status,locale,questions,leads_count";
const PAGE_SIZE: &str = "100";
/// What is asked of a campaign and day.
const INSIGHTS: &str = "campaign_id,campaign_name,spend,impressions,clicks";
const INSIGHTS_SIZE: &str = "500";
/// More pages of a list than there can be.
const MAX_PAGES: usize = 1_000;
/// What the token needs.
const SCOPES: [&str; 4] = ["leads_retrieval", "pages_manage_metadata", "pages_show_list", "pages_read_engagement"];

/// What [`Pages`] is made of.
pub(super) struct Options {
    pub tokens: Tokens,
    pub app_id: String,
    pub app_token: SecretString,
    pub pages: Vec<String>,
    pub ad_accounts: Vec<String>,
    pub spend_interval: Duration,
    pub poll_interval: Duration,
    pub backfill: Duration,
}

/// The pages that one token can read.
pub(super) struct Pages {
    options: Options,
}

impl Pages {
    pub(super) fn new(options: Options) -> Self {
        Self { options }
    }

    /// Asks with the token of a page, or with the configured one where the page is not known.
    async fn get(&self, page: Option<&str>, path: &str, parameters: &[(&str, &str)]) -> Result<Value, FetchError> {
        let tokens = &self.options.tokens;
        let token = match page {
            Some(page) => tokens.page(page).await?.token,
            None => tokens.own().await?,
        };
        tokens.get(&token, path, parameters).await
    }

    /// All of a list that comes in pages, with the token of a page of Facebook or the configured one.
    async fn list(
        &self,
        page: Option<&str>,
        path: &str,
        parameters: &[(&str, &str)],
    ) -> Result<Vec<Value>, FetchError> {
        let mut items = Vec::new();
        let mut after: Option<String> = None;
        for _ in 0..MAX_PAGES {
            let cursor = after.iter().map(|after| ("after", after.as_str()));
            let parameters: Vec<_> = parameters.iter().copied().chain(cursor).collect();
            let answer = self.get(page, path, &parameters).await?;
            items.extend(data(&answer)?.iter().cloned());
            after = next(&answer);
            if after.is_none() {
                return Ok(items);
            }
        }
        Err(FetchError::Failed("its list does not end".to_owned()))
    }
}

#[async_trait]
impl Platform for Pages {
    fn accounts(&self) -> &[String] {
        &self.options.pages
    }

    fn poll_interval(&self) -> Duration {
        self.options.poll_interval
    }

    fn backfill(&self) -> Duration {
        self.options.backfill
    }

    async fn lead(&self, reference: &Reference) -> Result<Found, FetchError> {
        let id = checked(&reference.lead_id)?;
        let answer = self.get(reference.account.as_deref(), id, &[("fields", LEAD)]).await?;
        found(answer).ok_or_else(|| FetchError::Failed("its answer is not a lead".to_owned()))
    }

    async fn account(&self, id: &str) -> Result<Account, FetchError> {
        Ok(Account { id: id.to_owned(), name: self.options.tokens.page(id).await?.name })
    }

    async fn form(&self, account: Option<&str>, id: &str) -> Result<Value, FetchError> {
        self.get(account, checked(id)?, &[("fields", FORM)]).await
    }

    /// Each form is a list.
    async fn lists(&self, account: &str) -> Result<Vec<List>, FetchError> {
        let path = format!("{}/leadgen_forms", checked(account)?);
        let forms = self.list(Some(account), &path, &[("fields", FORMS), ("limit", PAGE_SIZE)]).await?;
        let list = |form: Value| {
            let is_empty = form.get("leads_count").and_then(Value::as_u64) == Some(0);
            Some(List { id: id_of(&form, "id")?, form: Some(form), is_empty })
        };
        Ok(forms.into_iter().filter_map(list).collect())
    }

    async fn leads(
        &self,
        account: &str,
        list: &str,
        window: Window,
        after: Option<&str>,
    ) -> Result<FoundPage, FetchError> {
        let since = window.since.timestamp() - 1;
        let filter = json!([{"field": "time_created", "operator": "GREATER_THAN", "value": since}]);
        let (filter, path) = (filter.to_string(), format!("{}/leads", checked(list)?));
        let parameters = [("fields", LEAD), ("limit", PAGE_SIZE), ("filtering", filter.as_str())];
        let cursor = after.map(|after| ("after", after));
        let parameters: Vec<_> = parameters.into_iter().chain(cursor).collect();
        let answer = self.get(Some(account), &path, &parameters).await?;
        let leads = data(&answer)?.iter().cloned().filter_map(found).collect();
        Ok(FoundPage { leads, next: next(&answer) })
    }

    fn ad_accounts(&self) -> &[String] {
        &self.options.ad_accounts
    }

    fn spend_interval(&self) -> Duration {
        self.options.spend_interval
    }

    async fn spend(&self, account: &str, days: Days) -> Result<Vec<Spend>, FetchError> {
        let path = format!("act_{}", checked(account)?);
        let about = self.get(None, &path, &[("fields", "currency")]).await?;
        let currency = about.get("currency").and_then(Value::as_str);
        let currency = currency.ok_or_else(|| FetchError::Failed("it does not say its currency".to_owned()))?;
        let range = json!({"since": days.first, "until": days.last}).to_string();
        let parameters = [
            ("level", "campaign"),
            ("fields", INSIGHTS),
            ("time_range", range.as_str()),
            ("time_increment", "1"),
            ("limit", INSIGHTS_SIZE),
        ];
        let rows = self.list(None, &format!("{path}/insights"), &parameters).await?;
        rows.iter().map(|row| spent(row, account, currency)).collect()
    }

    fn if_missing(&self) -> Option<&'static str> {
        Some("see Business Suite → Integrations → Leads Access Manager")
    }

    async fn setting(&self, account: &str) -> Result<Setting, FetchError> {
        let mut setting = Setting::default();
        let own = self.options.tokens.own().await?;
        let parameters = [("input_token", own.expose_secret())];
        let answer = self.options.tokens.get(&self.options.app_token, "debug_token", &parameters).await?;
        let about = answer.get("data").unwrap_or(&Value::Null);
        if about.get("is_valid") == Some(&Value::Bool(false)) {
            self.options.tokens.forget();
            let words = about.pointer("/error/message").and_then(Value::as_str).unwrap_or("the token is not valid");
            return Err(FetchError::Denied {
                detail: words.to_owned(),
                hint: "make a new token for the system user and put it where `token` of this source points to"
                    .to_owned(),
            });
        }
        // 0 is never.
        let ends = |key: &str| about.get(key).and_then(Value::as_i64).filter(|seconds| *seconds > 0);
        let ends = [ends("expires_at"), ends("data_access_expires_at")].into_iter().flatten().min();
        setting.token_expires_at = ends.and_then(|seconds| DateTime::from_timestamp(seconds, 0));
        if let Some(scopes) = about.get("scopes").and_then(Value::as_array) {
            let has = |scope: &&str| scopes.iter().any(|known| known.as_str() == Some(scope));
            let needed = SCOPES.into_iter().chain((!self.options.ad_accounts.is_empty()).then_some("ads_read"));
            let missing: Vec<_> = needed.filter(|scope| !has(scope)).collect();
            if !missing.is_empty() {
                setting.warnings.push(format!("the token has no {}: make one with them", missing.join(", ")));
            }
        }
        let path = format!("{}/subscribed_apps", checked(account)?);
        let apps = self.list(Some(account), &path, &[]).await?;
        let is_leadgen = |app: &Value| {
            let fields = app.get("subscribed_fields").and_then(Value::as_array);
            fields.is_none_or(|fields| fields.iter().any(|field| field.as_str() == Some("leadgen")))
        };
        let ours = |app: &Value| id_of(app, "id").as_ref() == Some(&self.options.app_id) && is_leadgen(app);
        if !apps.iter().any(ours) {
            setting.warnings.push(format!(
                "page {account} does not send its leads to this app, so they come only by polling: \
                 POST /{account}/subscribed_apps?subscribed_fields=leadgen with the page's token"
            ));
        }
        Ok(setting)
    }
}

/// An id, which is sometimes a number.
fn id_of(value: &Value, key: &str) -> Option<String> {
    let id = match value.get(key)? {
        Value::String(text) => text.clone(),
        Value::Number(number) => number.to_string(),
        _ => return None,
    };
    is_id(&id).then_some(id)
}

fn found(body: Value) -> Option<Found> {
    let time = body.get("created_time").and_then(|time| time.as_str().map(str::to_owned).or(Some(time.to_string())));
    let created_at = time.and_then(|time| time_of(&time)?.parse().ok());
    Some(Found { lead_id: id_of(&body, "id")?, form_id: id_of(&body, "form_id"), created_at, body, form: None })
}

/// A row of insights. Numbers are texts; a campaign without any is left out by Meta.
fn spent(row: &Value, account: &str, currency: &str) -> Result<Spend, FetchError> {
    let text = |key: &str| match row.get(key)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    };
    let wrong = |key: &str| FetchError::Failed(format!("a row of its insights has no good `{key}`"));
    let count = |key: &str| text(key).and_then(|text| text.parse().ok()).unwrap_or_default();
    Ok(Spend {
        day: text("date_start").and_then(|day| day.parse().ok()).ok_or_else(|| wrong("date_start"))?,
        platform: "meta".to_owned(),
        account: account.to_owned(),
        campaign: id_of(row, "campaign_id").ok_or_else(|| wrong("campaign_id"))?,
        campaign_name: text("campaign_name"),
        currency: currency.to_owned(),
        amount: text("spend").and_then(|spend| spend.parse().ok()).ok_or_else(|| wrong("spend"))?,
        impressions: count("impressions"),
        clicks: count("clicks"),
    })
}

fn data(answer: &Value) -> Result<&Vec<Value>, FetchError> {
    let list = answer.get("data").and_then(Value::as_array);
    list.ok_or_else(|| FetchError::Failed("its answer is not a list".to_owned()))
}

/// Where the next part starts. The URL that comes with it holds the token and is not used.
fn next(answer: &Value) -> Option<String> {
    answer.pointer("/paging/next")?;
    answer.pointer("/paging/cursors/after").and_then(Value::as_str).map(str::to_owned)
}
