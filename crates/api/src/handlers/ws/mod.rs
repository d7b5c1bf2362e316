//! `GET /v1/ws`: publish, subscribe and validate over one socket.
//!
//! Invariant: one task reads and writes, one message at a time. A client that does not read is not read
//! either, so nothing grows for it but the queues of its subscriptions, which are those of every
//! subscriber: what finds them full is lost to it, and counted as a gap.

mod feed;
mod upgrade;

use std::time::{Duration, Instant};

use axum::extract::{Extension, Request, State};
use axum::response::Response;
use futures_util::SinkExt as _;
use futures_util::future::BoxFuture;
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::MissedTickBehavior;
use tokio_websockets::{CloseCode, Config, Limits, Message, WebSocketStream};

use self::feed::Feeds;
use super::{App, bulletins, closed, validate};
use crate::error::ApiError;
use crate::guard::{BODY_BYTES_MAX, Connection, Who};
use crate::types::{
    Ask, ErrorDetail, Op, Publish, Published, Scope, SocketVerdict as Verdict, Subscribe, Told,
    Unsubscribe, Validate,
};

/// How often a silent client is asked whether it is there.
const PING_EVERY: Duration = Duration::from_secs(15);
/// How long one may be silent.
const SILENCE_MAX: Duration = Duration::from_secs(45);
/// Publications of one socket at a time.
const PUBLISHING_MAX: usize = 64;
/// Bytes of a `ref`.
const REFERENCE_BYTES_MAX: usize = 64;
/// Bytes of a frame we send.
const FRAME_BYTES: usize = 64 << 10;

/// Takes a connection over for a socket.
pub(crate) async fn open(
    State(app): State<App>,
    Extension(who): Extension<Who>,
    connection: Option<Extension<Connection>>,
    mut request: Request,
) -> Result<Response, ApiError> {
    let response = upgrade::answer(request.headers())?;
    let seat = app.stream_seat()?;
    let upgraded = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let stream = match upgraded.await {
            Ok(stream) => stream,
            Err(error) => return tracing::debug!(%error, "api: no socket came of it"),
        };
        let limits = Limits::default().max_payload_len(Some(BODY_BYTES_MAX));
        let stream = tokio_websockets::ServerBuilder::new()
            .limits(limits)
            .config(Config::default().frame_size(FRAME_BYTES))
            .serve(hyper_util::rt::TokioIo::new(stream));
        let socket = Socket {
            feeds: Feeds::default(),
            publishing: FuturesUnordered::new(),
            heard: Instant::now(),
            app,
            who,
            stream,
            _seats: (seat, connection),
        };
        socket.run().await;
    });
    Ok(response)
}

/// What the socket speaks over.
type Stream = hyper_util::rt::TokioIo<hyper::upgrade::Upgraded>;

/// A publication that is under way.
type Publishing = BoxFuture<'static, (Option<Value>, Result<Published, ApiError>)>;

struct Socket {
    app: App,
    who: Who,
    stream: WebSocketStream<Stream>,
    feeds: Feeds,
    publishing: FuturesUnordered<Publishing>,
    /// When the client last said anything.
    heard: Instant,
    /// One for the stream, and that of the connection it was.
    _seats: (OwnedSemaphorePermit, Option<Extension<Connection>>),
}

impl Socket {
    async fn run(mut self) {
        let app = self.app.clone();
        tokio::select! {
            () = self.serve() => {}
            () = closed(app.closing.clone()) => {}
        }
        // Whoever is gone hears nothing.
        let goodbye = Message::close(Some(CloseCode::GOING_AWAY), "the node ends the socket");
        let _ = tokio::time::timeout(Duration::from_millis(100), self.stream.send(goodbye)).await;
    }

