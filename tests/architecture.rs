//! The module map of docs/ARCHITECTURE.md, held against the code: who may use whom, and who alone owns a crate.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// Usable by everybody.
const COMMON: [&str; 4] = ["domain", "clock", "secret", "telemetry"];

/// Module → what else it may use.
const MAY_USE: &[(&str, &[&str])] = &[
    ("domain", &[]),
    ("clock", &[]),
    ("secret", &[]),
    ("telemetry", &["config"]),
    ("config", &["sources"]),
    ("net", &[]),
    ("sources", &["config", "net"]),
    ("fetch", &["sources", "store"]),
    ("intake", &["config"]),
    ("store", &[]),
    ("odoo", &["config", "intake", "net"]),
    ("sync", &["config", "intake", "odoo", "store"]),
    ("worker", &["config", "fetch", "intake", "odoo", "sources", "store", "sync"]),
    ("http", &["config", "sources", "store", "sync"]),
    ("app", &["config", "fetch", "http", "intake", "sources", "store", "sync", "worker"]),
    ("cli", &["app", "config", "intake", "net", "odoo", "sources", "store", "sync", "worker"]),
];

/// Crate → the only module that may use it.
const OWNED: &[(&str, &str)] = &[
    ("rusqlite", "store"),
    ("hickory_resolver", "worker"),
    ("xmlrpc", "odoo"),
    ("axum", "http"),
    ("axum_server", "http"),
    ("governor", "http"),
    ("clap", "cli"),
];

fn sources() -> Vec<(String, PathBuf, String)> {
    fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                walk(&path, files);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                files.push(path);
            }
        }
    }
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    walk(&root, &mut files);
    files
        .into_iter()
        .filter(|path| !path.ends_with("lib.rs") && !path.ends_with("main.rs"))
        .map(|path| {
            let relative = path.strip_prefix(&root).expect("below src").to_owned();
            let module = relative.components().next().expect("a module").as_os_str().to_string_lossy();
            let module = module.trim_end_matches(".rs").to_owned();
            let text = fs::read_to_string(&path).expect("read");
            // Tests may reach further than the code that they test.
            let code = text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default();
            let code = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
            (module, relative, code)
        })
        .filter(|(_, path, _)| !path.components().any(|part| part.as_os_str().to_string_lossy().starts_with("test")))
        .collect()
}

/// The modules that a file names: `crate::a::…`, and `crate::{a::…, b::{…}}`.
fn used(code: &str) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    for (start, _) in code.match_indices("crate::") {
        let rest = &code[start + "crate::".len()..];
        if let Some(list) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut word = String::new();
            for letter in list.chars() {
                match letter {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => word.clear(),
                    ':' if depth == 0 && !word.is_empty() => {
                        used.insert(std::mem::take(&mut word));
                    }
                    letter if depth == 0 && (letter.is_alphanumeric() || letter == '_') => word.push(letter),
                    _ => {}
                }
            }
        } else {
            used.insert(rest.chars().take_while(|letter| letter.is_alphanumeric() || *letter == '_').collect());
        }
    }
    used
}

#[test]
fn modules_use_only_what_the_map_allows() {
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        let (_, allowed) =
            MAY_USE.iter().find(|(name, _)| *name == module).unwrap_or_else(|| panic!("{module} is not on the map"));
        for name in used(&code) {
            let fine = name == module || COMMON.contains(&name.as_str()) || allowed.contains(&name.as_str());
            if !fine && MAY_USE.iter().any(|(known, _)| *known == name) {
                wrong.push(format!("{} uses {name}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn some_crates_have_one_owner() {
    let mut wrong = Vec::new();
    for (module, path, code) in sources() {
        for (krate, owner) in OWNED {
            let names = code.contains(&format!("{krate}::")) || code.contains(&format!("use {krate};"));
            // `crate::odoo::xmlrpc` is ours.
            let ours = code.contains(&format!("mod {krate}")) || module == *owner;
            if names && !ours {
                wrong.push(format!("{} uses {krate}, which belongs to {owner}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}
