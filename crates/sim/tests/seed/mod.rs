//! A test says which seed it runs, and can be told another.

/// The seed of this run: `SEED` in the environment, or `default`.
pub(crate) fn seed(default: u64) -> u64 {
    let seed = std::env::var("SEED").ok();
    let seed = seed.and_then(|text| text.parse().ok()).unwrap_or(default);
    println!("SEED={seed}");
    seed
}
