//! `GET /v1/validate` asks, `POST /v1/validate/{question}` answers.
//!
//! Invariant: a question nobody answers is forgotten with its time or its stream, and counts as
//! ignored; there are never more than [`QUESTIONS_MAX`].

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use axum::Json;
use axum::extract::{Path, Request, State};
use axum::response::IntoResponse;
use axum::response::sse::{Event, KeepAlive, Sse};
use bruit::{Question as Asked, Validator, Verdict};
use futures_util::stream::{self, Stream};
use tokio::sync::OwnedSemaphorePermit;

use super::bulletins::json;
use super::{App, Json as Body, Parameters, closed};
use crate::error::ApiError;
use crate::types::{Answer, Question};

/// How long a verdict may take when the request does not say.
const TIMEOUT: Duration = Duration::from_secs(5);
/// Longest time a verdict may take.
const TIMEOUT_MAX: Duration = Duration::from_mins(1);
/// Most questions without an answer.
const QUESTIONS_MAX: usize = 4_096;

/// Questions without an answer, by number.
#[derive(Default)]
pub(crate) struct Questions(Mutex<Open>);

#[derive(Default)]
struct Open {
    last: u64,
    asked: BTreeMap<u64, Waiting>,
}

struct Waiting {
    question: Asked,
    validator: u64,
    deadline: Instant,
}

impl Questions {
    /// Puts a question on the list; `None` when that is full, and the question counts as ignored.
    fn ask(&self, question: Asked, validator: u64, timeout: Duration) -> Option<u64> {
        let now = Instant::now();
        let mut open = self.open();
        open.asked.retain(|_, waiting| waiting.deadline > now);
        if open.asked.len() >= QUESTIONS_MAX {
            return None;
        }
        let number = open.next();
        let waiting = Waiting {
            question,
            validator,
            deadline: now + timeout,
        };
        open.asked.insert(number, waiting);
        Some(number)
    }

    fn take(&self, number: u64) -> Option<Asked> {
        let waiting = self.open().asked.remove(&number)?;
        (waiting.deadline > Instant::now()).then_some(waiting.question)
    }

    fn forget(&self, validator: u64) {
        self.open()
            .asked
            .retain(|_, waiting| waiting.validator != validator);
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Open {
    fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }
}

impl std::fmt::Debug for Questions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Questions({})", self.open().asked.len())
    }
}

/// One stream of questions; what it asked is forgotten with it.
pub(crate) struct Asking {
    validator: Validator,
    number: u64,
    timeout: Duration,
    app: App,
    _seat: Option<OwnedSemaphorePermit>,
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.app.questions.forget(self.number);
    }
}

/// Questions as server-sent events, each with the number to answer to. The topic is validated from
/// the moment the answer's head arrives until the stream ends.
pub(crate) async fn questions(
    State(app): State<App>,
    request: Request,
) -> Result<impl IntoResponse, ApiError> {
    let mut parts = request.into_parts().0;
    let parameters = Parameters::read(&mut parts, &["topic", "timeout"]).await?;
    let timeout = parameters.duration("timeout")?;
    let topic = parameters.one("topic")?.unwrap_or_default();
    let seat = app.stream_seat()?;
    let asking = Asking::begin(&app, &topic, timeout, Some(seat))?;
    Ok(Sse::new(events(asking)).keep_alive(KeepAlive::new()))
}

fn events(asking: Asking) -> impl Stream<Item = Result<Event, Infallible>> {
    stream::unfold(asking, async |mut asking| {
        let question = asking.next().await?;
        Some((Ok(json(&question).event("question")), asking))
    })
}

impl Asking {
    /// Asks about the bulletins of `topic` from now on.
    pub(crate) fn begin(
        app: &App,
        topic: &str,
        timeout: Option<Duration>,
        seat: Option<OwnedSemaphorePermit>,
    ) -> Result<Self, ApiError> {
        let timeout = timeout.unwrap_or(TIMEOUT);
        if timeout.is_zero() || timeout > TIMEOUT_MAX {
            let message = format!("a verdict may take up to {} s", TIMEOUT_MAX.as_secs());
            return Err(ApiError::bad_request(message, "write timeout=5s"));
        }
        if topic.is_empty() {
            return Err(ApiError::bad_request(
                "there is no topic to validate",
                "ask for /v1/validate?topic=news",
            ));
        }
        let number = app.questions.open().next();
        Ok(Self {
            validator: app.node.validate(topic, timeout),
            number,
            timeout,
            app: app.clone(),
            _seat: seat,
        })
    }

    /// The next question; none once the node or the server has stopped.
    pub(crate) async fn next(&mut self) -> Option<Question> {
        loop {
            let question = tokio::select! {
                question = self.validator.next() => question?,
                () = closed(self.app.closing.clone()) => return None,
            };
            let bulletin = question.received.clone().into();
            let asked = self.app.questions.ask(question, self.number, self.timeout);
            if let Some(question) = asked {
                return Some(Question { question, bulletin });
            }
        }
    }
}

pub(crate) async fn answer(
    State(app): State<App>,
    Path(question): Path<String>,
    Body(answer): Body<Answer>,
) -> Result<Json<Answer>, ApiError> {
    // What is no number is the number of no question.
    decide(&app, question.parse().unwrap_or(0), answer.verdict.into())?;
    Ok(Json(answer))
}

/// Answers a question.
pub(crate) fn decide(app: &App, question: u64, verdict: Verdict) -> Result<(), ApiError> {
    let asked = app.questions.take(question).ok_or_else(|| {
        ApiError::not_found(
            format!("question {question} is not open"),
            "answer each question once, and within the timeout of its stream",
        )
    })?;
    asked.answer(verdict);
    Ok(())
}
