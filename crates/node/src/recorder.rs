//! Keeps the journal of an engine in a file, in a thread of its own.
//!
//! The loop clones what the engine was told and what it answered, most of which is shared bytes, and
//! hands it over; encoding, hashing and writing are the thread's. What waits is bounded: when there
//! is no room the recording ends, and the node goes on. Whatever has arrived is in the file before
//! the thread rests, so that a node that is killed loses what was under way and no more.

use std::fs::File;
use std::io::{self, Seek as _, Write};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvError, SyncSender, TryRecvError, sync_channel};
use std::thread::JoinHandle;

use bruit_core::event::{Action, Command, Event};
use bruit_core::journal::{self, Answer, End, Entry, Origin, Told, TooLong};
use bruit_core::time::Now;
use tracing::warn;

use crate::keys::private_options;

/// Events that may wait to be written.
const WAITING_MAX: usize = 16_384;
/// Bytes of bodies that may wait, but for one event alone.
const WAITING_BYTES_MAX: usize = 32 << 20;
/// Written in pieces of about this size.
const PIECE_BYTES: usize = 64 * 1024;

/// What the loop hands over.
#[derive(Debug)]
struct Note {
    now: Now,
    event: Event,
    actions: Vec<Action>,
    /// How much of what may wait it is.
    bytes: usize,
}

/// The loop's end.
#[derive(Debug)]
pub(crate) struct Recorder {
    notes: Option<SyncSender<Note>>,
    waiting_bytes: Arc<AtomicUsize>,
    is_overrun: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Recorder {
    /// Begins a journal in a new file at `path`, which its owner alone may read.
    ///
    /// # Errors
    /// When there is such a file already, or it cannot be made or written.
    pub(crate) fn create(path: &Path, origin: Origin) -> io::Result<Self> {
        let file = private_options().write(true).create_new(true).open(path)?;
        Self::start(file, origin, WAITING_MAX)
    }

    fn start(file: impl Medium, origin: Origin, waiting_max: usize) -> io::Result<Self> {
        let mut writer = Writer::new(file);
        writer.pending.extend_from_slice(&journal::head());
        writer.add(&Entry::Origin(Box::new(origin)))?;
        writer.flush()?;
        let (notes, waiting) = sync_channel(waiting_max);
        let waiting_bytes = Arc::<AtomicUsize>::default();
        let is_overrun = Arc::<AtomicBool>::default();
        let (bytes, overrun) = (Arc::clone(&waiting_bytes), Arc::clone(&is_overrun));
        let thread = std::thread::Builder::new().name("bruit-record".to_owned());
        let thread = thread.spawn(move || {
            if let Err(error) = write_all(&mut writer, &waiting, &bytes, &overrun) {
                warn!(%error, "the recording ends here; the node goes on");
                writer.give_up();
            }
        })?;
        Ok(Self {
            notes: Some(notes),
            waiting_bytes,
            is_overrun,
            thread: Some(thread),
        })
    }

    /// Whether there is anything left to note for.
    pub(crate) const fn is_on(&self) -> bool {
        self.notes.is_some()
    }

    /// Notes that the engine was told `event` and answered `actions`. Never waits.
    pub(crate) fn note(&mut self, event: Event, now: Now, actions: &[Action]) {
        let Some(notes) = &self.notes else { return };
        let bytes = weight(&event);
        let before = self.waiting_bytes.fetch_add(bytes, Ordering::Relaxed);
        let note = Note {
            now,
            event,
            actions: actions.to_vec(),
            bytes,
        };
        let has_room = before == 0 || before.saturating_add(bytes) <= WAITING_BYTES_MAX;
        if has_room && notes.try_send(note).is_ok() {
            return;
        }
        // Set before the queue's end is seen. After a failure of the file nobody reads it.
        self.is_overrun.store(true, Ordering::Release);
        self.notes = None;
    }

    /// Writes what waits, and the end.
    pub(crate) fn finish(mut self) {
        self.notes = None;
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so.
            thread.join().ok();
        }
    }
}

/// Bytes that wait with an event, about: what an engine answers shares them.
fn weight(event: &Event) -> usize {
    match event {
        Event::Frame { frame, .. } => frame.len(),
        Event::Loaded { bytes, .. } => bytes.as_ref().map_or(0, bytes::Bytes::len),
        Event::Command(Command::Publish(bulletin) | Command::Import(bulletin)) => {
            bulletin.content.len()
        }
        Event::Command(Command::SendFrame { body, .. }) => body.len(),
        _ => 0,
    }
}

