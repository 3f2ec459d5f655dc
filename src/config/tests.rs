//! What an operator sees: mistakes in a file, and the exact words they lead to.

use std::path::{Path, PathBuf};

use super::{expect::*, *};
use crate::{
    secret::{SecretError, SecretRef},
    sources::Source,
};

/// A file with nothing wrong in it.
const GOOD: &str = r#"[odoo]
url = "https://odoo.example.com"
database = "production"
login = "g-assistant"
secret = { file = "odoo.secret" }

[sources.web]
kind = "fake"
secret = { credential = "web" }
"#;

#[derive(Debug)]
struct Fake {
    id: String,
    secrets: Vec<SecretRef>,
}

impl SourceKind for Fake {
    fn name(&self) -> &'static str {
        "fake"
    }

    fn read(&self, id: &str, mut section: Reader<'_>) -> Option<Box<dyn SourceSpec>> {
        let secrets = section.required("secret", one_or_more(secret()));
        section.or("strict", boolean(), false);
        section.or("weight", float(0.0..=1.0), 0.5);
        section.table("fields").finish();
        section.finish();
        Some(Box::new(Self { id: id.to_owned(), secrets: secrets? }))
    }
}

impl SourceSpec for Fake {
    fn id(&self) -> &str {
        &self.id
    }

    fn kind(&self) -> &'static str {
        "fake"
    }

    fn secrets(&self) -> Vec<&SecretRef> {
        self.secrets.iter().collect()
    }

    fn open(&self) -> Result<Box<dyn Source>, SecretError> {
        Err(SecretError::new("is fake", "use another"))
    }
}

static FAKE: Fake = Fake { id: String::new(), secrets: Vec::new() };

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse_with(text, Path::new("/etc/g-assistant/config.toml"), &[&FAKE])
}

/// Everything that is wrong with `text`, as it is shown.
fn problems(text: &str) -> String {
    parse(text).expect_err("the text has a mistake").to_string().replace("/etc/g-assistant/", "")
}

/// The good file with `old` replaced by `new`.
fn with(old: &str, new: &str) -> String {
    assert!(GOOD.contains(old), "{old}");
    GOOD.replace(old, new)
}

#[test]
fn a_good_file_is_read() {
    let config = parse(GOOD).unwrap();
    assert_eq!(config.odoo.secret, SecretRef::File(PathBuf::from("/etc/g-assistant/odoo.secret")));
    assert_eq!(config.server, Server::default());
    assert_eq!(config.sources[0].id(), "web");
    assert_eq!(config.sources[0].secrets(), [&SecretRef::Credential("web".to_owned())]);
    assert_eq!(config.warnings.list, []);
}
/// The same without the lines of the file: `line:column: key: message | hint`.
fn brief(text: &str) -> Vec<String> {
    let ConfigError::Invalid(problems) = parse(text).expect_err("the text has a mistake") else { unreachable!() };
    let line = |problem: &Problem| {
        let Problem { line, column, key, message, hint, .. } = problem;
        format!("{line}:{column}: {key}: {message} | {}", hint.as_deref().unwrap_or("-"))
    };
    problems.list.iter().map(line).collect()
}

