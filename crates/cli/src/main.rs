//! bruit
fn main() {}
