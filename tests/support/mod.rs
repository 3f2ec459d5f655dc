//! What the integration tests, the torture and the bench share: the real binary and a real Odoo 19.

// Each of the three uses its own part of it.
#![allow(dead_code)]

pub mod daemon;
pub mod files;
pub mod graph;
pub mod linkedin;
pub mod odoo;
pub mod platform;
pub mod proxy;
pub mod tiktok;
