//! Whence this process has its memory.

/// Engines live in many small pieces: ten thousand of them in one process take a fifth less processor time
/// with this allocator than with the system's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Forgoes pages of 2 MiB. Ten thousand simulated nodes are quicker with them, while a daemon touches a
/// little of each and pays for all of it: 72 MiB resident instead of 49 under 300 bulletins a second.
#[cfg(target_os = "linux")]
pub(crate) fn take_small_pages() {
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        tracing::debug!(%error, "pages stay large");
    }
}

/// Elsewhere nobody is given large pages unasked.
#[cfg(not(target_os = "linux"))]
pub(crate) fn take_small_pages() {}
