//! The puzzle a joining peer solves: find a challenge so that SHA-256 of nonce and challenge begins with
//! three given bytes, in about 16.8 million trials.
//!
//! The documents ask for 24 zero bits; the code compares with the text `000`. We solve what the code
//! wants, since nothing else is accepted, and accept both.

use sha2::{Digest as _, Sha256};

/// What the code of Gossip-5 compares with.
const TEXT: [u8; 3] = *b"000";
/// What its documents say.
const ZEROS: [u8; 3] = [0; 3];

/// Whether `challenge` solves the puzzle `nonce`, by the code's rule or by the documents'.
pub(crate) fn is_solved(nonce: u64, challenge: u64) -> bool {
    let head = head(nonce, challenge);
    head == TEXT || head == ZEROS
}

/// Looks for a solution of `nonce` among the `trials` challenges from `from` on.
pub(crate) fn search(nonce: u64, from: u64, trials: u64) -> Option<u64> {
    (from..from.saturating_add(trials)).find(|challenge| head(nonce, *challenge) == TEXT)
}

fn head(nonce: u64, challenge: u64) -> [u8; 3] {
    let mut hasher = Sha256::new();
    hasher.update(nonce.to_be_bytes());
    hasher.update(challenge.to_be_bytes());
    let digest = hasher.finalize();
    [digest[0], digest[1], digest[2]]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_solution_that_a_bootstrapper_took_is_one() {
        assert!(is_solved(0xd302_dc5c_87cc_30f6, 11_934_259));
        assert!(!is_solved(0xd302_dc5c_87cc_30f6, 11_934_260));
    }

    #[test]
    fn the_smallest_solution_is_found_over_several_steps() {
        let nonce = 0x0102_0304_0506_0708;
        assert_eq!(search(nonce, 0, 45_058), None);
        assert_eq!(search(nonce, 45_000, 1_000), Some(45_058));
        assert!(is_solved(nonce, 45_058));
    }

    /// Of the digests that were seen, the whole: what is hashed is nonce and challenge, in this order.
    #[test]
    fn solutions_have_the_digests_of_the_original() {
        for (nonce, challenge, digest) in [
            (
                0xd302_dc5c_87cc_30f6_u64,
                11_934_259_u64,
                "303030cb3b32f80fa541e3fe88aaae2ccb91d0546171950346dc48903f73e971",
            ),
            (
                0x0102_0304_0506_0708,
                45_058,
                "303030d7f8e08ca3d6830d7ab6ca73eb27e4d5f8851e423b146a6e10d83f0f50",
            ),
        ] {
            let hasher = Sha256::new().chain_update(nonce.to_be_bytes());
            let whole = hasher.chain_update(challenge.to_be_bytes()).finalize();
            assert_eq!(crate::hex::encode(&whole), digest);
            assert_eq!(head(nonce, challenge), TEXT);
        }
    }

    #[test]
    fn three_zero_bytes_are_accepted_too() {
        assert!(is_solved(137, 24_845));
        assert_eq!(head(137, 24_845), ZEROS);
        assert_eq!(
            search(137, 24_845, 1),
            None,
            "the code's rule would refuse it"
        );
    }
}
