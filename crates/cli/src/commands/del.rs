//! `bruit del`: delete a value.

use bruit_api::types::Kept;
use clap::Args;

use crate::args::Global;
use crate::client::Client;
use crate::failure::Failure;
use crate::{output, progress};

/// Delete what an author key of yours calls so, on the whole network: a tombstone stands in its place.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit del weather/today\n  bruit del work/notes\n  bruit del notes --author work\n\n\
                        A value without a name cannot be deleted: it ends with its validity."
)]
pub(crate) struct Del {
    /// The name, or AUTHOR/NAME with an author key of yours
    #[arg(value_name = "NAME")]
    name: String,
    /// The author key that signed it, when the name does not say [default: default]
    #[arg(long, value_name = "KEY")]
    author: Option<String>,
}

impl Del {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let deleted = self.delete(&client);
        let deleted = progress::shown("working on the stamp", deleted).await?;
        Ok(output::line(&if global.json {
            output::json(&deleted)
        } else {
            super::put::text_of(&deleted)
        })?)
    }

    async fn delete(&self, client: &Client) -> Result<Kept, Failure> {
        let delete = |author: &str, name: &str| {
            let path = super::value_path("/v1/values", &format!("{author}/{name}"));
            async move { client.delete(&path?).await }
        };
        let Some(author) = &self.author else {
            // `a/b` is the name `b` of the author `a` when there is such a key of ours.
            if let Some((author, name)) = self.name.split_once('/')
                && self.is_ours(client, author).await?
            {
                return delete(author, name).await;
            }
            return delete("default", &self.name).await;
        };
        delete(author, &self.name).await
    }

    async fn is_ours(&self, client: &Client, author: &str) -> Result<bool, Failure> {
        let identity: bruit_api::types::Identity = client.get("/v1/identity").await?;
        let mut keys = identity.authors.iter();
        Ok(keys.any(|key| key.name == author || key.id == author))
    }
}
