//! Gateways inside the daemon: those its configuration names.
//!
//! Invariant: all of them start, or the daemon does not.

use std::path::Path;
use std::sync::Arc;

use bruit::Node;
use bruit_api::GatewayCounts;
use bruit_gateways::Running;

use crate::config::Gateways;
use crate::failure::Failure;

/// The gateways of a daemon.
#[derive(Debug, Default)]
pub(crate) struct Within(Vec<Running>);

impl Within {
    /// Starts those that `set` names on `node`; what they keep goes into `data`, where there is a folder.
    pub(crate) async fn start(
        node: &Node,
        set: &Gateways,
        data: Option<&Path>,
    ) -> Result<Self, Failure> {
        let mut all = Self::default();
        for which in set.named() {
            match Box::pin(which.start(Arc::new(node.clone()), data)).await {
                Ok(running) => all.0.push(running),
                Err(failure) => {
                    all.stop().await;
                    return Err(which.in_section(failure));
                }
            }
        }
        Ok(all)
    }

    /// Prints a line for each. A daemon whose output nobody reads runs all the same.
    pub(crate) fn print(&self, json: bool) {
        for running in &self.0 {
            if let Err(error) = super::print_ready(running, json) {
                tracing::debug!(%error, "nobody reads the output");
            }
        }
    }

    /// What they count.
    pub(crate) fn counts(&self) -> GatewayCounts {
        let mut counts = GatewayCounts::default();
        for running in &self.0 {
            let counters = running.counters().clone();
            counts.add(running.name(), move || counters.all());
        }
        counts
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
