//! Files that only their owner may read.
//!
//! One is written whole under another name first and then given its own, so that no crash leaves half
//! of it and nothing existing is replaced unasked.

use std::fs::{self, OpenOptions};
use std::io::{self, Read, Write};
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use zeroize::Zeroizing;

use super::error::KeyError;
use crate::store::sync_folder;

/// Tells apart the temporary files of threads that save the same secret.
static SAVES: AtomicU64 = AtomicU64::new(0);
/// Reads at most `max` bytes of the file `path`, and one more where it is longer; tells its whole length.
pub(super) fn read(path: &Path, max: usize) -> Result<(Zeroizing<Vec<u8>>, u64), KeyError> {
    let wrong = |error| KeyError::from_io(error, path);
    // Looked at before it is opened: opening a pipe would wait for its writer.
    check_file(path, &fs::metadata(path).map_err(wrong)?)?;
    let mut file = OpenOptions::new().read(true).open(path).map_err(wrong)?;
    let metadata = file.metadata().map_err(wrong)?;
    check_file(path, &metadata)?;
    // With room for all of it: a growing one would leave its old bytes behind.
    let mut text = Zeroizing::new(vec![0; max.saturating_add(1)]);
    let mut got = 0;
    loop {
        match file.read(&mut text[got..]).map_err(wrong)? {
            0 => break,
            count => got += count,
        }
    }
    text.truncate(got);
    Ok((text, metadata.len()))
}

/// Writes `text` to the new file `path`, which lasts when this returns.
///
/// On an error there is no such file, or the one that was there before.
pub(super) fn write_new(path: &Path, text: &str) -> Result<(), KeyError> {
    write(path, text, publish)
}

/// Writes `text` in the place of what the file `path` has; a crash leaves either.
pub(super) fn replace(path: &Path, text: &str) -> Result<(), KeyError> {
    write(path, text, |temporary, path| fs::rename(temporary, path))
}

fn write(
    path: &Path,
    text: &str,
    publish: impl FnOnce(&Path, &Path) -> io::Result<()>,
) -> Result<(), KeyError> {
    // A bare file name has an empty parent, which cannot be opened.
    let parent = path.parent().filter(|parent| *parent != Path::new(""));
    let folder = parent.unwrap_or(Path::new("."));
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let (process, number) = (std::process::id(), SAVES.fetch_add(1, Ordering::Relaxed));
    let temporary = folder.join(format!(".{name}.{process}.{number}.new"));
    let written = write_temporary(&temporary, text).and_then(|()| publish(&temporary, path));
    // Under its own name or not at all: the other name goes in both cases.
    fs::remove_file(&temporary).ok();
    written.and_then(|()| sync_folder(folder)).map_err(|error| {
        // Missing can only be the folder.
        let path = if error.kind() == io::ErrorKind::AlreadyExists {
            path
        } else {
            folder
        };
        KeyError::from_io(error, path)
    })
}

fn write_temporary(path: &Path, text: &str) -> io::Result<()> {
    // Left by a process of the same number that died half way.
    fs::remove_file(path).ok();
    let mut file = private_options().write(true).create_new(true).open(path)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Gives `temporary` the name `path` unless that is taken: a link fails then, a renaming would not.
fn publish(temporary: &Path, path: &Path) -> io::Result<()> {
    match fs::hard_link(temporary, path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => {
            // A file system without links.
            if path.try_exists()? {
                return Err(io::ErrorKind::AlreadyExists.into());
            }
            fs::rename(temporary, path)
        }
        result => result,
    }
}

/// Whether `metadata` is that of a file for its owner alone.
fn check_file(path: &Path, metadata: &fs::Metadata) -> Result<(), KeyError> {
    if !metadata.is_file() {
        return Err(KeyError::NotAFile {
            path: path.to_owned(),
        });
    }
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = metadata.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::TooOpen {
                path: path.to_owned(),
                mode,
            });
        }
    }
    Ok(())
}

/// Makes `folder`, and those above it, for their owner alone.
pub(super) fn make_folder(folder: &Path) -> Result<(), KeyError> {
    match fs::metadata(folder) {
        Ok(metadata) if metadata.is_dir() => return Ok(()),
        Ok(_) => {
            return Err(KeyError::NotADirectory {
                path: folder.to_owned(),
            });
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(KeyError::from_io(error, folder)),
    }
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::DirBuilderExt;
        builder.mode(0o700);
    }
    builder
        .create(folder)
        .map_err(|error| KeyError::from_io(error, folder))
}

/// Options that create files only their owner may read.
pub(crate) fn private_options() -> OpenOptions {
    #[cfg_attr(not(unix), expect(unused_mut, reason = "only unix has modes"))]
    let mut options = OpenOptions::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        options.mode(0o600);
    }
    options
}
