//! Files of WhatsApp: the Graph API tells an address for an id, which is good for a few minutes and wants the token too.

use async_trait::async_trait;
use secrecy::SecretString;
use serde_json::Value;
use url::Url;

use super::super::{
    hub,
    media::{self, Download, Got, MediaPlatform},
    meta::{Api, graph::Purpose, tokens::Tokens},
    platform::FetchError,
};
use crate::{
    config::Reader,
    domain::Media,
    secret::{SecretError, SecretRef},
};

/// Where the Graph API says that files are.
const HOSTS: [&str; 2] = ["fbsbx.com", "fbcdn.net"];
const FILES: Purpose = Purpose {
    permissions: "a permission is missing: the token needs whatsapp_business_messaging, and its system user the WhatsApp \
                  account (Business settings → Accounts → WhatsApp accounts)",
    is_missing: |code, subcode| (code, subcode) == (100, 33),
};

/// The keys about files.
#[derive(Debug)]
pub(super) struct Spec {
    most: usize,
    pub token: SecretRef,
    api: Api,
    hosts: Vec<String>,
}

impl Spec {
    /// `None` if files are not fetched, or a problem was reported.
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let wanted = media::limit_and_token(section);
        let api = Api::read(section);
        let hosts = media::hosts(section, &HOSTS);
        let (most, token) = wanted?;
        Some(Self { most, token, api: api?, hosts })
    }

    pub(super) fn open(&self, hub: &hub::Spec) -> Result<Files, SecretError> {
        Ok(Files {
            tokens: self.api.open(&hub.app_secrets[0].read()?, &self.token, FILES)?,
            download: Download { hosts: self.hosts.clone(), most: self.most },
        })
    }
}

/// Fetches files.
pub(super) struct Files {
    tokens: Tokens,
    download: Download,
}

#[async_trait]
impl MediaPlatform for Files {
    fn has(&self, media: &Media) -> bool {
        let is_id = |id: &str| !id.is_empty() && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        media.id.as_deref().is_some_and(is_id)
    }

    async fn fetch(&self, media: &Media) -> Result<Got, FetchError> {
        let got = self.fetch_with(media, &self.tokens.own().await?).await;
        if matches!(got, Err(FetchError::Denied { .. })) {
            self.tokens.forget();
        }
        got
    }
}

impl Files {
    async fn fetch_with(&self, media: &Media, token: &SecretString) -> Result<Got, FetchError> {
        let told = self.tokens.get(token, media.id.as_deref().unwrap_or_default(), &[]).await?;
        let text = |key: &str| told.get(key).and_then(Value::as_str);
        let size = match told.get("file_size") {
            Some(Value::String(size)) => size.parse().ok(),
            size => size.and_then(Value::as_u64),
        };
        if size.is_some_and(|size| usize::try_from(size).is_ok_and(|size| size > self.download.most)) {
            return Ok(Got::TooLarge);
        }
        let url = text("url").and_then(|url| Url::parse(url).ok());
        let url = url.ok_or_else(|| FetchError::Failed("it tells no address of the file".to_owned()))?;
        let got = self.download.get(url, Some(token), text("mime_type").map(str::to_owned)).await?;
        match (got, text("sha256").map(str::to_owned)) {
            (Got::File(file), Some(checksum)) => {
                // Some time for many bytes.
                let check = move || if media::fits(&file.bytes, &checksum) { Got::File(file) } else { Got::Damaged };
                tokio::task::spawn_blocking(check).await.map_err(|error| FetchError::Failed(error.to_string()))
            }
            (got, _) => Ok(got),
        }
    }
}
