"""What a node answers, one class for each schema of its OpenAPI document.

Written by tools/models.py: not to be changed by hand. Moments are milliseconds since 1970.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal, Optional

from ._model import Content, Model


#: Who opened a link.
Direction = Literal["in", "out"]

#: How it is known that a neighbour has a bulletin.
How = Literal["first", "has"]

#: How a node stands that is registered here.
LeaseState = Literal["alive", "suspect"]

#: How a link stands.
LinkState = Literal["connecting", "up", "suspect", "closing"]

#: How a node stands, as far as this node knows.
MemberState = Literal["linked", "alive", "suspect", "dead", "known"]

#: What can be asked for over a WebSocket.
Op = Literal["publish", "subscribe", "validate", "unsubscribe", "answer", "ping"]

#: How packets travel.
Path = Literal["direct", "relay"]

#: What a token is for. Each is for what stands before it, too.
Scope = Literal["read", "publish", "admin"]

#: How a node stands with a registry.
SeedState = Literal["registered", "asked", "refused", "waiting", "failed"]

#: A verdict as text.
Word = Literal["accept", "reject", "ignore"]


@dataclass(frozen=True)
class Answer(Model):
    """`POST /v1/validate/{question}`."""

    verdict: Word
    """The verdict."""


@dataclass(frozen=True)
class Ask(Model):
    """What a client sends over `GET /v1/ws`. Besides these it has the keys of its `op`: `publish` those of `POST /v1/bulletins`; `subscribe` and `validate`, `unsubscribe` and `answer` those of `Subscribe`, `Validate`, `Unsubscribe` and `Verdict`; `ping` none."""

    op: Op
    """What is asked for."""
    ref: Any = None
    """What the client calls it, a short text or number: the answer and its events have it, too."""


@dataclass(frozen=True)
class Author(Model):
    """A key that signs bulletins."""

    id: str
    """Its public half."""
    name: str
    """Its name on this machine."""
    protected: bool
    """Whether its file is under a passphrase."""
    unlocked: Optional[bool] = None
    """Whether somebody unlocked it for the daemon; said of protected keys by a daemon alone."""


@dataclass(frozen=True)
class Brought(Model):
    """What became of bulletins that were brought."""

    imported: int
    """Those that were new, delivered and announced."""
    known: int
    """Those that were known already."""
    refused: dict[str, int]
    """Those that were not taken, by reason."""


@dataclass(frozen=True)
class Bulletin(Content, Model):
    """One bulletin, as a subscriber gets it."""

    author: str
    """Who signed it."""
    created_ms: int
    """When it was made, by the author's clock."""
    cursor: str
    """Where to go on after it."""
    from_: Optional[str]
    """The neighbour it came from; none when it was published here."""
    hops: int
    """Links it crossed."""
    id: str
    """Its id."""
    received_ms: int
    """When it came, by ours."""
    size: int
    """Bytes of content."""
    topic: str
    """Its topic; the topic's id in hexadecimal where the descriptor is unknown here."""
    body: Optional[str] = None
    """The contents as text."""
    body_base64: Optional[str] = None
    """The contents in base64."""
    tag: Optional[str] = None
    """The application's label, where there is one; text that is not UTF-8 in hexadecimal."""


@dataclass(frozen=True)
class Bundle(Model):
    """`GET /v1/bundle`: a page of what a node holds."""

    bulletins: list[str]
    """Bulletins in their canonical encoding, in base64."""
    network: str
    """The network's name."""
    network_id: str
    """The network's id."""
    next: Optional[int]
    """The `after` of the next page; none at the end. A page may be empty and not the last."""


@dataclass(frozen=True)
class Contact(Model):
    """Somebody whose letters are acknowledged. Also `POST /v1/letters/contacts`."""

    id: str
    """Their node's id, or their key as an author."""
    name: Optional[str]
    """What they are called here."""


@dataclass(frozen=True)
class Defence(Model):
    """`GET /v1/defence`: what was refused, and to whom."""

    challenges: Optional[int]
    """Callers that had to prove their address; null where that is not counted."""
    discouraged: list[Discouraged]
    """Who is not linked with for a while."""
    floor_log2: int
    """What is asked for at the moment, as a power of two over the network's price."""
    refused: list[Refused]
    """Bulletins that were refused or let go since the start, by reason."""


