use std::time::{Duration, Instant};
fn main() {
    let n: usize = std::env::args().nth(1).unwrap().parse().unwrap();
    let t = Instant::now();
    let mut w = bruit_sim::gates::settled(n, 1);
    println!(
        "settled {:?} parts {:?} frames {:?}",
        t.elapsed(),
        w.components(),
        w.ledger().totals()
    );
    let (t, b) = (Instant::now(), w.ledger().totals());
    let k = w.ledger().bytes_by_kind().clone();
    w.run(Duration::from_secs(60));
    println!(
        "idle minute {:?} {:?}",
        t.elapsed(),
        w.ledger().totals().since(b)
    );
    for (kind, bytes) in w.ledger().bytes_by_kind() {
        println!("kind {kind}: {} bytes", bytes - k.get(kind).unwrap_or(&0));
    }
}
