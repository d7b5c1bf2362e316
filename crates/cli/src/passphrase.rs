//! Whence passphrases come: a terminal that does not show them, or a file.
//!
//! Never an argument, nor the environment: other users read the one in `/proc`, and every child has the
//! other.

use std::fs::File;
use std::io::{self, IsTerminal as _, Read as _};
use std::path::{Path, PathBuf};

use bruit::keys::{KeyError, KeyName, Passphrase};
use clap::Args;
use zeroize::Zeroizing;

use crate::failure::{Exit, Failure};
use crate::output;

/// Most bytes read for a passphrase: more than it may have, so that it is told what it has.
const FILE_BYTES_MAX: usize = 2_048;

/// The flag that names a file with a passphrase.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct Source {
    /// Read the passphrase from the first line of this file, - for standard input, and do not ask
    #[arg(long, value_name = "FILE")]
    passphrase_file: Option<PathBuf>,
}

impl Source {
    /// Whether it is the command's standard input.
    pub(crate) fn is_input(&self) -> bool {
        self.passphrase_file.as_deref() == Some(Path::new("-"))
    }

    /// Whether a file was named.
    pub(crate) const fn is_given(&self) -> bool {
        self.passphrase_file.is_some()
    }

    /// The passphrase in the file, where one was named.
    pub(crate) fn read(&self) -> Result<Option<Passphrase>, Failure> {
        self.passphrase_file.as_deref().map(from_file).transpose()
    }

    /// The passphrase that opens `key`: that of the file, or what the terminal answers. Without either
    /// the key stays locked.
    pub(crate) fn existing(&self, key: &KeyName) -> Result<Passphrase, Failure> {
        match self.read()? {
            Some(passphrase) => Ok(passphrase),
            None if can_ask() => ask(&format!("Passphrase of {key}: ")),
            None => Err(nobody_to_ask(&KeyError::Locked { key: key.clone() })),
        }
    }

    /// A new passphrase: that of the file, or what the terminal answers twice.
    pub(crate) fn new_one(&self) -> Result<Passphrase, Failure> {
        if let Some(passphrase) = self.read()? {
            return Ok(passphrase);
        }
        if !can_ask() {
            let told = "there is no terminal to ask for a passphrase";
            return Err(Failure::usage(told, FIX));
        }
        let first = ask("New passphrase: ")?;
        if ask("The same again: ")? == first {
            return Ok(first);
        }
        let told = "the two passphrases are not the same";
        Err(Failure::new(
            Exit::Usage,
            "passphrase",
            told,
            "type it again",
        ))
    }
}

const FIX: &str = "name a file with --passphrase-file, or run it on a terminal";

/// Whether somebody sits there who can be asked.
pub(crate) fn can_ask() -> bool {
    io::stdin().is_terminal() && io::stderr().is_terminal()
}

fn ask(prompt: &str) -> Result<Passphrase, Failure> {
    let prompt = output::escape_lines(prompt);
    let answer = rpassword::prompt_password(prompt)
        .map_err(|error| Failure::usage(format!("the terminal cannot be asked: {error}"), FIX))?;
    Ok(Passphrase::new(answer)?)
}

fn nobody_to_ask(error: &KeyError) -> Failure {
    Failure {
        fix: FIX.to_owned(),
        ..Failure::from(error)
    }
}

/// The first line of a file, without its end.
fn from_file(path: &Path) -> Result<Passphrase, Failure> {
    let failed = |error| Failure::file(path, &error);
    let mut bytes = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX));
    let most = FILE_BYTES_MAX as u64;
    if path == Path::new("-") {
        let read = io::stdin().lock().take(most).read_to_end(&mut bytes);
        read.map_err(failed)?;
    } else {
        let file = File::open(path).map_err(failed)?;
        warn_of_readers(path, &file);
        file.take(most).read_to_end(&mut bytes).map_err(failed)?;
    }
    let end = bytes.iter().position(|byte| *byte == b'\n');
    let line = &bytes[..end.unwrap_or(bytes.len())];
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let text = str::from_utf8(line).map_err(|_| {
        let told = format!("the passphrase in {} is not UTF-8", path.display());
        Failure::usage(told, "write it as text in UTF-8")
    })?;
    Ok(Passphrase::new(text)?)
}

/// Secrets that a system hands to its services may be readable by all in their container: no reason to
/// refuse them.
#[cfg(unix)]
fn warn_of_readers(path: &Path, file: &File) {
    use std::os::unix::fs::PermissionsExt as _;
    let Ok(metadata) = file.metadata() else {
        return;
    };
    if metadata.is_file() && metadata.permissions().mode() & 0o077 != 0 {
        let path = path.display();
        output::note(&format!(
            "warning: others may read the passphrase in {path}: chmod 600 {path}"
        ));
    }
}

#[cfg(not(unix))]
fn warn_of_readers(_path: &Path, _file: &File) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_passphrase_is_the_first_line_to_the_byte() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("file");
        crate::folder::write_private(&path, "").unwrap();
        let read = |text: &[u8]| {
            std::fs::write(&path, text).unwrap();
            from_file(&path).map(|passphrase| passphrase.expose().to_owned())
        };
        for text in [" a b ", " a b \n", " a b \r\nsecond\n"] {
            assert_eq!(read(text.as_bytes()).unwrap(), " a b ", "{text:?}");
        }
        for wrong in [b"".as_slice(), b"\nsecond", b"\xff"] {
            assert_eq!(read(wrong).unwrap_err().exit, Exit::Usage, "{wrong:?}");
        }
        assert!(read("x".repeat(FILE_BYTES_MAX).as_bytes()).is_err());
    }
}
