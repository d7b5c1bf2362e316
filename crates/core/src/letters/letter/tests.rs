//! What is inside a letter, and who cannot read or change it.

use std::collections::BTreeSet;

use proptest::collection::vec;
use proptest::prelude::*;
use rand_chacha::ChaCha8Rng;
use rand_core::SeedableRng;

use super::super::BucketBits;
use super::*;

const NETWORK: NetworkId = NetworkId::from_bytes([9; 32]);
const CODE: DeliveryCode = DeliveryCode::from_bytes([5; 16]);

/// Somebody with keys of their own.
struct Person {
    key: SecretKey,
    secret: LetterSecret,
}

impl Person {
    fn new(number: u8) -> Self {
        let key = SecretKey::from_seed(&[number; 32]);
        let secret = LetterSecret::derive(&[number; 32], &key.author_id());
        Self { key, secret }
    }

    fn id(&self) -> AuthorId {
        self.key.author_id()
    }

    fn letterbox(&self) -> Letterbox {
        Letterbox {
            key: self.secret.public(),
            code: CODE,
            bits: BucketBits::default(),
        }
    }

    fn open(&self, author: &AuthorId, content: &[u8]) -> Result<Letter, OpenError> {
        self.open_under(&CODE, author, content)
    }

    fn open_under(
        &self,
        code: &DeliveryCode,
        author: &AuthorId,
        content: &[u8],
    ) -> Result<Letter, OpenError> {
        let opener = Opener {
            network: &NETWORK,
            identity: &self.id(),
            secret: &self.secret,
            code,
        };
        Letter::open(&opener, author, content)
    }
}

fn rng() -> ChaCha8Rng {
    ChaCha8Rng::from_seed([3; 32])
}

/// A letter from `from` to `to`.
fn letter(from: &Person, to: &Person, body: &[u8]) -> Letter {
    Letter {
        purpose: Purpose::Message,
        from: from.id(),
        to: to.id(),
        id: LetterId::from_bytes([7; 32]),
        created: Wall::from_millis(1_800_000_000_000),
        expires: Wall::from_millis(1_800_000_600_000),
        reply: from.letterbox(),
        acknowledgement: Bytes::from_static(&[0xac; 458]),
        body: Bytes::copy_from_slice(body),
    }
}

/// The author of a letter's bulletin, which exists for that one.
fn one_time() -> AuthorId {
    SecretKey::from_seed(&[0x77; 32]).author_id()
}

fn seal(letter: &Letter, from: &Person, to: &Person) -> Bytes {
    let sealed = letter.seal(
        &NETWORK,
        &to.letterbox(),
        &from.key,
        &one_time(),
        &mut rng(),
    );
    sealed.expect("a good letter")
}

#[test]
fn inside_has_the_documented_bytes() {
    let [alice, bob] = [1, 2].map(Person::new);
    let letter = letter(&alice, &bob, b"hello");
    let (from, key) = (alice.id(), alice.secret.public());
    let expected = [
        &[1, 0][..],
        from.as_bytes(),
        &[7; 32],
        &1_800_000_000_000_u64.to_be_bytes(),
        &1_800_000_600_000_u64.to_be_bytes(),
        &[1],
        key.as_bytes(),
        &[5; 16],
        &[0],
        &[1, 0xca],
        &[0xac; 458],
        &[0, 0, 0, 5],
        b"hello",
    ];
    assert_eq!(letter.inside(), expected.concat());
}

/// One fixed letter, its sealed bytes by their hash: a change of one byte is a change of the protocol.
#[test]
fn sealed_letter_has_the_same_bytes_as_ever() {
    let [alice, bob] = [1, 2].map(Person::new);
    let sealed = seal(&letter(&alice, &bob, b"hello"), &alice, &bob);
    assert_eq!(sealed.len(), 1_024);
    let hash = blake3::hash(&sealed).to_hex();
    assert_eq!(&hash[..32], "c65bf514ca1693e1af0ce4f316897ac2");
}

#[test]
fn only_the_receiver_opens() {
    let [alice, bob, carol] = [1, 2, 3].map(Person::new);
    let letter = letter(&alice, &bob, b"hello");
    let sealed = seal(&letter, &alice, &bob);
    assert_eq!(bob.open(&one_time(), &sealed), Ok(letter));
    for other in [&alice, &carol] {
        assert_eq!(other.open(&one_time(), &sealed), Err(OpenError::Seal));
    }
}

#[test]
fn under_another_code_it_does_not_open() {
    let [alice, bob] = [1, 2].map(Person::new);
    let sealed = seal(&letter(&alice, &bob, b"hello"), &alice, &bob);
    let other = DeliveryCode::from_bytes([6; 16]);
    let opened = bob.open_under(&other, &one_time(), &sealed);
    assert_eq!(opened, Err(OpenError::Seal));
}

/// Replayed: whoever relays a letter cannot put its content into a bulletin of their own, with a new
/// date and another price.
#[test]
fn in_another_bulletin_it_does_not_open() {
    let [alice, bob, mallory] = [1, 2, 66].map(Person::new);
    let sealed = seal(&letter(&alice, &bob, b"hello"), &alice, &bob);
    assert_eq!(bob.open(&mallory.id(), &sealed), Err(OpenError::Seal));
}

