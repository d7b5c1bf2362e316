//! Modules that do not do as they should: a clean end for them, and nobody else notices.

use std::time::{Duration, Instant};

use super::raw::{Raw, announce, frame};
use super::{PATIENCE, Station, config, row};

const LONG: Duration = Duration::from_secs(20);

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_sends_no_frames_is_cut_off_and_the_others_go_on() {
    let station = Station::start(config(LONG), &[], false).await;
    let (mut announcer, mut judge) = (station.module().await, station.subscriber(7).await);
    let bad: [&[u8]; 9] = [
        &[0, 0],
        &[0, 3, 1, 0xf4],
        &[0, 0, 1, 0xf4, 0, 0, 0, 7],
        // Longer and shorter than its body may be.
        &[0xff, 0xff, 1, 0xf5, 0, 0, 0, 7],
        &[0, 7, 1, 0xf4, 0, 0, 0],
        &frame(499, b"what"),
        // Types that only go the other way, or stand on the other port.
        &frame(502, b"1234"),
        &frame(511, b"123456"),
        b"GET / HTTP/1.1\r\n\r\n",
    ];
    for bytes in bad {
        let mut module = station.subscriber(7).await;
        module.send(bytes).await;
        module.is_closed().await;
        announcer.announce(0, 7, bytes).await;
        assert_eq!(judge.accept().await, bytes);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_frame_that_promises_more_than_comes_holds_up_nobody() {
    let station = Station::start(config(LONG), &[], false).await;
    let (mut announcer, mut judge) = (station.module().await, station.subscriber(7).await);
    let mut waiting = station.module().await;
    waiting.send(&announce(0, 7, &[1; 100])[..50]).await;
    announcer.announce(0, 7, b"meanwhile").await;
    assert_eq!(judge.accept().await, b"meanwhile");
    drop(waiting);
    judge.is_silent().await;
}

/// One stops reading, one crashes with a vote open, one says yes to everything.
#[tokio::test(flavor = "multi_thread")]
async fn modules_that_stall_crash_or_say_yes_to_all_disturb_nobody_else() {
    let [first, middle, last] = row(&config(Duration::from_secs(1))).await;
    let mut announcer = first.module().await;
    let mut there = last.subscriber(7).await;
    let mut quick = last.subscriber(8).await;

    // Crashes: what it was asked about is dropped at its time.
    let mut crashing = middle.subscriber(7).await;
    announcer.announce(0, 7, b"crash").await;
    crashing.notification().await;
    drop(crashing);
    middle.counts("ignored", 1).await;
    there.is_silent().await;

    // Stalls: never reads, never votes. Other types go through it as ever.
    let stalled = middle.subscriber(7).await;
    let begin = Instant::now();
    announcer.announce(0, 7, b"stall").await;
    for n in 0..50 {
        announcer.announce(0, 8, &[n]).await;
    }
    for n in 0..50 {
        assert_eq!(quick.accept().await, [n]);
    }
    assert!(
        begin.elapsed() < Duration::from_secs(1),
        "{:?}",
        begin.elapsed()
    );
    middle.counts("ignored", 2).await;
    drop(stalled);

    // Says yes to all: what it was asked about passes, and no more.
    let mut eager = middle.subscriber(9).await;
    let all: Vec<_> = (0..=u16::MAX)
        .flat_map(|id| frame(503, &[id.to_be_bytes(), [0, 1]].concat()))
        .collect();
    eager.send(&all).await;
    announcer.announce(0, 9, b"yes").await;
    eager.accept().await;
    middle.counts("vote_late", 65_536).await;
    middle.counts("accepted", 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_module_that_does_not_read_is_cut_off_with_what_waits_for_it_bounded() {
    let station = Station::start(config(LONG), &[], false).await;
    let (mut announcer, stalled) = (station.module().await, station.subscriber(7).await);
    let mut judge = station.subscriber(7).await;
    let data = vec![1; 60_000];
    let reading = tokio::spawn(async move {
        for _ in 0..200 {
            judge.accept().await;
        }
        judge
    });
    for _ in 0..200 {
        announcer.announce(1, 7, &data).await;
    }
    station.counts("too_slow", 1).await;
    tokio::time::timeout(PATIENCE, reading)
        .await
        .expect("the other one gets all")
        .unwrap();
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn modules_and_types_have_bounds() {
    let station = Station::start(config(LONG), &[], false).await;
    let mut greedy = station.module().await;
    for data_type in 0..257 {
        greedy.notify(data_type).await;
    }
    greedy.is_closed().await;
    let mut modules = Vec::new();
    for _ in 0..256 {
        modules.push(station.module().await);
    }
    station.counts("module_connected", 257).await;
    station.module().await.is_closed().await;
    modules.pop();
    let mut last = None::<Raw>;
    let taken = async {
        while station.gateway.counters().get("module_connected") < 258 {
            last = Some(station.module().await);
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, taken)
        .await
        .expect("there is room again");
}
