//! Who may link: ids and address ranges, allowed or denied by the operator.

use std::net::{IpAddr, SocketAddr};

use bruit_core::id::NodeId;

/// The operator's lists.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Access {
    allow: Vec<Rule>,
    deny: Vec<Rule>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Rule {
    Node(NodeId),
    Range { network: IpAddr, prefix: u8 },
}

/// An entry of the lists is neither an id nor an address range.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is neither a node id of 64 hexadecimal characters nor an address range like 10.0.0.0/8"
)]
pub struct ParseAccessError(String);

impl Access {
    /// Reads both lists.
    ///
    /// # Errors
    /// Names the entry that cannot be read.
    pub fn parse(allow: &[String], deny: &[String]) -> Result<Self, ParseAccessError> {
        let rules = |texts: &[String]| -> Result<Vec<Rule>, ParseAccessError> {
            texts.iter().map(|text| Rule::parse(text)).collect()
        };
        Ok(Self {
            allow: rules(allow)?,
            deny: rules(deny)?,
        })
    }

    /// Whether `node`, seen at `address`, may link. Denial goes before permission.
    pub fn admits(&self, node: &NodeId, address: Option<SocketAddr>) -> bool {
        let matches = |rules: &[Rule]| rules.iter().any(|rule| rule.matches(node, address));
        !matches(&self.deny) && (self.allow.is_empty() || matches(&self.allow))
    }
}

impl Rule {
    fn parse(text: &str) -> Result<Self, ParseAccessError> {
        let range = || {
            let (network, prefix) = match text.split_once('/') {
                Some((network, prefix)) => (network.parse().ok()?, Some(prefix.parse().ok()?)),
                None => (text.parse().ok()?, None),
            };
            let bits = if matches!(network, IpAddr::V4(_)) {
                32
            } else {
                128
            };
            let prefix = prefix.unwrap_or(bits);
            (prefix <= bits).then_some(Self::Range { network, prefix })
        };
        text.parse()
            .map(Self::Node)
            .ok()
            .or_else(range)
            .ok_or_else(|| ParseAccessError(text.to_owned()))
    }

    fn matches(&self, node: &NodeId, address: Option<SocketAddr>) -> bool {
        match (self, address.map(|address| address.ip().to_canonical())) {
            (Self::Node(id), _) => id == node,
            (Self::Range { network, prefix }, Some(ip)) => match (network, ip) {
                (IpAddr::V4(network), IpAddr::V4(ip)) => {
                    let keep = u32::MAX.checked_shl(32 - u32::from(*prefix)).unwrap_or(0);
                    network.to_bits() & keep == ip.to_bits() & keep
                }
                (IpAddr::V6(network), IpAddr::V6(ip)) => {
                    let keep = u128::MAX.checked_shl(128 - u32::from(*prefix)).unwrap_or(0);
                    network.to_bits() & keep == ip.to_bits() & keep
                }
                _ => false,
            },
            (Self::Range { .. }, None) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn access(allow: &[&str], deny: &[&str]) -> Access {
        let texts = |texts: &[&str]| texts.iter().map(ToString::to_string).collect::<Vec<_>>();
        Access::parse(&texts(allow), &texts(deny)).expect("good rules")
    }

    #[test]
    fn ranges_and_ids_allow_and_deny_with_denial_first() {
        let node = NodeId::from_bytes([1; 32]);
        let at = |text: &str| Some(text.parse().expect("an address"));
        assert!(access(&[], &[]).admits(&node, None));
        assert!(!access(&["10.0.0.0/8"], &[]).admits(&node, at("11.0.0.1:1")));
        assert!(access(&["10.0.0.0/8"], &[]).admits(&node, at("10.9.0.1:1")));
        assert!(access(&["10.0.0.0/8"], &[]).admits(&node, at("[::ffff:10.9.0.1]:1")));
        assert!(!access(&["10.0.0.0/8"], &[&node.to_string()]).admits(&node, at("10.9.0.1:1")));
        assert!(access(&["0.0.0.0/0"], &["fd00::/8"]).admits(&node, at("127.0.0.1:1")));
        assert!(!access(&[], &["fd00::/8"]).admits(&node, at("[fd12::1]:1")));
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for text in ["10.0.0.0/33", "nonsense", "::/129", ""] {
            assert!(Access::parse(&[text.to_owned()], &[]).is_err(), "{text}");
        }
    }
}
