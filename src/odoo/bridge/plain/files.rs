//! Files of messages without the addon: an attachment of the lead that is linked to the line of its history.
//!
//! It is made and linked in one call. Its description is made of its key, and is looked for first, so a repeated job
//! attaches nothing.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{PlainBridge, talk::message_id};
use crate::{
    domain::{Attached, Attachment, Missing},
    odoo::{Call, OdooError, Search, fields::escape_html},
};

impl PlainBridge {
    pub(in crate::odoo::bridge) async fn attach(
        &self,
        operation: &str,
        file: &Attachment,
        bytes: Vec<u8>,
    ) -> Result<Attached, OdooError> {
        let of_operation = json!([["message_id", "=", message_id(operation)]]);
        let search = Search::new("mail.message", of_operation).fields(["model", "res_id", "body"]);
        let Some(message) = self.client.search_read(search).await?.into_iter().next() else {
            return Ok(Attached::Gone);
        };
        let id = message.get("id").and_then(Value::as_i64).unwrap_or_default();
        let write = |values: Value| {
            let call = Call::new("mail.message", "write").on([id]).arg("vals", values);
            // As it came, and never as a page that a browser runs.
            call.context("image_no_postprocess", true).context("attachments_mime_plainxml", true)
        };
        if let Some(missing) = file.missing {
            let body = message.get("body").and_then(Value::as_str).unwrap_or_default();
            let line = format!("<p>{}: {}</p>", escape_html(&file.name), words(missing));
            if body.contains(&line) {
                return Ok(Attached::Known);
            }
            self.client.call(write(json!({"body": format!("{body}{line}")}))).await?;
            return Ok(Attached::Done);
        }
        let key = message_id(&format!("{operation}:{}", file.index));
        let known = Search::new("ir.attachment", json!([["description", "=", key]])).fields(["id"]);
        if !self.client.search_read(known).await?.is_empty() {
            return Ok(Attached::Known);
        }
        let mut values = json!({"name": file.name, "datas": BASE64_STANDARD.encode(&bytes), "description": key,
                                "res_model": message.get("model"), "res_id": message.get("res_id")});
        drop(bytes);
        if let Some(mime) = &file.mime {
            values["mimetype"] = mime.clone().into();
        }
        self.client.call(write(json!({"attachment_ids": [[0, 0, values]]}))).await?;
        Ok(Attached::Done)
    }
}

fn words(missing: Missing) -> &'static str {
    match missing {
        Missing::Gone => "the platform does not have this file any more",
        Missing::TooLarge => "this file is too large to be fetched",
        Missing::Damaged => "this file arrived damaged",
    }
}
