//! The bruit side, heard: bulletins before they are delivered and after, and other gateways.

use std::io;
use std::net::SocketAddrV4;
use std::sync::Arc;
use std::time::Duration;

use bruit::{AuthorId, Topics};
use futures_util::StreamExt as _;
use futures_util::stream::BoxStream;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::events::ConnId;
use super::word::{self, Types};
use crate::crossing;
use crate::error::GatewayError;
use crate::inside::{Asked, Heard, Inside, InsideError, Item, Since};
use crate::publisher::PAUSE;

/// What reaches the gateway's loop beside what connections say.
#[derive(Debug)]
pub(crate) enum Input {
    /// A dial ended.
    Dialled(SocketAddrV4, io::Result<TcpStream>),
    /// A search for a solution ended.
    Solved(ConnId, Option<u64>),
    /// A bulletin of this type was delivered.
    Heard(Item, u16),
    /// A bulletin of this type is to be judged.
    Asked(Asked, u16),
    /// Another gateway says that it is there.
    Present(AuthorId),
    /// So many bulletins were missed.
    Gap(u64),
    /// There is no bruit side any more.
    Gone(InsideError),
}

/// Hears the bruit side for the loop.
#[derive(Clone)]
pub(crate) struct Ears {
    inside: Arc<dyn Inside>,
    inputs: mpsc::Sender<Input>,
}

impl Ears {
    pub(crate) fn new(inside: Arc<dyn Inside>, inputs: mpsc::Sender<Input>) -> Self {
        Self { inside, inputs }
    }

    /// Asks the loop about bulletins of a type, until the task is aborted.
    pub(crate) fn judge(&self, data_type: u16, time: Duration) -> AbortHandle {
        let Self { inside, inputs } = self.clone();
        let judging = async move {
            let asked = loop {
                match inside.validate(word::topic(data_type), time).await {
                    Err(error) if error.is_passing() => tokio::time::sleep(PAUSE).await,
                    asked => break asked,
                }
            };
            match asked {
                Ok(asked) => {
                    forward(asked, |asked| Some(Input::Asked(asked, data_type)), &inputs).await;
                }
                Err(error) => drop(inputs.send(Input::Gone(error)).await),
            }
        };
        tokio::spawn(judging).abort_handle()
    }

    /// Hands on the bulletins of a type, until the task is aborted.
    pub(crate) fn hear(&self, data_type: u16) -> AbortHandle {
        let Self { inside, inputs } = self.clone();
        let hearing = async move {
            let heard = loop {
                let topics = Topics::Named(vec![word::topic(data_type)]);
                match inside.subscribe(topics, Since::Now).await {
                    Err(error) if error.is_passing() => tokio::time::sleep(PAUSE).await,
                    heard => break heard,
                }
            };
            match heard {
                Ok(heard) => forward(heard, |heard| Some(typed(heard, data_type)), &inputs).await,
                Err(error) => drop(inputs.send(Input::Gone(error)).await),
            }
        };
        tokio::spawn(hearing).abort_handle()
    }

    /// Hands on the bulletins of every type, those of the last `past` first.
    pub(crate) async fn hear_all(&self, past: Duration) -> Result<AbortHandle, GatewayError> {
        let table = tokio::task::spawn_blocking(Types::all).await;
        let table = table.map_err(|_| GatewayError::Broken)?;
        let all = self
            .inside
            .subscribe(Topics::All, Since::Last(past))
            .await?;
        let inputs = self.inputs.clone();
        let hearing = async move {
            let known = |heard| match heard {
                Heard::Item(item) => table
                    .of(&item.topic)
                    .map(|data_type| Input::Heard(*item, data_type)),
                Heard::Gap(missed) => Some(Input::Gap(missed)),
            };
            forward(all, known, &inputs).await;
        };
        Ok(tokio::spawn(hearing).abort_handle())
    }

    /// Hands on word of other gateways to the system `name`.
    pub(crate) async fn hear_gateways(&self, name: &str) -> Result<AbortHandle, GatewayError> {
        let topics = Topics::Named(vec![crossing::topic(name)]);
        let others = self
            .inside
            .subscribe(topics, Since::Last(crossing::PRESENCE_KEEP))
            .await?;
        let inputs = self.inputs.clone();
        let hearing = async move {
            let present = |heard| match heard {
                Heard::Item(item) => Some(Input::Present(item.author)),
                Heard::Gap(_) => None,
            };
            forward(others, present, &inputs).await;
        };
        Ok(tokio::spawn(hearing).abort_handle())
    }
}

fn typed(heard: Heard, data_type: u16) -> Input {
    match heard {
        Heard::Item(item) => Input::Heard(*item, data_type),
        Heard::Gap(missed) => Input::Gap(missed),
    }
}

/// Hands on what a stream of the node brings; its end is the node's.
async fn forward<T>(
    mut stream: BoxStream<'static, T>,
    make: impl Fn(T) -> Option<Input>,
    inputs: &mpsc::Sender<Input>,
) {
    while let Some(item) = stream.next().await {
        if let Some(input) = make(item)
            && inputs.send(input).await.is_err()
        {
            return;
        }
    }
    let gone = InsideError::new(
        "closed",
        "the node has stopped",
        "start it again: bruit run",
    );
    inputs.send(Input::Gone(gone)).await.ok();
}
