//! Where a node is, as people write it: `NODEID@HOST:PORT`, or a ticket that says the same and has
//! check digits.
//!
//! A ticket is bech32m (BIP 350) with the prefix `bruit` over the payload below, without BIP 350's
//! limit of 90 characters: two addresses do not fit into it, and the 30-bit check still catches
//! whatever a hand or an eye gets wrong, only no longer every four errors for certain.
//!
//! ```text
//! [id: 32] then 1..=3 × ( 4 [ip: 4] [port: u16] | 6 [ip: 16] [port: u16] | 1 [len: u8] [name: len] [port: u16] )
//! ```
//!
//! Invariant: parsing what [`Display`](fmt::Display) or [`PeerSpec::ticket`] printed gives the same
//! address, and nothing but what they print (a ticket also in upper case) has that meaning.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::num::NonZeroU16;
use std::str::FromStr;

use bruit_core::id::{NodeId, ParseIdError};
use bruit_core::limits;
use serde::{Deserialize, Serialize};

/// Longest DNS name, in bytes.
const NAME_BYTES_MAX: usize = 253;
/// Longest label of a DNS name, in bytes.
const LABEL_BYTES_MAX: usize = 63;
/// What every ticket begins with.
const TICKET_PREFIX: &str = "bruit1";
/// Longest ticket: three names of 253 bytes.
const TICKET_CHARS_MAX: usize = 1_400;

/// A node somebody named: who it must prove to be, and one to three places to look for it.
///
/// # Examples
/// ```
/// # use bruit::PeerSpec;
/// let id = "07".repeat(32);
/// let spec: PeerSpec = format!("{id}@[::1]:7447").parse()?;
/// assert_eq!(spec.ticket().parse(), Ok(spec));
/// # Ok::<(), bruit::ParseAddressError>(())
/// ```
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct PeerSpec {
    id: NodeId,
    hosts: Vec<HostPort>,
}

/// One place to look for a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HostPort {
    /// Which machine.
    pub host: Host,
    /// Which UDP port.
    pub port: NonZeroU16,
}

/// A machine, by address or by name.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Host {
    /// By its IP address.
    Ip(IpAddr),
    /// By its DNS name, in lower case.
    Name(String),
}