@dataclass(frozen=True)
class Delivered(Model):
    """A bulletin's coming to one node."""

    at_ms: float
    """When, in milliseconds since 1970."""
    from_: Optional[str]
    """Who brought it; none when it was published there."""
    hops: int
    """Links it had passed."""
    node: str
    """Where."""


@dataclass(frozen=True)
class DeliveredLetter(Model):
    """A letter that is in the inbox now."""

    id: str
    """Its id."""


@dataclass(frozen=True)
class Discouraged(Model):
    """Who is not linked with for a while: a node by its `id`, or a place by its `address`."""

    reason: str
    """For what."""
    until_ms: int
    """Until when."""
    address: Optional[str] = None
    """The place."""
    id: Optional[str] = None
    """The node."""


@dataclass(frozen=True)
class ErrorBody(Model):
    """Every error: `{'error': {'code', 'message', 'fix'}}`."""

    error: ErrorDetail
    """What went wrong."""


@dataclass(frozen=True)
class ErrorDetail(Model):
    """What went wrong and what to do about it."""

    code: str
    """A word for programs, stable over versions."""
    fix: str
    """What to do about it."""
    message: str
    """The cause, with names and numbers."""


@dataclass(frozen=True)
class Given(Model):
    """A neighbour that has a bulletin."""

    confirmed: bool
    """Whether it says so itself."""
    how: How
    """How that is known."""
    id: str
    """Who."""


@dataclass(frozen=True)
class Health(Model):
    """Whether a node works: `/healthz` and `/readyz`."""

    status: str
    """`ok` or `no links`."""


@dataclass(frozen=True)
class Identity(Model):
    """Who a node is and how to reach it."""

    addresses: list[str]
    """Where it can be dialled, best first, each complete."""
    authors: list[Author]
    """Its author keys."""
    id: str
    """Its id."""
    ticket: Optional[str]
    """The same as one ticket; none while there is no address."""


@dataclass(frozen=True)
class Kept(Model):
    """What became of a value."""

    author: str
    """Who signed it."""
    bits: int
    """Bits of work in its stamp."""
    id: str
    """The bulletin's id."""
    name: Optional[str]
    """Its name, where it has one."""
    result: str
    """`queued`, `accepted`, `stored` or `spread`."""
    seq: int
    """Its count among the versions of its name; 0 without one."""
    spread: int
    """Neighbours that have synced it, as far as they told by now."""
    work_ms: int
    """Milliseconds the work took."""


@dataclass(frozen=True)
class Lease(Model):
    """One record that a registry keeps."""

    address: Optional[str]
    """Where the node is."""
    id: str
    """Whose."""
    lease_until_ms: int
    """Until when it is kept if it is not renewed."""
    state: LeaseState
    """How it stands."""


@dataclass(frozen=True)
class Link(Model):
    """A link that opens the dashboard once."""

    for_ms: int
    """For how long it can be used, in milliseconds."""
    url: str
    """What to open in a browser."""


@dataclass(frozen=True)
class Linked(Model):
    """Whether a link is up."""

    id: str
    """To whom."""
    linked: bool
    """Whether it is."""


@dataclass(frozen=True)
class Links(Model):
    """Links by who opened them."""

    in_: int
    """They dialled us."""
    out: int
    """We dialled them."""


@dataclass(frozen=True)
class Listed(Model):
    """A bulletin in a list."""

    author: str
    """Who signed it."""
    bits: int
    """Bits of work in its stamp."""
    created_ms: int
    """When it was made, by the author's clock."""
    expires_ms: int
    """When it ceases to be valid."""
    id: str
    """Its id."""
    kind: str
    """`post`, `value`, `letter`, `manifest`, `tombstone`, or the number of another kind."""
    name: Optional[str]
    """Its name, where it has one."""
    rank: float
    """Its place in the order of eviction now: the lowest goes first."""
    seq: int
    """Its count among the versions of its name."""
    size: int
    """Bytes of its contents."""
    tag: Optional[str]
    """The application's label, where there is one."""
    topic: str
    """Its topic; the topic's id in hexadecimal where the descriptor is unknown here."""


@dataclass(frozen=True)
class LogFilter(Model):
    """`PUT /v1/logs`, and what holds after it."""

    filter: str
    """What is logged, such as `info,bruit=debug`."""


