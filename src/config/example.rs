//! Tests that `config.example.toml` is right and complete.

use std::{collections::BTreeSet, path::Path};

use super::{Config, ConfigError, Intake, Log, Server, Store, Sync};

const EXAMPLE: &str = include_str!("../../config.example.toml");

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(text, Path::new("config.example.toml"))
}

/// The example with its default settings as real ones.
fn uncommented() -> String {
    EXAMPLE.lines().map(|line| format!("{}\n", line.strip_prefix("# ").unwrap_or(line))).collect()
}

#[test]
fn it_says_what_holds_without_it() {
    for text in [EXAMPLE, &uncommented()] {
        let config = parse(text).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(config.server, Server::default());
        assert_eq!(config.store, Store::default());
        assert_eq!(config.sync, Sync::default());
        assert_eq!(config.intake, Intake::default());
        assert_eq!(config.log, Log::default());
        assert_eq!(config.odoo, parse(EXAMPLE).unwrap().odoo);
        assert_eq!(format!("{:?}", config.sources), format!("{:?}", parse(EXAMPLE).unwrap().sources));
        assert_eq!(config.warnings.list, []);
    }
}

/// The same name for the same key of sources of one kind, or of all: it need be shown only once.
fn by_kind(path: &str) -> String {
    if path.starts_with("sources.") && path.ends_with(".country") && path.matches('.').count() == 2 {
        return "sources.country".to_owned();
    }
    path.replace("sources.website", "sources.generic").replace("sources.forms", "sources.generic")
}

#[test]
fn it_names_every_key() {
    let mut named = BTreeSet::new();
    let mut asked = String::new();
    let mut section = String::new();
    for line in EXAMPLE.lines() {
        asked.push_str(line);
        asked.push('\n');
        if let Some(header) = line.strip_prefix('[').and_then(|line| line.strip_suffix(']')) {
            let header = by_kind(header);
            section = format!("{header}.");
            // A key that no section has, so that each says which keys it knows.
            asked.push_str("nonsense = 0\n");
            named.extend(header.split('.').scan(String::new(), |path, part| {
                path.push_str(part);
                let named = path.clone();
                path.push('.');
                Some(named)
            }));
        } else if let Some((key, _)) = line.trim_start_matches(['#', ' ']).split_once(" = ") {
            named.insert(by_kind(&format!("{section}{key}")));
        }
    }
    let ConfigError::Invalid(problems) = parse(&format!("nonsense = 0\n{asked}")).unwrap_err() else {
        panic!("the example cannot be read")
    };
    let sections = EXAMPLE.lines().filter(|line| line.starts_with('[')).count();
    assert_eq!(problems.list.len(), sections + 1, "{problems}");
    for problem in problems.list {
        let (_, known) = problem.hint.as_deref().and_then(|hint| hint.split_once("known here: ")).unwrap();
        for key in known.split(", ") {
            let key = by_kind(&problem.key.replace("nonsense", key.trim_matches('`')));
            assert!(named.contains(&key), "config.example.toml does not name `{key}`");
        }
    }
}
