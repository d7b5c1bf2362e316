//! Peers that claim what they are not, say too much, or speak another language: nobody else notices.

use std::time::Instant;

use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;

use super::Station;
use super::peers::{address, joiner, peer_notification, with_peers};
use super::raw::{Raw, frame, hex};

/// Whoever said HELLO in another's name kept that one from being met for two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn who_claims_an_address_keeps_nobody_from_being_met_there() {
    let station = Station::start(with_peers(&[]), &[], false).await;
    let mut member = joiner(&station, 6999, *b"000").await;
    assert_eq!(member.next().await.0, 505);
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at_other = address(other.local_addr().unwrap().port());

    let mut stranger = Raw::connect(station.gateway.listen()[1]).await;
    stranger.send(&frame(508, &at_other)).await;
    assert_eq!(stranger.next().await.0, 506);
    member
        .send(&frame(509, &[&[0, 0][..], &at_other].concat()))
        .await;
    let met = tokio::time::timeout(super::PATIENCE, other.accept()).await;
    let (stream, _) = met.expect("it is met").unwrap();
    let own = address(station.gateway.listen()[1].port());
    assert_eq!(Raw(stream).next().await, (508, own));
}

/// The original reads as much as anybody sends.
#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_floods_is_read_at_a_pace_and_others_are_served_meanwhile() {
    const FRAMES: u64 = 4_000;
    let station = Station::start(with_peers(&[]), &[], false).await;
    let (mut announcer, mut judge) = (station.module().await, station.subscriber(7).await);
    let mut member = joiner(&station, 6999, *b"000").await;
    assert_eq!(member.next().await.0, 505);
    let begin = Instant::now();
    let flood: Vec<_> = (0..FRAMES)
        .flat_map(|_| peer_notification(0, 1, 8, b"again"))
        .collect();
    member.send(&flood).await;
    for n in 0..5 {
        announcer.announce(1, 7, &[n]).await;
        assert_eq!(judge.accept().await, [n]);
    }
    station.counts("peer_word_known", 900).await;
    let read = station.gateway.counters().get("peer_word_known");
    // A burst of 1,000, and 200 a second.
    let most = 1_001 + u64::try_from(begin.elapsed().as_millis()).unwrap() / 5;
    assert!(read <= most && most < FRAMES, "{read}, {most}");
    assert_eq!(station.gateway.counters().get("peer_word_new"), 1);
}

/// The frames of another group's implementation, which gave the same numbers to other things.
#[tokio::test(flavor = "multi_thread")]
async fn frames_of_another_numbering_do_nothing_here() {
    let station = Station::start(with_peers(&[]), &[], false).await;
    let mut module = station.subscriber(1337).await;
    for bytes in [
        "001801f80000000000000001030005396465616462656566",
        "002101fa3132372e302e302e313a363030312c3132372e302e302e313a36303032",
        "000801fb00001771",
        "000c01fc0000000000000001",
        "000801fe00000001",
    ] {
        let mut stranger = Raw::connect(station.gateway.listen()[1]).await;
        stranger.send(&hex(bytes)).await;
        stranger.is_closed().await;
    }
    let mut stranger = Raw::connect(station.gateway.listen()[1]).await;
    stranger
        .send(&hex("000401f9000c01fd0000000000000002"))
        .await;
    station.counts("view_unasked", 1).await;
    station.counts("stranger_pushed", 1).await;
    stranger.is_silent().await;
    module.is_silent().await;
}

/// A station that has joined two peers, which it has to be told of.
async fn between_two() -> (Station, Raw, Raw) {
    let first = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let second = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let join = first.local_addr().unwrap().to_string();
    let station = Station::start(with_peers(&[join]), &[], false).await;
    let mut peers = Vec::new();
    for listener in [&first, &second] {
        let mut peer = Raw(listener.accept().await.unwrap().0);
        assert_eq!(peer.next().await.0, 508);
        // A puzzle whose smallest solution is 45058: no need to wait for one.
        peer.send(&hex("000c01fa0102030405060708")).await;
        assert_eq!(peer.next().await.0, 507);
        let view = address(second.local_addr().unwrap().port());
        peer.send(&frame(505, &view)).await;
        peers.push(peer);
    }
    station.counts("member_joined", 2).await;
    let [first, second] = <[Raw; 2]>::try_from(peers).ok().unwrap();
    (station, first, second)
}

/// The bootstrapper of the original sent a word back to whom it had it from.
#[tokio::test(flavor = "multi_thread")]
async fn a_word_goes_on_with_a_hop_less_and_not_back() {
    let (station, mut from, mut to) = between_two().await;
    from.send(&hex("001501ff03004242053966726f6d2d666f72656967"))
        .await;
    let on = hex("02004242053966726f6d2d666f72656967");
    assert_eq!(to.next().await, (511, on));
    to.send(&hex("001501ff02004242053966726f6d2d666f72656967"))
        .await;
    station.counts("peer_word_known", 1).await;
    from.is_silent().await;
    to.is_silent().await;
}

/// One join made 91 PUSH frames to the newcomer alone, and 125 attempts to reach it when it had gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_push_that_comes_again_and_again_is_passed_on_and_followed_once() {
    const TIMES: u64 = 91;
    let (station, mut from, mut to) = between_two().await;
    let newcomer = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at_newcomer = address(newcomer.local_addr().unwrap().port());
    let push = |ttl: u8| [&[0, ttl][..], &at_newcomer].concat();
    let storm: Vec<_> = (0..TIMES).flat_map(|_| frame(509, &push(5))).collect();
    from.send(&storm).await;
    assert_eq!(to.next().await, (509, push(4)));
    station.counts("push_known", TIMES - 1).await;
    let greeted = tokio::time::timeout(super::PATIENCE, newcomer.accept()).await;
    let (mut stream, _) = greeted.expect("it is met").unwrap();
    // Nobody comes again, neither while it is there nor when it has gone.
    let again = tokio::time::timeout(super::SILENCE, newcomer.accept()).await;
    assert!(again.is_err(), "{again:?}");
    stream.shutdown().await.unwrap();
    drop((stream, newcomer));
    to.send(&storm).await;
    station.counts("push_known", 2 * TIMES - 1).await;
    from.is_silent().await;
    to.is_silent().await;
    assert_eq!(station.gateway.counters().get("dial_failed"), 0);
}
