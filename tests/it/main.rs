//! The daemon as its users meet it: the real binary, a real Odoo 19, real crashes.
//!
//! `tests/support` starts and drives the two; each file here tests one promise. Each test has a database of its own,
//! copied from a template in about a second. Odoo comes from `tests/odoo/odoo-env`.

#[path = "../support/mod.rs"]
mod support;

use support::{daemon, files, graph, odoo};

mod bad_input;
mod changes;
mod check;
mod commands;
mod crash;
mod duplicates;
mod health;
mod hostile;
mod intake;
mod linkedin;
mod media;
mod meta;
mod names;
mod orders;
mod plain;
mod push;
mod replay;
mod safety;
mod sources;
mod talk;
mod tiktok;
