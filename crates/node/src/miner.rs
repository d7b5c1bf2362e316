//! The search for stamps: all cores of the machine, one pool for the whole process, never a thread
//! that frames or timers run on. Searches take turns by the chunk, so that a long one does not hold
//! up the others.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;

use bruit_core::id::BulletinId;
use bruit_core::work::{Search, Stamp};
use tokio::sync::oneshot;

use crate::turns::Turns;

/// Nonces a worker tries before it looks whether somebody else has found the stamp.
const CHUNK: u32 = 4_096;
/// Up to so many bits the search is shorter than handing it over: about 0.1 ms.
const INLINE_BITS: u8 = 10;

/// One search, shared by all workers.
#[derive(Debug)]
struct Job {
    id: BulletinId,
    bits: u8,
    next_chunk: AtomicU64,
    answer: Mutex<Option<oneshot::Sender<Stamp>>>,
}

impl Job {
    /// Whether somebody still waits for the stamp.
    fn is_wanted(&self) -> bool {
        let answer = self.answer.lock().unwrap_or_else(PoisonError::into_inner);
        answer.as_ref().is_some_and(|answer| !answer.is_closed())
    }

    /// Searches the next chunk.
    fn step(&self) {
        let chunk = self.next_chunk.fetch_add(1, Ordering::Relaxed);
        let start = chunk.wrapping_mul(CHUNK.into());
        if let Some(stamp) = Search::new(self.id, self.bits, start).step(CHUNK) {
            let answer = self
                .answer
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .take();
            if let Some(answer) = answer {
                // Whoever asked may have gone.
                answer.send(stamp).ok();
            }
        }
    }
}

#[derive(Debug, Default)]
struct Pool {
    searches: Turns<Job>,
}

impl Pool {
    /// The process's pool; its threads start with the first search.
    fn get() -> &'static Arc<Self> {
        static POOL: OnceLock<Arc<Pool>> = OnceLock::new();
        POOL.get_or_init(|| {
            let pool = Arc::new(Self::default());
            let cores = std::thread::available_parallelism().map_or(1, usize::from);
            for number in 0..cores {
                let pool = Arc::clone(&pool);
                let name = format!("bruit-mine-{number}");
                let thread = std::thread::Builder::new().name(name);
                // With no thread at all the search would never end; with fewer it is slower.
                let started = thread.spawn(move || pool.work());
                assert!(
                    started.is_ok() || number > 0,
                    "the system gives no thread for mining"
                );
            }
            pool
        })
    }

    fn work(&self) {
        loop {
            self.searches.next(Job::is_wanted).step();
            // Give way to the threads that serve links: mining is never urgent.
            std::thread::yield_now();
        }
    }
}

/// Finds a stamp of `bits` for `id`. Cancelled by dropping the future.
pub(crate) async fn mine(id: BulletinId, bits: u8) -> Stamp {
    if bits <= INLINE_BITS {
        let mut search = Search::new(id, bits, 0);
        loop {
            if let Some(stamp) = search.step(CHUNK) {
                return stamp;
            }
            tokio::task::yield_now().await;
        }
    }
    loop {
        let (answer, answered) = oneshot::channel();
        let job = Job {
            id,
            bits,
            next_chunk: AtomicU64::new(0),
            answer: Mutex::new(Some(answer)),
        };
        Pool::get().searches.add(job);
        if let Ok(stamp) = answered.await {
            return stamp;
        }
        // A worker died: let the others have it.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn several_searches_at_once_all_end_with_good_stamps() {
        let searches: Vec<_> = (0..8_u8)
            .map(|number| {
                let id = BulletinId::from_bytes([number; 32]);
                tokio::spawn(async move { (id, mine(id, 14).await) })
            })
            .collect();
        for search in searches {
            let (id, stamp) = search.await.expect("mining does not panic");
            assert!(stamp.verify(&id));
            assert_eq!(stamp.bits, 14);
        }
    }

    #[tokio::test]
    async fn a_long_search_leaves_the_others_their_turn() {
        let long = tokio::spawn(mine(BulletinId::from_bytes([3; 32]), 120));
        tokio::time::sleep(Duration::from_millis(20)).await;
        let id = BulletinId::from_bytes([4; 32]);
        let found = tokio::time::timeout(Duration::from_secs(20), mine(id, 12)).await;
        assert!(found.is_ok_and(|stamp| stamp.verify(&id)));
        long.abort();
    }

    #[tokio::test]
    async fn a_search_nobody_waits_for_does_not_hold_up_the_next() {
        let hopeless = tokio::spawn(mine(BulletinId::from_bytes([1; 32]), 120));
        tokio::time::sleep(Duration::from_millis(20)).await;
        hopeless.abort();
        let id = BulletinId::from_bytes([2; 32]);
        let found = tokio::time::timeout(Duration::from_secs(20), mine(id, 12)).await;
        assert!(found.is_ok_and(|stamp| stamp.verify(&id)));
    }
}
