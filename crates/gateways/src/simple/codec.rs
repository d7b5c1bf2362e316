//! The wire of the simple gossip: one datagram is one message, a stamp of 19 characters and a text.
//!
//! ```text
//! DD/MM/YYYY HH:MM:SS: 19 | text: 0..=1005, ASCII
//! ```
//! Whatever the original cannot digest is refused: it stops listening at the first byte that is not ASCII.

use std::fmt;

/// Bytes of the longest datagram that it reads.
pub const DATAGRAM_BYTES_MAX: usize = 1_024;
/// Bytes of a stamp.
pub const STAMP_BYTES: usize = 19;
/// Bytes of the longest text.
pub const TEXT_BYTES_MAX: usize = DATAGRAM_BYTES_MAX - STAMP_BYTES;

/// Seconds of a day.
const DAY_S: u32 = 86_400;
/// Days from 1970 to 2000.
const DAYS_TO_2000: u64 = 10_957;

/// A moment by some clock, to the second: seconds since 2000, as far as 2135.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Stamp(u32);

impl Stamp {
    /// The stamp of a moment in milliseconds since 1970, by universal time; none before 2000 or after 2135.
    pub fn of_millis(millis: u64) -> Option<Self> {
        let seconds = (millis / 1_000).checked_sub(DAYS_TO_2000 * u64::from(DAY_S))?;
        u32::try_from(seconds).ok().map(Self)
    }

    /// Seconds since 2000.
    pub const fn seconds(self) -> u32 {
        self.0
    }

    /// The stamp so many seconds after 2000.
    pub const fn from_seconds(seconds: u32) -> Self {
        Self(seconds)
    }

    /// Reads `DD/MM/YYYY HH:MM:SS`; none when it is no moment from 2000 to 2135.
    pub fn parse(text: &str) -> Option<Self> {
        let number = |from: usize, to: usize| -> Option<u32> {
            let digits = text.get(from..to)?;
            let is_number = digits.bytes().all(|byte| byte.is_ascii_digit());
            is_number.then(|| digits.parse().ok()).flatten()
        };
        let between = [(2, "/"), (5, "/"), (10, " "), (13, ":"), (16, ":")];
        let is_between = |(at, mark): &(usize, &str)| text.get(*at..at + 1) == Some(mark);
        if text.len() != STAMP_BYTES || !between.iter().all(is_between) {
            return None;
        }
        let (day, month, year) = (number(0, 2)?, number(3, 5)?, number(6, 10)?);
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        let is_time = hour < 24 && minute < 60 && second < 60;
        let is_date = (1..=12).contains(&month) && (2_000..=2_135).contains(&year);
        if !is_time || !is_date || day == 0 || day > days_of(month, year) {
            return None;
        }
        let years: u32 = (2_000..year).map(days_of_year).sum();
        let months: u32 = (1..month).map(|month| days_of(month, year)).sum();
        let days = years + months + day - 1;
        let seconds = days.checked_mul(DAY_S)?;
        let of_day = hour * 3_600 + minute * 60 + second;
        seconds.checked_add(of_day).map(Self)
    }
}

impl fmt::Display for Stamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut days, of_day) = (self.0 / DAY_S, self.0 % DAY_S);
        let mut year = 2_000;
        while days >= days_of_year(year) {
            days -= days_of_year(year);
            year += 1;
        }
        let mut month = 1;
        while days >= days_of(month, year) {
            days -= days_of(month, year);
            month += 1;
        }
        let (hour, minute, second) = (of_day / 3_600, of_day / 60 % 60, of_day % 60);
        let day = days + 1;
        write!(
            f,
            "{day:02}/{month:02}/{year:04} {hour:02}:{minute:02}:{second:02}"
        )
    }
}

fn is_leap(year: u32) -> bool {
    year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400))
}

fn days_of_year(year: u32) -> u32 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_of(month: u32, year: u32) -> u32 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// One message. Two are the same when both parts are.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Message {
    stamp: Stamp,
    text: String,
}

/// Bytes are no message, or would harm an original.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CodecError {
    /// Longer than an original reads: it would cut it.
    #[error("message of {got} bytes exceeds {max}")]
    TooLong {
        /// Its bytes.
        got: usize,
        /// The most.
        max: usize,
    },
    /// Not even a stamp.
    #[error("message of {got} bytes is shorter than its stamp of {STAMP_BYTES}")]
    TooShort {
        /// Its bytes.
        got: usize,
    },
    /// A byte that is not ASCII: an original would stop listening.
    #[error("a message that is not ASCII")]
    NotAscii,
    /// No moment.
    #[error("a message whose stamp is no moment")]
    Stamp,
}

