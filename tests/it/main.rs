//! The daemon as its users meet it: the real binary, a real Odoo 19, real crashes.
//!
//! `odoo.rs` and `daemon.rs` start and drive the two; every other file tests one promise. Each test has a database of
//! its own, copied from a template in about a second. Odoo comes from `tests/odoo/odoo-env`.

mod daemon;
mod odoo;

mod bad_input;
mod changes;
mod check;
mod commands;
mod crash;
mod orders;
mod plain;
mod push;
mod safety;
