//! Hours of mixed traffic at one daemon while two hundred peers a minute come and go: its memory stays, and
//! when they have gone nothing of them is left.
//!
//! `BRUIT_SOAK_S` says how many seconds the traffic lasts. Peers are nodes of the library in this process. There
//! are four hundred of them, with folders of their own, that come again and again: what a node keeps of nodes it
//! met is bounded, but by far more than come in two hours. For the same reason bulletins are valid for half a minute,
//! and letters few: they and their acknowledgements are held for a day or two, whatever life they are given.
//! Each is away for a minute and a half: the transport forgets who was away for one, and keeps up to thirty addresses
//! of who was not.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::Relaxed};
use std::thread::Scope;
use std::time::{Duration, Instant};

use bruit::{Config, Draft, Node, PeerSpec, Profile};
use serde_json::json;
use tokio::runtime::{Builder, Runtime};

use common::api::{Api, Inbox, assert_each_once};
use common::measure::{cpu_time, descriptors, metric, rss_mib, slope, threads};
use common::{Daemon, PATIENCE, network};

/// As the daemons have it: threads that come and go leave the system's own in pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Daemons that stay, beside the one that is looked at.
const NEIGHBOURS: usize = 3;
/// Peers there are.
const PEERS: usize = 400;
/// One comes in this time: two hundred a minute.
const PEER_EVERY: Duration = Duration::from_millis(300);
/// Shortest and longest stay.
const STAY_MS: (u64, u64) = (5_000, 20_000);
/// Every so manieth leaves without a word.
const SILENT_EVERY: usize = 8;
/// Every so manieth links to others as well.
const OPEN_EVERY: usize = 10;
/// A bulletin is published in this time.
const BULLETIN_EVERY: Duration = Duration::from_millis(400);
/// Beside every so manieth a value is put.
const VALUE_EVERY: usize = 8;
/// Beside every so manieth a letter is written, and those that came are removed: one in less than three minutes.
const LETTER_EVERY: usize = 400;
const TOPICS: usize = 4;
/// Subscribers that come and go are there at a time.
const VISITORS: usize = 8;
/// Memory is looked at in this time.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// What the traffic lasts unless something else is asked for.
const LENGTH: Duration = Duration::from_mins(1);
/// Tables and caches are full by then, or by half of a shorter run.
const SETTLED: Duration = Duration::from_mins(20);
/// Shorter runs say nothing about an hour.
const JUDGED: Duration = Duration::from_mins(30);
/// Most memory that may come in an hour, in MiB.
const GROWTH_MAX: f64 = 1.0;
/// Connections to peers that fell silent are forgotten within this.
const FORGOTTEN: Duration = Duration::from_mins(5);

/// What a daemon holds for others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Held {
    descriptors: Option<usize>,
    threads: u64,
    tasks: u64,
    peer_states: u64,
    links: u64,
}

impl Held {
    fn of(pid: u32, api: &Api) -> Self {
        let (descriptors, threads) = (descriptors(pid), threads(pid));
        let metrics = api.metrics();
        let links = |direction| {
            metric(
                &metrics,
                &format!("bruit_links_up{{direction=\"{direction}\"}}"),
            )
        };
        Self {
            descriptors,
            threads,
            tasks: metric(&metrics, "bruit_node_tasks"),
            peer_states: metric(&metrics, "bruit_peer_states"),
            links: links("in") + links("out"),
        }
    }

    /// Whether nothing is more than in `before`.
    fn is_back_at(&self, before: &Self) -> bool {
        self.descriptors <= before.descriptors
            && self.threads <= before.threads
            && self.tasks <= before.tasks
            && (self.peer_states, self.links) == (before.peer_states, before.links)
    }

    /// What is held when nothing changes any more: threads that are not needed end after ten seconds.
    fn at_rest(pid: u32, api: &Api) -> Self {
        let (begun, mut held, mut since) = (Instant::now(), Self::of(pid, api), Instant::now());
        while since.elapsed() < Duration::from_secs(12) && begun.elapsed() < Duration::from_mins(1)
        {
            std::thread::sleep(Duration::from_millis(500));
            let now = Self::of(pid, api);
            if now != held {
                (held, since) = (now, Instant::now());
            }
        }
        held
    }
}

