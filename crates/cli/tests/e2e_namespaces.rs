//! Nodes in network namespaces: without a way out, with lost packets, with one slow line.
//!
//! Every namespace is made here, and gone with its handle. Where they cannot be made the tests are
//! skipped and say so.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::time::{Duration, Instant};

use common::api::{Api, Inbox, assert_each_once, now_us};
use common::measure::{metric, percentile, rss_mib, spread_ms};
use common::namespace::{Namespace, device};
use common::overlay::reached;
use common::{Daemon, PATIENCE, skip};
use serde_json::Value;

/// Namespaces joined by a bridge, in a namespace of its own. Number `n` is 10.77.0.n+1.
struct Village {
    bridge: Namespace,
    nodes: Vec<Namespace>,
}

impl Village {
    fn new(count: usize) -> Result<Self, String> {
        let bridge = Namespace::new()?;
        bridge.call("ip link add br0 type bridge")?;
        bridge.call("ip link set br0 up")?;
        let mut village = Self {
            bridge,
            nodes: Vec::new(),
        };
        for number in 0..count {
            village.add(number)?;
        }
        Ok(village)
    }

    fn add(&mut self, number: usize) -> Result<(), String> {
        let (node, bridge) = (Namespace::new()?, &self.bridge);
        bridge.call(&format!(
            "ip link add port{number} type veth peer name eth0 netns {}",
            node.name()
        ))?;
        bridge.call(&format!("ip link set port{number} master br0"))?;
        bridge.call(&format!("ip link set port{number} up"))?;
        node.call(&format!("ip addr add {}/24 dev eth0", address(number)))?;
        node.call("ip link set eth0 up")?;
        self.nodes.push(node);
        Ok(())
    }

    /// Starts a daemon in each; all are told of the first alone.
    fn start(&self, args: &[&str]) -> Vec<Daemon> {
        let mut daemons: Vec<Daemon> = Vec::new();
        for (number, node) in self.nodes.iter().enumerate() {
            let listen = format!("{}:7447", address(number));
            let first = daemons.first().map(|first| first.address().to_owned());
            let mut all = vec!["--listen", &listen];
            all.extend(
                first
                    .as_deref()
                    .into_iter()
                    .flat_map(|first| ["--join", first]),
            );
            daemons.push(node.start(&[&all, args].concat()));
        }
        daemons
    }

    /// Lets nothing pass between the first half of them and the second.
    fn cut_in_halves(&self) -> Result<(), String> {
        let count = self.nodes.len();
        for (number, node) in self.nodes.iter().enumerate() {
            let is_first = number < count / 2;
            let others = (0..count).filter(|other| (*other < count / 2) != is_first);
            let others: Vec<_> = others.map(address).collect();
            node.nft(&format!(
                "table inet split {{
                   chain in {{
                     type filter hook input priority 0;
                     ip saddr {{ {} }} drop
                   }}
                 }}",
                others.join(", ")
            ))?;
        }
        Ok(())
    }

    /// Lets everything pass again.
    fn heal(&self) -> Result<(), String> {
        for node in &self.nodes {
            node.call("nft delete table inet split")?;
        }
        Ok(())
    }

    /// Leaves one of them 256 kbit/s.
    fn slow_down(&self, number: usize) -> Result<(), String> {
        let limit = "rate 256kbit burst 8kb latency 400ms";
        let add = format!("tc qdisc add dev port{number} root tbf {limit}");
        self.bridge.call(&add).map(drop)
    }

    /// Leaves it as much as there is again.
    fn speed_up(&self, number: usize) -> Result<(), String> {
        let delete = format!("tc qdisc del dev port{number} root");
        self.bridge.call(&delete).map(drop)
    }
}

fn address(number: usize) -> String {
    format!("10.77.0.{}", number + 1)
}

/// Publishes `count` bulletins at `per_second`, from each in turn; answers the bodies.
fn publish(apis: &[Api], name: &str, count: usize, per_second: usize, size: usize) -> Vec<String> {
    let (begin, filler) = (Instant::now(), "x".repeat(size));
    let publish = |number: usize| {
        let due = begin
            + Duration::from_secs(1) * u32::try_from(number).unwrap()
                / u32::try_from(per_second).unwrap();
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let body = format!("{} {name} {number} {filler}", now_us());
        // One of its own: who asks nothing for five seconds is cut off.
        let mut connection = apis[number % apis.len()].connect();
        let (status, answer) = connection.publish("news", &body);
        assert_eq!(status, 200, "{answer}");
        body
    };
    (0..count).map(publish).collect()
}

