//! `bruit contacts`: whose letters are acknowledged, and who is told of new delivery codes.

use bruit_api::types::Contact;
use clap::{Args, Subcommand};

use crate::args::Global;
use crate::client::{self, Client};
use crate::failure::Failure;
use crate::output;

/// Keep the contacts: whose letters are acknowledged, who is told of new delivery codes, and names to
/// write to.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit contacts add 07a1c3f2… alice\n  bruit contacts list\n  bruit contacts rm alice\n\n\
                        They are in the file `contacts` of the data folder, which may be edited by hand."
)]
pub(crate) struct Contacts {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// List the contacts
    #[command(after_help = "Examples:\n  bruit contacts list\n  bruit contacts list --json")]
    List,
    /// Add a contact, or name one anew
    #[command(after_help = "Example:\n  bruit contacts add 07a1c3f2… alice")]
    Add {
        /// The id of their node, or their key as an author
        id: String,
        /// What to call them: a word
        name: Option<String>,
    },
    /// Remove a contact
    #[command(after_help = "Example:\n  bruit contacts rm alice")]
    Rm {
        /// Their id, the beginning of it, or their name
        #[arg(value_name = "ID|NAME")]
        id: String,
    },
}

const PATH: &str = "/v1/letters/contacts";

impl Contacts {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let client = Client::new(&global.folder()?);
        let (contact, done) = match &self.action {
            Action::List => return super::print(&client, PATH, global.json, false, list).await,
            Action::Add { id, name } => {
                let contact = Contact {
                    id: id.clone(),
                    name: name.clone(),
                };
                let added: Contact = client.post(PATH, &contact).await?;
                (added, "added")
            }
            Action::Rm { id } => {
                let path = format!("{PATH}/{}", client::encode(id));
                let removed: Contact = client.delete(&path).await?;
                (removed, "removed")
            }
        };
        Ok(output::line(&if global.json {
            output::json(&contact)
        } else {
            let name = super::or_dash(contact.name.as_deref().map(output::escape));
            format!("{done} {} {name}", contact.id)
        })?)
    }
}

#[expect(
    clippy::ptr_arg,
    reason = "it is what the daemon's answer is read into"
)]
fn list(contacts: &Vec<Contact>) -> String {
    if contacts.is_empty() {
        return "there are no contacts: `bruit contacts add ID NAME` adds one".to_owned();
    }
    let rows = contacts
        .iter()
        .map(|contact| [contact.id.clone(), super::or_dash(contact.name.clone())]);
    output::table(["ID", "NAME"], rows)
}
