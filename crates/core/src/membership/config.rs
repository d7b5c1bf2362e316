//! What an operator may set about links and the address book.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::id::NodeId;
use crate::limits;

/// How a node finds, keeps and gives up its neighbours.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Links this node opens. Default 6: with as many from others about 12 in all, which survives
    /// 80 % of the network failing at once. More costs an idle link's pings and announcements each.
    pub outbound: usize,
    /// Links in all below which this node opens more than `outbound`, up to twice as many. Default 10:
    /// whoever joins late is dialled by few, and who has six links is the last to hear, the first to be
    /// cut off, and the one whom withholding neighbours surround.
    pub links_min: usize,
    /// Outbound links that are tried first after a restart. Default 2: an attacker who fills the
    /// address book while a node is down still does not own all its links.
    pub anchors: usize,
    /// Links others may open to this node. Default 48.
    pub inbound_max: usize,
    /// Inbound links of one /24 (IPv6: /48) once a quarter of `inbound_max` is taken. Default 2.
    /// Below that quarter nobody is turned away, so that a small network behind one router links.
    pub inbound_per_subnet: usize,
    /// Inbound links beyond `inbound_max` that are kept just long enough to hand over addresses.
    /// Default 32: a node that everybody knows can then send a thousand joiners on within seconds.
    pub courtesy_max: usize,
    /// Inbound links in the mesh. Default 48, all of them, as all outbound ones: announcements take
    /// turns and choked links get nothing else, so a large mesh costs little, while a node that only
    /// knows a hub has no other way to hear anything soon.
    pub mesh_inbound_max: usize,
    /// Outbound links beyond `outbound` kept for [`Self::bridge_time`] because they lead to another
    /// part of a network that was split. Default 4.
    pub bridges_max: usize,
    /// How long a bridge is kept before it counts as any other link. Default 10 min.
    pub bridge_time: Duration,
    /// Between two short links that only try an address. Default 120 s.
    pub feeler_interval: Duration,
    /// How long a feeler stays once established. Default 2 s, room for a beacon and an answer.
    pub feeler_time: Duration,
    /// Between two questions for addresses, and at least so long between two on one link. Default
    /// 30 s.
    pub exchange_interval: Duration,
    /// Between two replacements of an outbound link, ± 50 %. Default 300 s.
    pub rewire_interval: Duration,
    /// Between two attempts at peers lost in the last 24 h. Default 15 s; four times that for those
    /// lost more than an hour ago.
    pub lost_interval: Duration,
    /// Every sampler's head is tried once in this time. Default 10 min.
    pub sampler_interval: Duration,
    /// First pause of the rejoin loop; each next is 1.6 times as long. Default 1 s.
    pub rejoin_min: Duration,
    /// Longest pause of the rejoin loop. Default 5 min; 15 s while there is no link at all.
    pub rejoin_max: Duration,
    /// With fewer links than this and candidates known the node rejoins. Default 4.
    pub rejoin_below: usize,
    /// A link on which the handshake is not done by then is closed. Default 5 s.
    pub handshake_timeout: Duration,
    /// A dial that takes longer than this no longer keeps its slot: another candidate is dialled
    /// beside it. Default 2 s.
    pub dial_patience: Duration,
    /// A dial without an answer by then counts as failed. Default 30 s.
    pub dial_timeout: Duration,
    /// The node with the highest rank would wait this long before it speaks its beacon. Default
    /// 20 s. Longer makes fewer speak, shorter notices a split sooner in the minute.
    pub beacon_delay: Duration,
    /// Validity of the own record. Default 12 h: half of what is allowed, so that a clock 12 h wrong
    /// still makes records that others take. Renewed after a third.
    pub record_ttl: Duration,
    /// A peer neither linked nor heard of for this long is not advertised. Default 30 min.
    pub responsive: Duration,
    /// Whether private ranges are exempt from group rules: the profiles `lan` and `local`. Loopback
    /// always is. Default no.
    pub private_exempt: bool,
    /// Dial nobody but these (`--static`). Default none: dial whom the rules choose.
    pub only: Option<Vec<NodeId>>,
    /// Entries of one bucket of the address book. Default 32.
    pub bucket_entries: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            outbound: 6,
            links_min: 10,
            anchors: 2,
            inbound_max: 48,
            inbound_per_subnet: 2,
            courtesy_max: 32,
            mesh_inbound_max: 48,
            bridges_max: 4,
            bridge_time: Duration::from_mins(10),
            feeler_interval: Duration::from_mins(2),
            feeler_time: Duration::from_secs(2),
            exchange_interval: Duration::from_secs(30),
            rewire_interval: Duration::from_mins(5),
            lost_interval: Duration::from_secs(15),
            sampler_interval: Duration::from_mins(10),
            rejoin_min: Duration::from_secs(1),
            rejoin_max: Duration::from_mins(5),
            rejoin_below: 4,
            handshake_timeout: Duration::from_secs(5),
            dial_patience: Duration::from_secs(2),
            dial_timeout: Duration::from_secs(30),
            beacon_delay: Duration::from_secs(20),
            record_ttl: Duration::from_hours(12),
            responsive: Duration::from_mins(30),
            private_exempt: false,
            only: None,
            bucket_entries: limits::BUCKET_ENTRIES,
        }
    }
}

