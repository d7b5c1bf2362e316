//! `/metrics`: what a node and its API count, in the text form of `OpenMetrics`.
//!
//! Invariant: labels have few values and never name peers. Each bound has `…_limit` and `…_used`, and
//! where refusals are counted `…_refused_total`.

use std::fmt;

use bruit::Figures;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric as _};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

/// The content type of the text.
pub(crate) const KIND: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the API itself counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    /// Connections: most, at the moment, refused.
    pub(crate) connections: Bounded,
    /// Streams of events.
    pub(crate) streams: Bounded,
    /// Tokens that were made.
    pub(crate) tokens: Bounded,
    /// Most requests in a second of a client, and how often there were more.
    pub(crate) requests_per_s: u32,
    pub(crate) requests_refused: u64,
    /// Callers that the system did not let in.
    pub(crate) accepts_failed: u64,
    /// Tasks of the runtime that have not ended.
    pub(crate) tasks: u64,
}

/// A bound of the API.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Bounded {
    pub(crate) limit: u64,
    pub(crate) used: u64,
    pub(crate) refused: u64,
}

/// Gateway, event, and how often it was counted.
type GatewayCount = (&'static str, &'static str, u64);

/// The text.
pub(crate) fn text(figures: Figures, usage: Usage, gateways: Vec<GatewayCount>) -> String {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(Snapshot {
        figures,
        usage,
        gateways,
    }));
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry)
        .expect("writing into a text cannot fail");
    text
}

/// What was counted at one moment.
#[derive(Debug)]
struct Snapshot {
    figures: Figures,
    usage: Usage,
    gateways: Vec<GatewayCount>,
}

impl Collector for Snapshot {
    fn encode(&self, encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let mut sheet = Sheet(encoder);
        self.node(&mut sheet)?;
        self.protocol(&mut sheet)?;
        self.bounds(&mut sheet)?;
        self.api(&mut sheet)?;
        self.gateways(&mut sheet)
    }
}

impl Snapshot {
    fn node(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let status = &self.figures.status;
        sheet.gauge(
            "bruit_node_uptime_seconds",
            "Time since the node started",
            status.uptime_s,
        )?;
        sheet.gauges(
            "bruit_links_up",
            "Links that are up, by who opened them",
            "direction",
            [("in", status.links.inbound), ("out", status.links.outbound)],
        )?;
        sheet.gauge(
            "bruit_peer_states",
            "Peers of which anything is kept: as many as there are links, but while one comes or goes",
            self.figures.peer_states,
        )?;
        sheet.gauge(
            "bruit_node_tasks",
            "Tasks that run in the process",
            self.usage.tasks,
        )?;
        sheet.gauge(
            "bruit_network_nodes",
            "Nodes the network is believed to have",
            status.network_size,
        )?;
        sheet.gauge(
            "bruit_topics_subscribed",
            "Topics with a subscriber here",
            status.topics,
        )?;
        sheet.real(
            "bruit_clock_offset_seconds",
            "How far our clock is ahead of the peers'",
            millis(status.clock_offset_ms),
        )?;
        sheet.gauge(
            "bruit_price_floor_log2",
            "What is asked for, as a power of two over the price",
            status.price.floor_log2.into(),
        )?;
        sheet.gauge(
            "bruit_store_items",
            "Bulletins that are held",
            status.store.items,
        )?;
        sheet.gauge(
            "bruit_store_bytes",
            "Bytes that are held",
            status.store.bytes,
        )?;
        sheet.gauges(
            "bruit_store_failed",
            "1 while nothing is kept, for this reason: bulletins are relayed all the same",
            "reason",
            [(
                self.figures.store_failure.unwrap_or("none"),
                u64::from(self.figures.store_failure.is_some()),
            )],
        )
    }

    fn protocol(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let (status, metrics) = (&self.figures.status, &self.figures.metrics);
        for (name, help, count) in [
            (
                "bruit_bulletins_published",
                "Bulletins made here",
                metrics.published,
            ),
            (
                "bruit_bulletins_delivered",
                "Bulletins delivered to subscribers, those made here included",
                metrics.delivered,
            ),
            (
                "bruit_bulletins_received",
                "New bulletins that came over links",
                status.totals.received,
            ),
            (
                "bruit_bulletins_duplicate",
                "Copies of bulletins that were known",
                metrics.duplicates,
            ),
            (
                "bruit_bulletins_pushed",
                "Bulletins sent to links, each copy counted",
                metrics.pushed,
            ),
            (
                "bruit_signatures_checked",
                "Signature checks asked for",
                metrics.checks,
            ),
            (
                "bruit_peers_misbehaved",
                "Peers cut off for breaking the protocol",
                metrics.misbehaved,
            ),
            (
                "bruit_promises_broken",
                "Announced bulletins that did not come",
                metrics.broken_promises,
            ),
            (
                "bruit_frames_unknown",
                "Frames of kinds unknown here",
                metrics.unknown_frames,
            ),
            (
                "bruit_ids_requested",
                "Ids asked for, one by one",
                metrics.requested,
            ),
            (
                "bruit_chunks_received",
                "Chunks of large contents that came and were kept",
                metrics.chunks,
            ),
            (
                "bruit_chunks_repeated",
                "Chunks that came and were not needed",
                metrics.chunk_repeats,
            ),
            (
                "bruit_subscriber_missed",
                "Bulletins a subscriber here did not read in time",
                self.figures.missed,
            ),
        ] {
            sheet.counter(name, help, count)?;
        }
        let drops = metrics
            .drops
            .iter()
            .map(|(reason, count)| (reason.as_str(), *count));
        sheet.counters(
            "bruit_bulletins_dropped",
            "Bulletins refused or let go, by reason",
            "reason",
            drops,
        )?;
        sheet.reals(
            "bruit_links_rtt_seconds",
            "Round trips of the links that are up",
            "quantile",
            [
                ("0.5", quantile(&self.figures.rtts_ms, 0.5)),
                ("0.9", quantile(&self.figures.rtts_ms, 0.9)),
            ],
        )
    }

