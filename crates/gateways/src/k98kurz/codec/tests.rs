//! Against bytes that the original made: its keys are those of the seeds 01… and 02….

use proptest::prelude::*;

use super::*;
use crate::hex;

const PLAIN: &str = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3948a88e3dd7409f195\
         fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c62b48e00000000037d8b2b4913087b98\
         4cb2f08a91466edfcee006bc281730caa160e4163a2def3e6fd183a7b20287fa9ac5e7bb8f468cb6\
         7a047847dcf167b454d1b6f1ffdcd50f706c61696e20626f6479";
const DEAR: &str = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3948a88e3dd7409f195\
         fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c62b48e00000001b1efb32527fc770367\
         04490cc70de6b3c661ca73d0389140021e860fce0b48534613c15b61b20be0c078f36c0e35e6891d\
         ed9d2e0b1797fafe7bdf34c2f1e31306646966666963756c7479206569676874";
const SEALED: &str = "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b3948a88e3dd7409f195\
         fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c62b48e00000000014f9acfad1456cec6\
         917b603583708e959777665dc83aa932692bd7165f7014a862b355277e125dc30ab09b0d3a7a9c9a\
         84bf23e40192d0e6c7efa76e9fd8ca0a6e65bb4432eea1c080bac9493571b37baf3a71c40eec251b\
         0568ff939edcb612accad19c8c45cdb420c8f3a6fef6b3ef125bb2db5d8c395ac933ec98b6ea";
const BULLETIN: &str = "a1b22f49b878ed38e3a9f0ab3dab5b5dda30bc7dfe1d9502b32393f53aac74a00256b37efc7f9787\
         56970fae26c0d90ba8226b65da15747fc69a03c36079754e62b48e000000006168656c6c6f206275\
         6c6c6574696e";

fn nodes() -> [Identity; 2] {
    [1, 2].map(|byte| Identity::from_seed(&[byte; 32]))
}

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).unwrap()
}

#[test]
fn keys_are_those_of_the_original() {
    let [a, b] = nodes().map(|node| hex::encode(node.address()));
    assert_eq!(
        a,
        "8a88e3dd7409f195fd52db2d3cba5d72ca6709bf1d94121bf3748801b40f6f5c"
    );
    assert_eq!(
        b,
        "8139770ea87d175f56a35466c34c7ecccb8d8a91b4ee37a25df60f5b8fc9b394"
    );
}

#[test]
fn a_message_has_the_bytes_the_signature_and_the_price_of_the_original() {
    let [a, b] = nodes();
    let message = Message::decode(&bytes(PLAIN)).unwrap();
    assert_eq!((&message.src, &message.dst), (a.address(), b.address()));
    assert_eq!((message.ts, message.nonce), (1_656_000_000, 3));
    assert_eq!(message.body, b"plain body");
    assert!(message.is_signed());
    assert_eq!(message.difficulty(), 4);
    assert_eq!(message.signature, a.sign(&message.signed_text()));
    assert_eq!(message.encode(), bytes(PLAIN));
}

/// The digest of what a message is paid for with.
fn digest(message: &Message) -> String {
    let text = [
        &message.src[..],
        &message.dst,
        &message.ts.to_be_bytes(),
        &message.nonce.to_be_bytes(),
        &message.body,
    ]
    .concat();
    hex::encode(&tapehash1(&text, CODE_BYTES))
}

#[test]
fn messages_have_the_digests_of_the_original_whatever_they_cost() {
    let [a, b] = nodes();
    let plain = Message::decode(&bytes(PLAIN)).unwrap();
    assert_eq!(
        digest(&plain),
        "0b3a9a8f4291f0cb9a10dc71c79f9354715a8d5df70821ffa878e092f525bfc8"
    );
    let dear = Message::decode(&bytes(DEAR)).unwrap();
    assert_eq!((&dear.src, &dear.dst), (a.address(), b.address()));
    assert_eq!((dear.ts, dear.nonce), (1_656_000_000, 433));
    assert_eq!(dear.body, b"difficulty eight");
    assert_eq!(
        digest(&dear),
        "000ed6106be26804d374cbbc18f77b7662cd471f764fd5f3b62eaccf6b19b494"
    );
    assert_eq!(dear.difficulty(), 12);
    assert_eq!(dear.signature, a.sign(&dear.signed_text()));
    assert_eq!(dear.encode(), bytes(DEAR));
    // Paid for anew from just before, it costs what it cost.
    let mut again = dear.clone();
    again.pay(433, 8);
    assert_eq!(again, dear);
}

#[test]
fn topics_have_the_names_of_the_original() {
    let beacon = topic_id(crate::k98kurz::socket::BEACON);
    assert_eq!(
        hex::encode(&beacon),
        "e1f2dec91e2405540f00893946b634d85e0227c40dd70dc38fcf8ec6ff9e9b94"
    );
    // That of a node itself, by its delivery code and its address.
    let [a, _] = nodes();
    let own = topic_id(&[&[0x11; 8][..], a.address()].concat());
    assert_eq!(
        hex::encode(&own),
        "2a1b8cc718e94861820f85a00cc0b89ba7276e90990a63aade36337d0f910a9b"
    );
}

