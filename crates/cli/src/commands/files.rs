//! Large contents from and to files: what `put --file` and `get --out` do.
//!
//! A file comes down into another one beside it, with `.part` added to its name, which a later call goes on with;
//! it takes the file's name once its hash is that of the whole.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use bruit_api::types::{Kept, WholeValue};
use bytes::Bytes;
use http_body_util::BodyExt as _;

use crate::client::{self, Client, Download};
use crate::failure::{Exit, Failure};
use crate::progress;

/// Fewest and most bytes of a large content.
const BYTES_MIN: u64 = 16 << 10;
const BYTES_MAX: u64 = 16 << 20;

/// Whether `path` holds more than goes into a bulletin by itself.
pub(crate) fn is_large(path: &Path) -> bool {
    std::fs::metadata(path).is_ok_and(|file| file.is_file() && file.len() >= BYTES_MIN)
}

/// Whether `value` is the manifest of a large content: shorter than what it stands for.
pub(crate) fn is_manifest(value: &WholeValue) -> bool {
    let contents = value.body.clone().contents();
    u64::from(value.size) >= BYTES_MIN
        && contents.is_ok_and(|contents| contents.len() as u64 != u64::from(value.size))
}

/// Puts what `path` holds, up to 16 MiB; `parameters` as `POST /v1/files` takes them.
pub(crate) async fn put_file(
    client: &Client,
    path: &Path,
    parameters: &[(&str, String)],
) -> Result<Kept, Failure> {
    let explain = |error| Failure::file(path, &error);
    let bytes = std::fs::metadata(path).map_err(explain)?.len();
    if bytes > BYTES_MAX {
        let name = path.display();
        return Err(Failure::new(
            Exit::Refused,
            "too_big",
            format!("{name} has {bytes} bytes, and a content at most {BYTES_MAX}"),
            "cut it into parts of at most 16 MiB, and put each: split -b 16M",
        ));
    }
    let content = std::fs::read(path).map_err(explain)?;
    put_content(client, content.into(), parameters).await
}

/// Puts a content of up to 16 MiB.
pub(crate) async fn put_content(
    client: &Client,
    content: Bytes,
    parameters: &[(&str, String)],
) -> Result<Kept, Failure> {
    let pairs = parameters.iter();
    let pairs = pairs.map(|(name, value)| format!("{name}={}", client::encode(value)));
    let query: Vec<String> = pairs.collect();
    let target = format!("/v1/files?{}", query.join("&"));
    let kept = client.upload(&target, content);
    progress::shown("working on the stamp", kept).await
}

/// All of the content of bulletin `id`.
pub(crate) async fn get_content(
    client: &Client,
    id: &str,
    timeout: Duration,
) -> Result<Vec<u8>, Failure> {
    let target = target(id, timeout);
    let fetched = async {
        let download = client.download(&target, 0).await?;
        let broke_off = |_| {
            Failure::new(
                Exit::Timeout,
                "incomplete",
                format!("not all of the {} bytes came", download.total),
                "wait longer with --timeout, or save it with --out, which can go on later",
            )
        };
        let whole = download.body.collect().await.map_err(broke_off)?;
        Ok(whole.to_bytes().to_vec())
    };
    progress::shown("waiting for the content", fetched).await
}

fn target(id: &str, timeout: Duration) -> String {
    format!("/v1/files/{id}?timeout={}ms", timeout.as_millis())
}

/// Saves the content of bulletin `id` at `path`; goes on with what an earlier call has left. Answers its bytes.
pub(crate) async fn get_file(
    client: &Client,
    id: &str,
    path: &Path,
    timeout: Duration,
) -> Result<u64, Failure> {
    let part = part_of(path);
    let (done, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let what = || {
        let (done, total) = (done.load(Ordering::Relaxed), total.load(Ordering::Relaxed));
        format!("{done} of {total} bytes")
    };
    let target = target(id, timeout);
    let fetched = async {
        let left = std::fs::metadata(&part).map_or(0, |part| part.len());
        let mut download = client.download(&target, left).await?;
        if left > 0 && download.start != left {
            // Another content was there, or more than there is.
            std::fs::remove_file(&part).map_err(|error| Failure::file(&part, &error))?;
        }
        loop {
            total.store(download.total, Ordering::Relaxed);
            append(&mut download, &part, &done).await?;
            let whole = std::fs::read(&part).map_err(|error| Failure::file(&part, &error))?;
            let hash = bruit::ContentId::of(&whole).to_string();
            if hash == download.hash {
                break;
            }
            if download.start == 0 {
                return Err(Failure::new(
                    Exit::Unreachable,
                    "odd_answer",
                    "the content is not what its manifest says",
                    "get it again, and see the daemon's log",
                ));
            }
            std::fs::remove_file(&part).map_err(|error| Failure::file(&part, &error))?;
            download = client.download(&target, 0).await?;
        }
        std::fs::rename(&part, path).map_err(|error| Failure::file(path, &error))?;
        Ok(download.total)
    };
    progress::told(what, fetched).await
}

/// Appends what comes to `part`; what came before the end stays there.
async fn append(download: &mut Download, part: &Path, done: &AtomicU64) -> Result<(), Failure> {
    let explain = |error| Failure::file(part, &error);
    let mut options = std::fs::OpenOptions::new();
    let file = options.create(true).append(true).open(part);
    let mut file = file.map_err(explain)?;
    let mut at = download.start;
    done.store(at, Ordering::Relaxed);
    while let Some(frame) = download.body.frame().await {
        let Ok(frame) = frame else { break };
        if let Ok(data) = frame.into_data() {
            file.write_all(&data).map_err(explain)?;
            at += data.len() as u64;
            done.store(at, Ordering::Relaxed);
        }
    }
    file.sync_all().map_err(explain)?;
    if at == download.total {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Timeout,
        "incomplete",
        format!("{at} of {} bytes came, then no more", download.total),
        format!("run it again: it goes on with {}", part.display()),
    ))
}

fn part_of(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".part");
    name.into()
}