#[test]
fn every_mistake_is_named_where_it_is() {
    let forms = "keep the secret elsewhere and write where: { credential = \"NAME\" } (systemd), \
                 { file = \"/etc/g-assistant/NAME\" }, { env = \"NAME\" } or { keyring = \"SERVICE/USER\" }";
    let cases: &[(&str, &str, &[&str])] = &[
        // wrong type
        (
            "\"g-assistant\"",
            "7",
            &["4:9: odoo.login: expected a string, found a whole number | for example `login = \"g-assistant\"`"],
        ),
        // a table that is not one
        (
            "[odoo]",
            "sync = 3\n[odoo]",
            &["1:8: sync: expected a section | write `[sync]` on its own line, and its keys below it"],
        ),
        // not an address
        (
            "[sources.web]",
            "[server]\nlisten = \"localhost:8077\"\n\n[sources.web]",
            &["8:10: server.listen: expected an IP address with a port | for example `listen = \"127.0.0.1:8077\"`"],
        ),
        // out of range
        (
            "[sources.web]",
            "[server]\nmax_connections = 0\n\n[sources.web]",
            &[
                "8:19: server.max_connections: expected a whole number from 1 to 100000, found 0 | for example `max_connections = 1024`",
            ],
        ),
        // a duration without a unit
        (
            "[sources.web]",
            "[server]\nheader_timeout = 5\n\n[sources.web]",
            &[
                "8:18: server.header_timeout: expected a duration from 1s to 5m | a duration needs a unit: \"5s\", or m, h, d",
            ],
        ),
        // not a duration
        (
            "[sources.web]",
            "[server]\nrequest_timeout = \"2 weeks\"\n\n[sources.web]",
            &[
                "8:19: server.request_timeout: expected a duration from 1s to 1h | a duration is a whole number with a unit: s, m, h or d",
            ],
        ),
        // a duration out of range
        (
            "[sources.web]",
            "[server]\nrequest_timeout = \"9h\"\n\n[sources.web]",
            &[
                "8:19: server.request_timeout: expected a duration from 1s to 1h, found 9h | for example `request_timeout = \"30s\"`",
            ],
        ),
        // not a size
        (
            "[sources.web]",
            "[server]\nbody_limit = \"1 XB\"\n\n[sources.web]",
            &[
                "8:14: server.body_limit: expected a size from 1 kB to 100 MB | a size is a number of bytes, or has a unit: kB, MB, GB, KiB, MiB or GiB",
            ],
        ),
        // a size out of range
        (
            "[sources.web]",
            "[server]\nbody_limit = 5\n\n[sources.web]",
            &[
                "8:14: server.body_limit: expected a size from 1 kB to 100 MB, found 5 | for example `body_limit = \"1 MB\"`",
            ],
        ),
        // not a URL
        (
            "https://odoo",
            "odoo",
            &[
                "2:7: odoo.url: is not a URL: relative URL without a base | for example `url = \"https://odoo.example.com\"`",
            ],
        ),
        // a URL of something else
        (
            "https://odoo",
            "ftp://odoo",
            &[
                "2:7: odoo.url: expected a URL that starts with `https://` or `http://` | for example `url = \"https://odoo.example.com\"`",
            ],
        ),
        // a URL copied from a browser
        (
            ".com\"",
            ".com/odoo/crm\"",
            &[
                "2:7: odoo.url: the URL must end after the host, without a path such as `/odoo` or `/web` | for example `url = \"https://odoo.example.com\"`",
            ],
        ),
        // a URL with a password
        (
            "https://odoo",
            "https://me:hunter2@odoo",
            &[
                "2:7: odoo.url: a URL must not hold a login or password | for example `url = \"https://odoo.example.com\"`",
            ],
        ),
        // a missing key
        (
            "database = \"production\"\n",
            "",
            &["1:1: odoo.database: is missing | add `database = \"production\"` to `[odoo]`"],
        ),
        // an empty string
        (
            "\"production\"",
            "\" \"",
            &[
                "3:12: odoo.database: expected a string, found an empty string | for example `database = \"production\"`",
            ],
        ),
        // not one of the words
        (
            "login =",
            "transport = \"json\"\nlogin =",
            &["4:13: odoo.transport: expected one of `auto`, `xmlrpc`, `json2` | did you mean `json2`?"],
        ),
        // a secret in plain text
        (
            "{ file = \"odoo.secret\" }",
            "\"hunter2\"",
            &["5:10: odoo.secret: expected a reference to a secret, found plain text | {forms}"],
        ),
        // a secret in plain text in a list
        (
            "{ credential = \"web\" }",
            "[{ env = \"A\" }, \"hunter2\", { env = \"B-\" }]",
            &[
                "9:26: sources.web.secret[1]: expected a reference to a secret, found plain text | {forms}",
                "9:45: sources.web.secret[2].env: the name of an environment variable holds only letters, digits and `_` | for example `env = \"ODOO_SECRET\"`",
            ],
        ),
        // no secret
        (
            "{ credential = \"web\" }",
            "[]",
            &["9:10: sources.web.secret: the list is empty | for example `secret = { credential = \"…\" }`"],
        ),
        // two places for a secret
        (
            "{ file = \"odoo.secret\" }",
            "{ file = \"a\", env = \"B\" }",
            &[
                "5:10: odoo.secret: names more than one place for the secret | for example `secret = { credential = \"odoo\" }`",
            ],
        ),
        // no place for a secret
        (
            "{ file = \"odoo.secret\" }",
            "{}",
            &["5:10: odoo.secret: expected a reference to a secret, found an empty table | {forms}"],
        ),
        // a misspelt place for a secret
        (
            "{ file =",
            "{ fiel =",
            &[
                "5:12: odoo.secret.fiel: unknown key | did you mean `file`? known here: `credential`, `file`, `env`, `keyring`",
            ],
        ),
        // a credential that leaves its directory
        (
            "\"web\" }",
            "\"../web\" }",
            &[
                "9:25: sources.web.secret.credential: the name of a credential holds only letters, digits, `.`, `_`, `@` and `-`, and not `..` | for example `credential = \"odoo\"`",
            ],
        ),
        // half a keyring entry
        (
            "credential = \"web\" }",
            "keyring = \"web\" }",
            &[
                "9:22: sources.web.secret.keyring: expected `service/user` | for example `keyring = \"g-assistant/odoo\"`",
            ],
        ),
        // an unknown key
        (
            "[sources.web]",
            "[server]\nlissten = \"127.0.0.1:80\"\n\n[sources.web]",
            &[
                "8:1: server.lissten: unknown key | did you mean `listen`? known here: `listen`, `tokens`, `body_limit`, `max_connections`, `max_connections_per_ip`, `header_timeout`, `body_timeout`, `request_timeout`, `ip_rate`, `source_rate`, `trusted_proxies`",
            ],
        ),
        // an unknown section
        (
            "[sources.web]",
            "[oddo]\n\n[sources.web]",
            &[
                "7:2: oddo: unknown section | did you mean `odoo`? known here: `server`, `store`, `odoo`, `sync`, `intake`, `log`, `sources`",
            ],
        ),
        // a key twice
        ("login =", "database = \"x\"\nlogin =", &["4:1: database: is there twice | keep one of the two"]),
        // a section twice
        ("[sources.web]", "[odoo]\n\n[sources.web]", &["7:2: odoo: is there twice | keep one of the two"]),
        // a missing section
        (
            "[odoo]",
            "[sources.odoo]",
            &[
                "1:1: odoo.url: is missing | add `url = \"https://odoo.example.com\"` to `[odoo]`",
                "1:1: odoo.database: is missing | add `database = \"production\"` to `[odoo]`",
                "1:1: odoo.login: is missing | add `login = \"g-assistant\"` to `[odoo]`",
                "1:1: odoo.secret: is missing | add `secret = { credential = \"odoo\" }` to `[odoo]`",
                "1:1: sources.odoo.kind: is missing | add `kind = \"fake\"` to `[sources.odoo]`",
            ],
        ),
        // an unknown kind
        (
            "kind = \"fake\"",
            "kind = \"fakir\"\nsecert = \"hunter2\"",
            &["8:8: sources.web.kind: expected one of `fake` | did you mean `fake`?"],
        ),
        // a bad id
        (
            "sources.web",
            "sources.\"my shop\"",
            &[
                "7:1: sources.my shop: is not a valid id of a source | use 1 to 64 of a-z, 0-9, `_` and `-`: the id is part of the webhook's address",
            ],
        ),
        // a bad filter
        (
            "[sources.web]",
            "[log]\nlevel = \"infoo\"\n\n[sources.web]",
            &[
                "8:9: log.level: expected off, error, warn, info, debug, trace or `module=level`, or several with `,` between | for example `level = \"info\"`",
            ],
        ),
        // bad items of a list
        (
            "login =",
            "owned_lead_fields = [\"name\", \"x y\", 3]\nlogin =",
            &[
                "4:30: odoo.owned_lead_fields[1]: expected the technical name of a field | for example `\"x_lead_grade\"`",
                "4:37: odoo.owned_lead_fields[2]: expected a string, found a whole number | for example `\"x_lead_grade\"`",
            ],
        ),
        // a boolean in quotes
        (
            "kind = \"fake\"",
            "kind = \"fake\"\nstrict = \"yes\"",
            &["9:10: sources.web.strict: expected `true` or `false`, found a string | for example `strict = false`"],
        ),
        // a number out of range
        (
            "kind = \"fake\"",
            "kind = \"fake\"\nweight = 1.5",
            &["9:10: sources.web.weight: expected a number from 0.0 to 1.0, found 1.5 | for example `weight = 0.5`"],
        ),
        // not TOML, twice
        (
            "\"production\"\nlogin = \"g-assistant\"",
            "production\nlogin = \"g-assistant",
            &[
                "3:12: : not valid TOML: string values must be quoted, expected literal string | put the value in quotes: \"…\"",
                "4:21: : not valid TOML: invalid basic string, expected `\"` | close the string with `\"` on the same line, and write `\\\\` for `\\`",
            ],
        ),
    ];
    for (old, new, expected) in cases {
        let expected: Vec<_> = expected.iter().map(|line| line.replace("{forms}", forms)).collect();
        assert_eq!(brief(&with(old, new)), expected, "{new}");
    }
}

