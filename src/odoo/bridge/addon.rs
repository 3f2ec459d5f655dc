//! The bridge through the addon. (skeleton)

/// Calls `g_assistant.bridge`.
#[derive(Debug)]
pub struct AddonBridge {}
