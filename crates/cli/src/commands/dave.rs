//! Values of dave's network in `bruit put --via dave` and `bruit get dave:WORK`.
//!
//! A value is mined here, whatever the daemon does meanwhile, and given to the daemon as a bulletin that
//! carries all of it; a gateway takes it out. Whatever comes back is checked by its work, so that nobody
//! needs to be believed.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bruit_api::types::{Body, Kept, Listed, Publish, Published, PutValue, WholeValue};
use bruit_gateways::dave::codec::{Dat, VALUE_BYTES_MAX, Work};
use bruit_gateways::dave::config::Config;
use bruit_gateways::dave::gateway::name;
use bruit_gateways::dave::socket::{self, TOPIC, TOPIC_OUT, TOPIC_WANT};
use bruit_gateways::dave::work::{self, Search};
use bruit_gateways::hex;

use crate::client::{self, Client};
use crate::failure::{Exit, Failure};
use crate::{output, progress};

/// What the addresses of its values begin with.
const SCHEME: &str = "dave:";
/// Bytes of the longest label.
const TAG_BYTES_MAX: usize = 32;
/// Pause between two looks for a value that a gateway was asked for.
const LOOK_AGAIN: Duration = Duration::from_millis(300);
/// How long a question to the gateways is valid.
const WANT_TTL: &str = "5m";

/// What is to be put.
pub(super) struct Value {
    pub(super) contents: Vec<u8>,
    pub(super) is_file: bool,
    pub(super) prev: Option<String>,
    pub(super) tag: Option<String>,
    pub(super) like: PutValue,
}

/// The work in `dave:WORK`; none when `address` is of another kind.
///
/// # Errors
/// When what follows is no work.
pub(super) fn work_in(address: &str) -> Result<Option<Work>, Failure> {
    let Some(text) = address.strip_prefix(SCHEME) else {
        return Ok(None);
    };
    hex::decode_exactly(text).map(Some).ok_or_else(|| {
        Failure::usage(
            format!("`{}` is no work of dave's", output::escape(text)),
            "give dave: and the 64 hexadecimal digits that `bruit put --via dave` answered",
        )
    })
}

/// Mines a value, or the values of a file, and gives them to the daemon; answers the last one.
pub(super) async fn put(client: &Client, value: &Value) -> Result<Kept, Failure> {
    let tag = value.tag.clone().unwrap_or_default().into_bytes();
    check(value, &tag)?;
    let prev = match &value.prev {
        None => Vec::new(),
        Some(text) => {
            let text = text.strip_prefix(SCHEME).unwrap_or(text);
            let work = work_in(&format!("{SCHEME}{text}"))?;
            work.map(|work| work.to_vec()).unwrap_or_default()
        }
    };
    let parts: Vec<_> = value.contents.chunks(VALUE_BYTES_MAX).collect();
    let parts = if parts.is_empty() {
        vec![&[][..]]
    } else {
        parts
    };
    let count = parts.len();
    let mut dat = Dat {
        work: prev,
        ..Dat::default()
    };
    let mut last = None;
    for (at, part) in parts.into_iter().enumerate() {
        dat = Dat {
            prev: dat.work,
            val: part.to_vec(),
            tag: tag.clone(),
            ..Dat::default()
        };
        let started = Instant::now();
        dat = mine(dat, at, count).await?;
        let work_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let kept = give(client, &dat, &value.like).await?;
        last = Some(Kept { work_ms, ..kept });
    }
    last.ok_or_else(|| odd("no value was put"))
}

fn check(value: &Value, tag: &[u8]) -> Result<(), Failure> {
    let too_big = |message: String, fix: &str| Failure::new(Exit::Refused, "too_big", message, fix);
    let (got, max) = (value.contents.len(), VALUE_BYTES_MAX);
    if got > max && !value.is_file {
        return Err(too_big(
            format!("a value of {got} bytes exceeds dave's {max}"),
            "put it as a file: --file cuts it into a chain of values",
        ));
    }
    let (got, max) = (tag.len(), TAG_BYTES_MAX);
    if got > max {
        let message = format!("a tag of {got} bytes exceeds {max}");
        return Err(too_big(message, "shorten the tag to 32 bytes"));
    }
    Ok(())
}

