//! Where the contents of a bulletin come from: the command line, standard input, or a file.

use std::path::Path;

use tokio::io::{AsyncBufRead, AsyncReadExt as _, BufReader};

use crate::failure::{Exit, Failure};

/// Most bytes read for one bulletin: more than any may have, so that the daemon says how many.
pub(crate) const INPUT_BYTES_MAX: u64 = 512 << 10;

/// What the command line says of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Input<'a> {
    /// The text itself; `-` for standard input.
    pub(crate) message: Option<&'a str>,
    /// A file, where there is no text.
    pub(crate) file: Option<&'a Path>,
    /// Whether it is standard input when nothing is said.
    pub(crate) is_piped: bool,
}

enum Source<'a> {
    Message(&'a str),
    Input,
    File(&'a Path),
}

impl<'a> Input<'a> {
    fn source(&self) -> Result<Source<'a>, Failure> {
        match (self.message, self.file) {
            (Some("-"), _) => Ok(Source::Input),
            (Some(message), _) => Ok(Source::Message(message)),
            (None, Some(path)) => Ok(Source::File(path)),
            (None, None) if self.is_piped => Ok(Source::Input),
            (None, None) => Err(Failure::usage(
                "there is nothing to publish",
                "give a message, - for standard input, --file PATH, or --lines",
            )),
        }
    }

    /// Reads it as it comes.
    pub(crate) async fn reader(&self) -> Result<Box<dyn AsyncBufRead + Unpin + 'a>, Failure> {
        Ok(match self.source()? {
            Source::Message(message) => Box::new(message.as_bytes()),
            Source::Input => Box::new(BufReader::new(tokio::io::stdin())),
            Source::File(path) => {
                let file = tokio::fs::File::open(path).await;
                Box::new(BufReader::new(
                    file.map_err(|error| Failure::file(path, &error))?,
                ))
            }
        })
    }

    /// All of it.
    pub(crate) async fn contents(&self) -> Result<Vec<u8>, Failure> {
        let name = self.file.unwrap_or(Path::new("standard input"));
        let failed = |error| Failure::file(name, &error);
        let mut contents = Vec::new();
        let mut reader = self.reader().await?.take(INPUT_BYTES_MAX + 1);
        let read = reader.read_to_end(&mut contents).await.map_err(failed)?;
        if read as u64 <= INPUT_BYTES_MAX {
            return Ok(contents);
        }
        let whole = match self.file {
            Some(path) => tokio::fs::metadata(path).await.map_err(failed)?.len(),
            None => 0,
        };
        Err(too_big(name, whole))
    }
}

/// What is not even read to its end. `bytes` is 0 where nobody knows how much there is.
fn too_big(name: &Path, bytes: u64) -> Failure {
    let bytes = match bytes {
        0..=INPUT_BYTES_MAX => format!("more than {INPUT_BYTES_MAX}"),
        bytes => bytes.to_string(),
    };
    Failure::new(
        Exit::Refused,
        "too_big",
        format!("{} has {bytes} bytes", name.display()),
        "publish at most 65,536 bytes at a time",
    )
}
