//! `bruit send`: a letter to a node or an author.

use std::path::PathBuf;
use std::time::Duration;

use bruit_api::text;
use bruit_api::types::{SendLetter, SentLetter};
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::input::Input;
use crate::{output, progress};

/// Send a letter: sealed, to one node or author, which may be away for days.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit send 07a1c3f2… 'see you at eight'\n  bruit send alice --wait acknowledged hello\n  \
                        date | bruit send alice -\n  bruit send k98kurz:8a88e3dd…0f6f5c hello\n  bruit send alice --file letter.txt --ttl 14d\n\nStates: queued (kept on \
                        this disk; the recipient's letterbox or neighbours are looked for), published (on the disks of two \
                        neighbours), acknowledged (opened by the recipient's node), expired (given up)."
)]
pub(crate) struct Send {
    /// Whom it is for: a node's id, an author's key, the name of a contact, or somebody in another system, such as
    /// k98kurz:HEX, by a gateway that runs beside the daemon
    #[arg(value_name = "ID|NAME")]
    to: String,
    /// The letter; - reads standard input
    #[arg(conflicts_with = "file")]
    message: Option<String>,
    /// Send what this file holds
    #[arg(long, value_name = "PATH")]
    file: Option<PathBuf>,
    /// How long it is kept for a recipient who is away, up to 14d; made again with twice that when no
    /// acknowledgement came [default: 7d]
    #[arg(long, value_name = "TIME", value_parser = text::duration)]
    ttl: Option<Duration>,
    /// The author key that signs, in place of the node's: `bruit id keys list` shows them
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
    /// When it counts as sent: published or acknowledged
    #[arg(long, value_name = "STATE", value_parser = ["queued", "published", "acknowledged"])]
    wait: Option<String>,
    /// How long to wait for that [default: 1m]
    #[arg(long, value_name = "TIME", requires = "wait", value_parser = text::duration)]
    timeout: Option<Duration>,
}

impl Send {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let input = Input {
            message: self.message.as_deref(),
            file: self.file.as_deref(),
            is_piped: false,
        };
        let millis = |time: Duration| format!("{}ms", time.as_millis());
        let request = SendLetter {
            ttl: self.ttl.map(millis),
            author: self.author.clone(),
            wait: self.wait.clone(),
            timeout: self.timeout.map(millis),
            ..SendLetter::new(&self.to, &input.contents().await?)
        };
        let client = Client::new(&global.folder()?);
        let sent = client.post("/v1/letters", &request);
        let sent: SentLetter = progress::shown("sending", sent).await?;
        Ok(output::line(&if global.json {
            output::json(&sent)
        } else {
            format!("{} {} to {}", sent.state, sent.id, sent.to)
        })?)
    }
}