/// Why a text names no node. The user's to mend: [`ParseAddressError::FIX`] says how.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ParseAddressError {
    /// There is no `@`.
    #[error("an address is NODEID@HOST:PORT, this text has no `@`")]
    NoAt,
    /// What stands before the `@` is no id.
    #[error("before the `@` stands no node id: {0}")]
    Id(#[from] ParseIdError),
    /// There is no port.
    #[error("after the host a `:` and the port are missing")]
    NoPort,
    /// The port is no number from 1 to 65535.
    #[error("port `{port}` is no number from 1 to 65535")]
    Port {
        /// What stands in its place.
        port: String,
    },
    /// The host is neither IP address nor DNS name.
    #[error("host `{host}` is neither an IP address (IPv6 in brackets) nor a DNS name")]
    Host {
        /// What stands in its place.
        host: String,
    },
    /// The host is the wildcard a node listens on.
    #[error("{0} is where a node listens, not where it can be reached")]
    Unspecified(IpAddr),
    /// A ticket has a character that tickets do not have.
    #[error("character {at} of the ticket is `{found}`, which tickets do not use")]
    TicketCharacter {
        /// Its position, from 1.
        at: usize,
        /// The character.
        found: char,
    },
    /// A ticket mixes upper and lower case.
    #[error("the ticket mixes upper and lower case")]
    TicketCase,
    /// The check digits do not fit.
    #[error("the ticket's check digits do not fit: it was mistyped or cut off")]
    TicketCheck,
    /// The check digits fit, the contents do not.
    #[error("the ticket is not one this version reads: {0}")]
    TicketShape(&'static str),
}

impl ParseAddressError {
    /// What to do about any of them.
    pub const FIX: &'static str = "copy what the node printed when it started, or what `bruit id` \
                                   prints there: NODEID@HOST:PORT, or the ticket beginning with \
                                   bruit1";
}

impl PeerSpec {
    /// The node `id`, to be looked for at `hosts`, best first. `None` when there are no hosts; those
    /// beyond [`limits::ADDRESSES_MAX`] are left out.
    pub fn new(id: NodeId, hosts: impl IntoIterator<Item = HostPort>) -> Option<Self> {
        let hosts: Vec<_> = hosts.into_iter().take(limits::ADDRESSES_MAX).collect();
        (!hosts.is_empty()).then_some(Self { id, hosts })
    }

    /// The node `id` at known socket addresses; those nobody can dial are left out.
    pub fn at(id: NodeId, addresses: &[SocketAddr]) -> Option<Self> {
        Self::new(
            id,
            addresses
                .iter()
                .filter_map(|address| HostPort::at(*address)),
        )
    }

    /// Who it must prove to be.
    pub const fn id(&self) -> NodeId {
        self.id
    }

    /// Where to look for it, best first: one to three places.
    pub fn hosts(&self) -> &[HostPort] {
        &self.hosts
    }

    /// The same as a ticket.
    pub fn ticket(&self) -> String {
        let mut payload = self.id.as_bytes().to_vec();
        for place in &self.hosts {
            place.encode(&mut payload);
        }
        bech32m::encode(&payload)
    }

    fn from_ticket(text: &str) -> Result<Self, ParseAddressError> {
        let payload = bech32m::decode(text)?;
        let (id, mut rest) = payload
            .split_first_chunk::<32>()
            .ok_or(ParseAddressError::TicketShape("it is too short"))?;
        let mut hosts = Vec::new();
        while !rest.is_empty() {
            hosts.push(HostPort::decode(&mut rest)?);
        }
        if hosts.is_empty() || hosts.len() > limits::ADDRESSES_MAX {
            return Err(ParseAddressError::TicketShape(
                "it has no address, or too many",
            ));
        }
        Ok(Self {
            id: NodeId::from_bytes(*id),
            hosts,
        })
    }
}

/// `NODEID@HOST:PORT`, or the ticket where there is more than one place to look.
impl fmt::Display for PeerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.hosts.as_slice() {
            [place] => write!(f, "{}@{place}", self.id),
            _ => f.write_str(&self.ticket()),
        }
    }
}

impl fmt::Debug for PeerSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PeerSpec({:?} at", self.id)?;
        self.hosts
            .iter()
            .try_for_each(|place| write!(f, " {place}"))?;
        f.write_str(")")
    }
}

impl FromStr for PeerSpec {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let begins = |prefix: &str| {
            text.get(..prefix.len())
                .is_some_and(|start| start.eq_ignore_ascii_case(prefix))
        };
        if begins(TICKET_PREFIX) {
            return Self::from_ticket(text);
        }
        let (id, place) = text.split_once('@').ok_or(ParseAddressError::NoAt)?;
        Ok(Self {
            id: id.parse()?,
            hosts: vec![place.parse()?],
        })
    }
}

impl TryFrom<String> for PeerSpec {
    type Error = ParseAddressError;

    fn try_from(text: String) -> Result<Self, ParseAddressError> {
        text.parse()
    }
}

impl From<PeerSpec> for String {
    fn from(spec: PeerSpec) -> Self {
        spec.to_string()
    }
}

impl HostPort {
    const NAME: u8 = 1;
    const V4: u8 = 4;
    const V6: u8 = 6;

    /// The place of a socket address; `None` when nobody can dial it.
    pub fn at(address: SocketAddr) -> Option<Self> {
        let port = NonZeroU16::new(address.port())?;
        let host = Host::Ip(address.ip());
        (!address.ip().is_unspecified()).then_some(Self { host, port })
    }

    fn encode(&self, out: &mut Vec<u8>) {
        match &self.host {
            Host::Ip(IpAddr::V4(ip)) => {
                out.push(Self::V4);
                out.extend(ip.octets());
            }
            Host::Ip(IpAddr::V6(ip)) => {
                out.push(Self::V6);
                out.extend(ip.octets());
            }
            Host::Name(name) => {
                let length = u8::try_from(name.len()).expect("a name is at most 253 bytes");
                out.extend([Self::NAME, length]);
                out.extend(name.as_bytes());
            }
        }
        out.extend(self.port.get().to_be_bytes());
    }

