//! `bruit token`: tokens for programs that may do less than this user.

use bruit_api::text;
use bruit_api::types::{MakeToken, NewToken, Scope, TokenEntry};
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::output;

/// Make, list and end tokens: each lets a program use the API for so much, and for so long.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit token create --scope read\n  bruit token list\n  bruit token revoke ID"
)]
pub(crate) struct Token {
    #[command(subcommand)]
    command: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Create(Create),
    /// List the tokens, without their texts
    #[command(after_help = "Examples:\n  bruit token list\n  bruit token list --json")]
    List,
    Revoke(Revoke),
}

/// Make a token and print it; it is not shown again
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit token create --scope read\n  bruit token create --scope publish --for 24h"
)]
struct Create {
    /// read: see everything; publish: speak in the node's name, too; admin: everything
    #[arg(long, value_parser = ["read", "publish", "admin"])]
    scope: String,
    /// How long it is valid, such as 24h; without, until it is revoked
    #[arg(long = "for", value_name = "TIME", value_parser = text::duration)]
    lasts: Option<std::time::Duration>,
}

/// End a token
#[derive(Debug, Args)]
#[command(after_help = "Examples:\n  bruit token revoke 07a1c3f207a1c3f2")]
struct Revoke {
    /// Its id, from the list
    id: String,
}

impl Token {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let json = global.json;
        let text = match &self.command {
            What::Create(create) => create.run(&client, json).await?,
            What::List => list(&client.get::<Vec<TokenEntry>>("/v1/tokens").await?, json),
            What::Revoke(revoke) => {
                let path = format!("/v1/tokens/{}", client::encode(&revoke.id));
                let ended: TokenEntry = client.delete(&path).await?;
                let text = format!("{} is no token any more", ended.id);
                if json { output::json(&ended) } else { text }
            }
        };
        output::line(&text)?;
        Ok(())
    }
}

impl Create {
    async fn run(&self, client: &Client, json: bool) -> Result<String, Failure> {
        let scope: Scope = self.scope.parse().expect("clap takes no other words");
        let lasts = self.lasts.map(|lasts| lasts.as_millis());
        let for_ms = lasts.map(|lasts| u64::try_from(lasts).unwrap_or(u64::MAX));
        let request = MakeToken { scope, for_ms };
        let made: NewToken = client.post("/v1/tokens", &request).await?;
        Ok(if json {
            output::json(&made)
        } else {
            made.token
        })
    }
}

fn list(tokens: &[TokenEntry], json: bool) -> String {
    if json {
        return output::json(&tokens);
    }
    if tokens.is_empty() {
        return "no tokens: bruit token create --scope read makes one".to_owned();
    }
    let until = |token: &TokenEntry| {
        let expires = token.expires_ms;
        expires.map_or_else(
            || "it is revoked".to_owned(),
            |at| format!("{at} ms since 1970"),
        )
    };
    let rows = tokens.iter().map(|token| {
        [
            token.id.clone(),
            token.scope.as_str().to_owned(),
            until(token),
        ]
    });
    output::table(["ID", "SCOPE", "VALID UNTIL"], rows)
}