@dataclass(frozen=True)
class LogLine(Model):
    """A line of the log."""

    at_ms: int
    """When."""
    level: str
    """`ERROR`, `WARN`, `INFO`, `DEBUG` or `TRACE`."""
    target: str
    """The part of the program that says it."""
    text: str
    """What it says."""


@dataclass(frozen=True)
class Member(Model):
    """One node this node knows of."""

    address: Optional[str]
    """Where, by its own word; none when it said nothing of it."""
    id: str
    """Who."""
    last_seen_ms: Optional[int]
    """When somebody last had word of it; none when nobody had since this node started."""
    state: MemberState
    """How it stands."""


@dataclass(frozen=True)
class NewToken(Model):
    """A token that was made."""

    expires_ms: Optional[int]
    """When it ceases to be valid."""
    id: str
    """What it is called in lists."""
    scope: Scope
    """What it is for."""
    token: str
    """The token itself; it is not shown again."""


@dataclass(frozen=True)
class Paid(Model):
    """A better stamp that was bought."""

    bits: int
    """Bits of work in it."""
    id: str
    """For which bulletin."""
    work_ms: int
    """Milliseconds the work took."""


@dataclass(frozen=True)
class Passage(Model):
    """A bulletin that came lately."""

    created_ms: int
    """When its author says it was made."""
    from_: Optional[str]
    """Who brought it; none when it was published here."""
    hops: int
    """Links it had passed."""
    id: str
    """Its id."""
    reached: int
    """How many nodes are known to have had it, this one included."""
    received_ms: int
    """When it came to this node."""
    size: int
    """Bytes of its content."""
    topic: str
    """Its topic's descriptor; the id in hexadecimal where the descriptor is unknown."""


@dataclass(frozen=True)
class Peer(Model):
    """One link."""

    address: Optional[str]
    """Where the peer is, as far as this end sees it; none behind a relay."""
    bytes_in: int
    """Bytes received over it."""
    bytes_out: int
    """Bytes sent over it."""
    direction: Direction
    """Who opened it."""
    id: str
    """Who is there."""
    path: Path
    """How packets travel."""
    reason: Optional[str]
    """Why it is closing or suspected, where it is."""
    rtt_ms: Optional[float]
    """Smoothed round trip; none before the first."""
    score: float
    """What its conduct came to so far: 0 is neutral, less is worse. Conduct is not weighed yet: a peer that breaks the protocol is cut off for a day, and every one that is linked has 0."""
    since_ms: int
    """When it came up."""
    state: LinkState
    """How it stands."""
    suspected_by: list[str]
    """Who takes the peer for dead, where it is suspected: this node, and those of its neighbours that it asked and that do not hear of the peer either."""


@dataclass(frozen=True)
class Posted(Model):
    """`POST /v1/letters/foreign/{posting}`: what became of it."""

    refused: Optional[str] = None
    """Why it was not taken; none when it is on its way."""


@dataclass(frozen=True)
class Posting(Content, Model):
    """A letter that a gateway is to take to its system."""

    posting: int
    """The number to answer to."""
    to: str
    """Whom it is for: the system, a colon, and how they are called there."""
    body: Optional[str] = None
    """The contents as text."""
    body_base64: Optional[str] = None
    """The contents in base64."""


@dataclass(frozen=True)
class Price(Model):
    """What a bulletin costs."""

    floor_log2: int
    """What is asked for at the moment, as a power of two of the same unit."""
    min: int
    """The network's price: expected trials per weighted byte."""


@dataclass(frozen=True)
class Published(Model):
    """What became of a bulletin."""

    bits: int
    """Bits of work its stamp has."""
    id: str
    """Its id."""
    neighbours: int
    """Neighbours it was pushed or announced to."""
    result: str
    """`accepted`, `queued`, `stored` or `spread`."""
    spread: int
    """Neighbours that confirmed it."""
    topic: str
    """Its topic."""
    work_ms: int
    """How long the work took, in milliseconds."""


@dataclass(frozen=True)
class Question(Content, Model):
    """A bulletin to be judged."""

    author: str
    """Who signed it."""
    created_ms: int
    """When it was made, by the author's clock."""
    cursor: str
    """Where to go on after it."""
    from_: Optional[str]
    """The neighbour it came from; none when it was published here."""
    hops: int
    """Links it crossed."""
    id: str
    """Its id."""
    question: int
    """What to answer to: `POST /v1/validate/{question}`."""
    received_ms: int
    """When it came, by ours."""
    size: int
    """Bytes of content."""
    topic: str
    """Its topic; the topic's id in hexadecimal where the descriptor is unknown here."""
    body: Optional[str] = None
    """The contents as text."""
    body_base64: Optional[str] = None
    """The contents in base64."""
    tag: Optional[str] = None
    """The application's label, where there is one; text that is not UTF-8 in hexadecimal."""


