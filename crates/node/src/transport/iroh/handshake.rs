//! From an address or an incoming packet to a connection with both streams open.
//!
//! The dialler opens two bidirectional streams and writes one byte on each, the class: a QUIC
//! stream does not exist for the other side before its first byte. The acceptor waits for both.

use std::pin::Pin;
use std::time::Duration;

use bruit_core::id::{LinkId, NodeId};
use bruit_core::link::{Class, CloseReason, Direction};
use iroh::endpoint::{ConnectOptions, Connection, ConnectionError, Incoming, RecvStream};
use iroh::{Endpoint, EndpointAddr};
use tokio::time::timeout;

use super::ALPN;
use super::link::{Streams, close};
use crate::transport::{CLASSES, index};

/// Something that takes a while.
pub(super) type Task = Pin<Box<dyn Future<Output = Outcome> + Send>>;

/// What became of a [`Task`].
#[derive(Debug)]
pub(super) enum Outcome {
    /// A connection is ready.
    Up {
        connection: Connection,
        streams: Box<Streams>,
        direction: Direction,
    },
    /// A dial came to nothing.
    DialFailed { peer: NodeId, error: String },
    /// An incoming handshake came to nothing.
    AcceptFailed,
    /// The connection of a link that is not read any more ended.
    Closed {
        link: LinkId,
        error: ConnectionError,
    },
}

/// Dials `address`.
pub(super) async fn dial(
    endpoint: Endpoint,
    address: EndpointAddr,
    options: ConnectOptions,
    limit: Duration,
) -> Outcome {
    let peer = NodeId::from_bytes(*address.id.as_bytes());
    match timeout(limit, open(&endpoint, address, options)).await {
        Ok(Ok((connection, streams))) => Outcome::Up {
            connection,
            streams,
            direction: Direction::Out,
        },
        Ok(Err(error)) => Outcome::DialFailed { peer, error },
        Err(_) => Outcome::DialFailed {
            peer,
            error: format!("no answer within {limit:?}"),
        },
    }
}

async fn open(
    endpoint: &Endpoint,
    address: EndpointAddr,
    options: ConnectOptions,
) -> Result<(Connection, Box<Streams>), String> {
    let connecting = endpoint
        .connect_with_opts(address, ALPN, options)
        .await
        .map_err(|error| format!("{error:#}"))?;
    let connection = connecting.await.map_err(|error| format!("{error:#}"))?;
    let mut streams = Vec::new();
    for class in CLASSES {
        let (mut send, recv) = connection
            .open_bi()
            .await
            .map_err(|error| error.to_string())?;
        let byte = u8::try_from(index(class)).expect("two classes");
        send.write_all(&[byte])
            .await
            .map_err(|error| error.to_string())?;
        streams.push((send, recv));
    }
    let streams = <Streams>::try_from(streams).expect("one stream per class");
    prioritize(&streams);
    Ok((connection, Box::new(streams)))
}

/// Completes an incoming handshake.
pub(super) async fn accept(incoming: Incoming, limit: Duration) -> Outcome {
    let up = async {
        let connection = incoming.await.ok()?;
        let streams = accept_streams(&connection).await;
        if streams.is_none() {
            close(&connection, CloseReason::Score);
        }
        Some((connection, streams?))
    };
    match timeout(limit, up).await {
        Ok(Some((connection, streams))) => Outcome::Up {
            connection,
            streams,
            direction: Direction::In,
        },
        Ok(None) | Err(_) => Outcome::AcceptFailed,
    }
}

/// The two streams in the order of [`CLASSES`], none when the peer names a class twice or unknown.
async fn accept_streams(connection: &Connection) -> Option<Box<Streams>> {
    let first = connection.accept_bi().await.ok()?;
    let second = connection.accept_bi().await.ok()?;
    let mut streams = [first, second];
    let classes = [
        class_of(&mut streams[0].1).await?,
        class_of(&mut streams[1].1).await?,
    ];
    match classes {
        [Class::Control, Class::Bulletins] => {}
        [Class::Bulletins, Class::Control] => streams.reverse(),
        [Class::Control, Class::Control] | [Class::Bulletins, Class::Bulletins] => return None,
    }
    prioritize(&streams);
    Some(Box::new(streams))
}

async fn class_of(stream: &mut RecvStream) -> Option<Class> {
    let mut byte = [0];
    stream.read_exact(&mut byte).await.ok()?;
    CLASSES.get(usize::from(byte[0])).copied()
}

/// Lets control overtake bulletins within the connection.
fn prioritize([(control, _), _]: &Streams) {
    // Fails on a closed stream only, which the first write or read reports.
    let _ = control.set_priority(1);
}
