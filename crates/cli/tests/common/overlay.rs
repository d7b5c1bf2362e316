//! Who is linked to whom.

use std::collections::{BTreeMap, BTreeSet};

use super::api::Api;

/// Who is linked to whom, and how each link stands, by the nodes' own words.
pub fn links(nodes: &BTreeMap<String, Api>) -> BTreeMap<String, Vec<(String, String)>> {
    let word = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let of = |api: &Api| {
        api.peers()
            .iter()
            .map(|peer| (word(&peer["id"]), word(&peer["state"])))
            .collect()
    };
    nodes
        .iter()
        .map(|(id, api)| (id.clone(), of(api)))
        .collect()
}

/// How many nodes a walk along the links reaches.
pub fn reached(nodes: &BTreeMap<String, Api>) -> usize {
    let links = links(nodes);
    let mut seen = BTreeSet::new();
    let mut next: Vec<&str> = links.keys().take(1).map(String::as_str).collect();
    while let Some(id) = next.pop() {
        if links.contains_key(id) && seen.insert(id) {
            next.extend(links[id].iter().map(|(peer, _)| peer.as_str()));
        }
    }
    seen.len()
}
