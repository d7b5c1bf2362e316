//! Signature checks in batches of what has arrived, never waiting for more: a batch of one when
//! idle, so that latency never pays for throughput.

use bruit_core::event::{Check, Event, JobId};
use bruit_core::identity::{self, Keys};
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Checks waiting for the end of the driver's round.
#[derive(Debug)]
pub(crate) struct Verifier {
    waiting: Vec<(JobId, Check)>,
    keys: Keys,
    /// Blinds the batch equation: whoever could foresee it could forge batches.
    rng: ChaCha20Rng,
}

impl Verifier {
    /// Signatures checked together. Larger batches gain nothing more and hold the loop longer.
    const BATCH_MAX: usize = 64;

    pub(crate) fn new(seed: [u8; 32]) -> Self {
        Self {
            waiting: Vec::new(),
            keys: Keys::default(),
            rng: ChaCha20Rng::from_seed(seed),
        }
    }

    pub(crate) fn add(&mut self, job: JobId, check: Check) {
        self.waiting.push((job, check));
    }

    /// Checks everything that waits; returns the answers in order.
    pub(crate) fn run(&mut self) -> Vec<Event> {
        let mut answers = Vec::with_capacity(self.waiting.len());
        for batch in self.waiting.chunks(Self::BATCH_MAX) {
            if let [(job, check)] = batch {
                let good = check.content_holds() && self.keys.verify(&check.claim());
                answers.push(Event::Verified { job: *job, good });
                continue;
            }
            let sound: Vec<bool> = batch
                .iter()
                .map(|(_, check)| check.content_holds())
                .collect();
            let claims: Vec<_> = batch
                .iter()
                .zip(&sound)
                .filter(|(_, sound)| **sound)
                .map(|((_, check), _)| check.claim())
                .collect();
            let mut signed =
                identity::verify_batch(&claims, &mut self.keys, &mut self.rng).into_iter();
            for ((job, _), sound) in batch.iter().zip(sound) {
                let good = sound && signed.next().unwrap_or(false);
                answers.push(Event::Verified { job: *job, good });
            }
        }
        self.waiting.clear();
        self.waiting.shrink_to(Self::BATCH_MAX);
        answers
    }
}

#[cfg(test)]
mod tests {
    use bruit_core::identity::SecretKey;
    use bytes::Bytes;

    use super::*;

    #[test]
    fn one_bad_check_in_a_batch_is_found_and_the_others_pass() {
        let key = SecretKey::from_seed(&[1; 32]);
        let mut verifier = Verifier::new([0; 32]);
        for number in 0..100_u8 {
            let message = Bytes::from(vec![number; 40]);
            let mut check = Check {
                key: *key.node_id().as_bytes(),
                signature: key.sign(&message),
                message,
                content: Some((Bytes::from_static(b"x"), *blake3::hash(b"x").as_bytes())),
            };
            match number {
                7 => check.message = Bytes::from_static(b"another"),
                70 => check.content = Some((Bytes::from_static(b"y"), [0; 32])),
                _ => {}
            }
            verifier.add(JobId(number.into()), check);
        }
        let bad: Vec<u64> = verifier
            .run()
            .into_iter()
            .filter_map(|event| match event {
                Event::Verified { job, good: false } => Some(job.0),
                _ => None,
            })
            .collect();
        assert_eq!(bad, [7, 70]);
        assert_eq!(verifier.run(), []);
    }
}
