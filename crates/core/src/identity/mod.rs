//! Keys, signatures, and one rule for which signatures are good.
//!
//! Ed25519 under the rules of ZIP 215: batch and single verification accept exactly the same set,
//! so no node can be tricked into relaying what its neighbour, checking one by one, rejects.

mod batch;

use std::collections::BTreeMap;
use std::fmt;

use curve25519_dalek::EdwardsPoint;
use ed25519_zebra::{SigningKey, VerificationKey, VerificationKeyBytes};
use rand_core::CryptoRng;
use zeroize::Zeroize as _;

use self::batch::Batch;
use crate::id::{AuthorId, NodeId, debug_hex};
use crate::latest::Latest;

/// An Ed25519 signature as it travels.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Takes the 64 bytes as they are.
    pub const fn from_bytes(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// The 64 bytes.
    pub const fn as_bytes(&self) -> &[u8; 64] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        debug_hex(f, "Signature", &self.0)
    }
}

impl serde::Serialize for Signature {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

impl<'de> serde::Deserialize<'de> for Signature {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let bytes = bytes::Bytes::deserialize(deserializer)?;
        let array = <[u8; 64]>::try_from(bytes.as_ref())
            .map_err(|_| serde::de::Error::invalid_length(bytes.len(), &"64 bytes"))?;
        Ok(Self(array))
    }
}

/// A private key. It signs and tells its public half; it is never printed and wiped when dropped.
#[derive(Clone)]
pub struct SecretKey(SigningKey);

/// The key inside is plain bytes to its library, which wipes nothing by itself.
impl Drop for SecretKey {
    fn drop(&mut self) {
        self.0.zeroize();
    }
}

impl SecretKey {
    /// The key grown from 32 secret random bytes.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        Self(SigningKey::from(*seed))
    }

    /// The public half, as a node.
    pub fn node_id(&self) -> NodeId {
        NodeId::from_bytes(VerificationKeyBytes::from(&self.0).into())
    }

    /// The public half, as an author.
    pub fn author_id(&self) -> AuthorId {
        AuthorId::from_bytes(VerificationKeyBytes::from(&self.0).into())
    }

    /// Signs `message`. About 10 µs.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for SecretKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SecretKey(of {:?})", self.node_id())
    }
}

/// One signature to check.
#[derive(Debug, Clone, Copy)]
pub struct Claim<'a> {
    /// The public key that is said to have signed.
    pub key: &'a [u8; 32],
    /// What is said to have been signed.
    pub message: &'a [u8],
    /// The signature.
    pub signature: &'a Signature,
}

impl Claim<'_> {
    /// Whether the signature is good. About 20 to 40 µs.
    pub fn verify(&self) -> bool {
        unpack(self.key).is_some_and(|key| self.is_by(&key))
    }

    fn is_by(&self, key: &VerificationKey) -> bool {
        let signature = ed25519_zebra::Signature::from_bytes(&self.signature.0);
        key.verify(&signature, self.message).is_ok()
    }
}

/// The key of this name, where a point has it.
fn unpack(name: &[u8; 32]) -> Option<VerificationKey> {
    VerificationKey::try_from(VerificationKeyBytes::from(*name)).ok()
}

/// Keys that were used lately: who says one thing says more, and unpacking a key is an eighth of a check
/// and a quarter of one in a batch.
#[derive(Debug)]
pub struct Keys {
    /// As single checks take them, and as batches do.
    known: Latest<[u8; 32], (VerificationKey, EdwardsPoint)>,
}

impl Default for Keys {
    fn default() -> Self {
        Self {
            known: Latest::new(Self::MAX),
        }
    }
}

impl Keys {
    /// Keys remembered, about 500 bytes each; the oldest go.
    const MAX: usize = 256;

    /// Whether `claim` is good: the same verdict as [`Claim::verify`].
    pub fn verify(&mut self, claim: &Claim<'_>) -> bool {
        if let Some((key, _)) = self.known.get(claim.key) {
            return claim.is_by(key);
        }
        let Some(key) = unpack(claim.key).filter(|key| claim.is_by(key)) else {
            return false;
        };
        // Only the owner of a key makes it stay here.
        if let Some(point) = batch::unpack(claim.key) {
            self.remember(*claim.key, key, point);
        }
        true
    }

