//! A hostile member against three honest ones: whatever it sends, the others go on as before, and
//! it is cut off.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bruit::{Config, Node};
use bruit_core::id::ShortId;
use bruit_core::identity::{Claim, SecretKey, Signature};
use bruit_core::link::Class;
use bruit_core::record::{Record, RecordBody};
use bruit_core::wire::{Frame, IhaveEntry, StampEntry, encode_pub};
use bruit_core::work::{Search, Stamp};
use bytes::Bytes;
use iroh::endpoint::presets;
use iroh::{Endpoint, EndpointAddr, EndpointId, RelayMode, TransportAddr};

use crate::attacker::{Attacker, Draws, Script, bulletin, wall_now};
use crate::figures::{mebibytes, percent, quantile, resident_bytes};
use crate::siege::{ATTACK, GROWTH_MAX, NOISE, Run, honest_links, withstand};
use crate::traffic::Traffic;
use crate::world::{TOPIC, address, alone, local, star, stop};

/// What a script says: a frame on the stream of its kind.
#[expect(clippy::unnecessary_wraps, reason = "a script may also fall silent")]
fn control(frame: &Frame) -> Option<(Class, Bytes)> {
    Some((frame.class(), frame.encode()))
}

fn random_id(draws: &mut Draws) -> ShortId {
    ShortId::from_bytes(draws.bytes())
}

// Broken bytes.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn random_frames() {
    withstand("random frames", &local(), 1, |_, _| {
        Box::new(|draws| {
            let class = [Class::Control, Class::Bulletins][draws.below(2)];
            let length = 1 + draws.below(200);
            let bytes: [u8; 200] = draws.bytes();
            Some((class, Bytes::copy_from_slice(&bytes[..length])))
        })
    })
    .await;
}

