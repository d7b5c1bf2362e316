//! Gateways inside the daemon: those its configuration names.

use std::sync::Arc;

use bruit::Node;
use bruit_gateways::{Running, voidphone};

use crate::config::Gateways;
use crate::failure::Failure;

/// The gateways of a daemon.
#[derive(Debug, Default)]
pub(crate) struct Within(Vec<Running>);

impl Within {
    /// Starts those that `set` names on `node`, and prints a line for each.
    pub(crate) async fn start(node: &Node, set: &Gateways, json: bool) -> Result<Self, Failure> {
        let mut all = Self::default();
        if let Some(config) = set.voidphone() {
            let inside = Arc::new(node.clone());
            all.add(voidphone::start(inside, config).await?, json)?;
        }
        Ok(all)
    }

    fn add(&mut self, running: Running, json: bool) -> std::io::Result<()> {
        super::print_ready(&running, json)?;
        self.0.push(running);
        Ok(())
    }

    /// Waits for one that ends, which none should, and tells of it. Cancel safe.
    pub(crate) async fn watch(&mut self) {
        let told = self.0.iter_mut().map(|running| Box::pin(running.told()));
        let told: Vec<_> = told.collect();
        if told.is_empty() {
            return std::future::pending().await;
        }
        let (told, at, _) = futures_util::future::select_all(told).await;
        if let Some(told) = told {
            tracing::debug!(?told, "a gateway");
            return;
        }
        let mut running = self.0.swap_remove(at);
        let name = running.name();
        if let Err(error) = running.ended().await {
            tracing::error!(gateway = name, %error, "the gateway ended; the node goes on");
        }
    }

    /// Stops all of them.
    pub(crate) async fn stop(self) {
        for running in self.0 {
            let name = running.name();
            if let Err(error) = running.stop().await {
                tracing::debug!(gateway = name, %error, "the gateway had ended");
            }
        }
    }
}
