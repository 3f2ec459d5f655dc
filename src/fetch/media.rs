//! Pictures and files of messages.

use serde::{Deserialize, Serialize};

use super::{Fetching, NotFetched};
use crate::{
    domain::{Media, Message},
    sources::{FetchError, Got, Registry},
    store::{JobKind, Lane, NewJob},
};

/// Kinds of messages whose media are files. Others show links, or say all in their text.
const FILES: [&str; 4] = ["image", "video", "audio", "document"];

/// Which file a media job is to fetch, and for which message.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MediaOrder {
    /// The key of the operation that brought the message.
    pub operation: String,
    /// The id of its source.
    pub source: String,
    /// The number, page or bot of ours that it was written to.
    pub account: String,
    /// The message's id on its platform.
    pub message: String,
    /// Its kind.
    pub kind: String,
    /// Which of its files, from 0.
    pub index: usize,
    /// The file.
    pub media: Media,
}

impl MediaOrder {
    /// Those of a message that is in Odoo now, as far as its source fetches files. What is about an earlier message, such
    /// as a correction, names that one's file once more.
    pub fn all_of<'a>(
        sources: &'a Registry,
        operation: &'a str,
        message: &'a Message,
    ) -> impl Iterator<Item = MediaOrder> + 'a {
        let platform = sources.get(&message.source).and_then(|source| source.media());
        let platform = platform.filter(|_| message.starts && FILES.contains(&message.kind.as_str()));
        let files = message.media.iter().enumerate();
        files.filter(move |(_, media)| platform.is_some_and(|platform| platform.has(media))).map(|(index, media)| {
            MediaOrder {
                operation: operation.to_owned(),
                source: message.source.clone(),
                account: message.account.clone(),
                message: message.id.clone(),
                kind: message.kind.clone(),
                index,
                media: media.clone(),
            }
        })
    }

    /// The job. Its key is that of the operation, so a message that comes again makes no second one.
    pub fn job(&self, lane: Lane, delivery_id: Option<i64>) -> NewJob {
        let key = format!("{}:{}", self.operation, self.index);
        NewJob {
            kind: JobKind::Media,
            lane,
            summary: format!("{} of message {key}", self.kind),
            key,
            // Whatever comes after it need not wait for a file.
            record_key: None,
            payload: serde_json::to_string(self).unwrap_or_default(),
            not_before: 0,
            delivery_id,
            held: None,
        }
    }
}

impl Fetching {
    /// Fetches one file.
    pub async fn media(&self, order: &MediaOrder) -> Result<Got, NotFetched> {
        let source = &order.source;
        let platform = self.sources.get(source).and_then(|source| source.media()).ok_or_else(|| {
            NotFetched::NoSource(format!("source `{source}` fetches no files; set `download_media` in it and retry"))
        })?;
        let account = platform.gate(&order.account);
        if let Some((until, reason)) = self.gates.closed(source, &account, self.clock.now_ms()) {
            return Err(NotFetched::Waits { until, reason });
        }
        let got = platform.fetch(&order.media).await;
        // Whoever says that it is not there lets others be asked for.
        if matches!(got, Ok(_) | Err(FetchError::Missing(_))) {
            self.answered(source, &account).await?;
        }
        got.map_err(|error| self.failed(source, &account, error))
    }
}
