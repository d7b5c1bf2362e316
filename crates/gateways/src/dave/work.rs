//! What a value of dave's costs: `SHA256(SHA256(prev ‖ val ‖ tag) ‖ nonce)` begins with zero bytes.
//!
//! The parts are joined without lengths, as the original does. Unlike the original, which draws each
//! nonce from the operating system, a miner counts: the network cannot tell, and it is several times
//! quicker.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;

use sha2::{Digest as _, Sha256};

use super::codec::{Dat, HASH_BYTES, Work};

/// Nonces that one core tries between two looks whether another has found one.
const BATCH: u64 = 4_096;

/// Why a value is not paid for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WorkError {
    /// The work is not that of the value.
    #[error("the work is not that of the value")]
    Wrong,
    /// A nonce of another length.
    #[error("a nonce of {got} bytes, not of 0 or 32")]
    Nonce {
        /// Its bytes.
        got: usize,
    },
    /// It follows something that is no work.
    #[error("what it follows has {got} bytes, not 0 or 32")]
    Prev {
        /// Its bytes.
        got: usize,
    },
}

impl WorkError {
    /// The number the original's `CheckWork` answers.
    pub fn number(self) -> i32 {
        match self {
            Self::Wrong => -1,
            Self::Nonce { .. } => -2,
            Self::Prev { .. } => -3,
        }
    }
}

/// The zero bytes that the work of `dat` begins with.
///
/// # Errors
/// When it is not the work of this value.
pub fn check(dat: &Dat) -> Result<usize, WorkError> {
    if ![0, HASH_BYTES].contains(&dat.nonce.len()) {
        let got = dat.nonce.len();
        return Err(WorkError::Nonce { got });
    }
    if ![0, HASH_BYTES].contains(&dat.prev.len()) {
        let got = dat.prev.len();
        return Err(WorkError::Prev { got });
    }
    let work = work(&load(&dat.prev, &dat.val, &dat.tag), &dat.nonce);
    if dat.work != work {
        return Err(WorkError::Wrong);
    }
    Ok(zero_bytes(&work))
}

/// What the nonces are tried on.
pub fn load(prev: &[u8], val: &[u8], tag: &[u8]) -> [u8; HASH_BYTES] {
    let hash = Sha256::new().chain_update(prev).chain_update(val);
    hash.chain_update(tag).finalize().into()
}

/// The work of a nonce.
pub fn work(load: &[u8; HASH_BYTES], nonce: &[u8]) -> Work {
    Sha256::new()
        .chain_update(load)
        .chain_update(nonce)
        .finalize()
        .into()
}

fn zero_bytes(work: &Work) -> usize {
    work.iter().take_while(|byte| **byte == 0).count()
}

/// A search that others watch and may end.
#[derive(Debug, Default)]
pub struct Search {
    tried: AtomicU64,
    is_over: AtomicBool,
}

impl Search {
    /// Nonces tried so far.
    pub fn tried(&self) -> u64 {
        self.tried.load(Ordering::Relaxed)
    }

    /// Ends it without a result.
    pub fn stop(&self) {
        self.is_over.store(true, Ordering::Relaxed);
    }

    /// Mines with `threads` threads until the work of `dat` begins with `zeros` zero bytes; answers false
    /// when it was stopped before. `start` is where the nonces begin, so that two miners of the same value
    /// need not find the same one. Blocks.
    pub fn mine(&self, dat: &mut Dat, zeros: usize, start: [u8; 16], threads: usize) -> bool {
        let load = load(&dat.prev, &dat.val, &dat.tag);
        let found = thread::scope(|scope| {
            let miners: Vec<_> = (0..threads.max(1))
                .map(|lane| scope.spawn(move || self.lane(&load, zeros, start, lane)))
                .collect();
            // A lane that panicked found nothing, and the others go on.
            let end = |miner: thread::ScopedJoinHandle<'_, _>| miner.join().ok().flatten();
            miners.into_iter().find_map(end)
        });
        let Some(nonce) = found else {
            return false;
        };
        dat.work = work(&load, &nonce).to_vec();
        dat.nonce = nonce.to_vec();
        true
    }

