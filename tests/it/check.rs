//! `check` on a broken configuration: line, column, key and cure of everything that is wrong, in one run.

use std::{fs, process::Command};

use crate::daemon::BINARY;

/// Runs `check` on this text; returns the exit code and what it said.
fn check(text: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("config.toml");
    fs::write(&path, text).expect("written");
    let output = Command::new(BINARY).arg("--config").arg(&path).arg("check").output().expect("runs");
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.code(), said)
}

#[test]
fn ten_mistakes_in_one_file_are_all_named() {
    let text = r#"[server]
listen = "localhost"
body_limit = "1 parsec"
max_conections = 10

[store]
retention = "soon"

[odoo]
url = "odoo.example.com"
login = 7
secret = "hunter2hunter2"
transport = "soap"
batch = 100000

[sources."My Shop"]
kind = "generic"

[sources.other]
kind = "carrier pigeon"
"#;
    let (code, said) = check(text);
    assert_eq!(code, Some(78), "{said}");
    for (place, key, about) in [
        ("2:10", "server.listen", "127.0.0.1:8077"),
        ("3:14", "server.body_limit", "MB"),
        ("4:1", "server.max_conections", "max_connections"),
        ("7:13", "store.retention", "a unit"),
        ("10:7", "odoo.url", "https://"),
        ("11:9", "odoo.login", "string"),
        ("12:10", "odoo.secret", "file"),
        ("13:13", "odoo.transport", "json2"),
        ("14:9", "odoo.batch", "500"),
        ("20:8", "sources.other.kind", "generic"),
    ] {
        let problem = said
            .split("config.toml:")
            .find(|problem| problem.starts_with(&format!("{place}: {key}:")))
            .unwrap_or_else(|| panic!("{place}: {key} is not named in:\n{said}"));
        assert!(problem.contains(about), "the cure of {key} should name {about}:\n{problem}");
        assert!(problem.contains("hint: "), "{problem}");
    }
    for key in ["odoo.database", "My Shop"] {
        assert!(said.contains(key), "{key} is not named in:\n{said}");
    }
    assert!(!said.contains("hunter2"), "a secret is not repeated:\n{said}");
}

#[test]
fn broken_toml_is_shown_where_it_breaks() {
    let (code, said) = check("[server]\nlisten = \n");
    assert_eq!(code, Some(78));
    assert!(said.contains("config.toml:2:"), "{said}");
}

#[test]
fn a_missing_file_is_named() {
    let output = Command::new(BINARY).args(["--config", "/nowhere/config.toml", "check"]).output().expect("runs");
    assert_eq!(output.status.code(), Some(78));
    assert!(String::from_utf8_lossy(&output.stderr).contains("/nowhere/config.toml"));
}

#[test]
fn a_missing_secret_is_named() {
    let text =
        "[odoo]\nurl = \"http://127.0.0.1:8069\"\ndatabase = \"a\"\nlogin = \"b\"\nsecret = { file = \"not.there\" }\n";
    let (code, said) = check(text);
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("odoo.secret") && said.contains("not.there"), "{said}");
}
