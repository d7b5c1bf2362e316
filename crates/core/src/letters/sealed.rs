//! Sealing with HPKE (RFC 9180) in base mode: X25519, HKDF-SHA256, ChaCha20-Poly1305.
//!
//! The content of a letter's bulletin is `[encapsulated key: 32][ciphertext]` and has one of five
//! sizes. Delivery code and outer author are authenticated with it: under another code, or in a
//! bulletin by anybody else, it does not open, so nobody can put it into a bulletin of theirs.

use hpke::aead::ChaCha20Poly1305;
use hpke::kdf::HkdfSha256;
use hpke::kem::X25519HkdfSha256;
use hpke::{Deserializable as _, OpModeR, OpModeS, Serializable as _};
use rand_core::CryptoRng;

use crate::id::{AuthorId, NetworkId};

use super::{DeliveryCode, LetterKey, LetterSecret};

/// The sizes of a letter's content, in bytes.
pub const SEALED_SIZES: [usize; 5] = [SEALED_BYTES_MIN, 1_024, 4_096, 16_384, 65_536];
/// The smallest of them, which acknowledgements have.
pub(super) const SEALED_BYTES_MIN: usize = 256;
/// Bytes that sealing adds: encapsulated key and authentication tag.
pub(super) const SEALED_OVERHEAD: usize = ENCAPSULATED + 16;
const ENCAPSULATED: usize = 32;

type Kem = X25519HkdfSha256;

/// The smallest size with room for `plaintext` bytes; none when there is none.
pub fn sealed_size(plaintext: usize) -> Option<usize> {
    let need = plaintext.checked_add(SEALED_OVERHEAD)?;
    SEALED_SIZES.into_iter().find(|size| *size >= need)
}

/// What a seal belongs to, besides its key.
#[derive(Debug, Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) network: &'a NetworkId,
    pub(super) code: &'a DeliveryCode,
    /// The author of the bulletin around it.
    pub(super) author: &'a AuthorId,
}

impl Context<'_> {
    /// `"bruit letter 1" ‖ network_id`
    fn info(&self) -> Vec<u8> {
        [b"bruit letter 1", self.network.as_bytes().as_slice()].concat()
    }

    /// `code: 16 ‖ outer author: 32`
    fn aad(&self) -> Vec<u8> {
        [self.code.as_bytes().as_slice(), self.author.as_bytes()].concat()
    }

    /// Seals `plaintext`, padded by the caller, to `key`. None for a key that no secret belongs to.
    pub(super) fn seal(
        &self,
        key: &LetterKey,
        plaintext: &[u8],
        rng: &mut impl CryptoRng,
    ) -> Option<Vec<u8>> {
        seal(key, &self.info(), &self.aad(), plaintext, rng)
    }

    /// Opens what [`Context::seal`] made; none when it is anything else.
    pub(super) fn open(&self, secret: &LetterSecret, content: &[u8]) -> Option<Vec<u8>> {
        open(secret, &self.info(), &self.aad(), content)
    }
}

fn seal(
    key: &LetterKey,
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
    rng: &mut impl CryptoRng,
) -> Option<Vec<u8>> {
    let key = <Kem as hpke::Kem>::PublicKey::from_bytes(key.as_bytes()).ok()?;
    let (encapsulated, ciphertext) = hpke::single_shot_seal_with_rng::<
        ChaCha20Poly1305,
        HkdfSha256,
        Kem,
    >(&OpModeS::Base, &key, info, plaintext, aad, rng)
    .ok()?;
    Some([encapsulated.to_bytes().as_slice(), &ciphertext].concat())
}

