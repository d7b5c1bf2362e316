//! The wire: canonical, versioned, length-checked.
//!
//! Every type is laid by hand in big-endian, fixed-width integers and counted lists, so that each
//! value has exactly one encoding and each accepted byte string exactly one value:
//! `decode(encode(x)) = x` and `encode(decode(b)) = b`. A general serialisation format would give
//! the first of the two, but not the second (its variable-length integers have several spellings).

mod frame;
mod reader;

pub use frame::{Frame, IhaveEntry, PUB_HEAD_BYTES, StampEntry, encode_pub, kind};
pub use reader::{Decode, DecodeError, Encode, Reader, decode_all, encode_list, encode_to_bytes};
