mod world;
use std::time::Duration;
use bruit_core::network::Network;
use bruit_core::work::Price;
use world::{Weather, World};
#[test]
fn dbg() {
  for (delay, jitter) in [(200u64, 100u64), (1000, 20000), (5000, 60000)] {
    let mut world = World::with(64, 4, &Network::new("t", Price::FREE, None), |c| c.membership = bruit_core::membership::Config::local());
    for node in 1..64 { world.join(node, 0); }
    world.weather = Weather { delay: Duration::from_micros(delay), jitter: Duration::from_micros(jitter), loss_permille: 0, duplicate_permille: 0 };
    world.run(Duration::from_secs(5));
    let mut lat = vec![]; let before = world.totals();
    let req: u64 = world.hosts.iter().map(|h| h.requests).sum();
    let kinds0: std::collections::BTreeMap<u8,u64> = world.hosts.iter().flat_map(|h| h.bytes.clone()).fold(Default::default(), |mut m, (k,v)| { *m.entry(k).or_default() += v; m });
    for _ in 0..200 { let t = world.now; let id = world.publish(3, &[7; 256]); world.run(Duration::from_millis(50));
      let _ = (t,id); lat.push((t,id)); }
    world.run(Duration::from_secs(2));
    let mut all = vec![];
    for (t,id) in &lat { for h in &world.hosts { if let Some(d) = h.delivered.iter().find(|d| d.0 == *id) { if d.1 > 0 { all.push(d.2.since(*t).as_micros() as u64); } } } }
    all.sort();
    let kinds: std::collections::BTreeMap<u8,u64> = world.hosts.iter().flat_map(|h| h.bytes.clone()).fold(Default::default(), |mut m, (k,v)| { *m.entry(k).or_default() += v; m });
    println!("delay {delay} jitter {jitter}: n {} p50 {} p99 {} max {} red {:.3} req {}", all.len(), all[all.len()/2], all[all.len()*99/100], all[all.len()-1], world.redundancy(before), world.hosts.iter().map(|h| h.requests).sum::<u64>() - req);
    for (k,v) in kinds { print!(" {k}:{}", v - kinds0.get(&k).copied().unwrap_or(0)); } println!();
  }
}