#[test]
fn a_problem_is_shown_with_its_line() {
    let text = with("\"production\"", "\"\"").replace("{ file = \"odoo.secret\" }", "\"hunter2\"");
    let expected = r#"config.toml:3:12: odoo.database: expected a string, found an empty string
  database = ""
             ^^
  hint: for example `database = "production"`
config.toml:5:10: odoo.secret: expected a reference to a secret, found plain text
  secret = ***
           ^^^
  hint: keep the secret elsewhere and write where: { credential = "NAME" } (systemd), { file = "NAME" }, { env = "NAME" } or { keyring = "SERVICE/USER" }"#;
    assert_eq!(problems(&text), expected);
}

#[test]
fn a_secret_is_never_shown() {
    for text in [
        with("{ file = \"odoo.secret\" }", "\"hunter2\""),
        with("{ file = \"odoo.secret\" }", "\"hunter2"),
        with("{ file = \"odoo.secret\" }", "hunter2"),
        with("{ file = \"odoo.secret\" }", "[\"hunter2\""),
        with("{ file = \"odoo.secret\" }", "[\n\"hunter2\",\nhunter2 = 3]"),
        with("{ file = \"odoo.secret\" }", "'''hunter2'''"),
        with("{ file = \"odoo.secret\" }", "\"\"\"\nhunter2\"\"\""),
        with("{ file = \"odoo.secret\" }", "{ value = \"hunter2\" }"),
        with("{ file = \"odoo.secret\" }", "{ fille = \"hunter2\" }"),
        with("{ file = \"odoo.secret\" }", "{ credential = \"whsec_hunter2==\" }"),
        with("{ file = \"odoo.secret\" }", "{ env = \"hunter2!\" }"),
        with("{ file = \"odoo.secret\" }", "{ keyring = \"hunter2\" }"),
        with("{ file = \"odoo.secret\" }", "\"a\"\nsecret = \"hunter2\""),
        with("secret = { file", "password = \"hunter2\"\nsecret = { file"),
        with("secret = { file", "sekrit = { key = [\"hunter2\"] }\nsecret = { file"),
        with("https://odoo", "https://me:hunter2@odoo"),
        with("https://odoo", "me:hunter2@:odoo"),
        with("[odoo]", "[server]\ntokens = \"hunter2\"\n[odoo]"),
        with("kind = \"fake\"", "kind = \"other\"\napi_key = \"hunter2\""),
        with("{ credential = \"web\" }", "[{ env = \"A\" }, \"hunter2\"]"),
        // On the line of another problem.
        with("[sources.web]", "[sources]\nshop = { kind = \"fake\", secret = \"hunter2\", strict = 1 }\n[sources.web]"),
        with("[sources.web]", "[sources]\nshop = { kind = \"other\", secret = \"hunter2\" }\n[sources.web]"),
    ] {
        let error = parse(&text).expect_err("the text has a mistake");
        let shown = format!("{error} {error:?}");
        assert!(!shown.contains("hunter2"), "{text}\n{shown}");
    }
}

