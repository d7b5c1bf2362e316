//! How many requests a client may send in a second: a bucket that is filled evenly.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// What a client has left. A new one is full: a second's worth.
#[derive(Debug, Default)]
pub(crate) struct Bucket(Mutex<Option<Level>>);

#[derive(Debug, Clone, Copy)]
struct Level {
    left: f64,
    at: Instant,
}

impl Bucket {
    /// Takes one request out of `per_s` a second, or says when the next can be taken.
    pub(crate) fn take(&self, per_s: u32) -> Result<(), Duration> {
        self.take_at(per_s, Instant::now())
    }

    fn take_at(&self, per_s: u32, now: Instant) -> Result<(), Duration> {
        let most = f64::from(per_s.max(1));
        let mut level = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let before = level.unwrap_or(Level {
            left: most,
            at: now,
        });
        let since = now.saturating_duration_since(before.at).as_secs_f64();
        let left = (before.left + since * most).min(most);
        if left < 1.0 {
            *level = Some(Level { left, at: now });
            return Err(Duration::from_secs_f64((1.0 - left) / most));
        }
        *level = Some(Level {
            left: left - 1.0,
            at: now,
        });
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_gives_a_second_at_once_and_its_rate_after_that() {
        let bucket = Bucket::default();
        let start = Instant::now();
        let taken = |bucket: &Bucket, at| {
            (0..1_000)
                .filter(|_| bucket.take_at(100, at).is_ok())
                .count()
        };
        assert_eq!(taken(&bucket, start), 100);
        let wait = bucket.take_at(100, start).unwrap_err();
        assert!(wait <= Duration::from_millis(10), "{wait:?}");
        assert_eq!(taken(&bucket, start + Duration::from_millis(501)), 50);
        assert_eq!(taken(&bucket, start + Duration::from_hours(1)), 100);
    }
}