@dataclass(frozen=True)
class Rates(Model):
    """What passes, per second."""

    bytes_in_per_s: float
    """Bytes received from links."""
    bytes_out_per_s: float
    """Bytes sent to links."""
    in_per_s: float
    """New bulletins that came in."""
    out_per_s: float
    """Bulletins sent to links, each copy counted."""


@dataclass(frozen=True)
class ReceivedLetter(Content, Model):
    """A letter to us."""

    created_ms: int
    """When it was written, by the sender's clock."""
    from_: str
    """Who wrote it: a key, or somebody in another system, as a gateway at this node says."""
    id: str
    """Its id, which its sender sees as well."""
    received_ms: int
    """When it came, by ours."""
    to: str
    """Whom of us it is for."""
    body: Optional[str] = None
    """The contents as text."""
    body_base64: Optional[str] = None
    """The contents in base64."""


@dataclass(frozen=True)
class Refused(Model):
    """How often something was refused."""

    n: int
    """How often."""
    reason: str
    """For what reason."""


@dataclass(frozen=True)
class Removed(Model):
    """What was removed."""

    id: str
    """Its id."""


@dataclass(frozen=True)
class Rotated(Model):
    """What rotating the delivery codes did."""

    honoured_s: int
    """How long the old codes are honoured, in seconds."""
    told: int
    """Contacts that are told by letter."""


@dataclass(frozen=True)
class Seed(Model):
    """One registry of this node's list."""

    address: Optional[str]
    """Where it is."""
    id: str
    """Which."""
    lease_until_ms: Optional[int]
    """Until when it keeps this node's record if that is not renewed; none while it does not keep it."""
    state: SeedState
    """How this node stands with it."""


@dataclass(frozen=True)
class Seeds(Model):
    """The registries this node has to do with."""

    leases: list[Lease]
    """What it keeps, if it is one."""
    registry: bool
    """Whether this node is one."""
    seeds: list[Seed]
    """Those on its own list."""


@dataclass(frozen=True)
class SentLetter(Model):
    """A letter of ours."""

    attempts: int
    """How often it was sealed."""
    created_ms: int
    """When it was written."""
    expires_ms: int
    """When the sealing at hand expires, or the search for the recipient ends."""
    from_: str
    """Who of us wrote it."""
    id: str
    """Its id, which its recipient sees as well."""
    state: str
    """`queued`, `published`, `acknowledged` or `expired`."""
    to: str
    """Whom it is for."""


@dataclass(frozen=True)
class Series(Model):
    """`GET /v1/series`: what passed, in even steps, the oldest first."""

    begin_ms: int
    """When the first step begins."""
    series: dict[str, list[Optional[float]]]
    """A number for each step, by name, all of one length; null where the node was not running."""
    step_ms: int
    """How long a step is."""


@dataclass(frozen=True)
class Status(Model):
    """The state of the node as a whole."""

    clock_offset_ms: int
    """How far our clock is ahead of the peers', in milliseconds; 0 while there is no peer to ask."""
    drops: dict[str, int]
    """What was dropped since the start, by reason."""
    id: str
    """This node."""
    links: Links
    """Links that are up, by who opened them."""
    network: str
    """The network's name."""
    network_size: int
    """How many nodes the network is believed to have, this one included."""
    price: Price
    """What a bulletin costs here."""
    privacy: str
    """How bulletins leave this node: `fast` sends them to all links at once."""
    rates: Rates
    """What passed in the last seconds, per second."""
    store: Store
    """What the store holds."""
    topics: int
    """Topics with a subscriber here."""
    totals: Totals
    """What passed since the start."""
    uptime_s: int
    """Seconds since the node started."""
    version: str
    """The program's version."""
    warnings: list[Warning]
    """What an operator should know."""


@dataclass(frozen=True)
class Store(Model):
    """What the store holds."""

    bytes: int
    """Bytes they take."""
    items: int
    """Bulletins."""
    limit_bytes: int
    """Bytes they may take."""