#[test]
fn what_deserves_a_look_is_a_warning() {
    let warnings = |text: &str| parse(text).unwrap().warnings.to_string().replace("/etc/g-assistant/", "");
    let clear = with("https://odoo.example.com", "http://odoo.example.com");
    let expected = r#"config.toml:1:1: sources: no source is configured: no webhook is accepted
  hint: add a section such as `[sources.website]`: see config.example.toml
config.toml:2:7: odoo.url: the secret is sent over the network in clear
  url = "http://odoo.example.com"
        ^^^^^^^^^^^^^^^^^^^^^^^^^
  hint: use `https://`, unless the network between the daemon and Odoo is private"#;
    assert_eq!(warnings(&clear[..clear.find("[sources").unwrap()]), expected);
    assert_eq!(warnings(&with("https://odoo.example.com", "http://127.0.0.1:8069")), "");

    let sync = with(
        "[sources.web]",
        "[sync]\noverlap = \"1m\"\npoll_interval = \"1h\"\nsweep_interval = \"10m\"\n\n[sources.web]",
    );
    let expected = r#"config.toml:8:11: sync.overlap: may be shorter than a transaction
  overlap = "1m"
            ^^^^
  hint: use at least 5m: what a longer transaction in Odoo changes is found only by the next sweep
config.toml:10:18: sync.sweep_interval: is shorter than `poll_interval`
  sweep_interval = "10m"
                   ^^^^^
  hint: a sweep follows a poll, and there is one every 1h"#;
    assert_eq!(warnings(&sync), expected);
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let error = Config::load(Path::new("/nowhere/config.toml")).unwrap_err().to_string();
    assert!(error.starts_with("cannot read the configuration /nowhere/config.toml: "), "{error}");
}

