//! Whom seeds have named, until it is decided whether they are believed.
//!
//! A node that two seeds name is believed at once: one seed alone can make a newcomer link to nobody. A node
//! that one seed names is believed only while this node is alone, when every seed that would answer has.
//! Since whoever registers does so with more than half of the seeds, an honest node is named twice as long as
//! half of them are honest and there.

use std::collections::{BTreeMap, BTreeSet};

use crate::id::NodeId;
use crate::intake::Verified;
use crate::limits;
use crate::membership::Teller;
use crate::record::Record;

/// A record that seeds named, and through whom.
#[derive(Debug, Clone)]
struct Entry {
    record: Verified<Record>,
    teller: Teller,
    by: BTreeSet<NodeId>,
}

/// A record that is believed.
pub(super) type Believed = (Verified<Record>, Teller);

/// Whom seeds have named.
#[derive(Debug, Clone, Default)]
pub(super) struct Named {
    entries: BTreeMap<NodeId, Entry>,
}

impl Named {
    /// Takes what `seed` named; returns it when that makes it believed. `alone`: the only seed there is.
    pub(super) fn insert(
        &mut self,
        seed: NodeId,
        record: Verified<Record>,
        teller: Teller,
        only: bool,
    ) -> Option<Believed> {
        let id = record.get().body.node;
        if only {
            return Some((record, teller));
        }
        let Some(entry) = self.entries.get_mut(&id) else {
            if self.entries.len() < limits::NAMED_MAX {
                let by = BTreeSet::from([seed]);
                self.entries.insert(id, Entry { record, teller, by });
            }
            return None;
        };
        if record.get().body.seq > entry.record.get().body.seq {
            (entry.record, entry.teller) = (record, teller);
        }
        entry.by.insert(seed);
        if entry.by.len() < 2 {
            return None;
        }
        let entry = self.entries.remove(&id)?;
        Some((entry.record, entry.teller))
    }

    /// Believes all that is left: there is nobody else to ask.
    pub(super) fn believe(&mut self) -> Vec<Believed> {
        let entries = std::mem::take(&mut self.entries).into_values();
        entries.map(|entry| (entry.record, entry.teller)).collect()
    }

    /// Forgets everything: the seeds are asked anew.
    pub(super) fn clear(&mut self) {
        self.entries.clear();
    }

    /// How many wait.
    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }
}
