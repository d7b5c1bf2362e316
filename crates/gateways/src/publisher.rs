//! Publishes what gateways make, one post after the other, off their loops.
//!
//! Invariant: posts keep their order; a node whose queue is full is asked again, not given up; and what
//! waits is bounded by count and bytes.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bruit::BulletinId;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use crate::foreign::ForeignId;
use crate::inside::{Answer, Inside, InsideError, Post};

/// Posts that wait.
const POSTS_MAX: usize = 32_768;
/// Bytes of them.
const BYTES_MAX: usize = 128 << 20;
/// Attempts when something of the node's is full, and the pause between them.
const ATTEMPTS: u32 = 50;
pub(crate) const PAUSE: Duration = Duration::from_millis(200);

/// A post that was not published.
#[derive(Debug)]
pub struct Unpublished {
    /// The foreign item it was made from, if any.
    pub name: Option<ForeignId>,
    /// Why.
    pub error: InsideError,
}

/// What is to be known when a post is done with, published or not: dropped then.
pub type Done = Box<dyn Send>;

struct Waiting {
    post: Post,
    name: Option<ForeignId>,
    _done: Option<Done>,
}

/// Takes posts. Its task ends with it.
#[derive(Debug)]
pub struct Publisher {
    posts: mpsc::Sender<Waiting>,
    bytes: Arc<AtomicUsize>,
    task: AbortHandle,
}

impl Publisher {
    /// Publishes through `inside`; what fails is told to `failed`.
    pub fn spawn(inside: Arc<dyn Inside>, failed: mpsc::Sender<Unpublished>) -> Self {
        let (posts, waiting) = mpsc::channel(POSTS_MAX);
        let bytes = Arc::<AtomicUsize>::default();
        let task = tokio::spawn(publish_all(inside, waiting, Arc::clone(&bytes), failed));
        Self {
            posts,
            bytes,
            task: task.abort_handle(),
        }
    }

    /// Takes a post, made from the foreign item `name`; answers whether there was room.
    pub fn publish(&self, post: Post, name: Option<ForeignId>, done: Option<Done>) -> bool {
        let len = post.body.len();
        if self.bytes.load(Ordering::Relaxed).saturating_add(len) > BYTES_MAX {
            return false;
        }
        self.bytes.fetch_add(len, Ordering::Relaxed);
        let waiting = Waiting {
            post,
            name,
            _done: done,
        };
        let is_taken = self.posts.try_send(waiting).is_ok();
        if !is_taken {
            self.bytes.fetch_sub(len, Ordering::Relaxed);
        }
        is_taken
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn publish_all(
    inside: Arc<dyn Inside>,
    mut posts: mpsc::Receiver<Waiting>,
    bytes: Arc<AtomicUsize>,
    failed: mpsc::Sender<Unpublished>,
) {
    while let Some(waiting) = posts.recv().await {
        let published = patiently(|| inside.publish(waiting.post.clone())).await;
        bytes.fetch_sub(waiting.post.body.len(), Ordering::Relaxed);
        if let Err(error) = published {
            let name = waiting.name;
            if failed.send(Unpublished { name, error }).await.is_err() {
                return;
            }
        }
    }
}

/// Has a bulletin made, again where what it takes is full or used up.
pub(crate) async fn patiently<'a>(
    attempt: impl Fn() -> Answer<'a, BulletinId>,
) -> Result<BulletinId, InsideError> {
    for _ in 1..ATTEMPTS {
        match attempt().await {
            Err(error) if error.is_passing() => tokio::time::sleep(PAUSE).await,
            made => return made,
        }
    }
    attempt().await
}
