//! The shape of a negentropy V1 message: which ranges it names.
//!
//! ```text
//! version: u8 = 0x61 | range*
//! range: timestamp varint | id_len varint ≤ 32 | id prefix | mode varint | payload
//! mode: 0 skip | 1 fingerprint: 16 | 2 id list: count varint, count × 32
//! ```
//!
//! A range begins where the one before it ends. Timestamps are written as the difference to the last
//! one, plus one; 0 stands for the end of all. The crate reads messages itself; this walk before it
//! refuses what is malformed without touching the set, and tells how much of the set a message asks
//! for, so that the answer can be bounded.

use negentropy::{Bound, FINGERPRINT_SIZE, ID_SIZE, Id, Item, PROTOCOL_VERSION};

use crate::wire::{DecodeError, Reader};

/// The one version byte we speak, as the crate counts it.
const VERSION: u64 = PROTOCOL_VERSION;
/// Most bytes of a varint: 64 bits by sevens.
const VARINT_BYTES_MAX: usize = 10;

/// What a range says of the ids in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mode {
    /// Nothing.
    Skip,
    /// Their fingerprint.
    Fingerprint,
    /// Which they are.
    Ids,
}

/// One range of a message.
#[derive(Debug, Clone, Copy)]
pub(super) struct Range {
    /// Where it ends, itself left out.
    pub(super) until: Bound,
    /// What it says.
    pub(super) mode: Mode,
    /// Ids it lists.
    pub(super) ids: usize,
    /// Bytes of the message up to its end.
    pub(super) end: usize,
}

/// Reads the ranges of a message in order.
#[derive(Debug, Clone)]
pub(super) struct Ranges<'a> {
    reader: Reader<'a>,
    last: u64,
}

impl<'a> Ranges<'a> {
    /// Begins to read `message`.
    ///
    /// # Errors
    /// When it does not begin with our version.
    pub(super) fn of(message: &'a [u8]) -> Result<Self, DecodeError> {
        let mut reader = Reader::new(message);
        match u64::from(reader.u8()?) {
            VERSION => Ok(Self { reader, last: 0 }),
            got => Err(DecodeError::Invalid {
                what: "sync version",
                got,
            }),
        }
    }

    /// The next range, nothing at the end.
    ///
    /// # Errors
    /// Says what is wrong with the bytes.
    pub(super) fn next(&mut self) -> Result<Option<Range>, DecodeError> {
        if self.reader.left() == 0 {
            return Ok(None);
        }
        let until = self.bound()?;
        let mode = match varint(&mut self.reader)? {
            0 => Mode::Skip,
            1 => Mode::Fingerprint,
            2 => Mode::Ids,
            got => {
                return Err(DecodeError::Invalid {
                    what: "sync mode",
                    got,
                });
            }
        };
        let ids = match mode {
            Mode::Ids => usize::try_from(varint(&mut self.reader)?).unwrap_or(usize::MAX),
            _ => 0,
        };
        let payload = match mode {
            Mode::Skip => 0,
            Mode::Fingerprint => FINGERPRINT_SIZE,
            Mode::Ids => ids.saturating_mul(ID_SIZE),
        };
        self.reader.take(payload)?;
        Ok(Some(Range {
            until,
            mode,
            ids,
            end: self.reader.position(),
        }))
    }

    fn bound(&mut self) -> Result<Bound, DecodeError> {
        self.last = match varint(&mut self.reader)?.checked_sub(1) {
            None => u64::MAX,
            Some(difference) => self.last.saturating_add(difference),
        };
        let length = varint(&mut self.reader)?;
        let id_len = usize::try_from(length)
            .ok()
            .filter(|len| *len <= ID_SIZE)
            .ok_or(DecodeError::Invalid {
                what: "sync id length",
                got: length,
            })?;
        let mut id = [0; ID_SIZE];
        for (to, from) in id.iter_mut().zip(self.reader.take(id_len)?) {
            *to = *from;
        }
        let item = Item::with_timestamp_and_id(self.last, Id::from_byte_array(id));
        Ok(Bound { item, id_len })
    }
}

/// The timestamp at which the first range begins that is not skipped: everything before it is
/// settled. Nothing when all is.
pub(super) fn first_open(message: &[u8]) -> Option<u64> {
    let mut ranges = Ranges::of(message).ok()?;
    let mut begin = 0;
    while let Ok(Some(range)) = ranges.next() {
        if range.mode != Mode::Skip {
            return Some(begin);
        }
        begin = range.until.item.timestamp;
    }
    None
}

/// Takes a number of seven bits a byte, highest first, as the crate writes it.
fn varint(reader: &mut Reader<'_>) -> Result<u64, DecodeError> {
    let mut value = 0_u64;
    for _ in 0..VARINT_BYTES_MAX {
        let byte = reader.u8()?;
        if value >> 57 != 0 {
            break;
        }
        value = value << 7 | u64::from(byte & 0x7f);
        if byte & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Invalid {
        what: "sync number",
        got: value,
    })
}
