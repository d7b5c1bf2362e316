//! Moments for the bulletins made here.
//!
//! A bulletin's id is made of its header, and the header's clock has milliseconds: two equal drafts
//! made within one would be one bulletin, and the second of them lost. The later one is therefore made
//! a millisecond after the earlier one.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use bruit_core::bulletin::Header;
use bruit_core::time::Wall;
use bruit_core::wire::encode_to_bytes;

/// The last moments given to headers that differ in nothing else.
#[derive(Debug, Default)]
pub(crate) struct Moments {
    last: Mutex<BTreeMap<[u8; 32], Wall>>,
}

impl Moments {
    /// Headers remembered: more than are made within the few milliseconds that matter.
    const HEADERS_MAX: usize = 4_096;

    /// Moves `header` on to a moment no equal header has.
    pub(crate) fn settle(&self, header: &mut Header) {
        let now = std::mem::take(&mut header.created);
        let key = *blake3::hash(&encode_to_bytes(header)).as_bytes();
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        // What lies behind cannot be met again, unless the clock is set back.
        last.retain(|_, moment| *moment >= now);
        header.created = match last.get(&key) {
            Some(moment) => moment.plus(Duration::from_millis(1)),
            None => now,
        };
        if last.len() >= Self::HEADERS_MAX {
            last.pop_first();
        }
        last.insert(key, header.created);
    }
}

#[cfg(test)]
mod tests {
    use bruit_core::id::TopicId;
    use bruit_core::identity::SecretKey;

    use super::*;

    #[test]
    fn equal_headers_get_moments_of_their_own_and_others_the_present() {
        let author = SecretKey::from_seed(&[1; 32]).author_id();
        let moments = Moments::default();
        let settled = |body: &[u8], now| {
            let now = Wall::from_millis(now);
            let mut header = Header::post(TopicId::of("news"), author, body, now);
            moments.settle(&mut header);
            header.created.as_millis()
        };
        assert_eq!([1, 1, 1].map(|now| settled(b"a", now)), [1, 2, 3]);
        assert_eq!(settled(b"b", 1), 1);
        assert_eq!(settled(b"a", 2), 4);
        assert_eq!(settled(b"a", 9), 9);
        assert_eq!(moments.last.lock().expect("no panic").len(), 1);
    }
}
