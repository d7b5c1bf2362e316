//! `bruit export`: what a node holds, in a file that can be carried to another.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use bruit::bundle::Encoder;
use bruit_api::text;
use bruit_api::types::Bundle;
use clap::Args;
use serde::Serialize;

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::{Exit, Failure};
use crate::{output, progress};

/// Write the bulletins the node holds into a file that another node can import.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit export all.bundle\n  bruit export --since 1d --topic news news.bundle\n  \
                  bruit export - | ssh elsewhere bruit import -\n\nThe file holds them as they travel, signed and paid \
                  for: whoever imports it trusts nobody. docs/wire-format.md describes it."
)]
pub(crate) struct Export {
    /// The file; - writes to standard output
    file: PathBuf,
    /// Only what was made in the last time, such as 1d
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    since: Option<Duration>,
    /// Only this topic, taken exactly
    #[arg(long)]
    topic: Option<String>,
}

/// What was written.
#[derive(Debug, Default, Serialize)]
struct Exported {
    file: String,
    bulletins: u64,
    bytes: u64,
}

impl Export {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        if self.file == Path::new("-") {
            let written = progress::shown("exporting", self.write(&client, io::stdout().lock()));
            written.await.map(drop)?;
            return Ok(());
        }
        // Under another name until it is whole.
        let mut part = self.file.clone().into_os_string();
        part.push(".part");
        let part = PathBuf::from(part);
        let failed = |error| Failure::file(&self.file, &error);
        let file = File::create(&part).map_err(failed)?;
        let written = progress::shown("exporting", self.write(&client, &file)).await;
        let finished = written.and_then(|exported| {
            file.sync_all().map_err(failed)?;
            std::fs::rename(&part, &self.file).map_err(failed)?;
            Ok(exported)
        });
        let exported = finished.inspect_err(|_| {
            // What is not whole is of no use.
            let _ = std::fs::remove_file(&part);
        })?;
        let text = format!(
            "{} bulletins, {} bytes, in {}",
            exported.bulletins, exported.bytes, exported.file
        );
        output::line(&if global.json {
            output::json(&exported)
        } else {
            text
        })?;
        Ok(())
    }

    /// Writes page after page.
    async fn write(&self, client: &Client, mut out: impl Write) -> Result<Exported, Failure> {
        let mut exported = Exported {
            file: self.file.display().to_string(),
            ..Exported::default()
        };
        let mut put = |bytes: &[u8]| {
            exported.bytes += bytes.len() as u64;
            out.write_all(bytes).map_err(|error| match error.kind() {
                io::ErrorKind::BrokenPipe => error.into(),
                _ => Failure::file(&self.file, &error),
            })
        };
        let mut page: Bundle = client.get(&self.path(0)).await?;
        let (mut encoder, head) = Encoder::new(&page.head().map_err(odd)?);
        put(&head)?;
        loop {
            for bulletin in page.encodings().map_err(odd)? {
                exported.bulletins += 1;
                put(&encoder.bulletin(&bulletin))?;
            }
            let Some(next) = page.next else { break };
            page = client.get(&self.path(next)).await?;
        }
        put(&encoder.end())?;
        out.flush()?;
        Ok(exported)
    }

    fn path(&self, after: u64) -> String {
        let after = format!("/v1/bundle?after={after}");
        let since = self
            .since
            .map(|since| format!("&since={}ms", since.as_millis()));
        let topic = self.topic.as_ref();
        let topic = topic.map(|topic| format!("&topic={}", client::encode(topic)));
        [Some(after), since, topic].into_iter().flatten().collect()
    }
}

fn odd(error: impl std::fmt::Display) -> Failure {
    let message = format!("the daemon's answer is not the one expected: {error}");
    let fix = "use the bruit the daemon runs with";
    Failure::new(Exit::Unreachable, "odd_answer", message, fix)
}
