//! The network as this node sees it, and the ways bulletins took: with what others share, where they do.

use std::collections::BTreeMap;

use bruit_core::id::{BulletinId, NodeId, TopicId};

use super::Node;
use crate::looks;
use crate::sharing::Delivery;
use crate::store::Scan;
use crate::view::{
    Delivered, Given, How, Member, MemberState, Passage, Topology, TopologyNode, Trace,
};

/// Hexadecimal digits of a label.
const LABEL_DIGITS: usize = 8;

impl Node {
    /// The links this node knows of: its own, and where topology is shared those of every node that can be
    /// reached over nodes that share theirs. Asking them takes up to a second the first time, and goes on in
    /// the background for ten seconds after the last look.
    pub async fn topology(&self) -> Option<Topology> {
        let members = self.members().await;
        let shared = self.inner.shares_topology;
        let look = move |sight: &crate::sharing::Sight<'_>| {
            let links = sight.links();
            let known = sight.nodes().map(|id| (id, MemberState::Alive));
            let ends = links.iter().flat_map(|link| [link.from, link.to]);
            let mut states: BTreeMap<NodeId, MemberState> = ends
                .map(|id| (id, MemberState::Known))
                .chain(known)
                .collect();
            let heard = |member: &&Member| !shared || member.state != MemberState::Known;
            states.extend(
                members
                    .iter()
                    .filter(heard)
                    .map(|member| (member.id, member.state)),
            );
            states.insert(sight.me(), MemberState::Alive);
            let node = |(id, state): (NodeId, MemberState)| TopologyNode {
                id,
                label: id.to_string().chars().take(LABEL_DIGITS).collect(),
                state,
            };
            Topology {
                shared,
                nodes: states.into_iter().map(node).collect(),
                links,
            }
        };
        self.inner.scout.look(look).await
    }

    /// The bulletins that came lately, newest first, at most `max`.
    pub async fn passages(&self, max: usize) -> Vec<Passage> {
        let look = move |sight: &crate::sharing::Sight<'_>| sight.latest(max);
        let latest = self.inner.scout.look(look).await.unwrap_or_default();
        let passage = |(delivery, reached): (Delivery, usize)| Passage {
            id: delivery.id,
            topic: self.topic_name(&delivery.topic),
            created_ms: delivery.created.as_millis(),
            received_ms: self.inner.epoch_us.saturating_add(delivery.at.as_micros()) / 1_000,
            size: delivery.size,
            hops: delivery.hops,
            from: delivery.from,
            reached: u64::try_from(reached).unwrap_or(u64::MAX),
        };
        latest.into_iter().map(passage).collect()
    }

    /// The way of the bulletin `id`; none when it never came, or is neither kept nor among the latest.
    pub async fn trace(&self, id: BulletinId) -> Option<Trace> {
        let look = move |sight: &crate::sharing::Sight<'_>| {
            let own = sight.latest(usize::MAX);
            let own = own.into_iter().find(|(delivery, _)| delivery.id == id);
            (own.map(|(delivery, _)| delivery), sight.deliveries(&id))
        };
        let (own, mut deliveries) = self.inner.scout.look(look).await?;
        let (topic, created_ms, size, from) = if let Some(own) = own {
            let at_us = self.inner.epoch_us.saturating_add(own.at.as_micros());
            deliveries.push(self.delivered(own.from, at_us, own.hops));
            (own.topic, own.created.as_millis(), own.size, own.from)
        } else {
            let (row, size) = self.stored(&id).await?;
            let at_us = row.received.as_millis().saturating_mul(1_000);
            deliveries.push(self.delivered(row.from, at_us, row.hops));
            (row.topic, row.created.as_millis(), size, row.from)
        };
        deliveries.sort_by(|one, other| one.at_ms.total_cmp(&other.at_ms));
        Some(Trace {
            id,
            topic: self.topic_name(&topic),
            created_ms,
            size,
            shared: self.inner.shares_topology,
            given_to: self.given_to(&id, from, &deliveries).await,
            deliveries,
        })
    }

    fn delivered(&self, from: Option<NodeId>, at_us: u64, hops: u8) -> Delivered {
        Delivered {
            node: self.inner.id,
            from,
            at_ms: crate::sharing::millis(at_us),
            hops,
        }
    }

    /// Who has the bulletin, besides the node that brought it.
    async fn given_to(
        &self,
        id: &BulletinId,
        from: Option<NodeId>,
        deliveries: &[Delivered],
    ) -> Vec<Given> {
        let id = *id;
        let holders = self.look(move |looks: &looks::Looks<'_>| looks.engine.holders(&id));
        let holders = holders.await.unwrap_or_default();
        let mut given: BTreeMap<NodeId, Given> = holders
            .into_iter()
            .filter(|holder| Some(*holder) != from)
            .map(|id| {
                let (how, confirmed) = (How::Has, false);
                (id, Given { id, how, confirmed })
            })
            .collect();
        for delivery in deliveries {
            let is_ours = delivery.from == Some(self.inner.id);
            if is_ours || given.contains_key(&delivery.node) {
                let how = if is_ours { How::First } else { How::Has };
                let (id, confirmed) = (delivery.node, true);
                given.insert(id, Given { id, how, confirmed });
            }
        }
        given.into_values().collect()
    }

    /// What the store noted when the bulletin came, and the bytes of its content.
    async fn stored(&self, id: &BulletinId) -> Option<(crate::store::StoredBulletin, u32)> {
        let store = &self.inner.store;
        let scan = Scan {
            topics: None,
            after_seq: store.seq_of(id)?.checked_sub(1)?,
            since: bruit_core::time::Wall::from_millis(0),
            limit: 1,
        };
        let row = store.scan(scan).await.ok()?.rows.pop()?;
        let bulletin = bruit_core::bulletin::Bulletin::decode(&row.bytes, self.inner.network.id());
        let size = bulletin.ok()?.header.size_bytes;
        (row.id == *id).then_some((row, size))
    }

    fn topic_name(&self, topic: &TopicId) -> String {
        let name = self.inner.hub.descriptor(topic);
        name.map_or_else(|| topic.to_string(), |name| name.to_string())
    }
}