/// Writes what comes until nothing more can.
fn write_all(
    writer: &mut Writer<impl Medium>,
    notes: &Receiver<Note>,
    waiting_bytes: &AtomicUsize,
    is_overrun: &AtomicBool,
) -> io::Result<()> {
    while let Ok(note) = next(writer, notes)? {
        waiting_bytes.fetch_sub(note.bytes, Ordering::Relaxed);
        let told = Told {
            now: note.now,
            answer: Answer::of(&note.actions),
            event: note.event,
        };
        writer.add(&Entry::Told(Box::new(told)))?;
    }
    let end = if is_overrun.load(Ordering::Acquire) {
        warn!(
            "the recording ends here: there was more than could be written in time; the node goes on"
        );
        End::Overrun
    } else {
        End::Stopped
    };
    writer.add(&Entry::End(end))?;
    writer.flush()
}

/// The next note; before waiting for one, everything is handed to the file.
fn next(
    writer: &mut Writer<impl Medium>,
    notes: &Receiver<Note>,
) -> io::Result<Result<Note, RecvError>> {
    match notes.try_recv() {
        Ok(note) => Ok(Ok(note)),
        Err(TryRecvError::Disconnected) => Ok(Err(RecvError)),
        Err(TryRecvError::Empty) => {
            writer.flush()?;
            Ok(notes.recv())
        }
    }
}

/// What a journal is written to.
trait Medium: Write + Send + 'static {
    /// Forgets everything beyond the first `bytes`, and goes on from there.
    fn cut(&mut self, bytes: u64) -> io::Result<()>;
}

impl Medium for File {
    fn cut(&mut self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)?;
        self.seek(io::SeekFrom::Start(bytes)).map(|_| ())
    }
}

/// Writes whole entries.
#[derive(Debug)]
struct Writer<M> {
    file: M,
    pending: Vec<u8>,
    /// Bytes of whole entries that the file has taken.
    written: u64,
}

impl<M: Medium> Writer<M> {
    fn new(file: M) -> Self {
        Self {
            file,
            pending: Vec::with_capacity(2 * PIECE_BYTES),
            written: 0,
        }
    }

    fn add(&mut self, entry: &Entry) -> io::Result<()> {
        let encoded = entry.encode(&mut self.pending);
        encoded.map_err(|error: TooLong| io::Error::new(io::ErrorKind::InvalidInput, error))?;
        if self.pending.len() >= PIECE_BYTES {
            self.flush()?;
        }
        Ok(())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.write_all(&self.pending)?;
        self.written = self.written.saturating_add(self.pending.len() as u64);
        self.pending.clear();
        // One long entry is no reason to keep its room.
        self.pending.shrink_to(2 * PIECE_BYTES);
        Ok(())
    }