/// Mines on all cores.
async fn mine(mut dat: Dat, at: usize, count: usize) -> Result<Dat, Failure> {
    let zeros = Config::default().work_store;
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut start = [0; 16];
    // Where the search begins is no secret; from the same place it finds the same.
    getrandom::fill(&mut start).ok();
    let search = Arc::new(Search::default());
    let _stop = StopWith(Arc::clone(&search));
    let mining = {
        let search = Arc::clone(&search);
        tokio::task::spawn_blocking(move || {
            search.mine(&mut dat, zeros, start, threads).then_some(dat)
        })
    };
    let what = || {
        let millions = search.tried() / 1_000_000;
        format!(
            "mining value {} of {count}: {millions} million tries, 17 are usual",
            at + 1
        )
    };
    let mined = progress::told(what, mining).await;
    mined.ok().flatten().ok_or_else(|| odd("mining broke off"))
}

/// Ends a search when whoever waits for it goes away.
struct StopWith(Arc<Search>);

impl Drop for StopWith {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// Gives a mined value to the daemon.
async fn give(client: &Client, dat: &Dat, like: &PutValue) -> Result<Kept, Failure> {
    let work = Work::try_from(&dat.work[..]).map_err(|_| odd("a work of another length"))?;
    let request = PutValue {
        topic: Some(TOPIC_OUT.to_owned()),
        tag: Some(name(&work).tag()),
        ttl: like.ttl.clone(),
        author: like.author.clone(),
        wait: like.wait.clone(),
        timeout: like.timeout.clone(),
        ..PutValue::new(&socket::body(dat))
    };
    let kept = client.post("/v1/values", &request);
    let kept: Kept = progress::shown("working on the stamp", kept).await?;
    Ok(Kept {
        id: socket::id(&work),
        ..kept
    })
}

/// The value of `work`: what this node holds, or what a gateway of anybody's finds within `timeout`.
pub(super) async fn get(
    client: &Client,
    work: &Work,
    timeout: Duration,
) -> Result<WholeValue, Failure> {
    let deadline = Instant::now() + timeout;
    let mut is_asked = false;
    loop {
        if let Some(value) = held(client, work).await? {
            return Ok(value);
        }
        if !is_asked {
            is_asked = true;
            let question = Publish {
                ttl: Some(WANT_TTL.to_owned()),
                ..Publish::new(TOPIC_WANT, hex::encode(work).as_bytes())
            };
            let _: Published = client.post("/v1/bulletins", &question).await?;
        }
        if Instant::now() >= deadline {
            let message = format!("nobody had {} within {timeout:?}", socket::id(work));
            let fix =
                "wait longer with --timeout, or see that a gateway runs: `bruit gateway dave`";
            return Err(Failure::new(Exit::Negative, "not_found", message, fix));
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// The value of `work` among the bulletins of this node, if it is there and is what it says.
async fn held(client: &Client, work: &Work) -> Result<Option<WholeValue>, Failure> {
    let tag = client::encode(&name(work).tag());
    for topic in [TOPIC, TOPIC_OUT] {
        let path = format!("/v1/values?topic={}&tag={tag}", client::encode(topic));
        let listed: Vec<Listed> = client.get(&path).await?;
        for bulletin in listed {
            let path = super::value_path("/v1/values", &bulletin.id)?;
            let whole: WholeValue = client.get(&path).await?;
            if let Some(dat) = dat_of(&whole, work) {
                return Ok(Some(value_of(whole, work, &dat)));
            }
        }
    }
    Ok(None)
}

fn dat_of(whole: &WholeValue, work: &Work) -> Option<Dat> {
    let contents = whole.body.clone().contents().ok()?;
    let dat = socket::read_body(&contents)?;
    (dat.work == work && work::check(&dat).is_ok()).then_some(dat)
}

/// The value under its own name, with what dave says of it.
fn value_of(whole: WholeValue, work: &Work, dat: &Dat) -> WholeValue {
    let tag = String::from_utf8(dat.tag.clone()).unwrap_or_else(|_| hex::encode(&dat.tag));
    let prev = Work::try_from(&dat.prev[..]).ok();
    WholeValue {
        id: socket::id(work),
        tag: (!tag.is_empty()).then_some(tag),
        prev: prev.map(|prev| socket::id(&prev)),
        size: u32::try_from(dat.val.len()).unwrap_or(u32::MAX),
        body: Body::of(&dat.val),
        ..whole
    }
}

fn odd(what: &str) -> Failure {
    let fix = "try again, and report what the log says";
    Failure::new(Exit::Negative, "mining_failed", what, fix)
}

/// Whether `path` may be put: it is read whole.
pub(super) fn read_file(path: &PathBuf) -> Result<Vec<u8>, Failure> {
    std::fs::read(path).map_err(|error| Failure::file(path, &error))
}
