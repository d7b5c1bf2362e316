//! The daemon's log: standard error, and `run.log` in the data folder.
//!
//! Invariant: one event is one line, whatever names and texts from the network stand in it.

use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use bruit_api::types::LogLine;
use bruit_api::{BadFilter, LogBook};
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::keys;
use crate::failure::Failure;
use crate::output;

/// Bytes after which `run.log` becomes `run.log.1`.
const FILE_BYTES_MAX: u64 = 4 << 20;

/// A running log, whose level can be changed.
#[derive(Debug)]
pub(crate) struct Logs {
    handle: reload::Handle<EnvFilter, Registry>,
    book: LogBook,
}

impl Logs {
    /// Starts logging at `level` to standard error, and to `file` where there is one.
    pub(crate) fn start(level: &str, file: Option<&Path>) -> Result<Self, Failure> {
        let sink = Sink {
            file: file.map(Rotated::open).transpose()?,
        };
        let (filter, handle) = reload::Layer::new(filter(level)?);
        let sink = Arc::new(Mutex::new(sink));
        let layer = fmt::layer().with_ansi(false).with_writer(move || Writer {
            sink: Arc::clone(&sink),
        });
        let book = LogBook::default();
        let started = tracing_subscriber::registry()
            .with(filter)
            .with(layer)
            .with(Keep(book.clone()))
            .try_init();
        started.expect("a process starts its log once");
        let changing = handle.clone();
        book.on_filter(move |level| change(&changing, level));
        Ok(Self { handle, book })
    }

    /// The last lines, for the API.
    pub(crate) fn book(&self) -> LogBook {
        self.book.clone()
    }

    /// Changes the level.
    pub(crate) fn set(&self, level: &str) -> Result<(), Failure> {
        change(&self.handle, level).map_err(|wrong| Failure::usage(wrong.what, wrong.fix))
    }
}

fn change(handle: &reload::Handle<EnvFilter, Registry>, level: &str) -> Result<(), BadFilter> {
    let bad = |what, fix| BadFilter { what, fix };
    let filter = keys::log_filter(level).map_err(|wrong| bad(wrong.what, wrong.fix))?;
    let changed = handle.reload(filter);
    changed.map_err(|error| bad(error.to_string(), "restart the daemon".to_owned()))
}

/// Writes each event into the book, as one line.
struct Keep(LogBook);

impl<S: Subscriber> Layer<S> for Keep {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words::default();
        event.record(&mut words);
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let at_ms = since.unwrap_or_default().as_millis();
        self.0.write(LogLine {
            at_ms: u64::try_from(at_ms).unwrap_or(u64::MAX),
            level: event.metadata().level().as_str().to_owned(),
            target: event.metadata().target().to_owned(),
            text: output::escape(&(words.message + &words.fields)),
        });
    }
}

/// What an event says: its message first, then its fields.
#[derive(Debug, Default)]
struct Words {
    message: String,
    fields: String,
}

impl Visit for Words {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        // Writing into a text cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

fn filter(level: &str) -> Result<EnvFilter, Failure> {
    keys::log_filter(level).map_err(|wrong| Failure::usage(wrong.what, wrong.fix))
}

/// Where lines go.
struct Sink {
    file: Option<Rotated>,
}

/// Takes one event, and writes it as one line when it is dropped or complete.
struct Writer {
    sink: Arc<Mutex<Sink>>,
}

impl Write for Writer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(bytes);
        let line = output::escape(text.trim_end_matches('\n')) + "\n";
        // A log that cannot be written must not stop the node.
        let _ = io::stderr().write_all(line.as_bytes());
        let mut sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = &mut sink.file {
            let _ = file.write(&line);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A file that starts anew when it is full; the one before it is kept.
struct Rotated {
    path: PathBuf,
    file: File,
    bytes: u64,
}

impl Rotated {
    fn open(path: &Path) -> Result<Self, Failure> {
        let open = || {
            let file = private().append(true).create(true).open(path)?;
            let bytes = file.metadata()?.len();
            Ok(Self {
                path: path.to_owned(),
                file,
                bytes,
            })
        };
        open().map_err(|error: io::Error| Failure::file(path, &error))
    }

    fn write(&mut self, line: &str) -> io::Result<()> {
        if self.bytes > FILE_BYTES_MAX {
            // Whatever comes of it, it is tried again only after as many bytes.
            self.bytes = 0;
            self.begin_anew().ok();
        }
        self.bytes += line.len() as u64;
        self.file.write_all(line.as_bytes())
    }

    /// What is there is kept under another name. Where that fails the same file goes on.
    fn begin_anew(&mut self) -> io::Result<()> {
        match fs::rename(&self.path, self.path.with_extension("log.1")) {
            // It was moved, and there was no room for another then.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            done => done?,
        }
        self.file = private().append(true).create(true).open(&self.path)?;
        Ok(())
    }
}

fn private() -> OpenOptions {
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_from_the_network_stays_on_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.log");
        let file = Some(Rotated::open(&path).unwrap());
        let sink = Arc::new(Mutex::new(Sink { file }));
        let mut writer = Writer { sink };
        writer
            .write_all("topic a\n\u{1b}[2Jb\u{202e}c\n".as_bytes())
            .unwrap();
        let text = fs::read_to_string(path).unwrap();
        assert_eq!(text, "topic a\\n\\u{1b}[2Jb\\u{202e}c\n");
    }

    #[test]
    fn a_full_file_makes_room_for_a_new_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.log");
        let mut file = Rotated::open(&path).unwrap();
        file.write("old\n").unwrap();
        file.bytes = FILE_BYTES_MAX + 1;
        file.write("new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
        assert_eq!(
            fs::read_to_string(folder.path().join("run.log.1")).unwrap(),
            "old\n"
        );
    }

    #[test]
    fn a_log_goes_on_when_there_was_no_room_for_a_new_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.log");
        let mut file = Rotated::open(&path).unwrap();
        file.write("old\n").unwrap();
        // As if it had been moved, and no file could be opened in its place.
        fs::rename(&path, folder.path().join("run.log.1")).unwrap();
        file.bytes = FILE_BYTES_MAX + 1;
        file.write("new\n").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "new\n");
    }
}
