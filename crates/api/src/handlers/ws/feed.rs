//! What comes over a socket unasked: subscriptions and questions, each under the `ref` it was begun with.

use futures_util::stream::{self, AbortHandle, BoxStream, SelectAll, Stream, StreamExt as _};
use serde_json::Value;

use bruit::{Incoming, Subscription};

use crate::error::ApiError;
use crate::handlers::validate::Asking;
use crate::types::{Question, Told};

/// Most of them over one socket.
const FEEDS_MAX: usize = 64;

/// The subscriptions of a socket.
#[derive(Default)]
pub(super) struct Feeds {
    all: SelectAll<BoxStream<'static, Told>>,
    ends: Vec<(Value, AbortHandle)>,
}

impl Feeds {
    /// The next thing that came.
    pub(super) async fn next(&mut self) -> Option<Told> {
        let told = self.all.next().await?;
        if told.event.as_deref() == Some(END) {
            self.ends
                .retain(|(reference, _)| Some(reference) != told.reference.as_ref());
        }
        Some(told)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// That one more may begin under `reference`.
    pub(super) fn room(&self, reference: Option<Value>) -> Result<Value, ApiError> {
        let reference = reference.ok_or_else(|| {
            ApiError::bad_request(
                "without a `ref` nobody knows what comes of which subscription",
                "give each a `ref` of its own",
            )
        })?;
        if self.ends.iter().any(|(other, _)| *other == reference) {
            return Err(ApiError::bad_request(
                format!("there is a subscription {reference} already"),
                "give each a `ref` of its own, or end that one: unsubscribe",
            ));
        }
        if self.ends.len() >= FEEDS_MAX {
            return Err(ApiError::new(
                axum::http::StatusCode::TOO_MANY_REQUESTS,
                "too_many_streams",
                format!("this socket has {FEEDS_MAX} subscriptions"),
                "take several topics in one, or end one: unsubscribe",
            ));
        }
        Ok(reference)
    }

    /// Bulletins under `reference`.
    pub(super) fn bulletins(&mut self, reference: Value, subscription: Subscription) {
        let named = reference.clone();
        let come = stream::unfold(subscription, async |mut subscription| {
            Some((subscription.next().await?, subscription))
        });
        self.begin(reference, come.map(move |come| bulletin(&named, come)));
    }

    /// Questions under `reference`.
    pub(super) fn questions(&mut self, reference: Value, asking: Asking) {
        let named = reference.clone();
        let come = stream::unfold(asking, async |mut asking| {
            Some((asking.next().await?, asking))
        });
        self.begin(reference, come.map(move |asked| question(&named, asked)));
    }

    fn begin(&mut self, reference: Value, come: impl Stream<Item = Told> + Send + 'static) {
        let end = told(&reference, END);
        let come = come.chain(stream::once(async move { end }));
        let (come, handle) = stream::abortable(come);
        self.all.push(come.boxed());
        self.ends.push((reference, handle));
    }

    /// Ends what was begun under `reference`: nothing of it comes any more.
    pub(super) fn end(&mut self, reference: &Value) -> Result<(), ApiError> {
        let Some(at) = self.ends.iter().position(|(other, _)| other == reference) else {
            return Err(ApiError::not_found(
                format!("there is no subscription {reference}"),
                "name the `ref` it was begun with",
            ));
        };
        let (_, handle) = self.ends.remove(at);
        handle.abort();
        Ok(())
    }
}

/// The last event of a subscription that ends by itself.
const END: &str = "end";

fn told(reference: &Value, event: &str) -> Told {
    Told {
        reference: Some(reference.clone()),
        event: Some(event.to_owned()),
        ..Told::default()
    }
}

fn bulletin(reference: &Value, come: Incoming) -> Told {
    match come {
        Incoming::Bulletin(received) => Told {
            bulletin: Some((*received).into()),
            ..told(reference, "bulletin")
        },
        Incoming::Gap { missed } => Told {
            missed: Some(missed),
            ..told(reference, "gap")
        },
    }
}

fn question(reference: &Value, asked: Question) -> Told {
    Told {
        question: Some(asked.question),
        bulletin: Some(asked.bulletin),
        ..told(reference, "question")
    }
}
