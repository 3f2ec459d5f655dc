//! The store's behaviour, as those who call it see it.

mod crash;
mod groups;
mod opening;
mod queue;
mod retention;
mod stats;
