//! `bruit import`: gives a node the bulletins of a file that another one exported.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use bruit::bundle::{BundleError, Decoder, Head, Part};
use bruit_api::types::{Bring, Brought};
use bytes::Bytes;
use clap::Args;

use crate::args::Global;
use crate::client::{Client, Session};
use crate::failure::{Exit, Failure};
use crate::{output, progress};

/// Most bytes of bulletins brought in one request.
const BRING_BYTES_MAX: usize = 384 << 10;
/// Most bulletins brought in one request.
const BRING_MAX: usize = 256;

/// Give the node the bulletins of a file that `bruit export` wrote. They are delivered, kept and announced.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit import news.bundle\n  ssh elsewhere bruit export - | bruit import -\n\n\
                  Each bulletin is checked as if a neighbour had sent it, and none is taken twice. Of a file that \
                  ends early, what is whole is imported, and the exit code is 1."
)]
pub(crate) struct Import {
    /// The file; - reads standard input
    file: PathBuf,
}

impl Import {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let mut bringing = Bringing::new(client.session());
        let read = progress::shown("importing", self.read(&mut bringing)).await;
        print(global.json, &bringing.done)?;
        read
    }

    /// Reads the file and brings what is in it, up to its end or the first thing wrong.
    async fn read(&self, bringing: &mut Bringing<'_>) -> Result<(), Failure> {
        let mut input = self
            .open()
            .map_err(|error| Failure::file(&self.file, &error))?;
        let mut decoder = Decoder::default();
        let mut buffer = vec![0; 64 << 10];
        loop {
            let read = input.read(&mut buffer);
            let read = read.map_err(|error| Failure::file(&self.file, &error))?;
            decoder.feed(&buffer[..read]);
            loop {
                match decoder.next_part() {
                    Ok(Some(Part::Head(head))) => bringing.head = Some(head),
                    Ok(Some(Part::Bulletin(bulletin))) => bringing.take(bulletin).await?,
                    Ok(Some(Part::End)) => {}
                    Ok(None) => break,
                    Err(error) => {
                        bringing.bring().await?;
                        return Err(self.bad(error));
                    }
                }
            }
            if read == 0 {
                bringing.bring().await?;
                let short = || self.failure("bundle_truncated", "it ends early");
                return if decoder.is_whole() {
                    Ok(())
                } else {
                    Err(short())
                };
            }
        }
    }

    fn open(&self) -> io::Result<Box<dyn Read>> {
        if self.file == Path::new("-") {
            return Ok(Box::new(io::stdin().lock()));
        }
        Ok(Box::new(File::open(&self.file)?))
    }

    fn bad(&self, error: BundleError) -> Failure {
        match error {
            BundleError::Magic => Failure::usage(
                format!("{} is no bundle: {error}", self.file.display()),
                "name a file that `bruit export` wrote",
            ),
            BundleError::Version { .. } => Failure::usage(
                format!("{}: {error}", self.file.display()),
                "import it with the bruit that wrote it, or a newer one",
            ),
            _ => self.failure("bundle_damaged", &error.to_string()),
        }
    }

    fn failure(&self, code: &str, what: &str) -> Failure {
        Failure::new(
            Exit::Negative,
            code,
            format!(
                "{}: {what}; what was whole has been imported",
                self.file.display()
            ),
            "export and copy it again; what came already is not taken twice",
        )
    }
}

/// Bulletins on their way to the daemon.
struct Bringing<'a> {
    session: Session<'a>,
    head: Option<Head>,
    waiting: Vec<Bytes>,
    bytes: usize,
    done: Brought,
}

impl<'a> Bringing<'a> {
    fn new(session: Session<'a>) -> Self {
        Self {
            session,
            head: None,
            waiting: Vec::new(),
            bytes: 0,
            done: Brought::default(),
        }
    }

    async fn take(&mut self, bulletin: Bytes) -> Result<(), Failure> {
        self.bytes += bulletin.len();
        self.waiting.push(bulletin);
        if self.bytes >= BRING_BYTES_MAX || self.waiting.len() >= BRING_MAX {
            self.bring().await?;
        }
        Ok(())
    }

    /// Brings what waits. An empty bundle is brought, too: the network may be the wrong one.
    async fn bring(&mut self) -> Result<(), Failure> {
        let Some(head) = &self.head else {
            return Ok(());
        };
        let bring = Bring::of(head, &self.waiting);
        let brought: Brought = self.session.post("/v1/bundle", &bring).await?;
        self.done.add(&brought);
        self.waiting.clear();
        self.bytes = 0;
        Ok(())
    }
}

fn print(json: bool, done: &Brought) -> io::Result<()> {
    if json {
        return output::line(&output::json(done));
    }
    let refused = done.refused.iter();
    let refused =
        refused.map(|(reason, count)| format!(", {count} refused ({})", output::escape(reason)));
    let refused: String = refused.collect();
    output::line(&format!(
        "{} imported, {} known already{refused}",
        done.imported, done.known
    ))
}