@dataclass(frozen=True)
class TokenEntry(Model):
    """A token in a list, without its text."""

    created_ms: int
    """When it was made."""
    expires_ms: Optional[int]
    """When it ceases to be valid."""
    id: str
    """What it is called: the beginning of its hash."""
    scope: Scope
    """What it is for."""


@dataclass(frozen=True)
class Told(Model):
    """What the node sends: an answer, which has `result` or `error`, or something that came, which has `event`."""

    bulletin: Optional[Bulletin] = None
    """Of `bulletin` and `question`."""
    error: Optional[ErrorDetail] = None
    """Why it was not done."""
    event: Optional[str] = None
    """`bulletin`, `gap`, `question`, or `end`: nothing more comes of this subscription."""
    missed: Optional[int] = None
    """Of `gap`: how many bulletins were not read in time; 0 when nobody knows."""
    question: Optional[int] = None
    """Of `question`: the number to answer to."""
    ref: Any = None
    """The `ref` of what was asked for."""
    result: Any = None
    """What became of it: of a publication what `POST /v1/bulletins` answers, else nothing."""


@dataclass(frozen=True)
class Topic(Model):
    """One topic with a subscriber here."""

    id: str
    """Its id: the hash of the descriptor."""
    in_per_s: float
    """Bulletins of the last seconds, per second."""
    retained: int
    """Bulletins held in the store."""
    subscribers: int
    """Subscribers at this node."""
    topic: str
    """Its descriptor; the id in hexadecimal where the descriptor is unknown."""


@dataclass(frozen=True)
class Topology(Model):
    """The links a node knows of."""

    links: list[TopologyLink]
    """The links, each once."""
    nodes: list[TopologyNode]
    """The nodes at their ends, and every other that is known."""
    shared: bool
    """Whether others were asked for theirs: `[topology] share`. Otherwise these are this node's own."""


@dataclass(frozen=True)
class TopologyLink(Model):
    """A link of a topology."""

    from_: str
    """Who opened it."""
    rtt_ms: Optional[float]
    """The last round trip; none before the first."""
    to: str
    """To whom."""


@dataclass(frozen=True)
class TopologyNode(Model):
    """A node of a topology."""

    id: str
    """Who."""
    label: str
    """The first digits of the id."""
    state: MemberState
    """How it stands."""


@dataclass(frozen=True)
class Totals(Model):
    """What passed since the start."""

    duplicates: int
    """Bulletins that came in whole although they were known: `duplicates / received` is the redundancy."""
    published: int
    """Bulletins made here."""
    received: int
    """New bulletins that came in whole from links."""
    sent: int
    """Bulletins sent to links, each copy counted."""


@dataclass(frozen=True)
class Trace(Model):
    """The way of one bulletin."""

    created_ms: int
    """When its author says it was made."""
    deliveries: list[Delivered]
    """When it came where, earliest first. Each moment is by the clock of the node it came to."""
    given_to: list[Given]
    """Neighbours that have it, this node's source left out."""
    id: str
    """Its id."""
    shared: bool
    """Whether others were asked when it came to them: `[topology] share`."""
    size: int
    """Bytes of its content."""
    topic: str
    """Its topic's descriptor; the id in hexadecimal where the descriptor is unknown."""


@dataclass(frozen=True)
class Unlocked(Model):
    """Whether a key is open."""

    name: str
    """The key's name."""
    unlocked: bool
    """Whether the daemon can sign with it without being asked again."""


@dataclass(frozen=True)
class Warning(Model):
    """Something an operator should know, and what to do about it."""

    fix: str
    """What mends it."""
    text: str
    """What is the matter."""


@dataclass(frozen=True)
class WholeValue(Content, Model):
    """A value with its contents."""

    author: str
    """Who signed it."""
    created_ms: int
    """When it was made, by the author's clock."""
    expires_ms: int
    """When it ceases to be valid."""
    id: str
    """Its id."""
    name: Optional[str]
    """Its name, where it has one."""
    prev: Optional[str]
    """The value it goes on from."""
    seq: int
    """Its count among the versions of its name."""
    size: int
    """Bytes of its contents."""
    tag: Optional[str]
    """The application's label, where there is one; text that is not UTF-8 in hexadecimal."""
    body: Optional[str] = None
    """The contents as text."""
    body_base64: Optional[str] = None
    """The contents in base64."""
