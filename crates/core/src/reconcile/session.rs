//! One step of a comparison: a message in, a message out, and what it tells of the differences.
//!
//! The steps keep nothing between messages, as in negentropy V1: a message and the set are all there
//! is. Only the initiator learns the differences.

use negentropy::{Id, Item, Negentropy, NegentropyStorageBase};

use super::message::{Mode, Ranges};
use super::snapshot::View;
use crate::wire::DecodeError;

/// What a step of the responder gives.
#[derive(Debug)]
pub(super) struct Reply {
    /// What to send; one byte when there is nothing to say.
    pub(super) message: Vec<u8>,
    /// Items looked at.
    pub(super) visits: u64,
}

/// What a step of the initiator gives.
#[derive(Debug, Default)]
pub(super) struct Step {
    /// What to send, nothing when the comparison is over.
    pub(super) message: Option<Vec<u8>>,
    /// Ids we have and the peer has not, in the order of the set.
    pub(super) have: Vec<Id>,
    /// Ids the peer has and we may lack, in order of their bytes.
    pub(super) need: Vec<Id>,
    /// The timestamp from which on the message was left unread, because it asked for more ids of ours
    /// than may be listed.
    pub(super) cut: Option<u64>,
}

/// The first message of a comparison of `items`.
pub(super) fn open(items: &[Item], bytes_max: usize) -> Vec<u8> {
    let view = View::new(items);
    negentropy(&view, bytes_max)
        .initiate()
        .expect("a new comparison over an ordered list can be begun")
}

/// Answers `message` over `items`.
///
/// # Errors
/// Says what is wrong with the message.
pub(super) fn respond(
    items: &[Item],
    message: &[u8],
    bytes_max: usize,
) -> Result<Reply, DecodeError> {
    let mut ranges = Ranges::of(message)?;
    while ranges.next()?.is_some() {}
    let view = View::new(items);
    let message = negentropy(&view, bytes_max)
        .reconcile(message)
        .map_err(|_| UNREADABLE)?;
    Ok(Reply {
        message,
        visits: view.visits(),
    })
}

/// Takes the responder's `message` over `items`. Lists at most `have_max` ids that we have, and as many
/// again as the message itself lists: an id list of the peer that leaves out more is read as far as
/// that, and what lies behind is left for another comparison.
///
/// # Errors
/// Says what is wrong with the message.
pub(super) fn advance(
    items: &[Item],
    message: &[u8],
    have_max: usize,
    bytes_max: usize,
) -> Result<Step, DecodeError> {
    let part = readable(items, message, have_max)?;
    let view = View::new(part.items);
    let mut negentropy = negentropy(&view, bytes_max);
    negentropy.set_initiator();
    let mut step = Step {
        cut: part.cut,
        ..Step::default()
    };
    step.message = negentropy
        .reconcile_with_ids(part.message, &mut step.have, &mut step.need)
        .map_err(|_| UNREADABLE)?;
    // The crate lists these in the order of a hash map.
    step.need.sort_unstable();
    step.need.dedup();
    Ok(step)
}

/// How much of a message is read, and over how much of the set.
struct Part<'a> {
    items: &'a [Item],
    message: &'a [u8],
    cut: Option<u64>,
}

/// Finds the part of `message` that lists at most `have_max` ids of ours besides as many as it lists
/// itself. When the peer lists few ids where we have many, the set is cut inside that range: what the
/// peer lists behind the cut looks missing then, and is filtered out by whoever knows the whole set.
fn readable<'a>(
    items: &'a [Item],
    message: &'a [u8],
    have_max: usize,
) -> Result<Part<'a>, DecodeError> {
    let view = View::new(items);
    let mut part = Part {
        items,
        message,
        cut: None,
    };
    let mut ranges = Ranges::of(message)?;
    let mut begin = 0;
    let mut left = have_max;
    while let Some(range) = ranges.next()? {
        let end = view.find_lower_bound(begin, items.len(), &range.until);
        if range.mode == Mode::Ids && part.cut.is_none() {
            let surplus = end.saturating_sub(begin).saturating_sub(range.ids);
            let last = begin.saturating_add(range.ids).saturating_add(left);
            if let Some(unread) = items.get(last).filter(|_| surplus > left) {
                part.cut = Some(unread.timestamp);
                part.items = items.get(..last).unwrap_or_default();
                part.message = message.get(..range.end).unwrap_or_default();
            }
            left = left.saturating_sub(surplus);
        }
        begin = end;
    }
    Ok(part)
}

/// What the walk let pass and the crate did not.
const UNREADABLE: DecodeError = DecodeError::Invalid {
    what: "sync message",
    got: 0,
};

fn negentropy<'a>(view: &'a View<'a>, bytes_max: usize) -> Negentropy<'a, View<'a>> {
    let bytes_max = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    Negentropy::borrowed(view, bytes_max)
        .expect("the frame limit was checked with the configuration")
}