    fn decode(bytes: &mut &[u8]) -> Result<Self, ParseAddressError> {
        let host = match u8::from_be_bytes(take(bytes)?) {
            Self::V4 => Host::ip(Ipv4Addr::from(take::<4>(bytes)?).into())?,
            Self::V6 => Host::ip(Ipv6Addr::from(take::<16>(bytes)?).into())?,
            Self::NAME => {
                let length = usize::from(u8::from_be_bytes(take(bytes)?));
                let (name, rest) = bytes.split_at_checked(length).ok_or(CUT)?;
                *bytes = rest;
                let name = str::from_utf8(name).ok().and_then(Host::name);
                name.filter(Host::is_canonical)
                    .ok_or(ParseAddressError::TicketShape("a host name is none"))?
            }
            _ => {
                return Err(ParseAddressError::TicketShape(
                    "a kind of address is unknown",
                ));
            }
        };
        let port = NonZeroU16::new(u16::from_be_bytes(take(bytes)?));
        let port = port.ok_or(ParseAddressError::TicketShape("a port is 0"))?;
        Ok(Self { host, port })
    }
}

const CUT: ParseAddressError = ParseAddressError::TicketShape("it ends early");

fn take<const N: usize>(bytes: &mut &[u8]) -> Result<[u8; N], ParseAddressError> {
    let (head, rest) = bytes.split_first_chunk::<N>().ok_or(CUT)?;
    *bytes = rest;
    Ok(*head)
}

impl fmt::Display for HostPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => SocketAddr::new(*ip, self.port.get()).fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

impl FromStr for HostPort {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let (host, port) = text.rsplit_once(':').ok_or(ParseAddressError::NoPort)?;
        if text.ends_with(']') {
            return Err(ParseAddressError::NoPort);
        }
        Ok(Self {
            host: host.parse()?,
            port: port_from(port)?,
        })
    }
}

/// Digits only: `+7447` is a number to the standard library, and a typing error to us.
fn port_from(text: &str) -> Result<NonZeroU16, ParseAddressError> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let port = text.parse().ok().filter(|_| digits);
    port.ok_or_else(|| ParseAddressError::Port {
        port: text.to_owned(),
    })
}

impl Host {
    fn ip(ip: IpAddr) -> Result<Self, ParseAddressError> {
        if ip.is_unspecified() {
            Err(ParseAddressError::Unspecified(ip))
        } else {
            Ok(Self::Ip(ip))
        }
    }

    /// The DNS name `text`. A name that ends in a number is a mistyped IP address.
    fn name(text: &str) -> Option<Self> {
        let letters = |label: &str| {
            let inner = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
            !label.is_empty()
                && label.len() <= LABEL_BYTES_MAX
                && label.bytes().all(inner)
                && !label.starts_with('-')
                && !label.ends_with('-')
        };
        let last = text.rsplit('.').next().unwrap_or_default();
        let number = last.bytes().all(|byte| byte.is_ascii_digit());
        let good = text.len() <= NAME_BYTES_MAX && !number && text.split('.').all(letters);
        good.then(|| Self::Name(text.to_ascii_lowercase()))
    }

    fn is_canonical(&self) -> bool {
        match self {
            Self::Ip(_) => true,
            Self::Name(name) => !name.bytes().any(|byte| byte.is_ascii_uppercase()),
        }
    }
}

impl FromStr for Host {
    type Err = ParseAddressError;

    fn from_str(text: &str) -> Result<Self, ParseAddressError> {
        let wrong = || ParseAddressError::Host {
            host: text.to_owned(),
        };
        if let Some(inner) = text.strip_prefix('[') {
            let inner = inner.strip_suffix(']').ok_or_else(wrong)?;
            return Self::ip(IpAddr::V6(inner.parse().map_err(|_| wrong())?));
        }
        match text.parse::<Ipv4Addr>() {
            Ok(ip) => Self::ip(ip.into()),
            Err(_) => Self::name(text).ok_or_else(wrong),
        }
    }
}

