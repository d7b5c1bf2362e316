//! A gossip network in a library: anyone broadcasts signed, priced messages to everyone, with no
//! broker, no server and no account.
//!
//! A [`Node`] listens, links to others and keeps what passes. [`Node::publish`] broadcasts a
//! [`Draft`], [`Node::subscribe`] delivers what comes, [`Node::validate`] judges it first.
//!
//! ```
//! use bruit::{Config, Draft, From, Incoming, Node, Topics};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let local = Config { listen: Some("127.0.0.1:0".parse()?), price: 0, ..Config::default() };
//! let alice = Node::spawn(local.clone()).await?;
//! let bob = Node::spawn(Config { join: vec![alice.address().unwrap()], ..local }).await?;
//!
//! let mut news = bob.subscribe(Topics::Named(vec!["news".into()]), From::Now)?;
//! alice.publish(Draft::new("news", "hello")).await?;
//! if let Some(Incoming::Bulletin(bulletin)) = news.next().await {
//!     assert_eq!(&bulletin.body[..], b"hello");
//! }
//! # alice.shutdown().await;
//! # bob.shutdown().await;
//! # Ok(())
//! # }
//! ```
//!
//! What a node without neighbours publishes waits for the first one: publishing never fails for
//! want of company, and whoever was away catches up when it is back.

mod access;
mod address;
mod config;
mod descriptors;
mod discovery;
mod draft;
mod driver;
mod files;
mod hub;
mod keyring;
pub mod keys;
mod letters;
mod looks;
mod mailbox;
mod meter;
mod miner;
mod moments;
mod networks;
mod node;
mod notices;
mod posted;
mod publishing;
mod reach;
mod received;
mod recorder;
mod replay;
mod sharing;
pub mod store;
mod subscription;
mod sync;
mod traffic;
pub mod transport;
mod turns;
mod validator;
mod values;
mod verify;
pub mod view;
mod wall;

pub use access::{Access, ParseAccessError};
pub use address::{Host, HostPort, ParseAddressError, PeerSpec};
pub use bruit_core::bulletin::Kind;
pub use bruit_core::bundle;
pub use bruit_core::event::Verdict;
pub use bruit_core::id::{AuthorId, BulletinId, ContentId, NodeId, ParseIdError, TopicId};
pub use bruit_core::letters::LetterId;
pub use bruit_core::limits::{SEEDS_LISTED_MAX, SYNC_TOPICS_MAX};
pub use config::{Config, DEFAULT_PORT, Profile};
pub use draft::{Bulletin, Draft, Outcome, POST_TTL, PublishError, Receipt, Wait};
pub use files::{File, FileError};
pub use hub::{From, Incoming, SubscribeError, Topics};
pub use letters::{
    Acknowledge, Contact, ContactsError, Courier, ForeignName, LETTER_CODE_HONOURED, LETTER_TTL,
    LetterDraft, LetterState, ParseForeignNameError, Posting, ReceivedLetter, Recipient, SendError,
    SentForeign, SentLetter,
};
pub use node::{
    AuthorKey, Boosted, Bound, Discouraged, Figures, Followed, Following, Held, Imported, Mail,
    Node, SaveError, StartError, Wanted,
};
pub use received::{Cursor, ParseCursorError, Received};
pub use subscription::Subscription;
pub use validator::{Question, Validator};
pub use values::{Filter, Put, PutReceipt, VALUE_TTL, VALUES_TOPIC, Value, ValueAddress};
