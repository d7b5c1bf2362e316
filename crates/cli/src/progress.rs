//! Work that takes longer than a second shows that it goes on, on terminals.

use std::future::Future;
use std::io::{IsTerminal as _, Write as _};
use std::pin::pin;
use std::time::{Duration, Instant};

/// Waits for `work`; from the second on, a terminal shows `what` and for how long.
pub(crate) async fn shown<T>(what: &str, work: impl Future<Output = T>) -> T {
    told(|| what.to_owned(), work).await
}

/// As [`shown`], where `what` is asked anew every second.
pub(crate) async fn told<T>(what: impl Fn() -> String, work: impl Future<Output = T>) -> T {
    let mut work = pin!(work);
    if !std::io::stderr().is_terminal() {
        return work.await;
    }
    let start = Instant::now();
    let mut is_shown = false;
    loop {
        let done = tokio::time::timeout(Duration::from_secs(1), work.as_mut()).await;
        if let Ok(done) = done {
            if is_shown {
                write("\r\x1b[K");
            }
            return done;
        }
        is_shown = true;
        let seconds = start.elapsed().as_secs();
        write(&format!("\r\x1b[K{} ({seconds} s)", what()));
    }
}

/// Progress nobody can see is no reason to fail.
fn write(text: &str) {
    let mut err = std::io::stderr().lock();
    let _ = err.write_all(text.as_bytes());
    let _ = err.flush();
}