fn subscribe(apis: &[Api]) -> Vec<Inbox> {
    apis.iter().map(|api| api.subscribe("topic=news")).collect()
}

/// A number of a table such as /proc/net/snmp: two lines that begin alike, names and values.
fn counter(table: &str, line: &str, name: &str) -> u64 {
    let mut lines = table.lines().filter(|one| one.starts_with(line));
    let (names, values) = (lines.next().unwrap(), lines.next().unwrap());
    let at = names
        .split_whitespace()
        .position(|word| word == name)
        .unwrap();
    values.split_whitespace().nth(at).unwrap().parse().unwrap()
}

/// Packets sent on an interface.
fn sent(devices: &str, name: &str) -> u64 {
    device(devices, name, 9)
}

/// A namespace whose only way out leads into another where nobody is; every packet is counted.
struct DeadEnd {
    inside: Namespace,
    _nobody: Namespace,
}

impl DeadEnd {
    fn new() -> Result<Self, String> {
        let (inside, nobody) = (Namespace::new()?, Namespace::new()?);
        for namespace in [&inside, &nobody] {
            // Else the kernel itself has something to say.
            namespace.call("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")?;
        }
        inside.call(&format!(
            "ip link add nowhere type veth peer name void netns {}",
            nobody.name()
        ))?;
        nobody.call("ip link set void up")?;
        inside.call("ip addr add 10.78.0.1/24 dev nowhere")?;
        inside.call("ip link set nowhere up")?;
        Ok(Self {
            inside,
            _nobody: nobody,
        })
    }

    /// Adds a default route.
    fn with_route(self) -> Result<Self, String> {
        self.inside.call("ip route add default via 10.78.0.2")?;
        // Without it the question for the router's hardware address would stand for the packet.
        self.inside
            .call("ip neigh add 10.78.0.2 lladdr 02:00:00:00:00:01 dev nowhere")?;
        Ok(self)
    }
}

fn start_in_dead_end(
    DeadEnd {
        inside: namespace, ..
    }: &DeadEnd,
) -> [Daemon; 2] {
    let start = Instant::now();
    let first = namespace.start(&["--price", "0"]);
    let ready = start.elapsed();
    let second = namespace.start(&["--price", "0", "--join", first.address()]);
    let start = Instant::now();
    second.wait_for_links(1);
    let linked = start.elapsed();
    println!("ready after {ready:?}, linked {linked:?} after that");
    assert!(ready <= Duration::from_secs(1), "{ready:?}");
    assert!(linked <= Duration::from_secs(1), "{linked:?}");
    [first, second]
}

#[test]
fn without_a_way_out_a_node_starts_at_once_and_sends_nothing_to_strangers() {
    let name = "without_a_way_out_a_node_starts_at_once_and_sends_nothing_to_strangers";
    let namespace = match DeadEnd::new() {
        Ok(namespace) => namespace,
        Err(why) => return skip(name, &why),
    };
    let daemons = start_in_dead_end(&namespace);
    let inbox = daemons[0].api().subscribe("topic=news");
    daemons[1].json(&["pub", "news", "hello"]);
    assert!(inbox.wait(1, PATIENCE));
    std::thread::sleep(Duration::from_secs(8));
    let pid = daemons[0].process.pid();
    let snmp = fs::read_to_string(format!("/proc/{pid}/net/snmp")).unwrap();
    let devices = fs::read_to_string(format!("/proc/{pid}/net/dev")).unwrap();
    // Each of the two has looked up where the default route would lead, which sends nothing.
    let without_route = counter(&snmp, "Ip:", "OutNoRoutes");
    assert!(
        without_route <= 2,
        "{without_route} times something was tried that has no route"
    );
    assert_eq!(sent(&devices, "nowhere"), 0, "something left");
    assert!(sent(&devices, "lo") > 0, "the counter counts");
}

