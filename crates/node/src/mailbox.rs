//! A queue with one reader, bounded by count and bytes. What finds it full is lost and counted; who
//! puts never waits.

use std::collections::VecDeque;
use std::sync::PoisonError;
use std::task::{Context, Poll, Waker};

use crate::sync::{Mutex, MutexGuard};

/// What the reader takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Taken<T> {
    /// What was put.
    Item(T),
    /// So many were lost here.
    Missed(u64),
}

/// The queue. Everything is under one lock, the waiting reader too, so nothing can come between
/// looking and waiting; nobody is woken while the lock is held.
#[derive(Debug)]
pub(crate) struct Mailbox<T> {
    items_max: usize,
    bytes_max: usize,
    queue: Mutex<Queue<T>>,
}

#[derive(Debug)]
struct Queue<T> {
    /// Each with its bytes.
    items: VecDeque<(Taken<T>, usize)>,
    bytes: usize,
    missed: u64,
    is_closed: bool,
    /// Who waits for something to take.
    reader: Option<Waker>,
}

impl<T> Mailbox<T> {
    /// An empty queue for so many items and bytes.
    pub(crate) fn new(items_max: usize, bytes_max: usize) -> Self {
        let queue = Queue {
            items: VecDeque::new(),
            bytes: 0,
            missed: 0,
            is_closed: false,
            reader: None,
        };
        Self {
            items_max,
            bytes_max,
            queue: Mutex::new(queue),
        }
    }

    /// Queues an item of `bytes`, or counts it as missed; answers whether there was room.
    pub(crate) fn put(&self, bytes: usize, item: impl FnOnce() -> T) -> bool {
        let mut queue = self.queue();
        let total = queue.bytes + bytes;
        if queue.items.len() >= self.items_max || total > self.bytes_max {
            queue.missed += 1;
            return false;
        }
        if queue.missed > 0 {
            let missed = std::mem::take(&mut queue.missed);
            queue.items.push_back((Taken::Missed(missed), 0));
        }
        queue.bytes = total;
        queue.items.push_back((Taken::Item(item()), bytes));
        wake(queue);
        true
    }

    /// Lets the reader come to an end when it has taken what is there.
    pub(crate) fn close(&self) {
        let mut queue = self.queue();
        queue.is_closed = true;
        wake(queue);
    }

    /// The next item or loss; none once all is taken after the end.
    pub(crate) fn poll_take(&self, cx: &Context<'_>) -> Poll<Option<Taken<T>>> {
        let mut queue = self.queue();
        if let Some((taken, bytes)) = queue.items.pop_front() {
            queue.bytes -= bytes;
            return Poll::Ready(Some(taken));
        }
        if queue.missed > 0 {
            let missed = std::mem::take(&mut queue.missed);
            return Poll::Ready(Some(Taken::Missed(missed)));
        }
        if queue.is_closed {
            return Poll::Ready(None);
        }
        queue.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    fn queue(&self) -> MutexGuard<'_, Queue<T>> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Unlocks `queue`, then wakes its reader.
fn wake<T>(mut queue: MutexGuard<'_, Queue<T>>) {
    let reader = queue.reader.take();
    drop(queue);
    if let Some(reader) = reader {
        reader.wake();
    }
}
