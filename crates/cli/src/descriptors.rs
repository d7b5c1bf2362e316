//! How many files a daemon may have open.
//!
//! Systems give a process few to begin with, for the sake of old programs that number them with little
//! sets, and allow it more: a daemon with a thousand subscribers needs them.

/// Enough for all connections of the API, the store and the links.
#[cfg(unix)]
const WANTED: u64 = 4_096;

/// Asks for as many as are wanted and allowed. With fewer the daemon runs all the same, and turns away
/// what it cannot hold.
#[cfg(unix)]
pub(crate) fn raise() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let allowed = maximum.map_or(WANTED, |maximum| maximum.min(WANTED));
    if current.is_some_and(|current| current < allowed) {
        let current = Some(allowed);
        if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current, maximum }) {
            tracing::debug!(%error, "no more files may be open");
        }
    }
}

/// Elsewhere there is no such bound.
#[cfg(not(unix))]
pub(crate) fn raise() {}