    /// Serves until the client goes or falls silent.
    async fn serve(&mut self) {
        let mut tick = tokio::time::interval(PING_EVERY);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let told = tokio::select! {
                message = self.stream.next() => match message {
                    Some(Ok(message)) if message.is_close() => return,
                    Some(Ok(message)) => self.hear(&message),
                    _ => return,
                },
                Some(told) = self.feeds.next(), if !self.feeds.is_empty() => Some(text(&told)),
                Some((reference, done)) = self.publishing.next(), if !self.publishing.is_empty() => {
                    Some(text(&answer(reference, done.map(|done| json!(done)))))
                }
                _ = tick.tick() => {
                    if self.heard.elapsed() > SILENCE_MAX {
                        return;
                    }
                    Some(Message::ping(""))
                }
            };
            let Some(told) = told else { continue };
            let begun = Instant::now();
            if self.stream.send(told).await.is_err() {
                return;
            }
            // While it did not read, it was not asked.
            self.heard += begun.elapsed();
        }
    }

    /// Does what a message says; answers what there is to say at once.
    fn hear(&mut self, message: &Message) -> Option<Message> {
        self.heard = Instant::now();
        let words = message.as_text()?;
        let ask = match serde_json::from_str::<Ask>(words) {
            Ok(ask) => ask,
            Err(error) => {
                let error = ApiError::bad_request(
                    format!("the message is not the JSON expected here: {error}"),
                    "write {\"ref\": 1, \"op\": \"subscribe\", \"topics\": [\"news\"]}",
                );
                return Some(text(&answer(None, Err(error))));
            }
        };
        let reference = ask.reference.clone();
        match self.obey(ask) {
            Ok(None) => None,
            Ok(Some(result)) => Some(text(&answer(reference, Ok(result)))),
            Err(error) => Some(text(&answer(reference, Err(error)))),
        }
    }

    /// Begins or does what is asked for; none when the answer comes later.
    fn obey(&mut self, ask: Ask) -> Result<Option<Value>, ApiError> {
        let reference = check(ask.reference)?;
        // A verdict answers a question of ours: they come no faster than bulletins.
        if ask.op != Op::Answer {
            self.who.take(&self.app)?;
        }
        match ask.op {
            Op::Ping => read::<Nothing>(ask.rest).map(|Nothing {}| Some(json!({}))),
            Op::Publish => self.publish(reference, read(ask.rest)?).map(|()| None),
            Op::Subscribe => self.subscribe(reference, read(ask.rest)?).map(Some),
            Op::Validate => self.validate(reference, read(ask.rest)?).map(Some),
            Op::Unsubscribe => {
                let Unsubscribe { subscription } = read(ask.rest)?;
                self.feeds.end(&subscription).map(|()| Some(json!({})))
            }
            Op::Answer => {
                self.who.may(Scope::Publish)?;
                let Verdict { question, verdict } = read(ask.rest)?;
                validate::decide(&self.app, question, verdict.into())?;
                Ok(Some(json!({})))
            }
        }
    }

    fn publish(&mut self, reference: Option<Value>, body: Publish) -> Result<(), ApiError> {
        self.who.may(Scope::Publish)?;
        if self.publishing.len() >= PUBLISHING_MAX {
            return Err(ApiError::new(
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                "too_many_requests",
                format!("{PUBLISHING_MAX} publications are under way over this socket"),
                "wait for the answer to one of them",
            ));
        }
        let (draft, node) = (bulletins::draft(body)?, self.app.node.clone());
        self.publishing.push(Box::pin(async move {
            let done = node.publish(draft).await;
            (reference, done.map(Published::from).map_err(ApiError::from))
        }));
        Ok(())
    }

    fn subscribe(&mut self, reference: Option<Value>, body: Subscribe) -> Result<Value, ApiError> {
        let reference = self.feeds.room(reference)?;
        let (topics, start) = bulletins::chosen(body)?;
        let subscription = self.app.node.subscribe(topics, start)?;
        self.feeds.bulletins(reference, subscription);
        Ok(json!({}))
    }

    fn validate(&mut self, reference: Option<Value>, body: Validate) -> Result<Value, ApiError> {
        self.who.may(Scope::Publish)?;
        let reference = self.feeds.room(reference)?;
        let timeout = body.timeout.map(|text| super::duration("timeout", &text));
        let asking = validate::Asking::begin(&self.app, &body.topic, timeout.transpose()?, None)?;
        self.feeds.questions(reference, asking);
        Ok(json!({}))
    }
}

/// There is nothing to say.
#[derive(Debug, serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct Nothing {}

/// That a `ref` is short, so that it can be said again with every event.
fn check(reference: Option<Value>) -> Result<Option<Value>, ApiError> {
    let is_short = |value: &Value| match value {
        Value::String(text) => text.len() <= REFERENCE_BYTES_MAX,
        Value::Number(_) => true,
        _ => false,
    };
    if reference.as_ref().is_none_or(is_short) {
        return Ok(reference);
    }
    Err(ApiError::bad_request(
        format!("`ref` is a number, or a text of up to {REFERENCE_BYTES_MAX} bytes"),
        "count: 1, 2, 3",
    ))
}

fn read<T: DeserializeOwned>(rest: Map<String, Value>) -> Result<T, ApiError> {
    serde_json::from_value(Value::Object(rest)).map_err(|error| {
        ApiError::bad_request(
            format!("the message is not the JSON expected here: {error}"),
            "compare it with the description of its `op`",
        )
    })
}

fn answer(reference: Option<Value>, done: Result<Value, ApiError>) -> Told {
    let (result, error) = match done {
        Ok(result) => (Some(result), None),
        Err(error) => (None, Some(ErrorDetail::from(error))),
    };
    Told {
        reference,
        result,
        error,
        ..Told::default()
    }
}

fn text(told: &Told) -> Message {
    let words = serde_json::to_string(told);
    Message::text(words.expect("our messages have text keys and finite numbers"))
}
