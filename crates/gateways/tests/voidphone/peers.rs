//! Peers of Gossip-5: the trace of a real bootstrapper and its joiner, played by hand against each side.

use std::time::Duration;

use bruit::{From, Incoming, Topics};
use bruit_gateways::voidphone::Config;
use sha2::{Digest as _, Sha256};

use super::raw::{Raw, frame, hex};
use super::{PATIENCE, QUICK_SEED_ZEROS, Station, config};

const LONG: Duration = Duration::from_secs(20);

pub(crate) fn with_peers(join: &[String]) -> Config {
    Config {
        p2p: Some("127.0.0.1:0".into()),
        bootstrappers: join.to_vec(),
        ..config(LONG)
    }
}

/// A challenge whose hash with `nonce` begins with `head`.
fn solve(nonce: u64, head: [u8; 3]) -> u64 {
    let is_solved = |challenge: &u64| {
        let hash = Sha256::new()
            .chain_update(nonce.to_be_bytes())
            .chain_update(challenge.to_be_bytes());
        hash.finalize()[..3] == head
    };
    (0..u64::MAX).find(is_solved).unwrap()
}

pub(crate) fn peer_notification(ttl: u8, id: u16, data_type: u16, data: &[u8]) -> Vec<u8> {
    frame(
        511,
        &[
            &[ttl, 0][..],
            &id.to_be_bytes(),
            &data_type.to_be_bytes(),
            data,
        ]
        .concat(),
    )
}

/// `127.0.0.1:PORT` as it stands in frames.
pub(crate) fn address(port: u16) -> Vec<u8> {
    [&[127, 0, 0, 1][..], &port.to_be_bytes()].concat()
}

/// The next frame that asks for no peers, as a gateway with one alone does now and then.
async fn said(peer: &mut Raw) -> (u16, Vec<u8>) {
    loop {
        let (kind, body) = peer.next().await;
        if kind != 504 {
            return (kind, body);
        }
    }
}

