//! The peers of Gossip-5 that this gateway knows: how they join, whom it tells of whom.
//!
//! Who connects says HELLO, is given a puzzle, and is a member once it has solved it; whom this gateway
//! connects to gives it the puzzle. Members tell each other of members. Unlike the original, a gateway
//! passes on each PUSH once and never back; answers and believes members alone; and gives nobody a place
//! for nothing: who does not go on with its handshake in time is cut off.
//!
//! Invariant: at most [`UNVERIFIED_MAX`] connections that are not members, at most the configured number
//! of members, and all that is kept of one goes with its connection.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4};
use std::time::{Duration, Instant};

use rand_chacha::ChaCha8Rng;
use rand_core::Rng as _;

use super::codec::Frame;
use super::events::ConnId;
use super::puzzle;
use crate::draw;
use crate::recent::Recent;

/// Connections that are not members yet.
pub(crate) const UNVERIFIED_MAX: usize = 256;
/// Of these, from one address that is not this machine's own.
pub(crate) const UNVERIFIED_OF_ONE_MAX: usize = 8;
/// How long one may be silent before it says HELLO.
pub(crate) const HELLO_TIMEOUT: Duration = Duration::from_secs(10);
/// How long solving the puzzle may take: in Python it takes up to half a minute.
pub(crate) const SOLVE_TIMEOUT: Duration = Duration::from_mins(2);
/// How long an answer of the other side may take.
pub(crate) const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);
/// How often it is tried whether the connection to a member stands.
const PING_EVERY: Duration = Duration::from_mins(1);
/// How long an address is not dialled again.
const DIAL_AGAIN: Duration = Duration::from_mins(1);
/// How long an address that was told of is not passed on again.
const PUSH_AGAIN: Duration = Duration::from_mins(5);
/// Addresses remembered for either.
const ADDRESSES_MAX: usize = 4_096;
/// How often a member is told whom this gateway knows, and asked for the same.
const VIEW_EVERY: Duration = Duration::from_secs(5);
/// With fewer members than these, others are asked for.
const MEMBERS_WANTED: usize = 2;
/// Pauses between attempts to join.
const JOIN_PAUSE: Duration = Duration::from_secs(1);
const JOIN_PAUSE_MAX: Duration = Duration::from_mins(1);
/// Dials under way.
const DIALS_MAX: usize = 16;

/// How this gateway is among the peers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rules {
    /// Where it listens; an unspecified address stands for that of each connection.
    pub(crate) listen: SocketAddrV4,
    /// Whom it joins; empty for a bootstrapper.
    pub(crate) bootstrappers: Vec<SocketAddrV4>,
    /// Most members.
    pub(crate) cache_size: usize,
    /// Members each thing is told to.
    pub(crate) degree: usize,
    /// How often word of a new member is passed on.
    pub(crate) p2p_ttl: u16,
}

