//! The dashboard of the demo: the API of its first node.
//!
//! Invariant: nothing holds on to a node that is to die. A node's folder stays locked while a handle on
//! it is left, so the board is closed before its node is killed.

use std::time::Duration;

use bruit_api::{Dashboard, GatewayCounts, Limits, LogBook, Options, Server, Token, Tokens};

use super::events::Event;
use super::world::World;
use crate::failure::{Exit, Failure};

/// The node that shows itself.
const NODE: usize = 1;
/// How long requests may finish.
const PATIENCE: Duration = Duration::from_millis(300);

/// Whether there is one, and where.
#[derive(Debug, Default)]
pub(super) struct Board(Option<Server>);

impl Board {
    /// Whether it shows the node of this number.
    pub(super) const fn is_of(node: usize) -> bool {
        node == NODE
    }

    /// Opens it, and tells where; none where no port is free.
    pub(super) async fn open(&mut self, world: &World) -> Result<Option<Event>, Failure> {
        self.close().await;
        let Some((node, folder)) = world.node(NODE) else {
            return Ok(None);
        };
        let options = Options {
            listen: Vec::new(),
            dashboard: Some(Dashboard::DEFAULT),
            token: Token::load_or_create(&folder)?,
            tokens: Tokens::default(),
            logs: LogBook::default(),
            gateways: GatewayCounts::default(),
            alone: true,
            limits: Limits::default(),
        };
        let server = Server::start(node, options).await;
        let server = server
            .map_err(|error| Failure::new(Exit::Usage, "api", error.to_string(), error.fix()))?;
        let link = server.dashboard_link()?;
        self.0 = Some(server);
        Ok(link.map(|dashboard| Event::Dashboard { dashboard }))
    }

    /// Closes it.
    pub(super) async fn close(&mut self) {
        if let Some(server) = self.0.take() {
            server.stop(PATIENCE).await;
        }
    }
}
