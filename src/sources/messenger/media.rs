//! Files of Messenger and Instagram: each attachment has an address, which is good for a while and wants no token.

use async_trait::async_trait;
use url::Url;

use super::super::{
    media::{self, Download, Got, MediaPlatform},
    platform::FetchError,
};
use crate::{config::Reader, domain::Media};

/// Where Meta keeps attachments.
const HOSTS: [&str; 3] = ["fbcdn.net", "fbsbx.com", "cdninstagram.com"];

/// Fetches files.
#[derive(Debug, Clone)]
pub(super) struct Spec {
    hosts: Vec<String>,
    most: usize,
}

impl Spec {
    /// `None` if files are not fetched.
    pub(super) fn read(section: &mut Reader<'_>) -> Option<Self> {
        let most = media::limit(section);
        let hosts = media::hosts(section, &HOSTS);
        Some(Self { hosts, most: most? })
    }

    pub(super) fn open(&self) -> Files {
        Files(Download { hosts: self.hosts.clone(), most: self.most })
    }
}

/// Fetches files.
pub(super) struct Files(Download);

#[async_trait]
impl MediaPlatform for Files {
    /// What has an id is a sticker; what is somewhere else is a link.
    fn has(&self, media: &Media) -> bool {
        media.id.is_none() && address(media).is_some_and(|url| self.0.allows(&url))
    }

    async fn fetch(&self, media: &Media) -> Result<Got, FetchError> {
        let url = address(media).ok_or_else(|| FetchError::Missing("it has no address".to_owned()))?;
        self.0.get(url, None, None).await
    }

    /// The hosts of files are others than the API.
    fn gate(&self, account: &str) -> String {
        format!("{account} (files)")
    }
}

fn address(media: &Media) -> Option<Url> {
    Url::parse(media.url.as_deref()?).ok()
}