/// A peer that joined `station` with a solution it found itself.
pub(crate) async fn joiner(station: &Station, port: u16, head: [u8; 3]) -> Raw {
    let mut peer = Raw::connect(station.gateway.listen()[1]).await;
    peer.send(&frame(508, &address(port))).await;
    let (kind, body) = peer.next().await;
    assert_eq!((kind, body.len()), (506, 8));
    let nonce = u64::from_be_bytes(body.clone().try_into().unwrap());
    let challenge = solve(nonce, head);
    peer.send(&frame(
        507,
        &[&body[..], &challenge.to_be_bytes(), &address(port)].concat(),
    ))
    .await;
    peer
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_joins_says_something_and_hears_what_bruit_says() {
    let station = Station::start(with_peers(&[]), &[], false).await;
    let mut module = station.subscriber(1337).await;
    let mut peer = joiner(&station, 6999, *b"000").await;
    assert_eq!(peer.next().await, (505, Vec::new()), "it is the first");

    // What the original's joiner sent: ttl 3, id 0x4242, type 1337.
    let topics = Topics::Named(vec!["voidphone/1337".into()]);
    let mut heard = station.node.subscribe(topics, From::Now).unwrap();
    peer.send(&hex("001501ff03004242053966726f6d2d666f72656967"))
        .await;
    assert_eq!(module.accept().await, b"from-foreig");
    let next = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap();
    let Some(Incoming::Bulletin(bulletin)) = next else {
        panic!("{next:?}")
    };
    assert_eq!(bulletin.body, "from-foreig");
    assert!(bulletin.tag.starts_with(b"vph:AkJC"), "ttl 2, id 0x4242");

    // And the other way: with the hop to here taken off.
    module.announce(4, 7, b"from a module").await;
    let (kind, body) = said(&mut peer).await;
    assert_eq!(
        (kind, body[0], &body[4..]),
        (511, 3, &b"\0\x07from a module"[..])
    );
    station
        .node
        .publish(bruit::Draft::new("voidphone/7", "from bruit"))
        .await
        .unwrap();
    let (kind, body) = said(&mut peer).await;
    assert_eq!(
        (kind, body[0], &body[4..]),
        (511, 255, &b"\0\x07from bruit"[..])
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_gateway_joins_a_bootstrapper_as_the_original_does() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bootstrapper = listener.local_addr().unwrap();
    let other = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let station = Station::start(with_peers(&[bootstrapper.to_string()]), &[], false).await;
    let own = address(station.gateway.listen()[1].port());

    let mut peer = Raw(listener.accept().await.unwrap().0);
    assert_eq!(peer.next().await, (508, own.clone()));
    // A puzzle whose smallest solution is 45058: no need to wait for one.
    peer.send(&hex("000c01fa0102030405060708")).await;
    let solution = [&hex("0102030405060708000000000000b002")[..], &own].concat();
    assert_eq!(peer.next().await, (507, solution));
    let port = other.local_addr().unwrap().port();
    peer.send(&frame(505, &address(port))).await;
    station.counts("member_joined", 1).await;

    // It goes on to whom it was told of, and to whom it hears of by a PUSH.
    let mut second = Raw(other.accept().await.unwrap().0);
    assert_eq!(second.next().await, (508, own.clone()));
    let third = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let push = [&[0, 0][..], &address(third.local_addr().unwrap().port())].concat();
    peer.send(&frame(509, &push)).await;
    assert_eq!(
        Raw(third.accept().await.unwrap().0).next().await,
        (508, own)
    );

    // It asks a member for more while it has one alone, and passes on what modules say.
    let mut module = station.module().await;
    module.announce(0, 7, b"hello").await;
    let (mut kinds, mut told) = (Vec::new(), Vec::new());
    for _ in 0..2 {
        let (kind, body) = peer.next().await;
        kinds.push(kind);
        told = if kind == 511 { body } else { told };
    }
    kinds.sort_unstable();
    assert_eq!((kinds, &told[4..]), (vec![504, 511], &b"\0\x07hello"[..]));
}

/// The documented puzzle: the original cut off whoever solved it.
#[tokio::test(flavor = "multi_thread")]
async fn a_joiner_that_solved_the_documented_puzzle_is_taken() {
    let station = Station::start_seeded(with_peers(&[]), &[], false, QUICK_SEED_ZEROS).await;
    let mut peer = joiner(&station, 6999, [0; 3]).await;
    assert_eq!(peer.next().await, (505, Vec::new()));
}

/// Solving took the original's loop for half a minute.
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_that_solves_a_puzzle_serves_everybody_meanwhile() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let join = listener.local_addr().unwrap().to_string();
    let station = Station::start(with_peers(&[join]), &[], false).await;
    let mut peer = Raw(listener.accept().await.unwrap().0);
    peer.next().await;
    peer.send(&frame(506, &u64::MAX.to_be_bytes())).await;
    let (mut announcer, mut judge) = (station.module().await, station.subscriber(7).await);
    let begin = std::time::Instant::now();
    for n in 0..20 {
        announcer.announce(1, 7, &[n]).await;
        assert_eq!(judge.accept().await, [n]);
    }
    assert!(
        begin.elapsed() < Duration::from_secs(2),
        "{:?}",
        begin.elapsed()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_injects_nothing_and_reads_no_list() {
    let station = Station::start(with_peers(&[]), &[], false).await;
    let mut module = station.subscriber(7).await;
    let mut stranger = Raw::connect(station.gateway.listen()[1]).await;
    stranger
        .send(&peer_notification(9, 1, 7, b"injected"))
        .await;
    stranger.send(&frame(504, b"")).await;
    stranger
        .send(&frame(509, &[&[0, 9][..], &address(1)].concat()))
        .await;
    stranger.is_silent().await;
    module.is_silent().await;
    for event in ["stranger_notified", "stranger_asked", "stranger_pushed"] {
        assert_eq!(station.gateway.counters().get(event), 1, "{event}");
    }
    // What is no frame ends the connection, and a frame of modules does.
    stranger.send(&frame(501, &[0, 0, 0, 7])).await;
    stranger.is_closed().await;
    let mut stranger = Raw::connect(station.gateway.listen()[1]).await;
    stranger.send(&[0, 2, 9, 9]).await;
    stranger.is_closed().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn gateways_are_peers_of_each_other_and_nothing_goes_round() {
    let first = Station::start(with_peers(&[]), &[], false).await;
    let join = first.gateway.listen()[1].to_string();
    // Linked twice: as nodes, and as peers.
    let second = Station::start(with_peers(&[join]), &[&first], false).await;
    let topics = Topics::Named(vec!["voidphone/7".into()]);
    let mut heard = second.node.subscribe(topics, From::Now).unwrap();
    let (mut here, mut there) = (first.module().await, second.subscriber(7).await);
    second.counts("member_joined", 1).await;
    first.counts("member_joined", 1).await;
    for n in 0..10 {
        here.announce(0, 7, &[n]).await;
        assert_eq!(there.accept().await, [n]);
    }
    there.is_silent().await;
    let mut bodies = Vec::new();
    while let Ok(Some(Incoming::Bulletin(bulletin))) =
        tokio::time::timeout(super::SILENCE, heard.next()).await
    {
        bodies.extend_from_slice(&bulletin.body);
    }
    bodies.sort_unstable();
    assert_eq!(bodies, (0..10).collect::<Vec<_>>(), "each crossed once");
}
