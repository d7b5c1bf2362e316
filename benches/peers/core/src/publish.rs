//! The publishers: at a rate, or with a window of messages that are not yet everywhere.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::recorder::{Recorder, payload};
use crate::{Args, Node};

/// A publisher that cannot get a place in the window for this long gives up.
const WINDOW_WAIT: Duration = Duration::from_secs(10);
/// A call to publish that takes longer counts as an error.
const CALL_LIMIT: Duration = Duration::from_secs(20);
/// A message that is not everywhere after this long gives its place in the window back.
const LOST_AFTER: Duration = Duration::from_secs(5);

/// What the publishers met, all together.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// Calls that failed.
    pub(crate) errors: AtomicU64,
    /// The first error's text.
    pub(crate) first_error: Mutex<Option<String>>,
    /// The latest a message was published after it was due, µs.
    pub(crate) lag_us: AtomicU64,
    /// The longest call, µs.
    pub(crate) call_us: AtomicU64,
}

/// Publishes the messages of phase `phase` from all of `nodes`, and returns when that is done.
pub(crate) async fn publish_phase(
    nodes: &[Arc<dyn Node>],
    args: &Args,
    recorder: &Arc<Recorder>,
    tally: &Arc<Tally>,
    phase: usize,
) {
    let first = phase * args.messages;
    let begin = Instant::now();
    let next = Arc::new(AtomicUsize::new(0));
    let publishers = nodes.iter().enumerate().map(|(index, node)| {
        let seed = args.seed ^ ((index as u64 + 1) << 32) ^ phase as u64;
        let publisher = Publisher {
            index,
            of: nodes.len(),
            node: node.clone(),
            args: args.clone(),
            recorder: recorder.clone(),
            tally: tally.clone(),
            next: next.clone(),
            first,
            begin,
            rng: StdRng::seed_from_u64(seed),
        };
        tokio::spawn(publisher.run())
    });
    let publishers: Vec<_> = publishers.collect();
    let done = Arc::new(AtomicBool::new(false));
    let end = first + args.messages;
    let reaper = tokio::spawn(reap(recorder.clone(), first, end, done.clone()));
    for publisher in publishers {
        publisher.await.expect("publishers do not panic");
    }
    done.store(true, Relaxed);
    reaper.await.expect("the reaper does not panic");
}

struct Publisher {
    index: usize,
    of: usize,
    node: Arc<dyn Node>,
    args: Args,
    recorder: Arc<Recorder>,
    tally: Arc<Tally>,
    /// The next message of the phase, when the publishers share a window.
    next: Arc<AtomicUsize>,
    /// The first message of the phase.
    first: usize,
    begin: Instant,
    rng: StdRng,
}

impl Publisher {
    async fn run(mut self) {
        for round in 0.. {
            let message = match self.args.rate {
                Some(rate) => self.due(round, rate).await,
                None => self.admitted().await,
            };
            let Some(message) = message else { return };
            self.publish(self.first + message).await;
        }
    }

    /// Waits until the publisher's next message is due; `None` when there is none.
    async fn due(&self, round: usize, rate: f64) -> Option<usize> {
        let message = self.index + round * self.of;
        let due = self.begin + Duration::from_secs_f64(message as f64 / rate);
        if message >= self.args.messages || due >= self.deadline() {
            return None;
        }
        tokio::time::sleep_until(due.into()).await;
        self.tally
            .lag_us
            .fetch_max(due.elapsed().as_micros() as u64, Relaxed);
        Some(message)
    }

    /// Waits for a place in the window and takes the next message; `None` when there is none.
    async fn admitted(&self) -> Option<usize> {
        let window = self
            .recorder
            .window
            .as_ref()
            .expect("without a rate there is a window");
        let place = tokio::time::timeout(WINDOW_WAIT, window.acquire())
            .await
            .ok()?;
        if Instant::now() >= self.deadline() {
            return None; // and with it the place goes to the next, who ends too
        }
        let message = self.next.fetch_add(1, Relaxed);
        if message >= self.args.messages {
            return None;
        }
        place.expect("the window is never closed").forget();
        Some(message)
    }

    async fn publish(&mut self, message: usize) {
        let data = payload(self.args.msg_size, Some(message), &mut self.rng);
        let start = self.recorder.publish(message);
        let result = tokio::time::timeout(CALL_LIMIT, self.node.publish(data)).await;
        let took = self.recorder.now().saturating_sub(start) / 1000;
        self.tally.call_us.fetch_max(took, Relaxed);
        let error = match result {
            Ok(Ok(())) => return,
            Ok(Err(error)) => format!("{error:#}"),
            Err(_) => format!("publish took more than {CALL_LIMIT:?}"),
        };
        self.tally.errors.fetch_add(1, Relaxed);
        self.tally
            .first_error
            .lock()
            .expect("nobody panics with it")
            .get_or_insert(error);
        if self.args.rate.is_none() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    fn deadline(&self) -> Instant {
        self.begin + Duration::from_secs_f64(self.args.duration)
    }
}

/// Frees the window of messages that will not arrive.
async fn reap(recorder: Arc<Recorder>, first: usize, end: usize, done: Arc<AtomicBool>) {
    let mut head = first;
    while !done.load(Relaxed) {
        tokio::time::sleep(Duration::from_millis(200)).await;
        let now = recorder.now();
        while head < end
            && let Some(time) = recorder.published_at(head)
            && now.saturating_sub(time) >= LOST_AFTER.as_nanos() as u64
        {
            recorder.release(head);
            head += 1;
        }
    }
}
