//! The locks of the queues that threads meet at. `tests/interleavings.rs` compiles those queues with
//! others in their place, which try every order of events.

pub(crate) use std::sync::atomic;
pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
