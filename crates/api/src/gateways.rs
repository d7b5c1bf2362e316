//! What the gateways within a daemon count, for `/metrics`.
//!
//! Invariant: names are few and fixed, those of gateways and of events, and never name peers.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// Answers what a gateway has counted, by event.
type Read = dyn Fn() -> BTreeMap<&'static str, u64> + Send + Sync;

/// What gateways count, read when somebody asks. Those beside the daemon are not among them.
#[derive(Clone, Default)]
pub struct GatewayCounts(Vec<(&'static str, Arc<Read>)>);

impl GatewayCounts {
    /// Adds the gateway `name`; `read` answers what it has counted, by event.
    pub fn add(
        &mut self,
        name: &'static str,
        read: impl Fn() -> BTreeMap<&'static str, u64> + Send + Sync + 'static,
    ) {
        self.0.push((name, Arc::new(read)));
    }

    /// What all of them have counted: gateway, event, how often.
    pub(crate) fn all(&self) -> Vec<(&'static str, &'static str, u64)> {
        let gateways = self.0.iter();
        let counts = gateways.flat_map(|(name, read)| {
            let counts = read().into_iter();
            counts.map(|(event, count)| (*name, event, count))
        });
        counts.collect()
    }
}

impl fmt::Debug for GatewayCounts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names = self.0.iter().map(|(name, _)| name);
        f.debug_list().entries(names).finish()
    }
}
