//! Datagrams, read by a task of its own: while the gateway works for what came, the kernel's small buffer must not
//! run over, because what is lost there nobody can count.
//!
//! Invariant: what waits is bounded by count and bytes, and each datagram that does not fit is counted.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;

use crate::counters::Counters;

/// Datagrams that wait.
const WAITING_MAX: usize = 4_096;
/// Bytes of them.
const BYTES_MAX: usize = 16 << 20;
/// Pause after the system could not read.
const AGAIN: Duration = Duration::from_millis(10);

/// `to` as a socket of the family of `local` is told it: one that listens for both speaks IPv4 in IPv6.
pub(crate) fn as_spoken(to: SocketAddr, local: SocketAddr) -> SocketAddr {
    match to.ip() {
        IpAddr::V4(ip) if local.is_ipv6() => SocketAddr::new(ip.to_ipv6_mapped().into(), to.port()),
        _ => to,
    }
}

/// What comes in at a socket. Dropped, it ends.
pub(crate) struct Datagrams {
    waiting: mpsc::Receiver<(SocketAddr, Vec<u8>)>,
    bytes: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Datagrams {
    /// Reads datagrams of at most `longest` bytes; longer ones are cut.
    pub(crate) fn read(socket: Arc<UdpSocket>, longest: usize, counters: Counters) -> Self {
        let (sender, waiting) = mpsc::channel(WAITING_MAX);
        let bytes = Arc::<AtomicUsize>::default();
        let reader = Reader {
            socket,
            sender,
            bytes: Arc::clone(&bytes),
            counters,
        };
        let task = tokio::spawn(reader.run(longest));
        Self {
            waiting,
            bytes,
            task,
        }
    }

    /// The next one: from where, and its bytes. Cancel safe.
    pub(crate) async fn next(&mut self) -> Option<(SocketAddr, Vec<u8>)> {
        let next = self.waiting.recv().await?;
        self.bytes.fetch_sub(next.1.len(), Ordering::Relaxed);
        Some(next)
    }
}

impl Drop for Datagrams {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Reader {
    socket: Arc<UdpSocket>,
    sender: mpsc::Sender<(SocketAddr, Vec<u8>)>,
    bytes: Arc<AtomicUsize>,
    counters: Counters,
}

impl Reader {
    async fn run(self, longest: usize) {
        let mut buffer = vec![0; longest];
        loop {
            if let Ok((length, from)) = self.socket.recv_from(&mut buffer).await {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                self.keep(from, buffer.get(..length).unwrap_or_default());
            } else {
                self.counters.count("dropped_unreadable");
                tokio::time::sleep(AGAIN).await;
            }
        }
    }

    fn keep(&self, from: SocketAddr, bytes: &[u8]) {
        let len = bytes.len();
        let is_room = self.bytes.load(Ordering::Relaxed) + len <= BYTES_MAX;
        // Counted first: whoever takes it at once counts back.
        self.bytes.fetch_add(len, Ordering::Relaxed);
        if !is_room || self.sender.try_send((from, bytes.to_vec())).is_err() {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
            self.counters.count("dropped_busy");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn socket() -> Arc<UdpSocket> {
        Arc::new(UdpSocket::bind("127.0.0.1:0").await.unwrap())
    }

    #[test]
    fn a_socket_for_both_families_is_told_addresses_of_its_own() {
        let spoken = |to: &str, local: &str| {
            let to = as_spoken(to.parse().unwrap(), local.parse().unwrap());
            to.to_string()
        };
        assert_eq!(spoken("127.0.0.2:7", "[::]:1"), "[::ffff:127.0.0.2]:7");
        assert_eq!(spoken("127.0.0.2:7", "0.0.0.0:1"), "127.0.0.2:7");
        assert_eq!(spoken("[::1]:7", "[::]:1"), "[::1]:7");
    }

    #[tokio::test]
    async fn what_comes_is_read_in_order_and_cut() {
        let (socket, from) = (socket().await, socket().await);
        let to = socket.local_addr().unwrap();
        let mut datagrams = Datagrams::read(socket, 5, Counters::default());
        for text in ["one", "", "longest"] {
            from.send_to(text.as_bytes(), to).await.unwrap();
        }
        let own = from.local_addr().unwrap();
        for text in ["one", "", "longe"] {
            let (from, bytes) = datagrams.next().await.unwrap();
            assert_eq!((from, &bytes[..]), (own, text.as_bytes()));
        }
        assert_eq!(datagrams.bytes.load(Ordering::Relaxed), 0);
    }

    #[tokio::test]
    async fn what_does_not_fit_is_counted() {
        let (sender, mut waiting) = mpsc::channel(WAITING_MAX);
        let reader = Reader {
            socket: socket().await,
            sender,
            bytes: Arc::default(),
            counters: Counters::default(),
        };
        let from = reader.socket.local_addr().unwrap();
        let keep = |count: usize, length: usize| {
            let bytes = vec![0; length];
            (0..count).for_each(|_| reader.keep(from, &bytes));
        };
        keep(WAITING_MAX + 3, 1);
        assert_eq!(reader.counters.get("dropped_busy"), 3);
        assert_eq!(reader.bytes.load(Ordering::Relaxed), WAITING_MAX);
        while waiting.try_recv().is_ok() {}
        keep(1, BYTES_MAX - WAITING_MAX);
        keep(2, 1);
        assert_eq!(reader.counters.get("dropped_busy"), 5);
    }
}
