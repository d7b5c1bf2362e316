//! Runs the recording of a daemon again: an engine made of the same is told the same, and must answer the
//! same.
//!
//! `bruit_core::journal` describes the file. It is read entry by entry; one that promises more than the file
//! holds takes no more memory than the file does. A file that ends within an entry is one whose daemon was
//! killed: what is whole is run.

use std::collections::BTreeMap;
use std::io::{self, Read};
use std::time::Duration;

use bruit_core::config::ConfigError;
use bruit_core::engine::Engine;
use bruit_core::event::{Action, Command, Event};
use bruit_core::id::NodeId;
use bruit_core::journal::{
    Answer, Damaged, Entry, FRAMING_BYTES, Framing, HEAD_BYTES, Told, check_head,
};
use bruit_core::time::Mono;

pub use bruit_core::journal::{End, HeadError};

/// What came of a recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replayed {
    /// The version of the program that recorded it.
    pub program: String,
    /// Whose engine.
    pub me: NodeId,
    /// Events the engine was told.
    pub events: u64,
    /// How often each kind.
    pub kinds: BTreeMap<&'static str, u64>,
    /// Actions it answered.
    pub actions: u64,
    /// Bulletins it delivered.
    pub delivered: u64,
    /// From the first event to the last.
    pub time: Duration,
    /// How the recording ends.
    pub ending: Ending,
    /// The first answer that is another one; what follows was not run.
    pub difference: Option<Difference>,
}

/// How a recording ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// As the daemon meant it to.
    Meant(End),
    /// Within an entry or without a last word, as a daemon leaves it that is killed.
    Cut,
    /// At bytes that nobody wrote.
    Damaged,
    /// It was not looked for, as the engine answered something else before.
    Unknown,
}

/// An answer that is not the recorded one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The number of the event, from 1 on.
    pub event: u64,
    /// Its kind.
    pub kind: &'static str,
    /// When, after the start of the daemon.
    pub at: Duration,
    /// How many actions were recorded.
    pub recorded: u32,
    /// How many were answered now.
    pub answered: u32,
}

/// Why a recording is not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReplayError {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// It is none, or none for this program.
    #[error(transparent)]
    Head(#[from] HeadError),
    /// It does not say what the engine was made of.
    #[error("it does not say what the engine was made of")]
    NoOrigin,
    /// What the engine is said to be made of is not valid.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

/// Runs a recording again, to its end or the first difference.
///
/// # Errors
/// When it is no recording, is of another version, or cannot be read.
pub fn replay(file: impl Read) -> Result<Replayed, ReplayError> {
    let mut entries = Entries::open(file)?;
    let Some(Ok(Entry::Origin(origin))) = entries.next()? else {
        return Err(ReplayError::NoOrigin);
    };
    let mut engine = Engine::new(origin.me, origin.config.validate()?, origin.seed);
    let mut replayed = Replayed {
        program: origin.program,
        me: origin.me,
        events: 0,
        kinds: BTreeMap::new(),
        actions: 0,
        delivered: 0,
        time: Duration::ZERO,
        ending: Ending::Unknown,
        difference: None,
    };
    let mut first = None;
    while replayed.difference.is_none() {
        let told = match entries.next()? {
            Some(Ok(Entry::Told(told))) => told,
            Some(Ok(Entry::End(end))) => {
                replayed.ending = Ending::Meant(end);
                break;
            }
            Some(Ok(Entry::Origin(_)) | Err(Damaged)) => {
                replayed.ending = Ending::Damaged;
                break;
            }
            None => {
                replayed.ending = Ending::Cut;
                break;
            }
        };
        let first = *first.get_or_insert(told.now.mono);
        replayed.time = told.now.mono.since(first);
        replayed.tell(&mut engine, *told);
    }
    Ok(replayed)
}

impl Replayed {
    /// Whether every recorded answer was given again.
    pub const fn is_same(&self) -> bool {
        self.difference.is_none() && !matches!(self.ending, Ending::Damaged)
    }

    fn tell(&mut self, engine: &mut Engine, told: Told) {
        let kind = kind(&told.event);
        let actions = engine.handle(told.event, told.now);
        let answer = Answer::of(&actions);
        self.events += 1;
        *self.kinds.entry(kind).or_default() += 1;
        self.actions += u64::from(answer.actions);
        let delivered = actions.iter();
        let delivered = delivered.filter(|action| matches!(action, Action::Deliver { .. }));
        self.delivered += delivered.count() as u64;
        if answer != told.answer {
            self.difference = Some(Difference {
                event: self.events,
                kind,
                at: told.now.mono.since(Mono::ZERO),
                recorded: told.answer.actions,
                answered: answer.actions,
            });
        }
    }
}

/// The entries of a file, one after the other.
struct Entries<R> {
    file: R,
    bytes: Vec<u8>,
}

impl<R: Read> Entries<R> {
    fn open(mut file: R) -> Result<Self, ReplayError> {
        let mut bytes = Vec::new();
        fill(&mut file, HEAD_BYTES, &mut bytes)?;
        let head = bytes.as_slice().try_into();
        check_head(head.map_err(|_| HeadError::Foreign)?)?;
        Ok(Self { file, bytes })
    }

    /// The next entry; none when the file ends before one or within it.
    fn next(&mut self) -> io::Result<Option<Result<Entry, Damaged>>> {
        fill(&mut self.file, FRAMING_BYTES, &mut self.bytes)?;
        let Ok(framing) = self.bytes.as_slice().try_into() else {
            return Ok(None);
        };
        let framing = match Framing::decode(framing) {
            Ok(framing) => framing,
            Err(damaged) => return Ok(Some(Err(damaged))),
        };
        let length = usize::try_from(framing.length).unwrap_or(usize::MAX);
        fill(&mut self.file, length, &mut self.bytes)?;
        if self.bytes.len() < length {
            return Ok(None);
        }
        Ok(Some(framing.entry(&self.bytes)))
    }
}

/// Reads so many bytes, or what there is before the end. Room is made as they come.
fn fill(file: &mut impl Read, length: usize, bytes: &mut Vec<u8>) -> io::Result<()> {
    bytes.clear();
    file.by_ref().take(length as u64).read_to_end(bytes)?;
    Ok(())
}

/// What an event is called.
const fn kind(event: &Event) -> &'static str {
    match event {
        Event::Wakeup => "wakeup",
        Event::Restored(_) => "restored",
        Event::Addresses(_) => "addresses",
        Event::LinkUp { .. } => "link up",
        Event::LinkDown { .. } => "link down",
        Event::DialFailed { .. } => "dial failed",
        Event::Frame { .. } => "frame",
        Event::Malformed { .. } => "malformed",
        Event::Credit { .. } => "credit",
        Event::Verified { .. } => "verified",
        Event::Signed { .. } => "signed",
        Event::Persisted { .. } => "persisted",
        Event::Loaded { .. } => "loaded",
        Event::ChunkLoaded { .. } => "chunk loaded",
        Event::Verdict { .. } => "verdict",
        Event::Command(command) => match command {
            Command::Publish(_) => "publish",
            Command::Import(_) => "import",
            Command::LookUp { .. } => "look up",
            Command::Boost { .. } => "boost",
            Command::Join(_) => "join",
            Command::Seeds(_) => "seeds",
            Command::Drop(_) => "drop",
            Command::Validate { .. } => "validate",
            Command::SendFrame { .. } => "send frame",
            Command::Shutdown => "shutdown",
            Command::Spread { .. } => "spread",
        },
    }
}