#[test]
fn a_reader_that_gives_up_in_silence_is_a_bug_that_shows() {
    let problems = reader::read("", Path::new("config.toml"), |_| None::<()>).unwrap_err();
    assert_eq!(problems.list[0].message, "a section was refused without a reason");
}

proptest::proptest! {
    /// Whatever is in the file, there is an answer.
    #[test]
    fn no_text_stops_the_reader(at in 0..GOOD.len(), cut in 0..40_usize, put in "[\\[\\]{}=\"'#,.\n a-z0-9é\t\r]{0,12}") {
        let mut text = GOOD.to_owned();
        text.replace_range(at..(at + cut).min(GOOD.len()), &put);
        if let Err(error) = parse(&text) {
            proptest::prop_assert!(!error.to_string().is_empty());
        }
    }
}

#[test]
fn a_secret_is_not_shown_wherever_it_is_put() {
    const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    for line in [
        format!("secre = \"{SECRET}"),
        format!("secre = {SECRET}"),
        format!("secre = \"{SECRET}\""),
        format!("listen = \"{SECRET}\""),
        SECRET.to_owned(),
        format!("{SECRET}="),
        format!("[{SECRET}"),
        format!("secret = [\n\"{SECRET}\""),
    ] {
        let Err(error) = Config::parse(&format!("[server]\n{line}\n"), Path::new("config.toml")) else {
            panic!("{line}")
        };
        let ConfigError::Invalid(problems) = error else { panic!("{line}") };
        assert!(problems.list.iter().all(|problem| !problem.excerpt.contains(SECRET)), "{line}:\n{problems}");
    }
    // Whatever it looks like, a value in a line that is not TOML may be one.
    let Err(error) = Config::parse("[odoo]\nsecre = \"hunter2\n", Path::new("config.toml")) else { panic!("broken") };
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
