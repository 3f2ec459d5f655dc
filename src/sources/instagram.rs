//! Kind `instagram`: direct messages of Instagram. They have the form of Messenger's, with an Instagram account instead of
//! a page.

use super::{Setup, messenger};
use crate::{config::Reader, domain::Channel};

/// Reads the section.
pub(super) fn read(section: &mut Reader<'_>) -> Option<Box<dyn Setup>> {
    messenger::read_as(section, Channel::Instagram)
}
