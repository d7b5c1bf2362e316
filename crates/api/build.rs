//! Sees to it that a new file of the dashboard is embedded: those that are known already are watched
//! by the compiler.

fn main() {
    println!("cargo::rerun-if-changed=../../dashboard");
}
