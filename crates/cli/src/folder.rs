//! The data folder: where it is, and what lies in it.

use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::Failure;

/// The folder of a node: keys, store, address book, socket, token, log, configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    /// The folder `named`, or the default one.
    pub(crate) fn find(named: Option<&Path>) -> Result<Self, Failure> {
        let path = match named {
            Some(path) if path.as_os_str().is_empty() => {
                return Err(Failure::usage(
                    "--data (or BRUIT_DATA) is empty",
                    "name a folder with --data",
                ));
            }
            Some(path) => path.to_owned(),
            None => default_path().ok_or_else(|| {
                Failure::usage(
                    "this user has no home folder (HOME is not set)",
                    "name a folder with --data",
                )
            })?,
        };
        let absolute = std::path::absolute(&path);
        absolute
            .map(Self)
            .map_err(|error| Failure::file(&path, &error))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The socket the other commands find the daemon by.
    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("api.sock")
    }

    /// Where there are no Unix sockets: the file that names the loopback port.
    #[cfg(not(unix))]
    pub(crate) fn port_file(&self) -> PathBuf {
        self.0.join("api.addr")
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    pub(crate) fn secret(&self) -> PathBuf {
        self.0.join("secret")
    }

    /// The node's key: there when the node was started once.
    pub(crate) fn node_key(&self) -> PathBuf {
        self.0.join("node.key")
    }

    pub(crate) fn log(&self) -> PathBuf {
        self.0.join("run.log")
    }

    /// Makes the folder where it is missing, for its owner alone.
    pub(crate) fn create(&self) -> Result<(), Failure> {
        let mut builder = fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&self.0)
            .map_err(|error| Failure::file(&self.0, &error))
    }

    /// ` --data DIR` for commands we propose, when the reader needs it.
    pub(crate) fn flag(&self) -> String {
        if default_path().as_deref() == Some(self.path()) {
            return String::new();
        }
        format!(" --data {}", quoted(&self.0.display().to_string()))
    }
}

/// `word` as a shell takes it for one word.
pub(crate) fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "/._-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

/// `$XDG_DATA_HOME/bruit`, or what stands for it.
fn default_path() -> Option<PathBuf> {
    let folder = |variable| {
        std::env::var_os(variable)
            .map(PathBuf::from)
            .filter(|path| path.is_absolute())
    };
    let home = || folder("HOME").map(|home| home.join(".local/share"));
    let base = folder("XDG_DATA_HOME")
        .or_else(home)
        .or_else(|| folder("LOCALAPPDATA"));
    base.map(|base| base.join("bruit"))
}

/// Writes a new file that only its owner reads; one that exists stays.
pub(crate) fn write_private(path: &Path, contents: &str) -> Result<(), Failure> {
    use std::io::Write as _;
    let mut options = fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(path).and_then(|mut file| {
        file.write_all(contents.as_bytes())?;
        file.sync_all()
    });
    written.map_err(|error| Failure::file(path, &error))
}
