fn main() {
    let a: Vec<usize> = std::env::args()
        .skip(1)
        .map(|x| x.parse().unwrap())
        .collect();
    for seed in a.get(2).copied().unwrap_or(1) as u64..=a[1] as u64 {
        println!("{seed} {:?}", bruit_sim::gates::withhold(a[0], 30, seed));
        println!("{seed} {:?}", bruit_sim::gates::warm(a[0], seed));
    }
}