    fn remember(&mut self, name: [u8; 32], key: VerificationKey, point: EdwardsPoint) {
        self.known.insert(name, (key, point));
    }

    /// Whether all of `claims` are good.
    fn verify_together(&mut self, claims: &[Claim<'_>], rng: &mut impl CryptoRng) -> bool {
        let mut strangers = BTreeMap::new();
        let mut batch = Batch::of(claims.len());
        for claim in claims {
            let known = self.known.get(claim.key).map(|(_, point)| *point);
            let known = known.or_else(|| strangers.get(claim.key).copied());
            let Some(point) = known.or_else(|| batch::unpack(claim.key)) else {
                return false;
            };
            if known.is_none() {
                strangers.insert(*claim.key, point);
            }
            if !batch.add(claim, &point, rng) {
                return false;
            }
        }
        let is_good = batch.holds();
        for (name, point) in strangers.into_iter().filter(|_| is_good) {
            if let Some(key) = unpack(&name) {
                self.remember(name, key, point);
            }
        }
        is_good
    }
}

/// Checks `claims` together, 8 to 18 µs each in a large batch, and one by one when the batch fails.
/// Returns the verdict of each in order.
pub fn verify_batch(claims: &[Claim<'_>], keys: &mut Keys, rng: &mut impl CryptoRng) -> Vec<bool> {
    if claims.len() > 1 && keys.verify_together(claims, rng) {
        return vec![true; claims.len()];
    }
    claims.iter().map(|claim| keys.verify(claim)).collect()
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;
    use rand_chacha::ChaCha8Rng;
    use rand_core::SeedableRng;

    use super::*;

    /// Every encoding of the eight points of small order that decodes: eight canonical ones, then six
    /// with the sign of a zero or with `y ≥ p`.
    const SMALL_ORDER: [&str; 14] = [
        "0100000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "0000000000000000000000000000000000000000000000000000000000000080",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
        "0000000000000000000000000000000000000000000000000000000000000000",
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        "0100000000000000000000000000000000000000000000000000000000000080",
        "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
        "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff",
    ];
    /// The first bytes of `y ≥ p`, up to `2²⁵⁵ − 1`; some are on the curve, some not.
    const NOT_CANONICAL: std::ops::RangeInclusive<u8> = 0xef..=0xff;
    /// The order of the prime subgroup, little-endian.
    const L: &str = "edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010";

    /// Signatures of `"torsion"` by one key, made with a point of order eight added to R, to A, to
    /// both, and to neither. A check without cofactor would refuse the first three.
    const MIXED_ORDER: [(&str, &str, &str); 4] = [
        (
            "0f7608783489684c04726001595638e5258c2ed0bdb3d18d9e3453ea8bb458ad",
            "186ed2bdbd1a36f6437c5168b0221914018ea4f32a1c3fcd1c1794d64fbd596e",
            "33c6a5eadc72bb3cee76ff29cc80334adb121c72006cac526c18c33cabcb4e09",
        ),
        (
            "c668425144eca1e8f9a8e178986f150a310e6f426cbc38a42c17a9e0c0e71982",
            "b31b20f50426242514d81b383548bd90de72fd0b8cf2382a88f9f52ce5076b23",
            "361c19db738a3b691d413d47316c66e77d96e392a6f283aa89f2db40aa91f60c",
        ),
        (
            "c668425144eca1e8f9a8e178986f150a310e6f426cbc38a42c17a9e0c0e71982",
            "4c261951fba9f4ba7ece40431f212269f58becc2473c54cecda0e8f1e6f9d253",
            "b335536d7923df5af79d4ce1ce24c6d6397eb3185dfbf2b66a9076d5c150c80a",
        ),
        (
            "0f7608783489684c04726001595638e5258c2ed0bdb3d18d9e3453ea8bb458ad",
            "b31b20f50426242514d81b383548bd90de72fd0b8cf2382a88f9f52ce5076b23",
            "cc8f58f9abcd68cb1da09d5fb631b5ae83056c10cc6340ecad633ef66885220e",
        ),
    ];
    /// The last of them with L added to S.
    const S_OVER_L: &str = "b9634e56c6307b23f43c9502952b94c383056c10cc6340ecad633ef66885221e";

    /// What somebody may send: key, message, signature.
    #[derive(Debug, Clone)]
    struct Sent {
        key: [u8; 32],
        message: Vec<u8>,
        signature: Signature,
    }

    impl Sent {
        fn claim(&self) -> Claim<'_> {
            Claim {
                key: &self.key,
                message: &self.message,
                signature: &self.signature,
            }
        }
    }

    fn bytes(hex: &str) -> [u8; 32] {
        let id: NodeId = hex.parse().expect("64 hexadecimal characters");
        *id.as_bytes()
    }

    fn sent(key: [u8; 32], r: [u8; 32], s: [u8; 32]) -> Sent {
        let mut signature = [0; 64];
        signature[..32].copy_from_slice(&r);
        signature[32..].copy_from_slice(&s);
        Sent {
            key,
            message: b"torsion".to_vec(),
            signature: Signature::from_bytes(signature),
        }
    }

    fn good(number: u8) -> Sent {
        let key = SecretKey::from_seed(&[number; 32]);
        let message = vec![number; usize::from(number)];
        Sent {
            key: *key.node_id().as_bytes(),
            signature: key.sign(&message),
            message,
        }
    }

    /// Good and bad ones at every edge of the rules, with the verdict of ZIP 215.
    fn edges() -> Vec<(Sent, bool)> {
        let mut edges = Vec::new();
        for a in SMALL_ORDER.map(bytes) {
            for r in SMALL_ORDER.map(bytes) {
                edges.push((sent(a, r, [0; 32]), true));
                edges.push((sent(a, r, bytes(L)), false));
            }
        }
        let mixed = MIXED_ORDER.map(|(a, r, s)| (bytes(a), bytes(r), bytes(s)));
        edges.extend(mixed.map(|(a, r, s)| (sent(a, r, s), true)));
        let (a, r, s) = mixed[3];
        edges.push((sent(a, r, bytes(S_OVER_L)), false));
        edges.push((sent(a, r, [0xff; 32]), false));
        edges.push((sent(a, [0; 32], [0; 32]), false));
        for low in NOT_CANONICAL {
            for high in [0x7f, 0xff] {
                let mut point = [0xff; 32];
                (point[0], point[31]) = (low, high);
                edges.push((sent(point, r, s), false));
                edges.push((sent(a, point, s), false));
                edges.push((sent(point, point, [0; 32]), false));
            }
        }
        // y = 2 is on no point of the curve.
        let mut off = [0; 32];
        off[0] = 2;
        edges.push((sent(off, r, s), false));
        edges.push((sent(a, off, s), false));
        edges
    }

    /// The verdict of the batch alone, without looking at each when it fails: that of `ed25519-zebra`'s.
    #[track_caller]
    fn together(sent: &[Sent], rng: &mut ChaCha8Rng) -> bool {
        let mut reference = ed25519_zebra::batch::Verifier::new();
        for one in sent {
            let key = VerificationKeyBytes::from(one.key);
            let signature = ed25519_zebra::Signature::from_bytes(&one.signature.0);
            reference.queue((key, signature, &one.message));
        }
        let is_good = reference.verify(&mut *rng).is_ok();
        let claims: Vec<_> = sent.iter().map(Sent::claim).collect();
        let mut keys = Keys::default();
        // The second time the keys are known, if they are good.
        for _ in 0..2 {
            assert_eq!(keys.verify_together(&claims, rng), is_good, "{sent:?}");
        }
        is_good
    }

    /// The library's key is `Copy`, so that nothing wiped it: our documentation said it was, and it was not.
    #[test]
    fn a_dropped_key_is_wiped() {
        assert!(std::mem::needs_drop::<SecretKey>());
        let mut key = SecretKey::from_seed(&[7; 32]);
        key.0.zeroize();
        assert_ne!(key.node_id(), SecretKey::from_seed(&[7; 32]).node_id());
    }

    #[test]
    fn every_edge_has_the_verdict_of_zip_215_alone_and_among_good_ones() {
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        for (edge, is_good) in edges() {
            assert_eq!(edge.claim().verify(), is_good, "{edge:?}");
            assert_eq!(
                together(std::slice::from_ref(&edge), &mut rng),
                is_good,
                "{edge:?}"
            );
            let mut all: Vec<Sent> = (1..8).map(good).collect();
            all.insert(4, edge);
            assert_eq!(together(&all, &mut rng), is_good, "{:?}", all[4]);
            let claims: Vec<_> = all.iter().map(Sent::claim).collect();
            let mut verdicts = vec![true; 8];
            verdicts[4] = is_good;
            assert_eq!(
                verify_batch(&claims, &mut Keys::default(), &mut rng),
                verdicts,
                "{:?}",
                all[4]
            );
        }
    }

    #[test]
    fn errors_of_two_signatures_do_not_cancel_out() {
        let mut rng = ChaCha8Rng::seed_from_u64(2);
        // Swapped halves: the sum of both equations would hold without random factors.
        let (mut a, mut b) = (good(1), good(1));
        b.message = b"another".to_vec();
        b.signature = SecretKey::from_seed(&[1; 32]).sign(&b.message);
        let s = |sent: &Sent| sent.signature.as_bytes()[32..].to_vec();
        let (of_a, of_b) = (s(&a), s(&b));
        for (sent, s) in [(&mut a, of_b), (&mut b, of_a)] {
            let mut bytes = *sent.signature.as_bytes();
            bytes[32..].copy_from_slice(&s);
            sent.signature = Signature::from_bytes(bytes);
        }
        assert_eq!(
            verify_batch(&[a.claim(), b.claim()], &mut Keys::default(), &mut rng),
            [false, false]
        );
        assert!(!together(&[a, b], &mut rng));
        assert_eq!(verify_batch(&[], &mut Keys::default(), &mut rng), [true; 0]);
    }

    /// A good signature, one with a bit changed somewhere, or one at an edge.
    fn any_sent() -> impl Strategy<Value = Sent> {
        let edges: Vec<Sent> = edges().into_iter().map(|(sent, _)| sent).collect();
        let mutated = (1_u8..20, 0_usize..96, 0_u32..8).prop_map(|(number, at, bit)| {
            let mut sent = good(number);
            let mut signature = *sent.signature.as_bytes();
            match at {
                0..64 => signature[at] ^= 1 << bit,
                at => sent.key[at % 32] ^= 1 << bit,
            }
            sent.signature = Signature::from_bytes(signature);
            sent
        });
        prop_oneof![
            4 => (1_u8..20).prop_map(good),
            1 => mutated,
            2 => proptest::sample::select(edges),
        ]
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 200, failure_persistence: None, ..ProptestConfig::default() })]

        #[test]
        fn a_batch_accepts_exactly_what_single_checks_accept(
            sent in vec(any_sent(), 1..12), seed in any::<u64>(),
        ) {
            let mut rng = ChaCha8Rng::seed_from_u64(seed);
            let singly: Vec<bool> = sent.iter().map(|sent| sent.claim().verify()).collect();
            let claims: Vec<_> = sent.iter().map(Sent::claim).collect();
            prop_assert_eq!(together(&sent, &mut rng), singly.iter().all(|good| *good));
            let mut keys = Keys::default();
            // The second time the keys are known.
            for _ in 0..2 {
                prop_assert_eq!(&verify_batch(&claims, &mut keys, &mut rng), &singly);
                for (claim, good) in claims.iter().zip(&singly) {
                    prop_assert_eq!(keys.verify(claim), *good);
                }
            }
        }
    }
}