    /// Leaves whole entries behind, and says that there are no more, if that still fits.
    fn give_up(&mut self) {
        self.pending.clear();
        let end = Entry::End(End::Failed);
        let cut = self.file.cut(self.written);
        // Nothing can be done for a file that takes not even this.
        cut.and_then(|()| self.add(&end))
            .and_then(|()| self.flush())
            .ok();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;
    use std::sync::mpsc::{Sender, channel};

    use bruit_core::config::Config;
    use bruit_core::id::{LinkId, NodeId};
    use bruit_core::journal::{FRAMING_BYTES, Framing, HEAD_BYTES};
    use bruit_core::network::Network;
    use bruit_core::work::Price;
    use bytes::Bytes;

    use super::*;

    fn origin() -> Origin {
        Origin {
            program: "0".to_owned(),
            me: NodeId::from_bytes([1; 32]),
            config: Config::new(Network::new("main", Price::FREE, None)),
            seed: [2; 32],
        }
    }

    fn frame(bytes: usize) -> Event {
        Event::Frame {
            link: LinkId::new(1),
            frame: Bytes::from(vec![7; bytes]),
        }
    }

    /// The kinds of the entries of a journal, all of which are whole.
    fn entries(journal: &[u8]) -> Vec<String> {
        let mut rest = &journal[HEAD_BYTES..];
        let mut found = Vec::new();
        while !rest.is_empty() {
            let framing = Framing::decode(rest[..FRAMING_BYTES].try_into().unwrap()).unwrap();
            let (entry, after) = rest[FRAMING_BYTES..].split_at(framing.length as usize);
            found.push(match framing.entry(entry).unwrap() {
                Entry::Origin(_) => "origin".to_owned(),
                Entry::Told(_) => "told".to_owned(),
                Entry::End(end) => format!("{end:?}"),
            });
            rest = after;
        }
        found
    }

    /// A file in memory with room for so much, which takes nothing until it is let.
    struct Slow {
        bytes: Arc<Mutex<Vec<u8>>>,
        room: usize,
        lets: Receiver<()>,
    }

    impl Slow {
        fn new(room: usize) -> (Self, Arc<Mutex<Vec<u8>>>, Sender<()>) {
            let (sender, lets) = channel();
            let bytes = Arc::<Mutex<Vec<u8>>>::default();
            let file = Self {
                bytes: Arc::clone(&bytes),
                room,
                lets,
            };
            (file, bytes, sender)
        }
    }

    impl Write for Slow {
        fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
            // Once nobody is there to let it, it does not wait.
            self.lets.recv().ok();
            let mut bytes = self.bytes.lock().unwrap();
            let taken = buffer.len().min(self.room - bytes.len());
            bytes.extend_from_slice(&buffer[..taken]);
            if taken == 0 {
                return Err(io::ErrorKind::StorageFull.into());
            }
            Ok(taken)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl Medium for Slow {
        fn cut(&mut self, bytes: u64) -> io::Result<()> {
            let length = usize::try_from(bytes).unwrap();
            self.bytes.lock().unwrap().truncate(length);
            Ok(())
        }
    }

    fn note(recorder: &mut Recorder, event: Event) {
        recorder.note(event, Now::default(), &[]);
    }

    #[test]
    fn everything_is_written_and_the_end() {
        let (file, bytes, lets) = Slow::new(1 << 20);
        drop(lets);
        let mut recorder = Recorder::start(file, origin(), 10).unwrap();
        note(&mut recorder, frame(3));
        note(&mut recorder, Event::Wakeup);
        recorder.finish();
        assert_eq!(
            entries(&bytes.lock().unwrap()),
            ["origin", "told", "told", "Stopped"]
        );
    }

    #[test]
    fn the_loop_does_not_wait_for_a_slow_file_and_the_recording_says_so() {
        let (file, bytes, lets) = Slow::new(1 << 20);
        lets.send(()).unwrap();
        let mut recorder = Recorder::start(file, origin(), 2).unwrap();
        // At most one is being written and two wait, whatever the thread is at.
        for _ in 0..5 {
            note(&mut recorder, frame(PIECE_BYTES));
        }
        drop(lets);
        recorder.finish();
        let found = entries(&bytes.lock().unwrap());
        assert_eq!(found.last().unwrap(), "Overrun");
        assert!((4..=5).contains(&found.len()), "{found:?}");
    }

    #[test]
    fn what_waits_is_bounded_by_bytes_too() {
        let (file, bytes, lets) = Slow::new(1 << 30);
        lets.send(()).unwrap();
        let mut recorder = Recorder::start(file, origin(), 100).unwrap();
        for _ in 0..5 {
            note(&mut recorder, frame(WAITING_BYTES_MAX / 2));
        }
        assert!(recorder.notes.is_none());
        drop(lets);
        recorder.finish();
        let found = entries(&bytes.lock().unwrap());
        assert_eq!(found.last().unwrap(), "Overrun");
    }

    #[test]
    fn a_full_disk_leaves_whole_entries_and_a_last_word() {
        let (file, bytes, lets) = Slow::new(3 * PIECE_BYTES);
        drop(lets);
        let mut recorder = Recorder::start(file, origin(), 10).unwrap();
        for _ in 0..5 {
            note(&mut recorder, frame(PIECE_BYTES));
        }
        recorder.finish();
        let found = entries(&bytes.lock().unwrap());
        assert_eq!(found.first().unwrap(), "origin");
        assert_eq!(found.last().unwrap(), "Failed");
    }

    #[test]
    fn a_file_is_its_owners_and_none_is_written_over() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("recording");
        Recorder::create(&path, origin()).unwrap().finish();
        assert_eq!(
            entries(&std::fs::read(&path).unwrap()),
            ["origin", "Stopped"]
        );
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600);
        }
        let error = Recorder::create(&path, origin()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::AlreadyExists);
    }
}