#[test]
fn changed_truncated_extended_or_reordered_it_does_not_open() {
    let [alice, bob] = [1, 2].map(Person::new);
    let sealed = seal(&letter(&alice, &bob, &[b'x'; 2_000]), &alice, &bob).to_vec();
    assert_eq!(sealed.len(), 4_096);
    for at in (0..sealed.len()).step_by(61) {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert_eq!(
            bob.open(&one_time(), &changed),
            Err(OpenError::Seal),
            "{at}"
        );
    }
    for length in [0, 1, 31, 32, 47, 48, 255, 256, 1_024, 4_095] {
        let cut = &sealed[..length];
        assert_eq!(bob.open(&one_time(), cut), Err(OpenError::Seal), "{length}");
    }
    let mut longer = sealed.clone();
    longer.resize(16_384, 0);
    assert_eq!(bob.open(&one_time(), &longer), Err(OpenError::Seal));
    let mut swapped = sealed;
    for at in 0..64 {
        swapped.swap(64 + at, 128 + at);
    }
    assert_eq!(bob.open(&one_time(), &swapped), Err(OpenError::Seal));
}

/// Bob has a letter from Alice: he cannot show it to Carol as one to her.
#[test]
fn letter_sealed_again_to_somebody_else_has_a_wrong_signature() {
    let [alice, bob, carol] = [1, 2, 3].map(Person::new);
    let sealed = seal(&letter(&alice, &bob, b"i owe you a beer"), &alice, &bob);
    let context = Context {
        network: &NETWORK,
        code: &CODE,
        author: &one_time(),
    };
    let plaintext = context.open(&bob.secret, &sealed).unwrap();
    let again = context
        .seal(&carol.secret.public(), &plaintext, &mut rng())
        .unwrap();
    assert_eq!(carol.open(&one_time(), &again), Err(OpenError::Signature));
    // To himself it is what it was.
    let again = context
        .seal(&bob.secret.public(), &plaintext, &mut rng())
        .unwrap();
    assert!(bob.open(&one_time(), &again).is_ok());
}

/// Who has Bob's letter key reads what comes to Bob, but cannot write to him in Alice's name.
#[test]
fn stolen_letter_key_of_the_receiver_forges_nobody() {
    let [alice, bob, mallory] = [1, 2, 66].map(Person::new);
    let mut forged = letter(&alice, &bob, b"send money");
    forged.from = mallory.id();
    let sealed = seal(&forged, &mallory, &bob);
    let context = Context {
        network: &NETWORK,
        code: &CODE,
        author: &one_time(),
    };
    let mut plaintext = context.open(&bob.secret, &sealed).unwrap();
    plaintext[2..34].copy_from_slice(alice.id().as_bytes());
    let sealed = context
        .seal(&bob.secret.public(), &plaintext, &mut rng())
        .unwrap();
    assert_eq!(bob.open(&one_time(), &sealed), Err(OpenError::Signature));
}

/// Who has all of Alice's keys cannot read what she wrote: the key it was sealed with is gone.
#[test]
fn stolen_keys_of_the_sender_open_nothing_she_sent() {
    let [alice, bob] = [1, 2].map(Person::new);
    let sealed = seal(&letter(&alice, &bob, b"hello"), &alice, &bob);
    assert_eq!(alice.open(&one_time(), &sealed), Err(OpenError::Seal));
    let signing = LetterSecret::from_bytes(&[1; 32]);
    let thief = Opener {
        network: &NETWORK,
        identity: &bob.id(),
        secret: &signing,
        code: &CODE,
    };
    let opened = Letter::open(&thief, &one_time(), &sealed);
    assert_eq!(opened, Err(OpenError::Seal));
}

/// A validly sealed letter whose inside is anything at all.
#[test]
fn garbage_inside_a_good_seal_is_told_from_a_letter() {
    let [alice, bob] = [1, 2].map(Person::new);
    let envelope = Context {
        network: &NETWORK,
        code: &CODE,
        author: &one_time(),
    };
    let open = |plaintext: &[u8]| {
        let key = bob.secret.public();
        let sealed = envelope.seal(&key, plaintext, &mut rng()).unwrap();
        bob.open(&one_time(), &sealed)
    };
    let good = {
        let sealed = seal(&letter(&alice, &bob, b"hello"), &alice, &bob);
        envelope.open(&bob.secret, &sealed).unwrap()
    };
    assert!(open(&good).is_ok());
    let room = 256 - SEALED_OVERHEAD;
    for plaintext in [vec![0; room], vec![1; room], vec![0xff; room], vec![0; 976]] {
        assert!(matches!(open(&plaintext), Err(OpenError::Malformed(_))));
    }
    let body_length = 2 + 32 + 32 + 16 + 50 + 2 + 458;
    let wrong = [
        (0, 2, "version"),
        (1, 2, "purpose"),
        (82, 9, "letterbox"),
        (132, 2, "acknowledgement length"),
        (body_length, 0xff, "body length"),
        (body_length + 3, 200, "more body than there is"),
        (good.len() - 1, 1, "padding"),
    ];
    for (at, value, what) in wrong {
        let mut plaintext = good.clone();
        plaintext[at] = value;
        let opened = open(&plaintext);
        assert!(opened.is_err(), "{what}");
        assert_ne!(opened, Err(OpenError::Seal), "{what}");
    }
    // More padding than needed: a second encoding of one letter.
    let mut padded = good;
    padded.resize(4_096 - SEALED_OVERHEAD, 0);
    assert!(matches!(open(&padded), Err(OpenError::Malformed(_))));
}

