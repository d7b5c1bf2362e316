use std::collections::BTreeSet;
use std::time::Duration;
fn main() {
    let a: Vec<usize> = std::env::args()
        .skip(1)
        .map(|x| x.parse().unwrap())
        .collect();
    let (n, percent, seed) = (a[0], a[1], a[2] as u64);
    let mut w = bruit_sim::gates::settled(n, seed);
    let mut left = n * percent / 100;
    while left > 0 {
        let x = w.below(n);
        if w.is_alive(x) {
            w.kill(x);
            left -= 1;
        }
    }
    let alive = w.alive();
    let ab: BTreeSet<usize> = alive.iter().copied().collect();
    let mut bs = vec![];
    for t in 0..24 {
        if t < 10 {
            w.run(Duration::from_millis(100));
            let p = alive[t * alive.len() / 10];
            bs.push(w.publish(p, &vec![t as u8; 1024]));
            if t < 9 {
                continue;
            }
        } else {
            w.run(Duration::from_secs(1));
        }
        // true components: neighbours alive
        let mut iso = 0;
        let mut deg = 0;
        for &x in &alive {
            let d = w
                .neighbours(x)
                .into_iter()
                .filter(|y| ab.contains(y))
                .count();
            if d == 0 {
                iso += 1;
            }
            deg += d;
        }
        let c = w.components();
        let miss: usize = bs
            .iter()
            .map(|b| alive.len() - alive.iter().filter(|x| w.ledger().has(*b, **x)).count())
            .sum();
        let who: BTreeSet<usize> = bs
            .iter()
            .flat_map(|b| {
                alive
                    .iter()
                    .copied()
                    .filter(|x| !w.ledger().has(*b, *x))
                    .collect::<Vec<_>>()
            })
            .collect();
        println!(
            "t={:?} isolated {} meandeg {:.2} comps {} largest {} missing {} by {} nodes delivered {:.5}",
            if t < 10 { 1 } else { t - 8 },
            iso,
            deg as f64 / alive.len() as f64,
            c.len(),
            c[0],
            miss,
            who.len(),
            1.0 - miss as f64 / (alive.len() * bs.len()) as f64
        );
    }
}
