use std::collections::BTreeMap;
fn main() {
    let a: Vec<usize> = std::env::args()
        .skip(1)
        .map(|x| x.parse().unwrap())
        .collect();
    let mut w = bruit_sim::gates::settled(a[0], 1);
    for round in 0..3 {
        let n = a[0];
        let adj: Vec<Vec<usize>> = (0..n).map(|x| w.neighbours(x)).collect();
        let mut h: BTreeMap<usize, usize> = BTreeMap::new();
        for x in &adj {
            *h.entry(x.len()).or_default() += 1;
        }
        println!("degrees {h:?}");
        for s in [0, n / 2, n - 1] {
            let mut d = vec![usize::MAX; n];
            d[s] = 0;
            let mut f = vec![s];
            let mut hist = vec![1];
            while !f.is_empty() {
                let mut g = vec![];
                for x in f {
                    for &y in &adj[x] {
                        if d[y] == usize::MAX {
                            d[y] = d[x] + 1;
                            g.push(y);
                        }
                    }
                }
                hist.push(g.len());
                f = g;
            }
            println!("from {s}: {hist:?}");
        }
        // age mixing: correlation of neighbour index
        let mut close = 0;
        let mut all = 0;
        for x in 0..n {
            for &y in &adj[x] {
                all += 1;
                if x.abs_diff(y) * 10 < n {
                    close += 1;
                }
            }
        }
        println!(
            "round {round}: share of links within a tenth of join order {:.3} (random 0.19)",
            close as f64 / all as f64
        );
        w.run(std::time::Duration::from_secs(60));
    }
}