#[test]
fn with_a_way_out_nothing_takes_it_unasked() {
    let name = "with_a_way_out_nothing_takes_it_unasked";
    let namespace = DeadEnd::new().and_then(DeadEnd::with_route);
    let namespace = match namespace {
        Ok(namespace) => namespace,
        Err(why) => return skip(name, &why),
    };
    let daemons = start_in_dead_end(&namespace);
    std::thread::sleep(Duration::from_secs(8));
    let devices =
        || fs::read_to_string(format!("/proc/{}/net/dev", daemons[0].process.pid())).unwrap();
    assert_eq!(sent(&devices(), "nowhere"), 0, "something left");
    // The guard is seen to fail: an address outside is dialled when it is named.
    let somebody = Daemon::start(&["--ephemeral"]).id().to_owned();
    daemons[1].run(&[
        "join",
        &format!("{somebody}@192.0.2.1:7447"),
        "--timeout",
        "2s",
    ]);
    assert!(sent(&devices(), "nowhere") > 0, "the counter counts");
}

#[test]
fn neighbours_on_a_line_send_to_each_other_alone() {
    let name = "neighbours_on_a_line_send_to_each_other_alone";
    let village = Village::new(2).and_then(|village| {
        for node in &village.nodes {
            // Anything but what was configured; the kernel's own neighbour discovery is neither.
            node.nft(
                "table inet watch {
                   chain out {
                     type filter hook output priority 0;
                     oifname \"lo\" accept
                     ip daddr { 10.77.0.1, 10.77.0.2 } udp dport 7447 counter accept
                     meta l4proto { udp, tcp } counter comment \"strange\"
                   }
                 }",
            )?;
        }
        Ok(village)
    });
    let village = match village {
        Ok(village) => village,
        Err(why) => return skip(name, &why),
    };
    let daemons = village.start(&["--price", "0"]);
    daemons[1].wait_for_links(1);
    let apis: Vec<_> = daemons.iter().map(Daemon::api).collect();
    let inboxes = subscribe(&apis);
    let bodies = publish(&apis, "line", 20, 20, 100);
    assert_each_once(&inboxes, &bodies, PATIENCE);
    std::thread::sleep(Duration::from_secs(8));
    for node in &village.nodes {
        let rules = node.call("nft list table inet watch").unwrap();
        let strange = rules.lines().find(|line| line.contains("strange")).unwrap();
        assert!(strange.contains("packets 0 "), "{rules}");
        assert!(
            !rules.contains("dport 7447 counter packets 0 "),
            "the counter counts: {rules}"
        );
    }
}

#[test]
fn with_one_packet_in_twenty_lost_everything_comes_within_a_second() {
    let name = "with_one_packet_in_twenty_lost_everything_comes_within_a_second";
    let village = Village::new(5).and_then(|village| {
        for node in &village.nodes {
            node.nft(
                "table inet loss {
                   chain in {
                     type filter hook input priority 0;
                     iifname \"eth0\" numgen random mod 100 < 5 counter drop
                   }
                 }",
            )?;
        }
        Ok(village)
    });
    let village = match village {
        Ok(village) => village,
        Err(why) => return skip(name, &why),
    };
    let daemons = village.start(&["--price", "0"]);
    for daemon in &daemons {
        daemon.wait_for_links(1);
    }
    let apis: Vec<_> = daemons.iter().map(Daemon::api).collect();
    let inboxes = subscribe(&apis);
    let bodies = publish(&apis, "lossy", 400, 40, 500);
    let drained = Instant::now();
    assert_each_once(&inboxes, &bodies, Duration::from_mins(1));
    let drained = drained.elapsed();
    let mut took = spread_ms(&inboxes);
    let (p50, p99) = (percentile(&mut took, 50.0), percentile(&mut took, 99.0));
    let lost = village.nodes[0].call("nft list table inet loss").unwrap();
    let lost = lost
        .lines()
        .find(|line| line.contains("drop"))
        .unwrap()
        .trim()
        .to_owned();
    println!("5 % loss: p50 {p50:.1} ms, p99 {p99:.1} ms, drained after {drained:?}; {lost}");
    assert_eq!(dead(&apis), 0, "nobody is taken for dead");
    assert!(!lost.contains("packets 0 "), "nothing was lost");
    assert!(p99 <= 1_000.0, "{p99}");
}

