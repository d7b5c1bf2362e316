//! How a command fails: an exit code, a word for programs, the cause, and what to do about it.

use std::fmt;
use std::io;

use bruit::StartError;
use bruit::keys::KeyError;
use bruit::transport::BindError;
use bruit_api::types::{ErrorBody, ErrorDetail};

use crate::output;

/// Why a command did not do what was asked. The numbers are promises.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Exit {
    /// Whoever reads our output has gone: nothing is wrong.
    Unread = 0,
    /// Not found, check failed.
    Negative = 1,
    /// Usage or configuration.
    Usage = 2,
    /// Not in time.
    Timeout = 3,
    /// No daemon.
    Unreachable = 4,
    /// Not authorised.
    Unauthorised = 5,
    /// Refused by policy.
    Refused = 6,
}

/// A failed command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) exit: Exit,
    pub(crate) code: String,
    pub(crate) message: String,
    pub(crate) fix: String,
}

impl Failure {
    pub(crate) fn new(
        exit: Exit,
        code: &str,
        message: impl Into<String>,
        fix: impl Into<String>,
    ) -> Self {
        Self {
            exit,
            code: code.to_owned(),
            message: message.into(),
            fix: fix.into(),
        }
    }

    /// The command line or the configuration is wrong.
    pub(crate) fn usage(message: impl Into<String>, fix: impl Into<String>) -> Self {
        Self::new(Exit::Usage, "usage", message, fix)
    }

    /// A file or folder cannot be used.
    pub(crate) fn file(path: &std::path::Path, error: &io::Error) -> Self {
        let path = path.display();
        let fix = match error.kind() {
            io::ErrorKind::NotFound => format!("check the path {path}"),
            io::ErrorKind::NotADirectory => {
                format!("a part of {path} is a file: name another folder")
            }
            io::ErrorKind::PermissionDenied => format!("give this user access to {path}"),
            io::ErrorKind::ReadOnlyFilesystem => {
                "remount it writable, or name another place".into()
            }
            io::ErrorKind::StorageFull => "free space on that disk".into(),
            _ => format!("look at {path}"),
        };
        Self::new(Exit::Usage, "file", format!("{path}: {error}"), fix)
    }

    /// Writes the error to standard error: one line of JSON, or one paragraph.
    pub(crate) fn report(&self, json: bool) {
        if self.exit == Exit::Unread {
            return;
        }
        if json {
            let error = ErrorDetail {
                code: self.code.clone(),
                message: self.message.clone(),
                fix: self.fix.clone(),
            };
            output::note(&output::json(&ErrorBody { error }));
        } else {
            output::note(&self.to_string());
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (message, fix) = (
            output::escape_lines(&self.message),
            output::escape_lines(&self.fix),
        );
        write!(f, "error: {message}\n  fix: {fix}")
    }
}

/// A node does not start: whatever it is, it is for the user to mend.
impl From<StartError> for Failure {
    fn from(error: StartError) -> Self {
        let (code, fix) = match &error {
            StartError::Bind(BindError::PortTaken { .. }) => (
                "port_taken",
                "stop the program that uses it, or choose another port with --listen; without \
                 --listen the next free one is taken"
                    .to_owned(),
            ),
            StartError::Bind(_) => (
                "cannot_listen",
                "choose an address of this machine with --listen, such as 0.0.0.0:7447".to_owned(),
            ),
            StartError::Record { error, .. } if error.kind() == io::ErrorKind::AlreadyExists => (
                "record",
                "name a new file with --record, or move that one: none is written over".to_owned(),
            ),
            StartError::Record { .. } => (
                "record",
                "name a file in a folder this user may write to with --record".to_owned(),
            ),
            StartError::Key(error) => return Self::from(error),
            StartError::Random(error) => {
                let what = error.to_string();
                return Self::from(KeyError::Randomness { what });
            }
            StartError::Store(error) => (error.code(), error.fix()),
            _ => ("config", "look at `bruit config show --origin`".to_owned()),
        };
        Self::new(Exit::Usage, code, error.to_string(), fix)
    }
}

/// A key that is not there is a negative result, and one that does not open a question of authority;
/// everything else is for the user to mend.
impl From<&KeyError> for Failure {
    fn from(error: &KeyError) -> Self {
        let exit = match error {
            KeyError::Missing { .. } => Exit::Negative,
            KeyError::Locked { .. } | KeyError::WrongPassphrase { .. } => Exit::Unauthorised,
            _ => Exit::Usage,
        };
        Self::new(exit, error.code(), error.to_string(), error.fix())
    }
}

impl From<KeyError> for Failure {
    fn from(error: KeyError) -> Self {
        Self::from(&error)
    }
}

/// Writing to standard output failed.
impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self::new(Exit::Unread, "", "", "");
        }
        let message = format!("the output cannot be written: {error}");
        Self::new(Exit::Usage, "output", message, "look at where it goes")
    }
}
