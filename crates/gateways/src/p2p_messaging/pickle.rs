//! The little of Python's pickle that a list of whole numbers takes. Nothing is executed: what is no list of
//! numbers is an error.
//!
//! Written as Python's own default does (protocol 4, with a frame), byte for byte; read in protocols 2 to 5.

/// Items that Python appends at once.
const BATCH: usize = 1_000;
/// Numbers that a list may have.
pub const NUMBERS_MAX: usize = 4_096;
/// Python writes a frame around bodies of so many bytes and more.
const FRAME_BYTES_MIN: usize = 4;

const PROTO: u8 = 0x80;
const FRAME: u8 = 0x95;
const EMPTY_LIST: u8 = b']';
const MEMOIZE: u8 = 0x94;
const BINPUT: u8 = b'q';
const LONG_BINPUT: u8 = b'r';
const MARK: u8 = b'(';
const APPEND: u8 = b'a';
const APPENDS: u8 = b'e';
const BININT: u8 = b'J';
const BININT1: u8 = b'K';
const BININT2: u8 = b'M';
const STOP: u8 = b'.';

/// Bytes are no pickled list of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PickleError {
    /// It ends too early.
    #[error("the pickle ends at byte {at}")]
    Cut {
        /// Where.
        at: usize,
    },
    /// Something that a list of numbers does not need.
    #[error("the pickle has the operation {op:#04x} at byte {at}")]
    Op {
        /// The operation.
        op: u8,
        /// Where.
        at: usize,
    },
    /// More numbers than are taken.
    #[error("the pickle has more than {NUMBERS_MAX} numbers")]
    TooMany,
    /// Something after its end.
    #[error("the pickle goes on after its end")]
    Trailing,
}

/// The pickle of `numbers`.
pub fn encode(numbers: &[i32]) -> Vec<u8> {
    let mut body = vec![EMPTY_LIST, MEMOIZE];
    for batch in numbers.chunks(BATCH) {
        if let [one] = batch {
            put(&mut body, *one);
            body.push(APPEND);
        } else {
            body.push(MARK);
            for number in batch {
                put(&mut body, *number);
            }
            body.push(APPENDS);
        }
    }
    body.push(STOP);
    let mut out = vec![PROTO, 4];
    if body.len() >= FRAME_BYTES_MIN {
        out.push(FRAME);
        let length = u64::try_from(body.len()).unwrap_or(u64::MAX);
        out.extend(length.to_le_bytes());
    }
    out.extend(body);
    out
}

fn put(out: &mut Vec<u8>, number: i32) {
    if let Ok(small) = u8::try_from(number) {
        out.extend([BININT1, small]);
    } else if let Ok(short) = u16::try_from(number) {
        out.push(BININT2);
        out.extend(short.to_le_bytes());
    } else {
        out.push(BININT);
        out.extend(number.to_le_bytes());
    }
}

/// The numbers of a pickled list.
///
/// # Errors
/// When it is none: the sender's fault.
pub fn decode(bytes: &[u8]) -> Result<Vec<i32>, PickleError> {
    let mut reader = Reader { bytes, at: 0 };
    let mut machine = Machine::default();
    loop {
        let at = reader.at;
        let [op] = reader.take()?;
        if op == STOP {
            if !machine.is_whole() {
                return Err(PickleError::Op { op, at });
            }
            let is_over = reader.at == bytes.len();
            return is_over.then_some(machine.list).ok_or(PickleError::Trailing);
        }
        let is_right = match op {
            PROTO => (2..=5).contains(&reader.take::<1>()?[0]),
            FRAME => reader.take::<8>().is_ok(),
            MEMOIZE => true,
            BINPUT => reader.take::<1>().is_ok(),
            LONG_BINPUT => reader.take::<4>().is_ok(),
            EMPTY_LIST => machine.begin(),
            MARK => machine.mark(),
            APPEND => machine.append(),
            APPENDS => machine.appends(),
            BININT => machine.push(i32::from_le_bytes(reader.take()?))?,
            BININT1 => machine.push(i32::from(reader.take::<1>()?[0]))?,
            BININT2 => machine.push(i32::from(u16::from_le_bytes(reader.take()?)))?,
            _ => false,
        };
        if !is_right {
            return Err(PickleError::Op { op, at });
        }
    }
}