/// Ends the run, also when it fails: else its threads would go on.
struct Ends<'a>(&'a AtomicBool);

impl Drop for Ends<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

/// The run.
struct Soak {
    hub: Api,
    /// Where peers go: to the hub and two others.
    addresses: Vec<PeerSpec>,
    neighbours: Vec<Api>,
    is_over: AtomicBool,
    /// Of the peers that say goodbye.
    runtime: Runtime,
    /// Published on the first topic.
    bodies: Mutex<Vec<String>>,
    /// Folders of peers that are away.
    away: Mutex<VecDeque<PathBuf>>,
    /// Peers that came, and those that were not linked in time or could not publish.
    came: AtomicUsize,
    in_vain: AtomicUsize,
}

impl Soak {
    /// Peers that come to the first of `daemons`, with folders in `folder`.
    fn of(daemons: &[Daemon], folder: &Path) -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build();
        // Three: who hears fewer clocks deletes nothing.
        let met = daemons.iter().take(3);
        let places = (0..PEERS).map(|peer| folder.join(peer.to_string()));
        Self {
            hub: daemons[0].api(),
            addresses: met
                .map(|daemon| daemon.address().parse().unwrap())
                .collect(),
            neighbours: daemons[1..].iter().map(Daemon::api).collect(),
            is_over: AtomicBool::new(false),
            runtime: runtime.unwrap(),
            bodies: Mutex::default(),
            away: Mutex::new(places.collect()),
            came: AtomicUsize::new(0),
            in_vain: AtomicUsize::new(0),
        }
    }

    /// Does `work` again and again, with its number, each time when it is due.
    fn pace(&self, every: Duration, mut work: impl FnMut(usize)) {
        let begun = Instant::now();
        for number in 0.. {
            let due = begun + every * number;
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            if self.is_over.load(Relaxed) {
                return;
            }
            work(number as usize);
        }
    }

    /// Publishes, puts values and writes letters, from every daemon in turn.
    fn talk(&self, hub_id: &str) {
        let apis = std::iter::once(&self.hub).chain(&self.neighbours);
        let apis: Vec<_> = apis.collect();
        self.pace(BULLETIN_EVERY, |number| {
            let mut connection = apis[number % apis.len()].connect();
            let topic = number % TOPICS;
            let body = format!("{number} {}", "x".repeat(500 + number * 977 % 6_000));
            if topic == 0 {
                self.bodies.lock().unwrap().push(body.clone());
            }
            let mut ask = |method: &str, path: &str, body: serde_json::Value| {
                let (status, answer) = connection.ask(method, path, &body.to_string());
                assert_eq!(status, 200, "{method} {path}: {answer}");
            };
            let bulletin = json!({"topic": format!("t{topic}"), "body": body, "ttl": "30s"});
            ask("POST", "/v1/bulletins", bulletin);
            if number.is_multiple_of(VALUE_EVERY) {
                let name = format!("name-{}", number / VALUE_EVERY % 20);
                ask(
                    "POST",
                    "/v1/values",
                    json!({"name": name, "body": body, "ttl": "1m"}),
                );
            }
            if number % LETTER_EVERY == 1 {
                self.tidy();
                ask(
                    "POST",
                    "/v1/letters",
                    json!({"to": hub_id, "body": "a letter", "ttl": "10m"}),
                );
            }
        });
    }

    /// Removes the letters that came.
    fn tidy(&self) {
        let letters = self.hub.get("/v1/letters/inbox");
        let mut connection = self.hub.connect();
        for letter in letters.as_array().unwrap() {
            let path = format!("/v1/letters/inbox/{}", letter["id"].as_str().unwrap());
            let (status, answer) = connection.ask("DELETE", &path, "");
            assert_eq!(status, 200, "{answer}");
        }
    }

    /// Subscribers that come and go.
    fn look_in(&self) {
        let mut visitors = VecDeque::new();
        self.pace(Duration::from_secs(1), |number| {
            visitors.push_back(self.hub.visit(&format!("topic=t{}", number % TOPICS)));
            if visitors.len() > VISITORS {
                visitors.pop_front();
            }
        });
    }

    /// Peers that come and go, each in a thread of its own.
    fn populate<'scope>(&'scope self, scope: &'scope Scope<'scope, '_>) {
        self.pace(PEER_EVERY, |number| {
            let folder = self.away.lock().unwrap().pop_front();
            let folder = folder.expect("most peers are away at any time");
            scope.spawn(move || self.stay(folder, number));
        });
    }

    /// A peer comes, publishes, stays for a while and leaves.
    fn stay(&self, folder: PathBuf, number: usize) {
        // Whose runtime ends does not come to say anything.
        let own = number
            .is_multiple_of(SILENT_EVERY)
            .then(|| Builder::new_current_thread().enable_all().build().unwrap());
        let runtime = own.as_ref().unwrap_or(&self.runtime);
        let config = Config {
            data: Some(folder.clone()),
            listen: Some("127.0.0.1:0".parse().unwrap()),
            join: self.addresses.clone(),
            price: 0,
            profile: Profile::Local,
            static_peers: !number.is_multiple_of(OPEN_EVERY),
            ..Config::default()
        };
        let node = runtime.block_on(async {
            let node = Node::spawn(config).await.unwrap();
            let begun = Instant::now();
            let hub = self.addresses[0].id();
            let is_linked = async || node.peers(false).await.iter().any(|peer| peer.id == hub);
            let mut linked = is_linked().await;
            while !linked && begun.elapsed() < Duration::from_secs(3) {
                tokio::time::sleep(Duration::from_millis(20)).await;
                linked = is_linked().await;
            }
            self.came.fetch_add(1, Relaxed);
            self.in_vain.fetch_add(usize::from(!linked), Relaxed);
            let draft = Draft::new("peers", format!("peer {number}"));
            let draft = draft.ttl(Duration::from_secs(30));
            // On a machine that does much else it may take longer than ten seconds.
            let published = node.publish(draft).await.is_ok();
            self.in_vain
                .fetch_add(usize::from(linked && !published), Relaxed);
            let stay = STAY_MS.0 + number as u64 * 7_919 % (STAY_MS.1 - STAY_MS.0);
            tokio::time::sleep(Duration::from_millis(stay)).await;
            node
        });
        if own.is_none() {
            runtime.block_on(node.shutdown());
        }
        drop(own);
        drop(node);
        // The folder is let go by a thread of its own.
        std::thread::sleep(Duration::from_secs(2));
        self.away.lock().unwrap().push_back(folder);
    }
}