/// How often a node takes another one for dead.
fn dead(apis: &[Api]) -> usize {
    let members = apis.iter().map(|api| api.get("/v1/members"));
    let dead = |members: Value| {
        let members = members.as_array().expect("members are a list").iter();
        members.filter(|member| member["state"] == "dead").count()
    };
    members.map(dead).sum()
}

#[test]
fn halves_that_were_apart_for_a_minute_are_one_network_and_lack_nothing() {
    const NODES: usize = 16;
    let name = "halves_that_were_apart_for_a_minute_are_one_network_and_lack_nothing";
    let village = Village::new(NODES).and_then(|village| {
        // Whether it can be done is known before it is needed.
        village.cut_in_halves()?;
        village.heal()?;
        Ok(village)
    });
    let village = match village {
        Ok(village) => village,
        Err(why) => return skip(name, &why),
    };
    let daemons = village.start(&["--price", "0"]);
    for daemon in &daemons {
        daemon.wait_for_links(4);
    }
    let apis: Vec<_> = daemons.iter().map(Daemon::api).collect();
    let inboxes = subscribe(&apis);

    village.cut_in_halves().unwrap();
    // Longer than connections live that carry nothing.
    let bodies = publish(&apis, "apart", 180, 3, 200);
    let most = inboxes.iter().map(Inbox::len).max();
    assert!(most < Some(bodies.len()), "nothing was cut");
    let ids = daemons.iter().map(|daemon| daemon.id().to_owned());
    let nodes = ids.zip(apis.iter().cloned()).collect();
    assert_eq!(
        reached(&nodes),
        NODES / 2,
        "links live on that carry nothing"
    );
    village.heal().unwrap();
    let healed = Instant::now();
    while reached(&nodes) < NODES {
        assert!(healed.elapsed() < Duration::from_secs(30), "two parts");
        std::thread::sleep(Duration::from_millis(100));
    }
    let merged = healed.elapsed();
    let left = Duration::from_mins(1).saturating_sub(healed.elapsed());
    assert_each_once(&inboxes, &bodies, left);
    println!(
        "one network {merged:?} after it healed, everything everywhere {:?}",
        healed.elapsed()
    );
    while dead(&apis) > 0 {
        assert!(
            healed.elapsed() < Duration::from_mins(1),
            "somebody stays dead"
        );
        std::thread::sleep(Duration::from_millis(500));
    }
}

/// Bytes that wait at a node to be sent.
fn queued_bytes(api: &Api) -> u64 {
    metric(&api.metrics(), "bruit_table_used{table=\"queued bytes\"}")
}