/// What has been read so far: a list, and numbers that are not in it yet.
#[derive(Default)]
struct Machine {
    has_list: bool,
    is_marked: bool,
    list: Vec<i32>,
    waiting: Vec<i32>,
}

impl Machine {
    fn begin(&mut self) -> bool {
        !std::mem::replace(&mut self.has_list, true)
    }

    fn mark(&mut self) -> bool {
        self.has_list && self.waiting.is_empty() && !std::mem::replace(&mut self.is_marked, true)
    }

    fn push(&mut self, number: i32) -> Result<bool, PickleError> {
        if self.list.len() + self.waiting.len() >= NUMBERS_MAX {
            return Err(PickleError::TooMany);
        }
        let has_room = self.has_list && (self.is_marked || self.waiting.is_empty());
        self.waiting.push(number);
        Ok(has_room)
    }

    fn append(&mut self) -> bool {
        let is_one = !self.is_marked && self.waiting.len() == 1;
        self.list.append(&mut self.waiting);
        is_one
    }

    fn appends(&mut self) -> bool {
        self.list.append(&mut self.waiting);
        std::mem::replace(&mut self.is_marked, false)
    }

    fn is_whole(&self) -> bool {
        self.has_list && !self.is_marked && self.waiting.is_empty()
    }
}

struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Reader<'_> {
    fn take<const N: usize>(&mut self) -> Result<[u8; N], PickleError> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let taken = rest.first_chunk::<N>().copied();
        let taken = taken.ok_or(PickleError::Cut { at: self.at })?;
        self.at += N;
        Ok(taken)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hex;

    #[test]
    fn lists_have_the_bytes_of_python() {
        for (numbers, default, handmade) in [
            (vec![], "80045d942e", "80025d2e"),
            (
                vec![8101],
                "80049507000000000000005d944da51f612e",
                "80025d284da51f652e",
            ),
            // One that a seed sent.
            (
                vec![8101, 8103, 8109],
                "8004950e000000000000005d94284da51f4da71f4dad1f652e",
                "80025d284da51f4da71f4dad1f652e",
            ),
            (
                vec![8101, 8102],
                "8004950b000000000000005d94284da51f4da61f652e",
                "80025d284da51f4da61f652e",
            ),
            (
                vec![100],
                "80049506000000000000005d944b64612e",
                "80025d284b64652e",
            ),
            (
                vec![100, 300, 70_000],
                "8004950f000000000000005d94284b644d2c014a70110100652e",
                "80025d284b644d2c014a70110100652e",
            ),
        ] {
            assert_eq!(hex::encode(&encode(&numbers)), default);
            for text in [default, handmade] {
                assert_eq!(decode(&hex::decode(text).unwrap()), Ok(numbers.clone()));
            }
        }
    }

    /// The original runs what a pickle names: this one would run a command.
    #[test]
    fn a_pickle_that_names_a_function_is_an_error() {
        let evil = b"cos\nsystem\n(S'touch /tmp/evil'\ntR.";
        let (op, at) = (b'c', 0);
        assert_eq!(decode(evil), Err(PickleError::Op { op, at }));
        let evil = [&[0x80, 4][..], b"\x8c\x05posix\x8c\x06system\x93."].concat();
        let (op, at) = (0x8c, 2);
        assert_eq!(decode(&evil), Err(PickleError::Op { op, at }));
    }

    #[test]
    fn what_is_no_list_is_an_error() {
        for text in [
            "",
            "8004",
            "80042e",
            "80045d284b012e",
            "80045d",
            "80045d5d2e",
        ] {
            assert!(decode(&hex::decode(text).unwrap()).is_err(), "{text}");
        }
        let trailing = hex::decode("80045d942e00").unwrap();
        assert_eq!(decode(&trailing), Err(PickleError::Trailing));
        let many = encode(&vec![1; NUMBERS_MAX + 1]);
        assert_eq!(decode(&many), Err(PickleError::TooMany));
    }

    proptest! {
        #[test]
        fn any_list_survives_its_bytes(numbers in proptest::collection::vec(any::<i32>(), 0..2_100)) {
            prop_assert_eq!(decode(&encode(&numbers)), Ok(numbers));
        }

        #[test]
        fn any_bytes_are_a_list_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..100)) {
            if let Ok(numbers) = decode(&bytes) {
                prop_assert!(numbers.len() <= bytes.len());
            }
        }
    }
}