/// How long the traffic lasts.
fn length() -> Duration {
    let seconds = std::env::var("BRUIT_SOAK_S").ok();
    seconds.map_or(LENGTH, |text| {
        Duration::from_secs(text.parse().expect("BRUIT_SOAK_S is a number"))
    })
}

/// MiB an hour since memory has settled.
fn growth(samples: &[(f64, f64)], length: Duration) -> f64 {
    let settled = SETTLED.min(length / 2).as_secs_f64();
    let settled = samples.iter().filter(|(at, _)| *at >= settled);
    slope(&settled.copied().collect::<Vec<_>>()) * 3_600.0
}

/// Samples memory until the end, or until a thread of the run has failed; prints a line each minute.
fn watch(daemon: &Daemon, length: Duration, has_failed: impl Fn() -> bool) -> Vec<(f64, f64)> {
    let (pid, api) = (daemon.process.pid(), daemon.api());
    let (begun, cpu) = (Instant::now(), cpu_time(pid));
    let mut samples = Vec::new();
    while begun.elapsed() < length && !has_failed() {
        std::thread::sleep(SAMPLE_EVERY.min(length.saturating_sub(begun.elapsed())));
        let at = begun.elapsed().as_secs_f64();
        samples.push((at, rss_mib(pid)));
        if samples.len() % 6 == 1 {
            let share = 100.0 * cpu_time(pid).saturating_sub(cpu).as_secs_f64() / at;
            println!(
                "{:5.1} min: {:.1} MiB, {:.2} MiB/h, {share:.1} % of a core, {:?}",
                at / 60.0,
                rss_mib(pid),
                growth(&samples, length),
                Held::of(pid, &api),
            );
        }
    }
    samples
}