#[test]
fn sizes_of_all_letters_fall_into_five() {
    let [alice, bob] = [1, 2].map(Person::new);
    let lengths = (0..2_000).step_by(50).chain((2_000..64_512).step_by(3_000));
    let sizes: BTreeSet<_> = lengths
        .chain([Letter::BODY_BYTES_MAX])
        .map(|length| seal(&letter(&alice, &bob, &vec![b'x'; length]), &alice, &bob).len())
        .collect();
    assert_eq!(Vec::from_iter(sizes), SEALED_SIZES[1..]);
    let long = letter(&alice, &bob, &vec![b'x'; Letter::BODY_BYTES_MAX + 1]);
    let sealed = long.seal(
        &NETWORK,
        &bob.letterbox(),
        &alice.key,
        &one_time(),
        &mut rng(),
    );
    let (got, max) = (64_513, 64_512);
    assert_eq!(sealed, Err(SealError::TooBig { got, max }));
}

/// Nothing of sender, recipient or letter stands in the sealed bytes, and two seals of one letter have
/// nothing in common.
#[test]
fn sealed_bytes_tell_nothing() {
    let [alice, bob] = [1, 2].map(Person::new);
    let letter = letter(&alice, &bob, b"a body that would be seen");
    let mut rng = rng();
    let mut seal = || {
        let box_ = bob.letterbox();
        letter
            .seal(&NETWORK, &box_, &alice.key, &one_time(), &mut rng)
            .unwrap()
    };
    let (first, second) = (seal(), seal());
    let secrets = [
        *alice.id().as_bytes(),
        *bob.id().as_bytes(),
        *alice.secret.public().as_bytes(),
        *bob.secret.public().as_bytes(),
        [7; 32],
    ];
    for secret in secrets {
        for part in secret.chunks(8) {
            assert!(!first.windows(8).any(|window| window == part));
        }
    }
    assert!(!first.windows(8).any(|window| {
        b"a body that would be seen"
            .windows(8)
            .any(|part| part == window)
    }));
    let same = first.iter().zip(&second).filter(|(a, b)| a == b).count();
    assert!(same < 40, "{same} of {} bytes are alike", first.len());
    assert!(
        !format!("{letter:?}").contains("body that"),
        "what it says is not printed"
    );
}

proptest! {
    #[test]
    fn sealed_and_opened_a_letter_is_the_same(
        moved: bool,
        id: [u8; 32],
        created: u64,
        expires: u64,
        reply: ([u8; 32], [u8; 16], u8),
        acknowledgement in vec(any::<u8>(), 0..=512),
        body in vec(any::<u8>(), 0..3_000),
        seed: [u8; 32],
    ) {
        let [alice, bob] = [1, 2].map(Person::new);
        let letter = Letter {
            purpose: if moved { Purpose::Moved } else { Purpose::Message },
            from: alice.id(),
            to: bob.id(),
            id: LetterId::from_bytes(id),
            created: Wall::from_millis(created),
            expires: Wall::from_millis(expires),
            reply: Letterbox {
                key: LetterKey::from_bytes(reply.0),
                code: DeliveryCode::from_bytes(reply.1),
                bits: BucketBits::new(reply.2 % 17).expect("within 16"),
            },
            acknowledgement: acknowledgement.into(),
            body: body.into(),
        };
        let mut rng = ChaCha8Rng::from_seed(seed);
        let sealed = letter.seal(&NETWORK, &bob.letterbox(), &alice.key, &one_time(), &mut rng);
        let opened = bob.open(&one_time(), &sealed.expect("a good letter"));
        prop_assert_eq!(opened, Ok(letter));
    }

    #[test]
    fn whatever_comes_is_no_letter_and_no_reason_to_stop(bytes in vec(any::<u8>(), 0..1_100)) {
        let bob = Person::new(2);
        for length in [bytes.len(), 256.min(bytes.len()), 1_024.min(bytes.len())] {
            prop_assert_eq!(bob.open(&one_time(), &bytes[..length]), Err(OpenError::Seal));
        }
        // Read as if it had been inside a seal.
        if let Ok((letter, signature, inside)) = Letter::read(&bytes, &bob.id()) {
            let mut again = letter.inside();
            prop_assert_eq!(&again, inside);
            again.extend_from_slice(signature.as_bytes());
            again.resize(bytes.len(), 0);
            prop_assert_eq!(again, bytes);
        }
    }
}
