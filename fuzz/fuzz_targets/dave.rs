//! Any bytes as `dave` may get them.
#![no_main]

// What is fuzzed names the ids of the library, which the gateways name, too.
extern crate bruit_gateways as bruit;

#[expect(dead_code, reason = "each target takes one of its functions")]
#[path = "../src/foreign.rs"]
mod foreign;

libfuzzer_sys::fuzz_target!(|data: &[u8]| foreign::dave(data));