/// What the peers want done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Deed {
    /// Send a frame.
    Send(ConnId, Frame),
    /// Close a connection, for this reason.
    Close(ConnId, &'static str),
    /// Connect to this address.
    Dial(SocketAddrV4),
    /// Solve this puzzle for this connection.
    Solve(ConnId, u64),
    /// Count this.
    Count(&'static str),
    /// A member came or went.
    Member(SocketAddrV4, bool),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// It connected and has said nothing.
    Silent,
    /// It said HELLO and has this puzzle to solve.
    Solves(u64),
    /// We said HELLO and wait for our puzzle.
    Greeted,
    /// We solve this puzzle.
    Solving(u64),
    /// We solved it and wait to be taken.
    Answered,
    /// It is a member.
    Member,
}

#[derive(Debug)]
struct Peer {
    state: State,
    is_outbound: bool,
    remote: IpAddr,
    /// This gateway's address as this peer may use it.
    own: SocketAddrV4,
    /// Where it listens, as far as it said so or we dialled it.
    address: Option<SocketAddrV4>,
    /// When the state has to have changed; none for members.
    until: Option<Instant>,
    /// When it was last told whom we know, or asked.
    told: Option<Instant>,
    asked: Option<Instant>,
}

/// The peers.
#[derive(Debug)]
pub(crate) struct Peers {
    rules: Rules,
    conns: BTreeMap<ConnId, Peer>,
    dialling: BTreeMap<SocketAddrV4, Instant>,
    dialled: Recent<SocketAddrV4>,
    pushed: Recent<SocketAddrV4>,
    next_join: Option<Instant>,
    join_pause: Duration,
    next_ping: Instant,
    deeds: Vec<Deed>,
}

impl Peers {
    pub(crate) fn new(rules: Rules, now: Instant) -> Self {
        Self {
            next_join: (!rules.bootstrappers.is_empty()).then_some(now),
            rules,
            conns: BTreeMap::new(),
            dialling: BTreeMap::new(),
            dialled: Recent::new(DIAL_AGAIN, ADDRESSES_MAX),
            pushed: Recent::new(PUSH_AGAIN, ADDRESSES_MAX),
            join_pause: JOIN_PAUSE,
            next_ping: now + PING_EVERY,
            deeds: Vec::new(),
        }
    }

    /// What is to be done since it was last asked.
    pub(crate) fn take_deeds(&mut self) -> Vec<Deed> {
        std::mem::take(&mut self.deeds)
    }

    // Connections.

    /// Somebody connected.
    pub(crate) fn on_inbound(
        &mut self,
        conn: ConnId,
        remote: SocketAddr,
        local: SocketAddr,
        now: Instant,
    ) {
        let remote = remote.ip().to_canonical();
        let unverified = || {
            self.conns
                .values()
                .filter(|peer| peer.state != State::Member && !peer.is_outbound)
        };
        let of_one = unverified().filter(|peer| peer.remote == remote).count();
        let is_crowded = of_one >= UNVERIFIED_OF_ONE_MAX && !remote.is_loopback();
        if is_crowded || unverified().count() >= UNVERIFIED_MAX {
            self.deeds.push(Deed::Close(conn, "too_many_peers"));
            return;
        }
        self.insert(
            conn,
            State::Silent,
            None,
            remote,
            local,
            now + HELLO_TIMEOUT,
        );
    }

    /// A dial came through.
    pub(crate) fn on_outbound(
        &mut self,
        conn: ConnId,
        address: SocketAddrV4,
        local: SocketAddr,
        now: Instant,
    ) {
        self.dialling.remove(&address);
        let remote = IpAddr::V4(*address.ip());
        let own = self.insert(
            conn,
            State::Greeted,
            Some(address),
            remote,
            local,
            now + ANSWER_TIMEOUT,
        );
        self.deeds
            .push(Deed::Send(conn, Frame::Hello { address: own }));
    }

    /// A dial did not come through.
    pub(crate) fn on_undialled(&mut self, address: SocketAddrV4) {
        self.dialling.remove(&address);
        self.deeds.push(Deed::Count("dial_failed"));
    }

    /// A connection has gone.
    pub(crate) fn on_closed(&mut self, conn: ConnId, now: Instant) {
        let Some(peer) = self.conns.remove(&conn) else {
            return;
        };
        if let (State::Member, Some(address)) = (peer.state, peer.address)
            && !self.is_member(address)
        {
            self.deeds.push(Deed::Member(address, false));
        }
        self.join_again(now);
    }

    fn insert(
        &mut self,
        conn: ConnId,
        state: State,
        address: Option<SocketAddrV4>,
        remote: IpAddr,
        local: SocketAddr,
        until: Instant,
    ) -> SocketAddrV4 {
        let listen = self.rules.listen;
        let own = match local.ip().to_canonical() {
            IpAddr::V4(ip) if listen.ip().is_unspecified() => SocketAddrV4::new(ip, listen.port()),
            _ => listen,
        };
        let peer = Peer {
            state,
            is_outbound: address.is_some(),
            remote,
            own,
            address,
            until: Some(until),
            told: None,
            asked: None,
        };
        self.conns.insert(conn, peer);
        own
    }

    // Frames.

    /// Takes a frame of the handshake, or one that members tell each other of members by.
    pub(crate) fn on_frame(
        &mut self,
        conn: ConnId,
        frame: &Frame,
        chance: &mut ChaCha8Rng,
        now: Instant,
    ) {
        match frame {
            Frame::Hello { address } => self.on_hello(conn, *address, chance, now),
            Frame::VerificationRequest { nonce } => self.on_puzzle(conn, *nonce),
            Frame::VerificationResponse {
                nonce,
                challenge,
                address,
            } => {
                self.on_solution(conn, (*nonce, *challenge), *address, chance);
            }
            Frame::PeerRequest => self.on_request(conn, now),
            Frame::PeerResponse(peers) => self.on_response(conn, peers, chance, now),
            Frame::Push { ttl, address } => self.on_push(conn, *ttl, *address, chance, now),
            // It has done its work by coming through.
            Frame::Ping => {}
            _ => self.deeds.push(Deed::Close(conn, "wrong_port")),
        }
    }

    fn on_hello(
        &mut self,
        conn: ConnId,
        address: SocketAddrV4,
        chance: &mut ChaCha8Rng,
        now: Instant,
    ) {
        match self.conns.get_mut(&conn) {
            Some(peer) if peer.state == State::Silent => {
                let nonce = chance.next_u64();
                peer.state = State::Solves(nonce);
                peer.until = Some(now + SOLVE_TIMEOUT);
                peer.address = Some(address);
                self.deeds
                    .push(Deed::Send(conn, Frame::VerificationRequest { nonce }));
            }
            // While a puzzle is open, the original is deaf to another HELLO.
            _ => self.deeds.push(Deed::Count("hello_ignored")),
        }
    }

    fn on_puzzle(&mut self, conn: ConnId, nonce: u64) {
        match self.conns.get_mut(&conn) {
            Some(peer) if peer.state == State::Greeted => {
                peer.state = State::Solving(nonce);
                peer.until = None;
                self.deeds.push(Deed::Solve(conn, nonce));
            }
            _ => self.deeds.push(Deed::Count("puzzle_ignored")),
        }
    }

    /// The search for a solution has ended; without one there is nothing to answer.
    pub(crate) fn on_solved(&mut self, conn: ConnId, challenge: Option<u64>, now: Instant) {
        let Some(peer) = self.conns.get_mut(&conn) else {
            return;
        };
        let (State::Solving(nonce), Some(challenge)) = (peer.state, challenge) else {
            self.deeds.push(Deed::Close(conn, "unsolved"));
            return;
        };
        peer.state = State::Answered;
        peer.until = Some(now + ANSWER_TIMEOUT);
        let address = peer.own;
        self.deeds.push(Deed::Send(
            conn,
            Frame::VerificationResponse {
                nonce,
                challenge,
                address,
            },
        ));
    }

    fn on_solution(
        &mut self,
        conn: ConnId,
        (nonce, challenge): (u64, u64),
        address: SocketAddrV4,
        chance: &mut ChaCha8Rng,
    ) {
        let Some(peer) = self.conns.get(&conn) else {
            return;
        };
        if peer.state != State::Solves(nonce) || !puzzle::is_solved(nonce, challenge) {
            self.deeds.push(Deed::Close(conn, "puzzle_not_solved"));
            return;
        }
        let is_its_own = peer.remote == IpAddr::V4(*address.ip());
        if !self.has_place(conn, address, chance) {
            return;
        }
        self.enrol(conn, address);
        let view = self.view(Some(address));
        self.deeds.push(Deed::Send(conn, Frame::PeerResponse(view)));
        // Nobody is sent to an address that is not that of who names it.
        if self.rules.bootstrappers.is_empty() && is_its_own {
            let push = Frame::Push {
                ttl: self.rules.p2p_ttl,
                address,
            };
            self.tell(&push, &[address], chance);
        }
    }

    /// Whether there is a place for who wants to be `address`; a full view gives up one of those that
    /// came, never one that this gateway chose.
    fn has_place(&mut self, conn: ConnId, address: SocketAddrV4, chance: &mut ChaCha8Rng) -> bool {
        let Some(peer) = self.conns.get(&conn) else {
            return false;
        };
        if address == peer.own || address.port() == 0 || address.ip().is_unspecified() {
            self.deeds.push(Deed::Close(conn, "bad_address"));
            return false;
        }
        let same = self
            .members()
            .find(|(_, other)| other.address == Some(address) && !other.is_outbound);
        if let Some((old, other)) = same {
            // One that started again takes its own place, nobody else's.
            let old = (other.remote == peer.remote).then_some(old);
            self.deeds
                .push(Deed::Close(old.unwrap_or(conn), "same_address"));
            return old.and_then(|old| self.conns.remove(&old)).is_some();
        }
        if self.is_member(address) || self.view(None).len() < self.rules.cache_size {
            return true;
        }
        let inbound = self
            .members()
            .filter(|(_, peer)| !peer.is_outbound)
            .map(|(conn, _)| conn);
        let Some(given_up) = draw::some(chance, inbound.collect(), 1).pop() else {
            self.deeds.push(Deed::Close(conn, "view_full"));
            return false;
        };
        self.deeds.push(Deed::Close(given_up, "view_full"));
        if let Some(address) = self.conns.remove(&given_up).and_then(|peer| peer.address) {
            self.deeds.push(Deed::Member(address, false));
        }
        true
    }

    fn enrol(&mut self, conn: ConnId, address: SocketAddrV4) {
        let is_new = !self.is_member(address);
        if let Some(peer) = self.conns.get_mut(&conn) {
            peer.state = State::Member;
            peer.until = None;
            peer.address = Some(address);
            self.next_join = None;
            self.join_pause = JOIN_PAUSE;
            if is_new {
                self.deeds.push(Deed::Member(address, true));
            }
        }
    }

    fn on_request(&mut self, conn: ConnId, now: Instant) {
        match self.conns.get_mut(&conn) {
            Some(peer) if peer.state == State::Member && is_time(peer.told, now) => {
                peer.told = Some(now);
                let own = peer.address;
                let view = self.view(own);
                self.deeds.push(Deed::Send(conn, Frame::PeerResponse(view)));
            }
            Some(peer) if peer.state == State::Member => {
                self.deeds.push(Deed::Count("asked_too_often"));
            }
            _ => self.deeds.push(Deed::Count("stranger_asked")),
        }
    }

    fn on_response(
        &mut self,
        conn: ConnId,
        peers: &[SocketAddrV4],
        chance: &mut ChaCha8Rng,
        now: Instant,
    ) {
        let Some(peer) = self.conns.get_mut(&conn) else {
            return;
        };
        match (peer.state, peer.address) {
            (State::Answered, Some(address)) => self.enrol(conn, address),
            (State::Member, _) if peer.asked.take().is_some() => {}
            _ => {
                self.deeds.push(Deed::Count("view_unasked"));
                return;
            }
        }
        let most = self.rules.cache_size / 2 + 1;
        for address in draw::some(chance, peers.to_vec(), peers.len())
            .into_iter()
            .take(most)
        {
            self.meet(address, now);
        }
    }

    fn on_push(
        &mut self,
        conn: ConnId,
        ttl: u16,
        address: SocketAddrV4,
        chance: &mut ChaCha8Rng,
        now: Instant,
    ) {
        let Some(peer) = self
            .conns
            .get(&conn)
            .filter(|peer| peer.state == State::Member)
        else {
            self.deeds.push(Deed::Count("stranger_pushed"));
            return;
        };
        let from = peer.address;
        if !self.pushed.insert(address, (), now) {
            self.deeds.push(Deed::Count("push_known"));
            return;
        }
        self.meet(address, now);
        if let Some(ttl) = ttl.checked_sub(1) {
            let except: Vec<_> = from.into_iter().chain([address]).collect();
            self.tell(
                &Frame::Push {
                    ttl: ttl.min(self.rules.p2p_ttl),
                    address,
                },
                &except,
                chance,
            );
        }
    }

    /// Connects to `address`, when it is somebody new and there is room.
    fn meet(&mut self, address: SocketAddrV4, now: Instant) {
        let is_own =
            address == self.rules.listen || self.conns.values().any(|peer| peer.own == address);
        let is_nobody =
            address.port() == 0 || address.ip().is_unspecified() || address.ip().is_multicast();
        // Who connected and is no member yet may never be one, and takes no place.
        let ours = |peer: &&Peer| peer.is_outbound || peer.state == State::Member;
        let taken = self.conns.values().filter(ours).count() + self.dialling.len();
        let places = self.rules.cache_size.saturating_sub(taken);
        let is_broadcast = *address.ip() == Ipv4Addr::BROADCAST;
        if is_own
            || is_nobody
            || is_broadcast
            || self.stands_for(address)
            || places == 0
            || self.dialling.len() >= DIALS_MAX
        {
            return;
        }
        self.dial(address, now);
    }

    fn dial(&mut self, address: SocketAddrV4, now: Instant) {
        if self.dialling.contains_key(&address) || !self.dialled.insert(address, (), now) {
            return;
        }
        self.dialling.insert(address, now);
        self.deeds.push(Deed::Dial(address));
    }

    /// Sends `frame` to some members, but not to those at `except`.
    fn tell(&mut self, frame: &Frame, except: &[SocketAddrV4], chance: &mut ChaCha8Rng) {
        for conn in self.choose(except, chance) {
            self.deeds.push(Deed::Send(conn, frame.clone()));
        }
    }

    fn choose(&self, except: &[SocketAddrV4], chance: &mut ChaCha8Rng) -> Vec<ConnId> {
        let mut by_address = BTreeMap::new();
        for (conn, peer) in self.members() {
            if let Some(address) = peer.address.filter(|address| !except.contains(address)) {
                let chosen = by_address.entry(address).or_insert(conn);
                // Of two, the one that was dialled leads there for sure.
                if peer.is_outbound {
                    *chosen = conn;
                }
            }
        }
        draw::some(
            chance,
            by_address.into_values().collect(),
            self.rules.degree,
        )
    }

    // What the gateway asks.

    /// Whether what `conn` says counts: it is a member, or about to be and chosen by us.
    pub(crate) fn is_believed(&self, conn: ConnId) -> bool {
        let peer = self.conns.get(&conn);
        peer.is_some_and(|peer| matches!(peer.state, State::Member | State::Answered))
    }

    /// To whom something is passed on that `from` sent.
    pub(crate) fn targets(
        &mut self,
        from: Option<ConnId>,
        chance: &mut ChaCha8Rng,
        now: Instant,
    ) -> Vec<ConnId> {
        let from = from.and_then(|conn| self.conns.get(&conn)?.address);
        let except: Vec<_> = from.into_iter().collect();
        let targets = self.choose(&except, chance);
        if self.view(None).len() < MEMBERS_WANTED {
            self.ask_for_more(chance, now);
        }
        targets
    }

    fn ask_for_more(&mut self, chance: &mut ChaCha8Rng, now: Instant) {
        let ready = self
            .members()
            .filter(|(_, peer)| is_time(peer.asked, now))
            .map(|(conn, _)| conn);
        let Some(conn) = draw::some(chance, ready.collect(), 1).pop() else {
            return;
        };
        if let Some(peer) = self.conns.get_mut(&conn) {
            peer.asked = Some(now);
            self.deeds.push(Deed::Send(conn, Frame::PeerRequest));
        }
    }

    /// The members' addresses, each once, without `except`.
    pub(crate) fn view(&self, except: Option<SocketAddrV4>) -> Vec<SocketAddrV4> {
        let addresses = self.members().filter_map(|(_, peer)| peer.address);
        let mut view: Vec<_> = addresses
            .filter(|address| Some(*address) != except)
            .collect();
        view.sort_unstable();
        view.dedup();
        view
    }

    fn members(&self) -> impl Iterator<Item = (ConnId, &Peer)> {
        let members = self
            .conns
            .iter()
            .filter(|(_, peer)| peer.state == State::Member);
        members.map(|(conn, peer)| (*conn, peer))
    }

    fn is_member(&self, address: SocketAddrV4) -> bool {
        self.members()
            .any(|(_, peer)| peer.address == Some(address))
    }

    /// Whether a connection stands for `address`: one that was dialled there, or a member that came from there.
    /// Anybody can claim an address; who only does so keeps nobody from being met at it.
    fn stands_for(&self, address: SocketAddrV4) -> bool {
        let came_from_there =
            |peer: &Peer| peer.state == State::Member && peer.remote == IpAddr::V4(*address.ip());
        let mut of_it = self
            .conns
            .values()
            .filter(|peer| peer.address == Some(address));
        of_it.any(|peer| peer.is_outbound || came_from_there(peer))
    }

    /// Makes `conn` a member that listens at `port` of this machine, without a handshake.
    #[cfg(test)]
    pub(crate) fn enrol_for_tests(&mut self, conn: ConnId, port: u16, now: Instant) {
        let (here, address) = (
            Ipv4Addr::LOCALHOST,
            SocketAddrV4::new(Ipv4Addr::LOCALHOST, port),
        );
        let local = SocketAddr::V4(SocketAddrV4::new(here, self.rules.listen.port()));
        self.insert(conn, State::Silent, None, here.into(), local, now);
        self.enrol(conn, address);
        self.take_deeds();
    }

    /// Connections that are kept, and dials under way.
    #[cfg(test)]
    pub(crate) fn footprint(&self) -> (usize, usize) {
        (self.conns.len(), self.dialling.len())
    }

    // Time.

    /// Does what is due.
    pub(crate) fn on_wakeup(&mut self, now: Instant) {
        let is_late = |peer: &Peer| peer.until.is_some_and(|until| until <= now);
        let late: Vec<_> = self
            .conns
            .iter()
            .filter(|(_, peer)| is_late(peer))
            .map(|(conn, _)| *conn)
            .collect();
        for conn in late {
            self.conns.remove(&conn);
            self.deeds.push(Deed::Close(conn, "handshake_timeout"));
        }
        if self.next_ping <= now {
            self.next_ping = now + PING_EVERY;
            let pings: Vec<_> = self
                .members()
                .map(|(conn, _)| Deed::Send(conn, Frame::Ping))
                .collect();
            self.deeds.extend(pings);
        }
        self.join_again(now);
        if self.next_join.is_some_and(|at| at <= now) {
            self.next_join = Some(now + self.join_pause);
            self.join_pause = (self.join_pause * 2).min(JOIN_PAUSE_MAX);
            for address in self.rules.bootstrappers.clone() {
                if !self.stands_for(address) {
                    self.dialled.remove(&address);
                    self.dial(address, now);
                }
            }
        }
    }

    /// Whoever joined and has lost all members joins again.
    fn join_again(&mut self, now: Instant) {
        let is_useful = |peer: &Peer| peer.is_outbound || peer.state == State::Member;
        let is_alone = self.dialling.is_empty() && !self.conns.values().any(is_useful);
        if is_alone && self.next_join.is_none() && !self.rules.bootstrappers.is_empty() {
            self.next_join = Some(now + self.join_pause);
        }
    }

    /// When [`Peers::on_wakeup`] has something to do.
    pub(crate) fn next_wakeup(&self) -> Option<Instant> {
        let late = self.conns.values().filter_map(|peer| peer.until).min();
        let ping = self.members().next().map(|_| self.next_ping);
        [late, ping, self.next_join].into_iter().flatten().min()
    }
}

/// Whether it is long enough ago.
fn is_time(last: Option<Instant>, now: Instant) -> bool {
    last.is_none_or(|last| now.saturating_duration_since(last) >= VIEW_EVERY)
}

#[cfg(test)]
#[path = "peers_tests.rs"]
mod tests;