#[test]
fn what_the_original_sealed_is_opened_by_whom_it_is_for_alone() {
    let [a, b] = nodes();
    let mut message = Message::decode(&bytes(SEALED)).unwrap();
    assert!(message.is_signed() && message.difficulty() >= 1);
    assert_eq!(b.open(&message.body).unwrap(), b"encrypted body");
    assert_eq!(a.open(&message.body), None);
    // Garbage that is long enough ended the original's loop.
    *message.body.last_mut().unwrap() ^= 1;
    assert_eq!(b.open(&message.body), None);
    assert_eq!(b.open(&[0; 80]), None);
    assert_eq!(b.open(&[0; 47]), None);
}

#[test]
fn a_bulletin_has_the_bytes_and_the_price_of_the_original() {
    let bulletin = Bulletin::decode(&bytes(BULLETIN)).unwrap();
    assert_eq!(bulletin.topic, topic_id(b"test channel"));
    assert_eq!(bulletin.content, b"hello bulletin");
    assert_eq!((bulletin.ts, bulletin.nonce), (1_656_000_000, 97));
    assert_eq!(bulletin.difficulty(), 8);
    assert_eq!(
        hex::encode(&tapehash1(&bulletin.header(), CODE_BYTES)),
        "00d357b74323b63d93601e4db57b095ff0df7d5bc9907c6f437d91c65998610d"
    );
    assert_eq!(
        hex::encode(&content_id(&bulletin.content)),
        "0256b37efc7f978756970fae26c0d90ba8226b65da15747fc69a03c36079754e"
    );
    assert!(bulletin.is_whole());
    assert_eq!(bulletin.encode(), bytes(BULLETIN));
    // The original takes another content under the same price.
    let forged = Bulletin {
        content: b"forged".to_vec(),
        ..bulletin
    };
    assert!(forged.difficulty() == 8 && !forged.is_whole());
}

#[test]
fn operations_have_the_first_bytes_of_the_original() {
    let body = [&[0][..], &bytes(BULLETIN)].concat();
    let said = Said::decode(&body).unwrap();
    assert!(matches!(&said, Said::Forward(bulletin) if bulletin.nonce == 97));
    assert_eq!(said.encode(), body);
    let topic = topic_id(b"test channel");
    let asked = Said::AskHeaders { topic };
    assert_eq!(
        hex::encode(&asked.encode()),
        "02a1b22f49b878ed38e3a9f0ab3dab5b5dda30bc7dfe1d9502b32393f53aac74a0"
    );
}

#[test]
fn what_ended_the_original_is_an_error() {
    let (what, got, min) = ("message", 100, MESSAGE_HEADER_BYTES);
    assert_eq!(
        Message::decode(&[0; 100]),
        Err(CodecError::TooShort { what, got, min })
    );
    let (what, got, min) = ("bulletin", 60, BULLETIN_HEADER_BYTES);
    assert_eq!(
        Bulletin::decode(&[0; 60]),
        Err(CodecError::TooShort { what, got, min })
    );
    let mut negative = bytes(BULLETIN);
    negative[68] = 0x80;
    let what = "bulletin";
    assert_eq!(
        Bulletin::decode(&negative),
        Err(CodecError::Negative { what })
    );
    assert_eq!(Said::decode(&[]), Err(CodecError::Empty));
    assert_eq!(Said::decode(&[7]), Ok(Said::Unused(7)));
    assert!(Said::decode(&[4; 40]).is_err());
    assert_eq!(Said::decode(b"hi"), Ok(Said::Words(b"hi".to_vec())));
}

#[test]
fn what_is_made_here_is_signed_sealed_and_paid_for() {
    let [a, b] = nodes();
    let message = Message::make(
        &a,
        b.address(),
        b"to b",
        &[9; 32],
        1_656_000_000,
        NUMBER_MAX,
        3,
    )
    .unwrap();
    let message = Message::decode(&message.encode()).unwrap();
    assert!(message.is_signed() && message.difficulty() >= 3);
    let mut dearer = message.clone();
    dearer.pay(NUMBER_MAX, 8);
    assert!(dearer.nonce < NUMBER_MAX, "counting goes on at 0");
    assert_eq!(b.open(&message.body).unwrap(), b"to b");
    assert_eq!(message.body.len(), 4 + identity::SEAL_BYTES);
    let bulletin = Bulletin::make([3; 32], b"content".to_vec(), 1_656_000_000, 5, 4);
    assert!(bulletin.is_whole() && bulletin.difficulty() >= 4);
    // No key: nothing can be sealed to it.
    assert_eq!(identity::seal(&[0; 32], b"", &[9; 32]), None);
}

proptest! {
    #[test]
    fn any_bytes_are_something_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        if let Ok(message) = Message::decode(&bytes) {
            prop_assert_eq!(message.encode(), bytes.clone());
        }
        if let Ok(said) = Said::decode(&bytes) {
            prop_assert_eq!(Said::decode(&said.encode()), Ok(said));
        }
    }

    #[test]
    fn what_is_sealed_is_opened(text in proptest::collection::vec(any::<u8>(), 0..300), secret: [u8; 32]) {
        let [_, b] = nodes();
        let sealed = identity::seal(b.address(), &text, &secret).unwrap();
        prop_assert_eq!(b.open(&sealed), Some(text));
    }
}