    fn lane(
        &self,
        load: &[u8; HASH_BYTES],
        zeros: usize,
        start: [u8; 16],
        lane: usize,
    ) -> Option<[u8; HASH_BYTES]> {
        let mut nonce = [0; HASH_BYTES];
        nonce[..16].copy_from_slice(&start);
        nonce[16..24].copy_from_slice(&u64::try_from(lane).unwrap_or(0).to_be_bytes());
        let mut count = 0_u64;
        while !self.is_over.load(Ordering::Relaxed) {
            for _ in 0..BATCH {
                nonce[24..].copy_from_slice(&count.to_be_bytes());
                if zero_bytes(&work(load, &nonce)) >= zeros {
                    self.stop();
                    return Some(nonce);
                }
                count += 1;
            }
            self.tried.fetch_add(BATCH, Ordering::Relaxed);
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dave::codec::{Message, Op};
    use crate::hex;

    /// The nonces with which the original mined the same value, and the works that came of them: one, two and
    /// three zero bytes.
    const MINED: [(&str, &str); 3] = [
        (
            "7d26d575be80ebe56a98a55c6148ed465cbdb6f696c65b89c5a2876f4951c240",
            "00a137a2540e8bfc7a7e1d54227fc558b3cf9766e5e898f5793aaec7457a9e13",
        ),
        (
            "57380cd6292cb762f51f2217d63c6b63710b0ef31947c01044f61e5fc80d42b3",
            "0000277ed8e8854cb35ebde43ff80e0a1e63d145a21e431f4ff9b3d46c4f2fa9",
        ),
        (
            "9214510fd78557be229c9e4400ccf76c3ee015764d43a9d6982b6022c6e7b534",
            "0000005b42a861613e6179c49517331265e1b9fbdc007c6737bdd13d0bb9b3cd",
        ),
    ];

    /// A value that the original mined for so many zero bytes.
    fn mined(zeros: usize) -> Dat {
        let (nonce, work) = MINED[zeros - 1];
        Dat {
            prev: Vec::new(),
            work: hex::decode(work).unwrap(),
            nonce: hex::decode(nonce).unwrap(),
            val: b"mined value".to_vec(),
            tag: b"tag".to_vec(),
        }
    }

    #[test]
    fn works_are_those_of_the_original() {
        let (nonce, prev): (Vec<u8>, _) = ((0..32).collect(), [0xaa; 32]);
        let (nonce, prev, no) = (&nonce[..], &prev[..], &[][..]);
        // The datagrams with which the original put these values, in three parts: what comes before the work, the
        // work, and the rest.
        for (prev, val, tag, nonce, before, expected, after) in [
            (
                no,
                "test",
                "",
                nonce,
                "08022220",
                "4da6a7aad87711279c6ba236b4674e5c63dbb4bede486a282c43891f4a1c8db6",
                "2a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f320474657374",
            ),
            (
                no,
                "hello gossip",
                "mytag",
                nonce,
                "08022220",
                "725ed70472051c6a020e84b349e1ce7929b1eecf42da16c09d211ecb60982fb7",
                "2a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f320c68656c6c6f20676f737369703a056d79746167",
            ),
            (
                prev,
                "hello gossip",
                "mytag",
                nonce,
                "08021a20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2220",
                "4c737027cf82b6c9fc297a51d7ced710c7bd55d97117e91d16f9747b07678910",
                "2a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f320c68656c6c6f20676f737369703a056d79746167",
            ),
            (
                no,
                "",
                "",
                no,
                "08022220",
                "5df6e0e2761359d30a8275058e299fcc0381534545f55cf43e41983f5d4c9456",
                "",
            ),
            (
                no,
                "ab",
                "c",
                nonce,
                "08022220",
                "f1d9366197f4430dc3e082a85991c234eaada3dca95f6819f520b6d669de54e0",
                "2a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f320261623a0163",
            ),
            (
                no,
                "a",
                "bc",
                nonce,
                "08022220",
                "f1d9366197f4430dc3e082a85991c234eaada3dca95f6819f520b6d669de54e0",
                "2a20000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f3201613a026263",
            ),
            (
                prev,
                "x",
                "",
                no,
                "08021a20aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa2220",
                "e423ddbb2e7e7072bd53a0bd529e602a54d821842aba4de0e0fa6825ad6c1210",
                "320178",
            ),
        ] {
            let found = work(&load(prev, val.as_bytes(), tag.as_bytes()), nonce);
            assert_eq!(hex::encode(&found), expected);
            let dat = Dat {
                prev: prev.to_vec(),
                work: found.to_vec(),
                nonce: nonce.to_vec(),
                val: val.into(),
                tag: tag.into(),
            };
            assert_eq!(check(&dat), Ok(0));
            let put = Message {
                dat,
                ..Message::of(Op::SetDat)
            };
            assert_eq!(
                hex::encode(&put.encode()),
                [before, expected, after].concat()
            );
        }
    }

    #[test]
    fn values_the_original_mined_are_paid_for() {
        for zeros in 1..=3 {
            let dat = mined(zeros);
            assert_eq!(check(&dat), Ok(zeros));
            // The datagram with which the original put it.
            let (nonce, work) = MINED[zeros - 1];
            let put = format!("08022220{work}2a20{nonce}320b6d696e65642076616c75653a03746167");
            let message = Message {
                dat,
                ..Message::of(Op::SetDat)
            };
            assert_eq!(hex::encode(&message.encode()), put);
            let read = Message::decode(&hex::decode(&put).unwrap()).unwrap();
            assert_eq!(read.message, message);
        }
    }

    #[test]
    fn what_is_not_paid_for_has_the_numbers_of_the_original() {
        let number = |change: fn(&mut Dat)| {
            let mut dat = mined(3);
            change(&mut dat);
            check(&dat).unwrap_err().number()
        };
        assert_eq!(number(|dat| dat.nonce.truncate(31)), -2);
        assert_eq!(number(|dat| dat.prev = vec![0; 31]), -3);
        assert_eq!(number(|dat| dat.nonce.clear()), -1);
        assert_eq!(number(|dat| dat.val.push(b'!')), -1);
        assert_eq!(number(|dat| dat.work.clear()), -1);
    }

    #[test]
    fn what_is_mined_is_paid_for() {
        let mut dat = Dat {
            val: b"a value".to_vec(),
            ..Dat::default()
        };
        assert!(Search::default().mine(&mut dat, 1, [7; 16], 2));
        assert!(check(&dat).unwrap() >= 1);
    }

    #[test]
    fn a_search_that_is_stopped_ends_without_a_result() {
        let search = Search::default();
        search.stop();
        assert!(!search.mine(&mut Dat::default(), 32, [0; 16], 2));
    }
}
