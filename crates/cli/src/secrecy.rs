//! What other processes may see of one that holds keys: as little as the system can be told.

/// Writes no memory to disk when the process dies, and lets nobody of this user but root look into it: no
/// debugger, no `/proc/PID/mem` or `/proc/PID/environ`. What tells how it is doing stays readable
/// (`/proc/PID/stat`, `status`); its descriptors do not (`docs/keys.md`).
pub(crate) fn close() {
    #[cfg(target_os = "linux")]
    if let Err(error) =
        rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable)
    {
        tracing::warn!(%error, "other processes of this user may look into this one");
    }
    #[cfg(unix)]
    {
        use rustix::process::{Resource, Rlimit, setrlimit};
        let none = Rlimit {
            current: Some(0),
            maximum: Some(0),
        };
        if let Err(error) = setrlimit(Resource::Core, none) {
            tracing::warn!(%error, "a crash may write this process's memory to disk");
        }
    }
}