/// What is wrong with a [`Config`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A number is outside its range.
    #[error("{field} of {got} is not within {min} to {max}")]
    Count {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: usize,
        /// Its lowest value.
        min: usize,
        /// Its highest value.
        max: usize,
    },
    /// A duration is too short or too long.
    #[error("{field} of {got:?} is not within {min:?} to {max:?}")]
    Time {
        /// Which field.
        field: &'static str,
        /// Its value.
        got: Duration,
        /// Its shortest value.
        min: Duration,
        /// Its longest value.
        max: Duration,
    },
}

impl Config {
    /// Quick timers for a network on one machine or one quiet site.
    pub fn local() -> Self {
        Self {
            feeler_interval: Duration::from_secs(30),
            feeler_time: Duration::from_secs(1),
            exchange_interval: Duration::from_secs(10),
            rewire_interval: Duration::from_mins(2),
            lost_interval: Duration::from_secs(3),
            rejoin_min: Duration::from_millis(250),
            rejoin_max: Duration::from_secs(30),
            handshake_timeout: Duration::from_secs(3),
            dial_patience: Duration::from_millis(500),
            dial_timeout: Duration::from_secs(10),
            private_exempt: true,
            ..Self::default()
        }
    }

    /// Checks every field against its range.
    ///
    /// # Errors
    /// Names the first field out of its range, with the range.
    pub fn validate(&self) -> Result<(), ConfigError> {
        for (field, got, min, max) in [
            ("outbound", self.outbound, 1, limits::OUTBOUND_MAX),
            ("links_min", self.links_min, 0, limits::OUTBOUND_MAX),
            ("anchors", self.anchors, 0, limits::ANCHORS_MAX),
            ("inbound_max", self.inbound_max, 0, limits::INBOUND_MAX),
            (
                "inbound_per_subnet",
                self.inbound_per_subnet,
                1,
                limits::INBOUND_MAX,
            ),
            ("courtesy_max", self.courtesy_max, 0, limits::COURTESY_MAX),
            (
                "mesh_inbound_max",
                self.mesh_inbound_max,
                0,
                limits::INBOUND_MAX,
            ),
            ("bridges_max", self.bridges_max, 0, limits::OUTBOUND_MAX),
            ("rejoin_below", self.rejoin_below, 0, limits::OUTBOUND_MAX),
            (
                "bucket_entries",
                self.bucket_entries,
                1,
                limits::BUCKET_ENTRIES,
            ),
        ] {
            if !(min..=max).contains(&got) {
                return Err(ConfigError::Count {
                    field,
                    got,
                    min,
                    max,
                });
            }
        }
        let (least, day) = (Duration::from_millis(10), limits::RECORD_TTL_MAX);
        for (field, got) in [
            ("bridge_time", self.bridge_time),
            ("feeler_interval", self.feeler_interval),
            ("feeler_time", self.feeler_time),
            ("exchange_interval", self.exchange_interval),
            ("rewire_interval", self.rewire_interval),
            ("lost_interval", self.lost_interval),
            ("sampler_interval", self.sampler_interval),
            ("rejoin_min", self.rejoin_min),
            ("rejoin_max", self.rejoin_max),
            ("handshake_timeout", self.handshake_timeout),
            ("dial_patience", self.dial_patience),
            ("dial_timeout", self.dial_timeout),
            ("beacon_delay", self.beacon_delay),
            ("record_ttl", self.record_ttl),
            ("responsive", self.responsive),
        ] {
            if got < least || got > day {
                return Err(ConfigError::Time {
                    field,
                    got,
                    min: least,
                    max: day,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_shipped_settings_are_valid() {
        assert_eq!(Config::default().validate(), Ok(()));
        assert_eq!(Config::local().validate(), Ok(()));
    }

    #[test]
    fn a_setting_out_of_range_is_named_with_its_range() {
        let none = Config {
            outbound: 0,
            ..Config::default()
        };
        assert_eq!(
            none.validate().unwrap_err().to_string(),
            format!("outbound of 0 is not within 1 to {}", limits::OUTBOUND_MAX)
        );
        let never = Config {
            rejoin_max: Duration::MAX,
            ..Config::default()
        };
        assert!(
            never
                .validate()
                .unwrap_err()
                .to_string()
                .starts_with("rejoin_max of ")
        );
    }
}
