//! Many signatures under one equation.
//!
//! Bernstein et al., "High-speed high-security signatures" (2011), §5, with the cofactor of ZIP 215: for
//! random 128-bit z, `[8](Σ zR + Σ zkA − [Σ zs]B)` is the identity when every `[8](R + kA − sB)` is, and
//! otherwise with probability 2⁻¹²⁸. Unlike `ed25519-zebra`'s own, this takes keys as points: unpacking
//! them again for each batch was a quarter of it.

use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::traits::{IsIdentity, VartimeMultiscalarMul};
use curve25519_dalek::{EdwardsPoint, Scalar, constants};
use rand_core::CryptoRng;
use sha2::{Digest, Sha512};

use super::Claim;

/// Bytes of a random factor; the others of a scalar are zero.
const FACTOR_BYTES: usize = 16;

/// The point that `key` is said to be the name of.
pub(super) fn unpack(key: &[u8; 32]) -> Option<EdwardsPoint> {
    CompressedEdwardsY(*key).decompress()
}

/// The sum of what was added.
pub(super) struct Batch {
    scalars: Vec<Scalar>,
    points: Vec<EdwardsPoint>,
    /// Of the base point.
    base: Scalar,
    /// The keys so far, and where in `scalars` each has its factor: who says much is counted once.
    keys: Vec<([u8; 32], usize)>,
}

impl Batch {
    /// For so many signatures.
    pub(super) fn of(signatures: usize) -> Self {
        let terms = signatures.saturating_mul(2).saturating_add(1);
        Self {
            scalars: Vec::with_capacity(terms),
            points: Vec::with_capacity(terms),
            base: Scalar::ZERO,
            keys: Vec::with_capacity(signatures),
        }
    }

    /// Adds `claim` by the owner of `key`; whether its halves are a point and a scalar at all.
    #[expect(
        clippy::arithmetic_side_effects,
        reason = "scalars are numbers modulo a prime: nothing overflows"
    )]
    pub(super) fn add(
        &mut self,
        claim: &Claim<'_>,
        key: &EdwardsPoint,
        rng: &mut impl CryptoRng,
    ) -> bool {
        let signature = ed25519_zebra::Signature::from_bytes(claim.signature.as_bytes());
        let (r, s) = (signature.r_bytes(), signature.s_bytes());
        let s = Option::<Scalar>::from(Scalar::from_canonical_bytes(*s));
        let (Some(s), Some(point)) = (s, unpack(r)) else {
            return false;
        };
        let hash = Sha512::new()
            .chain_update(r)
            .chain_update(claim.key)
            .chain_update(claim.message);
        let k = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let mut factor = [0; 32];
        rng.fill_bytes(&mut factor[..FACTOR_BYTES]);
        let factor = Scalar::from_bytes_mod_order(factor);
        self.base -= factor * s;
        self.push(factor, point);
        let known = self.keys.iter().find(|(known, _)| known == claim.key);
        if let Some(scalar) = known.and_then(|(_, at)| self.scalars.get_mut(*at)) {
            *scalar += factor * k;
        } else {
            self.keys.push((*claim.key, self.scalars.len()));
            self.push(factor * k, *key);
        }
        true
    }

    /// Whether everything that was added is good.
    pub(super) fn holds(mut self) -> bool {
        self.push(self.base, constants::ED25519_BASEPOINT_POINT);
        let sum = EdwardsPoint::vartime_multiscalar_mul(&self.scalars, &self.points);
        sum.mul_by_cofactor().is_identity()
    }

    fn push(&mut self, scalar: Scalar, point: EdwardsPoint) {
        self.scalars.push(scalar);
        self.points.push(point);
    }
}