impl Message {
    /// The message of `text` at `stamp`.
    ///
    /// # Errors
    /// When it is too long or not ASCII.
    pub fn new(stamp: Stamp, text: &[u8]) -> Result<Self, CodecError> {
        let (got, max) = (text.len(), TEXT_BYTES_MAX);
        if got > max {
            return Err(CodecError::TooLong { got, max });
        }
        match std::str::from_utf8(text) {
            Ok(text) if text.is_ascii() => Ok(Self {
                stamp,
                text: text.to_owned(),
            }),
            _ => Err(CodecError::NotAscii),
        }
    }

    /// When it was written, by the clock of its writer.
    pub const fn stamp(&self) -> Stamp {
        self.stamp
    }

    /// What it says.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The bytes of the datagram.
    pub fn encode(&self) -> Vec<u8> {
        format!("{}{}", self.stamp, self.text).into_bytes()
    }

    /// Reads a datagram.
    ///
    /// # Errors
    /// When it is no message: the sender's fault.
    pub fn decode(bytes: &[u8]) -> Result<Self, CodecError> {
        let (got, max) = (bytes.len(), DATAGRAM_BYTES_MAX);
        if got > max {
            return Err(CodecError::TooLong { got, max });
        }
        let parts = bytes.split_at_checked(STAMP_BYTES);
        let (stamp, text) = parts.ok_or(CodecError::TooShort { got })?;
        if !bytes.is_ascii() {
            return Err(CodecError::NotAscii);
        }
        let stamp = std::str::from_utf8(stamp).ok().and_then(Stamp::parse);
        Self::new(stamp.ok_or(CodecError::Stamp)?, text)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex;

    /// What an original sent.
    #[test]
    fn a_message_has_the_bytes_of_the_original() {
        let bytes =
            hex::decode("32302f31312f323032362030393a35353a353768656c6c6f2d6f6e65").unwrap();
        let message = Message::decode(&bytes).unwrap();
        assert_eq!(message.text(), "hello-one");
        assert_eq!(message.stamp().to_string(), "20/11/2026 09:55:57");
        assert_eq!(message.encode(), bytes);
        assert_eq!(
            Stamp::of_millis(1_795_168_557_000).unwrap(),
            message.stamp()
        );
    }

    /// What an original relayed is what it had heard, byte for byte.
    #[test]
    fn a_message_that_is_passed_on_has_the_bytes_it_came_with() {
        let text = "32302f31312f323032362030393a30303a303066726f6d20666f726569676e";
        let bytes = hex::decode(text).unwrap();
        let message = Message::decode(&bytes).unwrap();
        assert_eq!(message.text(), "from foreign");
        assert_eq!(hex::encode(&message.encode()), text);
    }

    #[test]
    fn what_harms_an_original_is_refused() {
        let read = Message::decode;
        let stamp = b"20/11/2026 09:55:57";
        let with = |text: &[u8]| [stamp.as_slice(), text].concat();
        assert_eq!(read(&with("é".as_bytes())), Err(CodecError::NotAscii));
        let (got, max) = (1_025, 1_024);
        assert_eq!(
            read(&with(&[b'a'; 1_006])),
            Err(CodecError::TooLong { got, max })
        );
        assert!(read(&with(&[b'a'; 1_005])).is_ok() && read(stamp).is_ok());
        assert_eq!(read(&stamp[..18]), Err(CodecError::TooShort { got: 18 }));
        for wrong in [
            "00/11/2026 09:55:57",
            "31/11/2026 09:55:57",
            "29/02/2026 09:55:57",
            "20-11-2026 09:55:57",
            "20/11/1999 09:55:57",
            "20/11/2026 24:55:57",
            "+1/11/2026 09:55:57",
        ] {
            assert_eq!(read(wrong.as_bytes()), Err(CodecError::Stamp), "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn any_stamp_survives_its_text(seconds in 0..=135 * 365 * DAY_S) {
            let stamp = Stamp(seconds);
            prop_assert_eq!(Stamp::parse(&stamp.to_string()), Some(stamp));
        }

        #[test]
        fn any_bytes_are_a_message_or_an_error(
            bytes in proptest::collection::vec(any::<u8>(), 0..1_100),
            text in "[ -~]{0,100}",
        ) {
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(message.encode(), bytes);
            }
            let message = Message::new(Stamp(848_224_557), text.as_bytes()).unwrap();
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }
    }
}
