//! The bridge without the addon. (skeleton)

/// Calls Odoo's own methods.
#[derive(Debug)]
pub struct PlainBridge {}
