//! What the module API promises, from outside.

use std::time::Duration;

use bruit::{Draft, From, Incoming, Topics};

use super::raw::{announce, hex};
use super::{PATIENCE, Station, config, row};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn what_a_module_announces_reaches_every_subscribed_module_of_every_node() {
    let [first, middle, last] = row(&config(LONG)).await;
    let (mut a, mut b) = (first.subscriber(1337).await, first.subscriber(1337).await);
    let (mut c, mut d) = (middle.subscriber(1337).await, last.subscriber(1337).await);
    let mut other = last.subscriber(1338).await;

    // The frame of the official client.
    a.send(&hex("001001f4040005396465616462656566")).await;
    assert_eq!(b.accept().await, b"deadbeef");
    assert_eq!(c.accept().await, b"deadbeef");
    assert_eq!(d.accept().await, b"deadbeef");
    a.is_silent().await;
    b.is_silent().await;
    other.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcement_without_a_subscriber_here_travels_and_one_with_ttl_1_does_not() {
    let [first, _middle, last] = row(&config(LONG)).await;
    let mut here = first.module().await;
    let mut there = last.subscriber(7).await;
    for ttl in [1, 0, 1, 2, 255] {
        here.announce(ttl, 7, &[ttl]).await;
    }
    for ttl in [0, 2, 255] {
        assert_eq!(there.accept().await, [ttl]);
    }
    there.is_silent().await;

    let mut neighbour = first.subscriber(7).await;
    here.announce(1, 7, b"here only").await;
    assert_eq!(neighbour.accept().await, b"here only");
    there.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_vote_decides_where_it_is_cast() {
    let [first, middle, last] = row(&config(LONG)).await;
    let mut announcer = first.module().await;
    let (mut one, mut two) = (middle.subscriber(7).await, middle.subscriber(7).await);
    let mut there = last.subscriber(7).await;

    announcer.announce(0, 7, b"bad").await;
    let (bad, _, _) = one.notification().await;
    let (same, _, data) = two.notification().await;
    assert_eq!((same, data), (bad, b"bad".to_vec()));
    one.vote(bad, false).await;
    middle.counts("rejected", 1).await;
    two.vote(bad, true).await;
    there.is_silent().await;

    // Whoever announced it is not muted: its module may have others beside it.
    announcer.announce(0, 7, b"good").await;
    let (good, _, _) = one.notification().await;
    two.notification().await;
    two.vote(good, true).await;
    middle.counts("accepted", 1).await;
    one.vote(good, false).await;
    assert_eq!(there.accept().await, b"good");
    middle.counts("vote_late", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_vote_of_0_stops_an_announcement_before_it_leaves_its_node() {
    let [first, middle, last] = row(&config(LONG)).await;
    let (mut announcer, mut judge) = (first.module().await, first.subscriber(7).await);
    let (mut near, mut far) = (middle.subscriber(7).await, last.subscriber(7).await);
    announcer.announce(0, 7, b"bad").await;
    let (id, _, _) = judge.notification().await;
    judge.vote(id, false).await;
    near.is_silent().await;
    far.is_silent().await;
    announcer.announce(0, 7, b"good").await;
    judge.accept().await;
    assert_eq!(near.accept().await, b"good");
    assert_eq!(far.accept().await, b"good");
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_drops_it_after_the_time_for_votes_and_no_earlier() {
    let [first, middle, last] = row(&config(Duration::from_secs(1))).await;
    let mut announcer = first.module().await;
    let mut silent = middle.subscriber(7).await;
    let mut there = last.subscriber(7).await;
    announcer.announce(0, 7, b"unvoted").await;
    silent.notification().await;
    middle.counts("ignored", 1).await;
    there.is_silent().await;

    announcer.announce(0, 7, b"late but in time").await;
    let (id, _, _) = silent.notification().await;
    tokio::time::sleep(Duration::from_millis(700)).await;
    silent.vote(id, true).await;
    assert_eq!(there.accept().await, b"late but in time");
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_module_that_was_asked_may_vote() {
    let [first, middle, last] = row(&config(LONG)).await;
    let mut announcer = first.module().await;
    let mut judge = middle.subscriber(7).await;
    let (mut stranger, mut there) = (middle.subscriber(8).await, last.subscriber(7).await);
    announcer.announce(0, 7, b"asked").await;
    let (id, _, _) = judge.notification().await;
    for vote in [id, id.wrapping_add(1), 0, 0xffff] {
        stranger.vote(vote, true).await;
    }
    middle.counts("vote_unasked", 1).await;
    there.is_silent().await;
    judge.vote(id, true).await;
    assert_eq!(there.accept().await, b"asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_goes_with_its_connection() {
    let [first, middle, last] = row(&config(LONG)).await;
    let mut announcer = first.module().await;
    let gone = middle.subscriber(7).await;
    let mut there = last.subscriber(7).await;
    drop(gone);
    let none = async {
        while middle
            .node
            .topics()
            .await
            .iter()
            .any(|topic| topic.subscribers > 0)
        {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(PATIENCE, none)
        .await
        .expect("the node listens no more");
    announcer.announce(0, 7, b"nobody is asked").await;
    assert_eq!(there.accept().await, b"nobody is asked");
    assert_eq!(middle.gateway.counters().get("notified"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_announcer_hears_itself_only_where_that_is_configured() {
    let plain = Station::start(config(LONG), &[], false).await;
    let telling = bruit_gateways::voidphone::Config {
        notify_announcer: true,
        ..config(LONG)
    };
    let telling = Station::start(telling, &[], false).await;
    let (mut a, mut b) = (plain.subscriber(7).await, telling.subscriber(7).await);
    a.announce(0, 7, b"me").await;
    b.announce(0, 7, b"me").await;
    assert_eq!(b.accept().await, b"me");
    a.is_silent().await;
    b.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_type_is_a_topic_both_ways() {
    let [first, _middle, last] = row(&config(LONG)).await;
    let (mut announcer, mut near) = (first.module().await, first.subscriber(7).await);
    let mut far = last.subscriber(7).await;
    let topics = Topics::Named(vec!["voidphone/7".into()]);
    let mut heard = last.node.subscribe(topics, From::Now).unwrap();

    first
        .node
        .publish(Draft::new("voidphone/7", "from bruit"))
        .await
        .unwrap();
    assert_eq!(far.accept().await, b"from bruit");
    assert_eq!(near.accept().await, b"from bruit");
    announcer.announce(0, 7, b"from a module").await;
    assert_eq!(near.accept().await, b"from a module");
    assert_eq!(far.accept().await, b"from a module");
    for expected in ["from bruit", "from a module"] {
        let next = tokio::time::timeout(PATIENCE, heard.next()).await.unwrap();
        let Some(Incoming::Bulletin(bulletin)) = next else {
            panic!("{next:?}")
        };
        assert_eq!(bulletin.body, expected);
    }
    near.is_silent().await;
    far.is_silent().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_longest_announcement_arrives_whole() {
    let [first, _middle, last] = row(&config(LONG)).await;
    let mut announcer = first.module().await;
    let mut there = last.subscriber(0xffff).await;
    let data: Vec<_> = (0..65_527_u32).map(|at| at.to_le_bytes()[0]).collect();
    let bytes = announce(0, 0xffff, &data);
    assert_eq!(bytes.len(), 65_535);
    announcer.send(&bytes).await;
    assert_eq!(there.accept().await, data);
}

#[tokio::test(flavor = "multi_thread")]
async fn frames_may_come_in_any_pieces() {
    let station = Station::start(config(LONG), &[], false).await;
    let (mut announcer, mut judge) = (station.module().await, station.subscriber(7).await);
    let bytes = announce(0, 7, b"cut");
    for cut in 1..bytes.len() {
        let (begin, end) = bytes.split_at(cut);
        announcer.send(begin).await;
        tokio::time::sleep(Duration::from_millis(2)).await;
        announcer.send(end).await;
        assert_eq!(judge.accept().await, b"cut");
    }
    // Byte by byte, and ten at once.
    for byte in &bytes {
        announcer.send(&[*byte]).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    assert_eq!(judge.accept().await, b"cut");
    let ten: Vec<_> = (0..10).flat_map(|n| announce(0, 7, &[n])).collect();
    announcer.send(&ten).await;
    for n in 0..10 {
        assert_eq!(judge.accept().await, [n]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_connect_over_ipv6_too() {
    let v6 = bruit_gateways::voidphone::Config {
        api: "[::1]:0".into(),
        ..config(LONG)
    };
    let station = Station::start(v6, &[], false).await;
    assert!(station.gateway.listen()[0].is_ipv6());
    let (mut announcer, mut judge) = (station.module().await, station.subscriber(7).await);
    announcer.announce(0, 7, b"six").await;
    assert_eq!(judge.accept().await, b"six");
}