/// Bech32m: five bits a character, six characters of BCH code.
mod bech32m {
    use super::{ParseAddressError, TICKET_CHARS_MAX, TICKET_PREFIX};

    const ALPHABET: &[u8; 32] = b"qpzry9x8gf2tvdw0s3jn54khce6mua7l";
    const CHECK_CHARS: usize = 6;
    const BECH32M: u32 = 0x2bc8_30a3;

    pub(super) fn encode(payload: &[u8]) -> String {
        let mut digits = regroup::<8, 5>(payload);
        digits.extend(check(&digits));
        let letters = digits
            .iter()
            .map(|digit| char::from(ALPHABET[usize::from(digit & 31)]));
        TICKET_PREFIX.chars().chain(letters).collect()
    }

    pub(super) fn decode(text: &str) -> Result<Vec<u8>, ParseAddressError> {
        if text.len() > TICKET_CHARS_MAX {
            return Err(ParseAddressError::TicketShape("it is too long"));
        }
        let upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        if upper && text.bytes().any(|byte| byte.is_ascii_lowercase()) {
            return Err(ParseAddressError::TicketCase);
        }
        let digits = text
            .char_indices()
            .skip(TICKET_PREFIX.len())
            .map(|(at, letter)| digit(at, letter))
            .collect::<Result<Vec<u8>, _>>()?;
        let (data, sum) = digits
            .split_last_chunk::<CHECK_CHARS>()
            .ok_or(ParseAddressError::TicketCheck)?;
        if check(data) != *sum {
            return Err(ParseAddressError::TicketCheck);
        }
        let payload = regroup::<5, 8>(data);
        let whole = data.len() * 5 / 8;
        let padding = data.len() * 5 - whole * 8;
        let blank = payload.get(whole).is_none_or(|left| *left == 0);
        if padding > 4 || !blank {
            return Err(ParseAddressError::TicketShape("its padding is not empty"));
        }
        Ok(payload[..whole].to_vec())
    }

    fn digit(at: usize, letter: char) -> Result<u8, ParseAddressError> {
        let lower = letter.to_ascii_lowercase();
        let digit = ALPHABET
            .iter()
            .position(|known| char::from(*known) == lower);
        digit
            .and_then(|digit| u8::try_from(digit).ok())
            .ok_or(ParseAddressError::TicketCharacter {
                at: at + 1,
                found: letter,
            })
    }

    /// Cuts groups of `FROM` bits into groups of `TO` bits; the last one is filled up with zeros.
    fn regroup<const FROM: u32, const TO: u32>(groups: &[u8]) -> Vec<u8> {
        let (mut pool, mut filled) = (0_u32, 0);
        let mut out = Vec::new();
        for group in groups {
            pool = pool << FROM | u32::from(*group);
            filled += FROM;
            while filled >= TO {
                filled -= TO;
                out.push(low_bits::<TO>(pool >> filled));
            }
            pool &= (1 << filled) - 1;
        }
        if filled > 0 {
            out.push(low_bits::<TO>(pool << (TO - filled)));
        }
        out
    }

    fn low_bits<const N: u32>(value: u32) -> u8 {
        u8::try_from(value & ((1 << N) - 1)).expect("at most eight bits are left")
    }

    fn check(data: &[u8]) -> [u8; CHECK_CHARS] {
        let prefix = TICKET_PREFIX.trim_end_matches('1').as_bytes();
        let high = prefix.iter().map(|byte| byte >> 5);
        let low = prefix.iter().map(|byte| byte & 31);
        let digits = high.chain([0]).chain(low).chain(data.iter().copied());
        let sum = polymod(digits.chain([0; CHECK_CHARS])) ^ BECH32M;
        let mut shift = 5 * CHECK_CHARS;
        [0; CHECK_CHARS].map(|_: u8| {
            shift -= 5;
            low_bits::<5>(sum >> shift)
        })
    }

