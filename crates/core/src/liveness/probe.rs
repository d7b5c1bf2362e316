//! Second opinions: asking others about a silent neighbour, and answering those who ask us.

use std::collections::BTreeSet;
use std::time::Duration;

use crate::draw;
use crate::id::{LinkId, NodeId};
use crate::limits;
use crate::membership::Group;
use crate::time::Now;
use crate::wire::Frame;

use super::{Fact, Link, Liveness, Probe, State, Timer};

impl Liveness {
    /// A neighbour asks whether `target` is there: answers at once from what we heard in the last
    /// second, else pings it over our own link; without one we cannot tell.
    pub fn on_probe(&mut self, id: LinkId, seq: u32, target: &NodeId, now: Now) -> Vec<Fact> {
        let answer = |alive| {
            vec![Fact::Send {
                link: id,
                frame: Frame::Probed { seq, alive },
            }]
        };
        let Some(asker) = self.links.get(&id) else {
            return Vec::new();
        };
        let busy = asker.probes >= limits::PROBES_PER_LINK_MAX
            || self.probes.len() >= limits::PROBES_MAX
            || self.probes.contains_key(&(id, seq));
        let Some(target) = self.by_peer.get(target).copied() else {
            return answer(false);
        };
        let Some(link) = self.links.get(&target).filter(|_| !busy && target != id) else {
            return answer(false);
        };
        if now.mono.since(link.heard) < Duration::from_secs(1) {
            return answer(true);
        }
        let (wait, pinged) = (self.timeout(link), link.ping.is_some());
        self.probes.insert(
            (id, seq),
            Probe {
                target,
                since: now.mono,
            },
        );
        self.timers.set(Timer::Probe(id, seq), now.mono.plus(wait));
        if let Some(asker) = self.links.get_mut(&id) {
            asker.probes = asker.probes.saturating_add(1);
        }
        let mut facts = Vec::new();
        if !pinged {
            self.ping(target, now, &mut facts);
        }
        facts
    }

    /// A helper says whether it heard from whom we asked about.
    pub fn on_probed(&mut self, id: LinkId, seq: u32, alive: bool, now: Now) -> Vec<Fact> {
        let mut facts = Vec::new();
        let Some(target) = self.asked.get(&seq).copied() else {
            return facts;
        };
        let helper = self.links.get(&id).map(|helper| helper.peer);
        let Some(link) = self.links.get_mut(&target) else {
            return facts;
        };
        let spoke = link.ping.is_none_or(|(_, sent)| link.heard > sent);
        let State::Asking {
            seq: current,
            silent,
            denied,
        } = &mut link.state
        else {
            return facts;
        };
        if *current != seq || !silent.remove(&id) || spoke {
            return facts;
        }
        if alive {
            self.heard_indirectly(target, now, &mut facts);
            return facts;
        }
        denied.extend(helper);
        if silent.is_empty() {
            self.suspect(target, now, &mut facts);
        }
        facts
    }

    /// Asks up to three neighbours, of other groups where there are some, to probe a silent one.
    pub(super) fn ask_helpers(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get(&id) else {
            return;
        };
        let (target, group, wait) = (link.peer, link.group, self.timeout(link));
        let seq = link.ping.map_or(0, |(seq, _)| seq);
        // Of whom we heard nothing since we asked it ourselves, no answer can be expected.
        let has_answered = |other: &Link| other.ping.is_none_or(|(_, sent)| other.heard > sent);
        let good = |other: &Link| match other.state {
            State::Heard => true,
            State::Waiting => has_answered(other),
            State::Missed | State::Asking { .. } | State::Suspect { .. } => false,
        };
        let mut others: Vec<(LinkId, Option<Group>)> = self
            .links
            .iter()
            .filter(|(other, link)| **other != id && good(link))
            .map(|(other, link)| (*other, link.group))
            .collect();
        draw::shuffle(&mut self.rng, &mut others);
        let mut groups = BTreeSet::from([group]);
        let (apart, near): (Vec<_>, Vec<_>) = others
            .into_iter()
            .partition(|(_, group)| group.is_none() || groups.insert(*group));
        let helpers: BTreeSet<LinkId> = apart
            .into_iter()
            .chain(near)
            .take(self.config.helpers)
            .map(|(helper, _)| helper)
            .collect();
        if helpers.is_empty() {
            self.worsen(1);
            self.suspect(id, now, facts);
            return;
        }
        let links = &self.links;
        self.asked.retain(|seq, about| {
            let state = links.get(about).map(|link| &link.state);
            matches!(state, Some(State::Asking { seq: current, .. }) if current == seq)
        });
        self.asked.insert(seq, id);
        for helper in &helpers {
            facts.push(Fact::Send {
                link: *helper,
                frame: Frame::Probe { seq, target },
            });
        }
        // A helper needs its own time for the answer, and the way to us and back.
        self.timers
            .set(Timer::Link(id), now.mono.plus(wait.saturating_mul(2)));
        if let Some(link) = self.links.get_mut(&id) {
            link.state = State::Asking {
                seq,
                silent: helpers,
                denied: Vec::new(),
            };
        }
    }

    /// Others hear from the peer, we do not: it is not dead, but the link is of no use for long.
    fn heard_indirectly(&mut self, id: LinkId, now: Now, facts: &mut Vec<Fact>) {
        let Some(link) = self.links.get_mut(&id) else {
            return;
        };
        link.indirect = link.indirect.saturating_add(1);
        if link.indirect >= self.config.indirect_max {
            self.link_down(id);
            facts.push(Fact::Dead { link: id });
        } else {
            link.misses = 0;
            self.ping(id, now, facts);
        }
    }

    pub(super) fn end_probe(&mut self, asker: LinkId, seq: u32, facts: &mut Vec<Fact>) {
        let Some(probe) = self.probes.remove(&(asker, seq)) else {
            return;
        };
        let heard = self.links.get(&probe.target).map(|link| link.heard);
        let alive = heard.is_some_and(|heard| heard > probe.since);
        if let Some(link) = self.links.get_mut(&asker) {
            link.probes = link.probes.saturating_sub(1);
            facts.push(Fact::Send {
                link: asker,
                frame: Frame::Probed { seq, alive },
            });
        }
    }
}