/// Bytes put on a stream past all framing, by an iroh client of our own.
async fn write_raw(victim: &Node, seed: u8, class: u8, bytes: &[u8]) -> Duration {
    let secret_key = iroh::SecretKey::from_bytes(&[seed; 32]);
    let endpoint = Endpoint::builder(presets::Minimal)
        .secret_key(secret_key)
        .relay_mode(RelayMode::Disabled)
        .bind()
        .await
        .expect("listens");
    let id = EndpointId::from_bytes(victim.id().as_bytes()).expect("a key");
    let places = victim.addresses().into_iter().map(TransportAddr::Ip);
    let address = EndpointAddr::from_parts(id, places);
    let connection = endpoint
        .connect(address.clone(), b"bruit/1")
        .await
        .expect("connects");
    let mut streams = Vec::new();
    for class in [0, 1] {
        let (mut send, recv) = connection.open_bi().await.expect("opens");
        send.write_all(&[class]).await.expect("writes");
        streams.push((send, recv));
    }
    let start = Instant::now();
    // The victim may close while we write.
    streams[usize::from(class)].0.write_all(bytes).await.ok();
    let closed = tokio::time::timeout(Duration::from_secs(1), connection.closed()).await;
    let took = start.elapsed();
    assert!(closed.is_ok(), "not cut within a second");
    // In again? The victim says no.
    if let Ok(again) = endpoint.connect(address, b"bruit/1").await {
        let closed = tokio::time::timeout(Duration::from_secs(1), async {
            for class in [0, 1] {
                let Ok((mut send, _)) = again.open_bi().await else {
                    return;
                };
                send.write_all(&[class]).await.ok();
            }
            again.closed().await;
        });
        assert!(closed.await.is_ok(), "not refused within a second");
    }
    endpoint.close().await;
    took
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn broken_framing() {
    let _alone = alone();
    let nodes = star(3, 2, &local()).await;
    let mut traffic = Traffic::new(&nodes, 200);
    traffic.exchange(Duration::from_millis(300)).await;
    let links = honest_links(&nodes).await;
    let quiet = traffic.exchange(Duration::from_millis(1_500)).await;
    let memory = resident_bytes();
    let (control_max, data_max) = (8_192_u32, 65_536_u32 + 1_024);
    let too_long = |max: u32| {
        let length = max + 1;
        let digit = |shift: u32| u8::try_from(length >> shift & 0x7f).expect("seven bits");
        let mut bytes = vec![0x80 | digit(0), 0x80 | digit(7), digit(14)];
        bytes.resize(300_000, 1);
        bytes
    };
    let cases: [(&str, u8, Vec<u8>); 7] = [
        ("a length beyond control frames", 0, too_long(control_max)),
        ("a length beyond data frames", 1, too_long(data_max)),
        (
            "the longest length",
            1,
            vec![0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f],
        ),
        ("an overlong length", 0, vec![0x81, 0x00, 1]),
        ("an empty frame", 0, vec![0]),
        ("zeroes", 1, vec![0; 100_000]),
        (
            "text",
            0,
            b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".repeat(100),
        ),
    ];
    let victim = nodes[0].clone();
    let attack = tokio::spawn(async move {
        let mut longest = Duration::ZERO;
        for (seed, (name, class, bytes)) in (50..).zip(cases) {
            let took = write_raw(&victim, seed, class, &bytes).await;
            println!("{name}: cut after {took:?}");
            longest = longest.max(took);
        }
        longest
    });
    let attacked = traffic.exchange(Duration::from_millis(2_500)).await;
    attack.await.expect("every case was cut off");
    let growth = resident_bytes().saturating_sub(memory);
    let (quiet, attacked) = (quantile(&quiet, 990), quantile(&attacked, 990));
    println!(
        "broken framing: p99 quiet {quiet:?} attacked {attacked:?}; +{} MiB",
        mebibytes(growth)
    );
    assert!(growth <= GROWTH_MAX);
    assert!(attacked <= quiet * 2 + NOISE);
    assert_eq!(honest_links(&nodes).await, links);
    stop(nodes).await;
}

// Bad bulletins.

/// Bulletins whose signatures are noise: each has an id of its own and costs nothing to make.
fn unsigned(attacker: &Attacker) -> Script {
    let mut bulletin = attacker.bulletin(b"not mine");
    Box::new(move |draws| {
        bulletin.signature = Signature::from_bytes(draws.bytes());
        Some((Class::Bulletins, encode_pub(draws.next(), 0, &bulletin)))
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_signatures_from_one() {
    let run = withstand("bad signatures, 1", &local(), 1, |_, attacker| {
        unsigned(attacker)
    })
    .await;
    verifier_share(&run);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bad_signatures_from_twenty() {
    let run = withstand("bad signatures, 20", &local(), 20, |_, attacker| {
        unsigned(attacker)
    })
    .await;
    verifier_share(&run);
}

/// Checks × the price of one, as a part of the time one core had during the attack.
fn verifier_share(run: &Run) {
    let key = SecretKey::from_seed(&[7; 32]);
    let message = [7; 250];
    let (bytes, signature) = (*key.node_id().as_bytes(), key.sign(&message));
    let start = Instant::now();
    for _ in 0..200 {
        assert!(
            Claim {
                key: &bytes,
                message: &message,
                signature: &signature
            }
            .verify()
        );
    }
    let one = start.elapsed() / 200;
    let checks = one * u32::try_from(run.checks).expect("few");
    let share = percent(checks, ATTACK);
    println!(
        "one check {one:?}; {} of them: {share:.1} % of a core, {:.1} % of what honest nodes took",
        run.checks,
        percent(checks, run.honest_time)
    );
    assert!(share <= 30.0, "{share} %");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn too_little_work() {
    // Price 1 asks for 11 bits of these: half a millisecond for the honest.
    let config = Config {
        price: 1,
        ..local()
    };
    let network = config.network();
    withstand("too little work", &config, 1, move |_, attacker| {
        let pool: Vec<_> = (0..64_u8)
            .map(|number| {
                let mut bulletin = attacker.bulletin(&[number; 200]);
                let header = &bulletin.header;
                let min = network.price().bits_min(header.size_bytes, header.ttl());
                // One bit short, honestly worked for.
                bulletin.stamp = search(&bulletin, min - 1);
                encode_pub(1, 0, &bulletin)
            })
            .collect();
        Box::new(move |draws| Some((Class::Bulletins, pool[draws.below(64)].clone())))
    })
    .await;
}

fn search(bulletin: &bruit_core::bulletin::Bulletin, bits: u8) -> Stamp {
    Search::new(*bulletin.id(), bits, 0)
        .step(1 << 20)
        .expect("few bits")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn replays() {
    withstand("replays", &local(), 1, |_, attacker| {
        let pool: Vec<_> = (0..64_u8)
            .map(|number| encode_pub(1, 0, &attacker.bulletin(&[number; 200])))
            .collect();
        Box::new(move |draws| Some((Class::Bulletins, pool[draws.below(64)].clone())))
    })
    .await;
}

// Floods of words.

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn announcements_of_what_does_not_exist() {
    withstand("IHAVE flood", &local(), 1, |_, _| {
        Box::new(|draws| {
            let entries = (0..256)
                .map(|_| IhaveEntry {
                    id: random_id(draws),
                    root_tag: draws.next() % 3,
                })
                .collect();
            control(&Frame::Ihave { entries })
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn wants_of_one_bulletin() {
    withstand("IWANT flood", &local(), 1, |_, attacker| {
        let bulletin = attacker.bulletin(&vec![5; 60_000]);
        attacker.say(Class::Bulletins, encode_pub(1, 0, &bulletin));
        let iwant = Frame::Iwant {
            ids: vec![bulletin.id().short(); 64],
        };
        Box::new(move |_| control(&iwant))
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn grafts_chokes_and_stamps_at_random() {
    let kinds = Arc::new(AtomicU64::new(0));
    withstand("GRAFT, CHOKE, STAMP flood", &local(), 1, move |_, _| {
        let kinds = Arc::clone(&kinds);
        Box::new(move |draws| {
            let roots = |draws: &mut Draws| (0..512).map(|_| draws.next()).collect();
            control(&match kinds.fetch_add(1, Ordering::Relaxed) % 3 {
                0 => Frame::Choke {
                    roots: roots(draws),
                },
                1 => {
                    let ids = (0..64).map(|_| random_id(draws)).collect();
                    Frame::Graft {
                        roots: roots(draws),
                        ids,
                    }
                }
                _ => {
                    let entry = |draws: &mut Draws| StampEntry {
                        id: bruit_core::id::BulletinId::from_bytes(draws.bytes()),
                        stamp: Stamp {
                            bits: 30,
                            nonce: draws.next(),
                        },
                    };
                    Frame::Stamp {
                        entries: (0..32).map(|_| entry(draws)).collect(),
                    }
                }
            })
        })
    })
    .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn forged_records() {
    withstand("PEERS flood", &local(), 1, |_, _| {
        Box::new(|draws| {
            let record = |draws: &mut Draws| Record {
                body: RecordBody {
                    node: SecretKey::from_seed(&draws.bytes()).node_id(),
                    seq: draws.next(),
                    expires: wall_now().plus(Duration::from_hours(1)),
                    addresses: vec!["127.0.0.1:9".parse().expect("an address")],
                    relay: String::new(),
                },
                signature: Signature::from_bytes(draws.bytes()),
            };
            control(&Frame::Peers {
                records: (0..16).map(|_| record(draws)).collect(),
            })
        })
    })
    .await;
}

// Silence.

/// A member that stops reading. It is no flood and breaks no rule at once: liveness misses its
/// answers, the queues to it stay bounded, and it is let go within 20 s.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_unread_stream() {
    let _alone = alone();
    let config = local();
    let nodes = star(3, 2, &config).await;
    let links = honest_links(&nodes).await;
    let mut traffic = Traffic::new(&nodes, 8_192);
    let mut attacker = Attacker::new(99, config.network(), address(&nodes[0])).await;
    traffic.exchange(Duration::from_millis(300)).await;
    attacker.enter().await;
    let mut quiet = traffic.exchange(Duration::from_millis(1_500)).await;
    let memory = resident_bytes();
    // Nothing polls the attacker's transport from here on: its streams are not read.
    let start = Instant::now();
    let mut attacked = Vec::new();
    let mut gone = None;
    while gone.is_none() && start.elapsed() < Duration::from_secs(25) {
        attacked.extend(traffic.exchange(Duration::from_secs(1)).await);
        let is_linked = nodes[0].peers(false).await.len() > 2;
        gone = (!is_linked).then(|| start.elapsed());
    }
    let growth = resident_bytes().saturating_sub(memory);
    quiet.extend(traffic.exchange(Duration::from_secs(1)).await);
    let (quiet, attacked) = (quantile(&quiet, 990), quantile(&attacked, 990));
    println!(
        "unread stream: p99 quiet {quiet:?} attacked {attacked:?}; let go after {gone:?}; +{} MiB",
        mebibytes(growth)
    );
    assert!(gone.is_some(), "still linked after 25 s");
    assert!(
        growth <= GROWTH_MAX + 3 * (16 << 20),
        "growth beyond the bulletins kept: {growth}"
    );
    assert!(attacked <= quiet * 2 + NOISE);
    assert_eq!(honest_links(&nodes).await, links);
    attacker.leave().await;
    stop(nodes).await;
}

/// The helper is not idle talk: what an attacker says well is delivered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_attacker_that_behaves_is_heard() {
    let _alone = alone();
    let config = local();
    let nodes = star(2, 1, &config).await;
    let mut subscription = crate::world::live(&nodes[1]);
    let mut attacker = Attacker::new(99, config.network(), address(&nodes[0])).await;
    attacker.enter().await;
    let key = SecretKey::from_seed(&[3; 32]);
    let bulletin = bulletin(TOPIC, b"well said", &key, &config.network());
    attacker.say(Class::Bulletins, encode_pub(1, 0, &bulletin));
    attacker.turn(Duration::from_millis(50)).await;
    assert_eq!(
        crate::world::next(&mut subscription).await.id,
        *bulletin.id()
    );
    assert!(attacker.is_in());
    attacker.leave().await;
    stop(nodes).await;
}
