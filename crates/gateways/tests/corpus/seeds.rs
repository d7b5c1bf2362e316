//! The first files of each corpus: bytes as originals made them, and as broke them.

use bruit_gateways::hex;

/// Names and bytes.
pub(crate) type Seeds = Vec<(String, Vec<u8>)>;

/// Frames as the original's own packers make them, by name: of each type one, and the trace of a joiner.
const FRAMES: [(&str, &str); 14] = [
    ("announce", "001001f4040005396465616462656566"),
    ("notify", "000801f500000539"),
    ("notification", "001001f67f2805396465616462656566"),
    ("validation", "000801f77f280001"),
    ("peer_request", "000401f8"),
    ("peer_response", "001001f97f000001177b0a010203ffff"),
    ("verification_request", "000c01fad302dc5c87cc30f6"),
    (
        "verification_response",
        "001a01fbd302dc5c87cc30f60000000000b61a337f0000011b57",
    ),
    ("hello", "000a01fc7f0000011b57"),
    ("push", "000c01fd00057f000001177b"),
    ("ping", "000401fe"),
    (
        "peer_notification",
        "001501ff03004242053966726f6d2d666f72656967",
    ),
    ("reserved_bits", "000801f77f28ffff000801f5ffff0539"),
    (
        "joiner",
        "000a01fc7f0000011b57001a01fbd302dc5c87cc30f60000000000b61a337f0000011b57001501ff03004242053966726f6d2d666f72656967",
    ),
];

/// What is no frame.
const MISTAKES: [(&str, &str); 8] = [
    ("empty", ""),
    ("size_0", "000001f5"),
    ("size_3", "000301f5"),
    ("unknown_type", "000801f30000"),
    ("longer_than_its_type", "ffff01f500000539"),
    ("shorter_than_its_type", "000501f504"),
    ("addresses_cut", "000901f97f000001177b"),
    ("other_protocol", "474554202f20485454502f312e310d0a0d0a"),
];

fn bytes(text: &str) -> Vec<u8> {
    hex::decode(text).expect("it is hexadecimal")
}

fn own(seeds: Vec<(&str, Vec<u8>)>) -> Seeds {
    let own = |(name, bytes): (&str, Vec<u8>)| (name.to_owned(), bytes);
    seeds.into_iter().map(own).collect()
}

/// The bytes after what says how long they are and who sends them.
fn datagram(from: u8, bytes: &[u8]) -> Vec<u8> {
    let length = u8::try_from(bytes.len()).expect("a short one");
    [&[length, from], bytes].concat()
}

/// Frames and what is none: each alone, each after a good frame, and each cut; in pieces of one byte and of seven.
pub(crate) fn voidphone() -> Seeds {
    let good = bytes("000801f500000539");
    let mut seeds = Vec::new();
    for (name, text) in FRAMES.into_iter().chain(MISTAKES) {
        let bytes = bytes(text);
        seeds.push((name.to_owned(), [&[1][..], &bytes].concat()));
        seeds.push((format!("{name}_after"), [&[7][..], &good, &bytes].concat()));
        seeds.push((
            format!("{name}_cut"),
            [&[1][..], &bytes[..bytes.len() / 2]].concat(),
        ));
    }
    seeds
}

/// Messages in protobuf.
pub(crate) fn dave() -> Seeds {
    let mined = bytes(
        "080222200000005b42a861613e6179c49517331265e1b9fbdc007c6737bdd13d0bb9b3cd2a209214510fd78557be229c9e4400ccf76c3ee015764d43a9d6982b6022c6e7b534320b6d696e65642076616c75653a03746167",
    );
    let peers = bytes("0801120a5b3a3a315d3a34383031120e3132372e302e302e313a31363138");
    let join = [datagram(0, &[]), datagram(0, &[8, 1]), datagram(0, &mined)].concat();
    let asked = bytes(
        "0803120a5b3a3a315d3a343830312220aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
    );
    own(vec![
        ("get_peer", vec![]),
        ("peer", peers),
        ("mined", mined),
        ("asked", asked),
        ("join_and_set", join),
        ("malformed", vec![0xff; 3]),
        (
            "no_address",
            [[8, 1, 0x12, 7].as_slice(), b"nothing"].concat(),
        ),
        ("promises_all", vec![0x32, 0xff, 0xff, 0xff, 0xff, 0x0f]),
        ("number", [[8].as_slice(), &[0xff; 9], &[2]].concat()),
    ])
}

/// Texts with a stamp.
pub(crate) fn simple() -> Seeds {
    let hello = b"20/11/2026 09:55:57hello-one";
    own(vec![
        ("hello", hello.to_vec()),
        ("stamp", hello[..19].to_vec()),
        ("twice", [datagram(0, hello), datagram(1, hello)].concat()),
        ("not_ascii", [hello.as_slice(), "é".as_bytes()].concat()),
        ("no_day", b"31/02/2026 09:55:57".to_vec()),
        ("short", hello[..18].to_vec()),
    ])
}

/// Messages in text, and lists in pickles.
pub(crate) fn p2p_messaging() -> Seeds {
    let list = bytes("8004950e000000000000005d94284da51f4da71f4dad1f652e");
    // A seed loses a peer that does not answer three calls; a peer hears of others.
    let exchange = [
        datagram(0, b"REGISTER:8109"),
        datagram(0, b"PEERLIST_REQUEST"),
        datagram(0, b"DEAD:127.0.0.1:8109:1795168738:8101"),
        datagram(20, &list),
        datagram(20, b"1144:1795169416:8299:8201"),
        datagram(20, b"1133:8109:1795168660:1"),
    ];
    own(vec![
        ("exchange", exchange.concat()),
        ("gossip", b"1133:8109:1795168660:1".to_vec()),
        ("request", b"1122:1795168667:8101:".to_vec()),
        ("reply", b"1144:1795169416:8299:8201".to_vec()),
        ("dead", b"DEAD:127.0.0.1:8109:1795168738:8101".to_vec()),
        ("dead_v6", b"DEAD:::1:8109:1795168738:8101".to_vec()),
        ("register", b"REGISTER:8109".to_vec()),
        ("two", b"1133:8109:1795168660:11133:8102:1:2".to_vec()),
        ("list", list),
        ("list_2", bytes("80025d284b644d2c014a70110100652e")),
        ("runs", b"cos\nsystem\n(S'true'\ntR.".to_vec()),
    ])
}

/// Bulletins, and operations to be sealed and signed.
pub(crate) fn k98kurz() -> Seeds {
    let bulletin = bytes(
        "a1b22f49b878ed38e3a9f0ab3dab5b5dda30bc7dfe1d9502b32393f53aac74a00256b37efc7f978756970fae26c0d90ba8226b65da15747fc69a03c36079754e62b48e000000006168656c6c6f2062756c6c6574696e",
    );
    let forward = [&[0][..], &bulletin].concat();
    own(vec![
        ("bulletin", bulletin.clone()),
        ("forward", datagram(0, &forward)),
        ("ask", datagram(0, &[&[2][..], &bulletin[..32]].concat())),
        (
            "content",
            datagram(0, &[&[4][..], &bulletin[..64]].concat()),
        ),
        (
            "headers",
            datagram(0, &[&[3][..], &bulletin[..72]].concat()),
        ),
        ("words", datagram(0, b"hello there")),
        ("cut", datagram(0, &forward[..60])),
        ("garbage", vec![9; 200]),
        ("negative", [&bulletin[..64], &[0x80; 8]].concat()),
    ])
}