/// Has the first of `daemons` forget the peers that have gone; waits until it holds no more than `before`.
fn leave_alone(daemons: &[Daemon], api: &Api, before: &Held) {
    let (hub, pid) = (&daemons[0], daemons[0].process.pid());
    // It knows of four hundred nodes that are gone, and would go on calling them.
    let allowed: Vec<_> = daemons[1..].iter().map(Daemon::id).collect();
    let config = format!("[access]\nallow = {allowed:?}\n");
    std::fs::write(hub.data().join("config.toml"), config).unwrap();
    hub.process.signal("HUP");
    let left = Instant::now();
    let mut after = Held::of(pid, api);
    while !after.is_back_at(before) {
        assert!(
            left.elapsed() < FORGOTTEN,
            "before {before:?}, after {after:?}"
        );
        std::thread::sleep(Duration::from_millis(250));
        after = Held::of(pid, api);
    }
    println!(
        "{:.0?} after the last peer: {:.1} MiB, {after:?}",
        left.elapsed(),
        rss_mib(pid)
    );
}

#[test]
#[ignore = "two hours: cargo xtask nightly soak"]
fn memory_stays_and_nothing_is_left_of_two_hundred_peers_a_minute() {
    let length = length();
    let daemons = network(1 + NEIGHBOURS, NEIGHBOURS);
    let (hub, pid) = (&daemons[0], daemons[0].process.pid());
    let folders = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir());
    let folders = folders.unwrap();
    let soak = Soak::of(&daemons, folders.path());
    let inbox: Inbox = soak.hub.subscribe("topic=t0");
    let before = Held::at_rest(pid, &soak.hub);
    println!("before: {:.1} MiB, {before:?}", rss_mib(pid));
    assert_eq!((before.links, before.peer_states), (3, 3));

    let samples = std::thread::scope(|scope| {
        let (soak, hub_id) = (&soak, hub.id());
        let parts = [
            scope.spawn(move || soak.talk(hub_id)),
            scope.spawn(move || soak.look_in()),
            scope.spawn(move || soak.populate(scope)),
        ];
        let _ends = Ends(&soak.is_over);
        let has_failed = || parts.iter().any(std::thread::ScopedJoinHandle::is_finished);
        watch(hub, length, has_failed)
    });
    leave_alone(&daemons, &soak.hub, &before);

    let (came, in_vain) = (soak.came.into_inner(), soak.in_vain.into_inner());
    let (grown, first, last) = (
        growth(&samples, length),
        samples[0].1,
        samples[samples.len() - 1].1,
    );
    println!(
        "{came} peers came, {in_vain} of them in vain; {first:.1} MiB after {:.0} s, {last:.1} MiB after {:.0} s, \
         {grown:.2} MiB/h since it settled",
        samples[0].0,
        samples[samples.len() - 1].0,
    );
    assert_each_once([&inbox], &soak.bodies.into_inner().unwrap(), PATIENCE);
    let planned = length.as_millis() / PEER_EVERY.as_millis();
    assert!(came as u128 * 10 >= planned * 9, "{came} of {planned} came");
    assert!(in_vain * 100 <= came, "{in_vain} of {came} came in vain");
    assert!(length < JUDGED || grown <= GROWTH_MAX, "{grown} MiB/h");
}

#[test]
fn the_slope_of_a_line_with_noise_is_found() {
    let noise = [0.5, -0.5, -0.5, 0.5];
    let points: Vec<_> = (0..400)
        .map(|x| {
            (
                f64::from(x),
                3.0 + 0.25 * f64::from(x) + noise[x as usize % 4],
            )
        })
        .collect();
    assert!((slope(&points) - 0.25).abs() < 0.001, "{}", slope(&points));
}
