//! Sources for tests, opened from their configuration.

use std::{fs, os::unix::fs::PermissionsExt, path::Path};

use serde_json::Value;

use super::{Content, Source};
use crate::{
    config::Config,
    domain::{Draft, LeadDraft},
};

/// The source of a section `[sources.x]`, in which `SECRET` stands for a file with `secret`.
pub(super) fn open(section: &str, secret: &str) -> Box<dyn Source> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("secret");
    fs::write(&path, secret).expect("written");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).expect("only ours");
    let section = section.replace("\"SECRET\"", &format!("{path:?}"));
    let text = format!(
        "[odoo]\nurl = \"http://localhost\"\ndatabase = \"d\"\nlogin = \"l\"\nsecret = {{ env = \"X\" }}\n\
         [sources.x]\n{section}\n"
    );
    let config = Config::parse(&text, Path::new("config.toml")).unwrap_or_else(|error| panic!("{error}"));
    config.sources[0].setup.open().expect("opened")
}

/// The leads of a body.
pub(super) fn leads(source: &dyn Source, body: &Value) -> Vec<LeadDraft> {
    let parsed = source.parse(body.to_string().as_bytes()).unwrap_or_else(|error| panic!("{error}: {body}"));
    let Content::Drafts(drafts) = parsed.content else { panic!("drafts") };
    let lead = |draft| if let Draft::Lead(lead) = draft { lead } else { panic!("a lead") };
    drafts.into_iter().map(lead).collect()
}

/// The one lead of a body.
pub(super) fn lead(source: &dyn Source, body: &Value) -> LeadDraft {
    let mut leads = leads(source, body);
    assert_eq!(leads.len(), 1, "{body}");
    leads.remove(0)
}
