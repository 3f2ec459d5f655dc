//! The baselines in Python: processes that stay up, so that no measurement includes a start.

use std::{
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
};

use serde_json::{Value, json};

use crate::odoo::{Database, Server, root};

/// One script of this folder, waiting for commands (`loop.py`).
pub struct Script {
    process: Child,
    commands: ChildStdin,
    answers: BufReader<ChildStdout>,
}

/// Starts `odoo-env python SCRIPT ARGUMENTS…`.
pub fn start(script: &str, arguments: &[&str]) -> Child {
    Command::new(root().join("tests/odoo/odoo-env"))
        .arg("python")
        .arg(folder().join(script))
        .args(arguments)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("Python starts")
}

fn folder() -> PathBuf {
    root().join("tests/bench")
}

impl Script {
    /// Odoo's own code on a database, without a server.
    pub fn in_process(database: &Database, login: &str, addons: &str) -> Script {
        Self::ready(start("inprocess.py", &[&database.name, login, addons]))
    }

    /// A client of a server.
    pub fn remote(server: &Server, database: &Database) -> Script {
        Self::ready(start("remote.py", &[&server.url, &database.name, &database.login, &database.key]))
    }

    fn ready(mut process: Child) -> Script {
        let commands = process.stdin.take().expect("piped");
        let answers = BufReader::new(process.stdout.take().expect("piped"));
        let mut script = Script { process, commands, answers };
        script.run("hello", json!({}));
        script
    }

    /// Runs one command.
    pub fn run(&mut self, what: &str, mut request: Value) -> Value {
        request["do"] = what.into();
        writeln!(self.commands, "{request}").expect("the script listens");
        let mut line = String::new();
        self.answers.read_line(&mut line).expect("the script answers");
        let answer: Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("{what}: the script ended"));
        assert!(answer["error"].is_null(), "{what}: {}", answer["error"].as_str().unwrap_or_default());
        answer
    }

    /// Runs one command that handles `of` things in some `seconds`: things per second.
    pub fn rate(&mut self, what: &str, of: &str, request: Value) -> f64 {
        let answer = self.run(what, request);
        let number = |key: &str| answer[key].as_f64().expect("a number");
        number(of) / number("seconds")
    }
}

impl Drop for Script {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The folder with the addon.
pub fn addons() -> String {
    root().join("odoo-addon").to_str().expect("a readable path").to_owned()
}