    /// The protocol's tables, one pair of names for all: there are too many for a name each.
    fn bounds(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let bounds = self.figures.bounds.iter();
        let limits = bounds.clone().map(|bound| (bound.what, bound.most));
        sheet.gauges(
            "bruit_table_limit",
            "Most entries of a table, or bytes where it says so",
            "table",
            limits,
        )?;
        let used = bounds.map(|bound| (bound.what, bound.used));
        sheet.gauges(
            "bruit_table_used",
            "Entries of a table, or bytes where it says so",
            "table",
            used,
        )?;
        sheet.gauge(
            "bruit_store_limit",
            "Bytes the store may take",
            self.figures.status.store.limit_bytes,
        )?;
        sheet.gauge(
            "bruit_store_used",
            "Bytes the store takes",
            self.figures.status.store.bytes,
        )
    }

    fn api(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let Usage {
            connections,
            streams,
            tokens,
            ..
        } = self.usage;
        for (what, bound) in [
            ("connections", connections),
            ("streams", streams),
            ("tokens", tokens),
        ] {
            let name = |end: &str| format!("bruit_api_{what}_{end}");
            sheet.gauge(&name("limit"), "Most of them at a time", bound.limit)?;
            sheet.gauge(&name("used"), "How many there are", bound.used)?;
            sheet.counter(&name("refused"), "How many were refused", bound.refused)?;
        }
        sheet.gauge(
            "bruit_api_requests_limit",
            "Requests a client may send in a second",
            self.usage.requests_per_s.into(),
        )?;
        sheet.counter(
            "bruit_api_requests_refused",
            "Requests beyond that",
            self.usage.requests_refused,
        )?;
        sheet.counter(
            "bruit_api_accepts_failed",
            "Attempts to let callers in that failed, as where descriptors are used up",
            self.usage.accepts_failed,
        )
    }

    fn gateways(&self, sheet: &mut Sheet<'_>) -> fmt::Result {
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = sheet.0.encode_descriptor(
            "bruit_gateway_events",
            "What the gateways within the daemon count, by gateway and event",
            None,
            kind,
        )?;
        self.gateways
            .iter()
            .try_for_each(|(gateway, event, count)| {
                let labels = [("gateway", *gateway), ("event", *event)];
                ConstCounter::new(*count).encode(family.encode_family(&labels)?)
            })
    }
}

#[expect(
    clippy::cast_precision_loss,
    reason = "a clock is not off by millions of years"
)]
fn millis(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a node has few links"
)]
fn quantile(sorted_ms: &[f64], part: f64) -> f64 {
    let rank = (sorted_ms.len() as f64 * part) as usize;
    let last = sorted_ms.len().saturating_sub(1);
    sorted_ms.get(rank.min(last)).map_or(0.0, |ms| ms / 1_000.0)
}

/// Writes metrics, one after the other.
struct Sheet<'a>(DescriptorEncoder<'a>);

impl Sheet<'_> {
    fn counter(&mut self, name: &str, help: &str, count: u64) -> fmt::Result {
        let counter = ConstCounter::new(count);
        let encoder = self
            .0
            .encode_descriptor(name, help, None, counter.metric_type())?;
        counter.encode(encoder)
    }

    fn gauge(&mut self, name: &str, help: &str, number: u64) -> fmt::Result {
        let gauge = ConstGauge::new(i64::try_from(number).unwrap_or(i64::MAX));
        let encoder = self
            .0
            .encode_descriptor(name, help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }

    fn real(&mut self, name: &str, help: &str, number: f64) -> fmt::Result {
        let gauge = ConstGauge::new(number);
        let encoder = self
            .0
            .encode_descriptor(name, help, None, gauge.metric_type())?;
        gauge.encode(encoder)
    }

    fn counters<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        counts: impl IntoIterator<Item = (&'l str, u64)>,
    ) -> fmt::Result {
        let kind = ConstCounter::new(0_u64).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        counts.into_iter().try_for_each(|(value, count)| {
            let labels = [(label, value)];
            ConstCounter::new(count).encode(family.encode_family(&labels)?)
        })
    }

    fn gauges<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        numbers: impl IntoIterator<Item = (&'l str, u64)>,
    ) -> fmt::Result {
        let kind = ConstGauge::new(0_i64).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        numbers.into_iter().try_for_each(|(value, number)| {
            let labels = [(label, value)];
            let number = i64::try_from(number).unwrap_or(i64::MAX);
            ConstGauge::new(number).encode(family.encode_family(&labels)?)
        })
    }

    fn reals<'l>(
        &mut self,
        name: &str,
        help: &str,
        label: &str,
        numbers: impl IntoIterator<Item = (&'l str, f64)>,
    ) -> fmt::Result {
        let kind = ConstGauge::new(0.0).metric_type();
        let mut family = self.0.encode_descriptor(name, help, None, kind)?;
        numbers.into_iter().try_for_each(|(value, number)| {
            let labels = [(label, value)];
            ConstGauge::new(number).encode(family.encode_family(&labels)?)
        })
    }
}