    fn polymod(digits: impl Iterator<Item = u8>) -> u32 {
        const GENERATOR: [u32; 5] = [
            0x3b6a_57b2,
            0x2650_8e6d,
            0x1ea1_19fa,
            0x3d42_33dd,
            0x2a14_62b3,
        ];
        digits.fold(1, |sum, digit| {
            let top = sum >> 25;
            let shifted = (sum & 0x01ff_ffff) << 5 ^ u32::from(digit);
            let hits = GENERATOR.iter().enumerate();
            hits.filter(|(bit, _)| top >> bit & 1 == 1)
                .fold(shifted, |sum, (_, generator)| sum ^ generator)
        })
    }

    #[cfg(test)]
    mod tests {
        use super::*;

        /// Strings of BIP 350, "Test vectors for Bech32m", with the prefix taken as digits.
        #[test]
        fn the_code_is_that_of_bip_350() {
            for valid in ["a1lqfn3a", "abcdef1l7aum6echk45nj3s0wdvt2fg8x9yrzpqzd3ryx"] {
                let (prefix, data) = valid.split_once('1').unwrap();
                let high = prefix.bytes().map(|byte| byte >> 5);
                let low = prefix.bytes().map(|byte| byte & 31);
                let data = data
                    .char_indices()
                    .map(|(at, letter)| digit(at, letter).unwrap());
                assert_eq!(polymod(high.chain([0]).chain(low).chain(data)), BECH32M);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const ID: &str = "07a1c3f207a1c3f207a1c3f207a1c3f207a1c3f207a1c3f207a1c3f207a1c3f2";

    fn parse(place: &str) -> Result<PeerSpec, ParseAddressError> {
        format!("{ID}@{place}").parse()
    }

    fn host() -> impl Strategy<Value = Host> {
        let v4 = any::<[u8; 4]>().prop_map(IpAddr::from);
        let v6 = any::<[u8; 16]>().prop_map(IpAddr::from);
        let name = "[a-z0-9]([a-z0-9_-]{0,20}[a-z0-9])?(\\.[a-z][a-z0-9-]{0,10}[a-z0-9]){0,3}\\.[a-z]{2,8}";
        prop_oneof![
            v4.prop_filter("dialable", |ip| !ip.is_unspecified())
                .prop_map(Host::Ip),
            v6.prop_filter("dialable", |ip| !ip.is_unspecified())
                .prop_map(Host::Ip),
            name.prop_map(Host::Name),
        ]
    }

    fn place() -> impl Strategy<Value = HostPort> {
        (host(), 1..=u16::MAX).prop_map(|(host, port)| HostPort {
            host,
            port: NonZeroU16::new(port).unwrap(),
        })
    }

    fn spec(places: std::ops::RangeInclusive<usize>) -> impl Strategy<Value = PeerSpec> {
        (any::<[u8; 32]>(), prop::collection::vec(place(), places))
            .prop_map(|(id, hosts)| PeerSpec::new(NodeId::from_bytes(id), hosts).unwrap())
    }

    proptest! {
        #[test]
        fn an_address_survives_its_text(spec in spec(1..=3)) {
            prop_assert_eq!(spec.to_string().parse(), Ok(spec));
        }

        #[test]
        fn a_ticket_survives_in_both_cases(spec in spec(1..=3)) {
            let ticket = spec.ticket();
            prop_assert!(ticket.starts_with("bruit1"));
            prop_assert_eq!(ticket.to_uppercase().parse(), Ok(spec.clone()));
            prop_assert_eq!(ticket.parse(), Ok(spec));
        }

        #[test]
        fn one_wrong_character_of_a_ticket_is_noticed(
            spec in spec(1..=2), at in any::<prop::sample::Index>(), other in "[a-z0-9]",
        ) {
            let ticket = spec.ticket();
            let at = 6 + at.index(ticket.len() - 6);
            let mut wrong = ticket.clone();
            wrong.replace_range(at..=at, &other);
            prop_assume!(wrong != ticket);
            prop_assert!(wrong.parse::<PeerSpec>().is_err());
        }

        #[test]
        fn two_neighbours_that_changed_places_are_noticed(
            spec in spec(1..=2), at in any::<prop::sample::Index>(),
        ) {
            let ticket = spec.ticket();
            let at = 6 + at.index(ticket.len() - 7);
            let mut wrong = ticket.clone().into_bytes();
            wrong.swap(at, at + 1);
            let wrong = String::from_utf8(wrong).unwrap();
            prop_assume!(wrong != ticket);
            prop_assert!(wrong.parse::<PeerSpec>().is_err());
        }

        #[test]
        fn no_text_makes_the_parser_panic_or_lie(text in "\\PC*") {
            if let Ok(spec) = text.parse::<PeerSpec>() {
                prop_assert_eq!(spec.to_string().parse(), Ok(spec));
            }
        }

        #[test]
        fn no_payload_makes_the_ticket_reader_panic_or_lie(
            payload in prop::collection::vec(any::<u8>(), 0..120),
        ) {
            let ticket = bech32m::encode(&payload);
            if let Ok(spec) = ticket.parse::<PeerSpec>() {
                prop_assert_eq!(spec.ticket(), ticket);
            }
        }
    }

    #[test]
    fn ticket_has_the_documented_form() {
        let spec = parse("127.0.0.1:7447").unwrap();
        assert_eq!(spec.ticket(), TICKET);
        assert_eq!(TICKET.parse(), Ok(spec));
    }

    /// Computed once by the independent encoder of BIP 350's reference implementation.
    const TICKET: &str =
        "bruit1q7su8us858plypapc0eq0gwr7gr6rsljq7su8us858plypapc0eqglcqqqq369cfx6jf4";

    #[test]
    fn the_three_kinds_of_host_are_read() {
        for place in [
            "10.0.0.1:1",
            "[2001:db8::1]:65535",
            "node-1.example.org:7447",
            "localhost:7447",
        ] {
            assert_eq!(parse(place).unwrap().to_string(), format!("{ID}@{place}"));
        }
        assert_eq!(
            parse("Node.Example:1").unwrap(),
            parse("node.example:1").unwrap()
        );
    }

    #[test]
    fn every_mistake_is_named() {
        let host = |host: &str| Err(ParseAddressError::Host { host: host.into() });
        let port = |port: &str| Err(ParseAddressError::Port { port: port.into() });
        assert_eq!(
            "host:7447".parse::<PeerSpec>(),
            Err(ParseAddressError::NoAt)
        );
        assert_eq!(
            "ab@host:7447".parse::<PeerSpec>(),
            Err(ParseAddressError::Id(ParseIdError::Length { got: 2 }))
        );
        assert_eq!(parse("host"), Err(ParseAddressError::NoPort));
        assert_eq!(parse("[::1]"), Err(ParseAddressError::NoPort));
        assert_eq!(parse("host:0"), port("0"));
        assert_eq!(parse("host:+1"), port("+1"));
        assert_eq!(parse("host:65536"), port("65536"));
        assert_eq!(parse("::1:7447"), host("::1"));
        assert_eq!(parse("256.1.1.1:7447"), host("256.1.1.1"));
        assert_eq!(parse("-a.org:7447"), host("-a.org"));
        assert_eq!(parse("a..b:7447"), host("a..b"));
        assert_eq!(parse("a\u{202e}b:7447"), host("a\u{202e}b"));
        let any = IpAddr::from([0, 0, 0, 0]);
        assert_eq!(
            parse("0.0.0.0:7447"),
            Err(ParseAddressError::Unspecified(any))
        );
        assert_eq!(
            "bruit1qq".parse::<PeerSpec>(),
            Err(ParseAddressError::TicketCheck)
        );
        assert_eq!(
            "bruit1Qq".parse::<PeerSpec>(),
            Err(ParseAddressError::TicketCase)
        );
        assert_eq!(
            "bruit1b".parse::<PeerSpec>(),
            Err(ParseAddressError::TicketCharacter { at: 7, found: 'b' })
        );
    }

    #[test]
    fn places_nobody_can_dial_are_left_out() {
        let id = NodeId::from_bytes([1; 32]);
        let addresses =
            ["0.0.0.0:7447", "10.0.0.1:0", "10.0.0.2:7447"].map(|text| text.parse().unwrap());
        let spec = PeerSpec::at(id, &addresses).unwrap();
        assert_eq!(spec.hosts().len(), 1);
        assert_eq!(PeerSpec::at(id, &addresses[..2]), None);
    }
}
