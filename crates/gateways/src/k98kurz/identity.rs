//! Keys of k98kurz/gossip: an Ed25519 key is a node's address and signs, and its other form opens what was
//! sealed to it.
//!
//! The seal is libsodium's: an ephemeral X25519 key, `XSalsa20` and Poly1305, 48 bytes longer than the text.

use std::fmt;

use blake2::Blake2b;
use blake2::digest::consts::U24;
use curve25519_dalek::edwards::CompressedEdwardsY;
use curve25519_dalek::montgomery::MontgomeryPoint;
use ed25519_zebra::{Signature, SigningKey, VerificationKey};
use poly1305::Poly1305;
use poly1305::universal_hash::KeyInit as _;
use salsa20::cipher::consts::U10;
use salsa20::cipher::{KeyIvInit as _, StreamCipher as _};
use salsa20::{XSalsa20, hsalsa};
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

/// Bytes of an address.
pub const ADDRESS_BYTES: usize = 32;
/// What a seal adds.
pub const SEAL_BYTES: usize = 48;
/// Bytes of a signature.
pub const SIGNATURE_BYTES: usize = 64;

/// A node, by its key.
pub type Address = [u8; ADDRESS_BYTES];

/// A node's keys.
pub struct Identity {
    signing: SigningKey,
    address: Address,
    opening: Zeroizing<[u8; 32]>,
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Identity")
            .field("address", &crate::hex::encode(&self.address))
            .finish_non_exhaustive()
    }
}

impl Identity {
    /// The keys of a seed.
    pub fn from_seed(seed: &[u8; 32]) -> Self {
        let signing = SigningKey::from(*seed);
        let address = VerificationKey::from(&signing).into();
        let hash = Zeroizing::new(<[u8; 64]>::from(Sha512::digest(seed)));
        let mut opening = Zeroizing::new([0; 32]);
        opening.copy_from_slice(&hash[..32]);
        Self {
            signing,
            address,
            opening,
        }
    }

    /// The node's address.
    pub const fn address(&self) -> &Address {
        &self.address
    }

    /// Signs a text.
    pub fn sign(&self, text: &[u8]) -> [u8; SIGNATURE_BYTES] {
        self.signing.sign(text).into()
    }

    /// Opens what was sealed to this node; none when it was not, or was changed.
    pub fn open(&self, sealed: &[u8]) -> Option<Vec<u8>> {
        let (ephemeral, rest) = sealed.split_first_chunk::<32>()?;
        let (tag, text) = rest.split_first_chunk::<16>()?;
        let own = opening_key(&self.address)?;
        let shared = MontgomeryPoint(*ephemeral).mul_clamped(*self.opening);
        let mut text = text.to_vec();
        let mut cipher = Cipher::new(&shared, ephemeral, &own);
        let expected = cipher.tag(&text);
        // The sender is nobody we know, and learns nothing from the time this takes but that it is wrong.
        if expected != *tag {
            return None;
        }
        cipher.apply(&mut text);
        Some(text)
    }
}

/// Whether `signature` of `text` is that of the node at `address`.
pub fn is_signed(address: &Address, text: &[u8], signature: &[u8; SIGNATURE_BYTES]) -> bool {
    let key = VerificationKey::try_from(*address);
    key.is_ok_and(|key| key.verify(&Signature::from(*signature), text).is_ok())
}

/// Seals a text to the node at `address`; none when that is no key. `ephemeral` is 32 secret random bytes,
/// never used twice.
pub fn seal(address: &Address, text: &[u8], ephemeral: &[u8; 32]) -> Option<Vec<u8>> {
    let to = opening_key(address)?;
    let public = MontgomeryPoint::mul_base_clamped(*ephemeral);
    let shared = to.mul_clamped(*ephemeral);
    let mut text = text.to_vec();
    let mut cipher = Cipher::new(&shared, public.as_bytes(), &to);
    cipher.apply(&mut text);
    let tag = cipher.tag(&text);
    Some([public.as_bytes().as_slice(), &tag, &text].concat())
}

/// The key to which things are sealed for the node at `address`.
fn opening_key(address: &Address) -> Option<MontgomeryPoint> {
    let point = CompressedEdwardsY(*address).decompress()?;
    let key = point.to_montgomery();
    (!point.is_small_order()).then_some(key)
}

/// The cipher of one seal.
struct Cipher {
    stream: XSalsa20,
    authenticator: Zeroizing<[u8; 32]>,
}

impl Cipher {
    fn new(shared: &MontgomeryPoint, ephemeral: &[u8; 32], to: &MontgomeryPoint) -> Self {
        let key = hsalsa::<U10>(shared.as_bytes().into(), &[0; 16].into());
        let both = [ephemeral.as_slice(), to.as_bytes()].concat();
        let nonce = Blake2b::<U24>::digest(both);
        let mut stream = XSalsa20::new(&key, &nonce);
        let mut authenticator = Zeroizing::new([0; 32]);
        stream.apply_keystream(&mut *authenticator);
        Self {
            stream,
            authenticator,
        }
    }

    fn apply(&mut self, text: &mut [u8]) {
        self.stream.apply_keystream(text);
    }

    fn tag(&self, ciphertext: &[u8]) -> [u8; 16] {
        let key = (&*self.authenticator).into();
        Poly1305::new(key).compute_unpadded(ciphertext).into()
    }
}
