//! Network namespaces, each made here and gone with its handle.

use std::fs;
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use super::Daemon;

static NUMBER: AtomicUsize = AtomicUsize::new(0);

/// Runs a program; answers its output, or what it said against it.
pub fn call(line: &str) -> Result<String, String> {
    let mut words = line.split(' ');
    let program = words.next().unwrap_or_default();
    let done = Command::new(program).args(words).output();
    let done = done.map_err(|error| format!("{line}: {error}"))?;
    if done.status.success() {
        Ok(String::from_utf8_lossy(&done.stdout).into_owned())
    } else {
        let error = String::from_utf8_lossy(&done.stderr);
        Err(format!("{line}: {}", error.trim()))
    }
}

/// A network namespace with its loopback up.
#[derive(Debug)]
pub struct Namespace(String);

impl Namespace {
    /// A new one.
    pub fn new() -> Result<Self, String> {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let name = format!("bruit-{}-{number}", std::process::id());
        call(&format!("ip netns add {name}"))?;
        let namespace = Self(name);
        namespace.call("ip link set lo up")?;
        Ok(namespace)
    }

    /// Runs a program in it.
    pub fn call(&self, line: &str) -> Result<String, String> {
        call(&format!("ip netns exec {} {line}", self.0))
    }

    /// Starts a daemon in it.
    pub fn start(&self, args: &[&str]) -> Daemon {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("bruit");
        Daemon::start_under(&["ip", "netns", "exec", &self.0], home, data, args)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0
    }

    /// Reads a set of rules for its packets.
    pub fn nft(&self, rules: &str) -> Result<(), String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), rules).unwrap();
        self.call(&format!("nft -f {}", file.path().display()))
            .map(drop)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // One that is gone already needs no more.
        let _ = call(&format!("ip netns del {}", self.0));
    }
}

/// A number of an interface in `/proc/net/dev`: 0 is bytes received, 8 bytes sent, 9 packets sent.
#[track_caller]
pub fn device(devices: &str, name: &str, column: usize) -> u64 {
    let prefix = format!("{name}:");
    let line = devices
        .lines()
        .find_map(|line| line.trim().strip_prefix(&prefix));
    let mut numbers = line.unwrap().split_whitespace();
    numbers.nth(column).unwrap().parse().unwrap()
}
