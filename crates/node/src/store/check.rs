//! Whether what the disk gives back is the bulletin that was put there.
//!
//! A seal tells bits that turned over; this tells a store that somebody changed or exchanged: id,
//! content hash, signature and stamp are checked as when the bulletin came, before anybody gets it.

use bruit_core::bulletin::Bulletin;
use bruit_core::event::Check;
use bruit_core::id::{BulletinId, NetworkId};
use bytes::Bytes;

/// Whether `bytes` are the whole of the bulletin `id` of `network`.
pub(super) fn holds(network: &NetworkId, id: &BulletinId, bytes: &Bytes) -> bool {
    let Ok(bulletin) = Bulletin::decode(bytes, network) else {
        return false;
    };
    let header = &bulletin.header;
    let check = Check {
        key: *header.author.as_bytes(),
        message: header.signed_text(network).into(),
        signature: bulletin.signature,
        content: Some((bulletin.content.clone(), *header.content_id.as_bytes())),
    };
    bulletin.id() == id && bulletin.stamp.verify(id) && check.holds()
}

#[cfg(test)]
mod tests {
    use bruit_core::bulletin::Header;
    use bruit_core::id::TopicId;
    use bruit_core::identity::SecretKey;
    use bruit_core::time::Wall;
    use bruit_core::wire::encode_to_bytes;
    use bruit_core::work::Stamp;

    use super::*;

    #[test]
    fn a_bulletin_with_any_bit_turned_over_is_not_the_one_that_was_put() {
        let network = NetworkId::from_bytes([3; 32]);
        let key = SecretKey::from_seed(&[1; 32]);
        let content = Bytes::from_static(b"content");
        let topic = TopicId::of("news");
        let header = Header::post(topic, key.author_id(), &content, Wall::from_millis(9));
        let mut bulletin = Bulletin::sign(header, content, &network, &key);
        let id = *bulletin.id();
        // Enough work that no other stamp passes for it by chance.
        bulletin.stamp = (0..1 << 20)
            .map(|nonce| Stamp { bits: 14, nonce })
            .find(|stamp| stamp.verify(&id))
            .expect("16,384 trials do");
        let bytes = encode_to_bytes(&bulletin);
        assert!(holds(&network, &id, &bytes));
        assert!(!holds(&NetworkId::from_bytes([4; 32]), &id, &bytes));
        assert!(!holds(&network, &BulletinId::from_bytes([4; 32]), &bytes));
        for at in 0..bytes.len() * 8 {
            let mut broken = bytes.to_vec();
            broken[at / 8] ^= 1 << (at % 8);
            assert!(!holds(&network, &id, &broken.into()), "bit {at}");
        }
        assert!(!holds(&network, &id, &bytes.slice(..bytes.len() - 1)));
    }
}
