//! Plain values that travel between modules. No I/O here.

mod attachment;
mod change;
mod draft;
mod flag;
mod late;
mod message;
mod model;
mod operation;
mod owner;
mod person;
mod platform;
mod record;
mod report;
mod spend;
mod status;

pub use attachment::{Attached, Attachment, Missing, file_name, mime_of, plain_mime};
pub use change::{Change, ChangeBatch, FieldChange, Named};
pub use draft::{Consent, Draft, LeadDraft, OrderDraft, OrderLineDraft, OrderState, Origin, PartnerDraft};
pub use flag::Flag;
pub use late::{HELD, LateFlags, ReadyFlags};
pub use message::{Channel, Mark, MarkStatus, Media, Message, MessageDraft, Profile};
pub use model::Model;
pub use operation::{Action, FieldValue, Lookup, OWN_FIELDS, OpError, OpResult, OpStatus, Operation};
pub use owner::{Owner, Seller};
pub use person::{Candidate, LeadState, Person};
pub use platform::{PlatformState, PlatformStatus};
pub use record::{Names, Page, Record, RecordText, relation_of};
pub use report::{FormReport, JobName, JobReport, Report, ReportAnswer, SourceReport, Wish, WishKind};
pub use spend::{Spend, SpendAnswer};
pub use status::OdooStatus;