fn open(secret: &LetterSecret, info: &[u8], aad: &[u8], content: &[u8]) -> Option<Vec<u8>> {
    let (encapsulated, ciphertext) = content.split_at_checked(ENCAPSULATED)?;
    let encapsulated = <Kem as hpke::Kem>::EncappedKey::from_bytes(encapsulated).ok()?;
    hpke::single_shot_open::<ChaCha20Poly1305, HkdfSha256, Kem>(
        &OpModeR::Base,
        &secret.0,
        &encapsulated,
        info,
        ciphertext,
        aad,
    )
    .ok()
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;

    use rand_core::{TryCryptoRng, TryRng};

    use super::*;

    /// Draws the bytes it is given, once.
    struct Fixed(Vec<u8>);

    impl TryRng for Fixed {
        type Error = Infallible;

        fn try_next_u32(&mut self) -> Result<u32, Infallible> {
            panic!("only bytes are drawn")
        }

        fn try_next_u64(&mut self) -> Result<u64, Infallible> {
            panic!("only bytes are drawn")
        }

        fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Infallible> {
            let rest = self.0.split_off(bytes.len());
            bytes.copy_from_slice(&std::mem::replace(&mut self.0, rest));
            Ok(())
        }
    }

    impl TryCryptoRng for Fixed {}

    fn unhex(text: &str) -> Vec<u8> {
        let digit = |byte: &u8| u8::try_from(char::from(*byte).to_digit(16).unwrap()).unwrap();
        let pairs = text.as_bytes().chunks_exact(2);
        pairs
            .map(|pair| digit(&pair[0]) << 4 | digit(&pair[1]))
            .collect()
    }

    fn unhex32(text: &str) -> [u8; 32] {
        unhex(text).try_into().unwrap()
    }

    /// RFC 9180, appendix A.2.1: DHKEM(X25519, HKDF-SHA256), HKDF-SHA256, ChaCha20-Poly1305, base
    /// setup information and the encryption with sequence number 0.
    #[test]
    fn rfc_9180_vector_is_sealed_and_opened() {
        let info = unhex("4f6465206f6e2061204772656369616e2055726e");
        let ikm_e = unhex("909a9b35d3dc4713a5e72a4da274b55d3d3821a37e5d099e74a647db583a904b");
        let public = unhex32("4310ee97d88cc1f088a5576c77ab0cf5c3ac797f3d95139c6c84b5429c59662a");
        let secret = unhex32("8057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75975c4478e0fb");
        let enc = "1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a";
        let plaintext = unhex("4265617574792069732074727574682c20747275746820626561757479");
        let aad = unhex("436f756e742d30");
        let ciphertext = "1c5250d8034ec2b784ba2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db\
                          21993c62ce81883d2dd1b51a28";
        let (key, secret) = (
            LetterKey::from_bytes(public),
            LetterSecret::from_bytes(&secret),
        );
        assert_eq!(secret.public(), key);
        let sealed = seal(&key, &info, &aad, &plaintext, &mut Fixed(ikm_e)).unwrap();
        assert_eq!(sealed, unhex(&format!("{enc}{ciphertext}")));
        assert_eq!(open(&secret, &info, &aad, &sealed), Some(plaintext));
    }

    #[test]
    fn key_without_a_secret_is_refused() {
        // The points of small order: every shared secret with them is zero.
        let mut one = [0; 32];
        one[0] = 1;
        for low in [[0; 32], one] {
            let key = LetterKey::from_bytes(low);
            assert_eq!(seal(&key, b"", b"", b"x", &mut Fixed(vec![7; 32])), None);
            let content = [low.as_slice(), &[0; 64]].concat();
            let secret = LetterSecret::from_bytes(&[7; 32]);
            assert_eq!(open(&secret, b"", b"", &content), None);
        }
    }

    #[test]
    fn sizes_are_five_and_the_smallest_is_taken() {
        assert_eq!(sealed_size(0), Some(256));
        assert_eq!(sealed_size(208), Some(256));
        assert_eq!(sealed_size(209), Some(1_024));
        assert_eq!(sealed_size(65_488), Some(65_536));
        assert_eq!(sealed_size(65_489), None);
        assert_eq!(sealed_size(usize::MAX), None);
    }
}
