//! The store against its model, every choice a byte of the input: `crates/node/src/store/tests/model.rs`.
//!
//! The store's files are compiled here, as the library that they are of brings a network stack along.
#![no_main]

#[expect(
    dead_code,
    unused_imports,
    reason = "the library and its tests use what the model does not"
)]
#[path = "../../crates/node/src/store/mod.rs"]
mod store;

/// What the store takes from the rest of its library.
mod sync {
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
}

mod networks {
    pub(crate) const STORE_FILE: &str = "store.redb";
}

mod keys {
    /// Nothing here is in a file.
    pub(crate) fn private_options() -> std::fs::OpenOptions {
        std::fs::OpenOptions::new()
    }
}

libfuzzer_sys::fuzz_target!(|data: &[u8]| store::fuzzed(data));