#[test]
fn a_slow_line_to_one_node_slows_no_other() {
    const NODES: usize = 8;
    let name = "a_slow_line_to_one_node_slows_no_other";
    let slow = NODES - 1;
    let village = Village::new(NODES).and_then(|village| {
        // Whether it can be done is known before it is needed.
        village.slow_down(slow)?;
        village.speed_up(slow)?;
        Ok(village)
    });
    let village = match village {
        Ok(village) => village,
        Err(why) => return skip(name, &why),
    };
    let daemons = village.start(&["--price", "0", "--profile", "lan"]);
    for daemon in &daemons {
        daemon.wait_for_links(3);
    }
    let apis: Vec<_> = daemons.iter().map(Daemon::api).collect();
    let inboxes = subscribe(&apis);
    let memory = || {
        daemons[..slow]
            .iter()
            .map(|daemon| rss_mib(daemon.process.pid()))
            .collect::<Vec<_>>()
    };
    // 480 kbit/s of contents: twice what the slow line carries.
    let round = |name: &str, count: usize| {
        let bodies = publish(&apis[..slow], name, count, 60, 1_000);
        let queued = apis[..slow].iter().map(queued_bytes).max().unwrap();
        assert_each_once(&inboxes[..slow], &bodies, PATIENCE);
        let mut took = spread_ms(&inboxes[..slow]);
        let figures = [50.0, 99.0].map(|percent| percentile(&mut took, percent));
        let [p50, p99] = figures;
        println!("{name}: p50 {p50:.1} ms, p99 {p99:.1} ms, {queued} B wait at one node at most");
        // One link's: no other is slow.
        assert!(queued <= 1 << 20, "{queued} B wait");
        inboxes[..slow].iter().for_each(Inbox::clear);
        (bodies, p99)
    };
    let (warm_up, _) = round("warm-up", 600);
    let (quick, before) = round("all lines quick", 600);
    assert_each_once([&inboxes[slow]], &[warm_up, quick].concat(), PATIENCE);
    inboxes[slow].clear();

    village.slow_down(slow).unwrap();
    let resident = memory();
    // Trees that led through the slow one are mended within two seconds, at the cost of a repair for
    // some dozen deliveries; then nobody notices it any more.
    let (first, mending) = round("the line becomes slow", 120);
    let (later, with) = round("one line slow", 600);
    let bodies = [first, later].concat();
    let grown = memory()
        .iter()
        .zip(&resident)
        .map(|(now, then)| now - then)
        .fold(0.0, f64::max);
    println!(
        "the slow one has {} of {}; its neighbours grew by at most {grown:.1} MiB",
        inboxes[slow].len(),
        bodies.len()
    );
    // A fifth, and what a busy machine does to a few milliseconds.
    assert!(with <= before * 1.2 + 10.0, "{with} ms, {before} without");
    assert!(mending <= 500.0, "{mending} ms");
    assert!(grown <= 8.0, "{grown} MiB");
    village.speed_up(slow).unwrap();
    assert_each_once([&inboxes[slow]], &bodies, Duration::from_mins(1));
}

/// Two nodes on one line, told of nobody and started with `args`; what goes out to many is counted.
fn on_a_line(args: &[&str]) -> Result<(Village, Vec<Daemon>), String> {
    let village = Village::new(2)?;
    for node in &village.nodes {
        // The kernel has a word of its own for IPv6 neighbours.
        node.call("sysctl -qw net.ipv6.conf.all.disable_ipv6=1")?;
        node.call("ip route add default dev eth0")?;
        node.nft(
            "table ip watch {
               chain out {
                 type filter hook output priority 0;
                 ip daddr 224.0.0.0/4 counter comment \"multicast\"
               }
             }",
        )?;
    }
    let start = |(number, node): (usize, &Namespace)| {
        let listen = format!("{}:7447", address(number));
        node.start(&[&["--price", "0", "--listen", &listen], args].concat())
    };
    let daemons = village.nodes.iter().enumerate().map(start).collect();
    Ok((village, daemons))
}

/// Whether a node of [`on_a_line`] has sent any packet to many.
fn has_sent_multicast(node: &Namespace) -> bool {
    let rules = node.call("nft list table ip watch").unwrap();
    let line = rules.lines().find(|line| line.contains("multicast"));
    !line.unwrap().contains("packets 0 ")
}

#[test]
fn with_discovery_two_nodes_on_a_line_that_know_of_nobody_link_within_five_seconds() {
    let name = "with_discovery_two_nodes_on_a_line_that_know_of_nobody_link_within_five_seconds";
    let (village, daemons) = match on_a_line(&["--discover", "lan"]) {
        Ok(line) => line,
        Err(why) => return skip(name, &why),
    };
    let start = Instant::now();
    for daemon in &daemons {
        daemon.wait_for_links(1);
    }
    println!("linked {:?} after the second was ready", start.elapsed());
    assert!(start.elapsed() <= Duration::from_secs(5));
    assert!(village.nodes.iter().all(has_sent_multicast), "it counts");
}

#[test]
fn without_discovery_not_one_multicast_packet_leaves() {
    let name = "without_discovery_not_one_multicast_packet_leaves";
    let (village, daemons) = match on_a_line(&[]) {
        Ok(line) => line,
        Err(why) => return skip(name, &why),
    };
    std::thread::sleep(Duration::from_secs(4));
    for (node, daemon) in village.nodes.iter().zip(&daemons) {
        assert_eq!(daemon.json(&["peers"]), serde_json::json!([]));
        assert!(!has_sent_multicast(node));
    }
}
