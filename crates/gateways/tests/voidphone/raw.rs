//! A module or a peer made of raw bytes.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::{PATIENCE, SILENCE};

/// A connection and what it says.
pub(crate) struct Raw(pub(crate) TcpStream);

/// A frame of any type, from its body.
pub(crate) fn frame(kind: u16, body: &[u8]) -> Vec<u8> {
    let size = u16::try_from(4 + body.len()).unwrap();
    [&size.to_be_bytes()[..], &kind.to_be_bytes(), body].concat()
}

pub(crate) fn announce(ttl: u8, data_type: u16, data: &[u8]) -> Vec<u8> {
    frame(
        500,
        &[&[ttl, 0][..], &data_type.to_be_bytes(), data].concat(),
    )
}

pub(crate) fn hex(text: &str) -> Vec<u8> {
    let digits = (0..text.len()).step_by(2);
    digits
        .map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap())
        .collect()
}

impl Raw {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self(TcpStream::connect(address).await.unwrap())
    }

    pub(crate) async fn send(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).await.unwrap();
    }

    pub(crate) async fn announce(&mut self, ttl: u8, data_type: u16, data: &[u8]) {
        self.send(&announce(ttl, data_type, data)).await;
    }

    pub(crate) async fn notify(&mut self, data_type: u16) {
        let [high, low] = data_type.to_be_bytes();
        self.send(&frame(501, &[0, 0, high, low])).await;
    }

    pub(crate) async fn vote(&mut self, id: u16, valid: bool) {
        let [high, low] = id.to_be_bytes();
        self.send(&frame(503, &[high, low, 0, valid.into()])).await;
    }

    /// The next frame: its type and its body.
    pub(crate) async fn next(&mut self) -> (u16, Vec<u8>) {
        let read = async {
            let size = self.0.read_u16().await.expect("the connection stands");
            let kind = self.0.read_u16().await.unwrap();
            let mut body = vec![0; usize::from(size) - 4];
            self.0.read_exact(&mut body).await.unwrap();
            (kind, body)
        };
        tokio::time::timeout(PATIENCE, read)
            .await
            .expect("a frame in time")
    }

    /// The next notification: its id, its type and its data.
    pub(crate) async fn notification(&mut self) -> (u16, u16, Vec<u8>) {
        let (kind, body) = self.next().await;
        assert_eq!(kind, 502, "{body:?}");
        let number = |at: usize| u16::from_be_bytes([body[at], body[at + 1]]);
        (number(0), number(2), body[4..].to_vec())
    }

    /// Takes the next notification and votes for it; answers its data.
    pub(crate) async fn accept(&mut self) -> Vec<u8> {
        let (id, _, data) = self.notification().await;
        self.vote(id, true).await;
        data
    }

    /// Asserts that nothing comes for a while.
    #[track_caller]
    pub(crate) fn is_silent(&mut self) -> impl Future<Output = ()> {
        let place = std::panic::Location::caller();
        async move {
            let read = tokio::time::timeout(SILENCE, self.0.read_u8()).await;
            assert!(read.is_err(), "{place}: {read:?} came");
        }
    }

    /// Asserts that the other side closes, whatever it still says.
    pub(crate) async fn is_closed(&mut self) {
        let mut rest = Vec::new();
        let end = tokio::time::timeout(PATIENCE, self.0.read_to_end(&mut rest)).await;
        // A reset is an end, too.
        end.expect("it is closed").ok();
    }
}
