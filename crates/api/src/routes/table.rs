//! The table: every route with what it asks for, who handles it, and what it takes and answers.
//!
//! Invariant: a route that does not stand here does not exist. The router, the guard, the description in
//! OpenAPI and the tests walk this table.

use axum::routing::on;
use bruit::view;

use super::Access::{Admin, Open, Publish as Speak, Read};
use super::Verb::{Delete, Get, Post, Put};
use super::{Route, route};
use crate::handlers::{
    bulletins, bundles, figures, files, foreign, keys, letters, peers, state, tokens, topology,
    validate, values, ws,
};
use crate::openapi::Kind::{Flag, Number, OneOf, Text, Texts, Time, Word};
use crate::types::{
    Answer, Ask, Boost, Bring, Brought, Bulletin, Bundle, Contact, Defence, DeliverLetter,
    DeliveredLetter, Health, Identity, Join, Kept, Link, Linked, Listed, Lock, LogFilter, LogLine,
    MakeToken, NewLink, NewToken, Paid, Posted, Posting, Publish, Published, PutValue, Question,
    ReceivedLetter, Removed, Rotate, Rotated, SendLetter, SentLetter, Series, TokenEntry, Told,
    Unlock, Unlocked, WholeValue,
};
use crate::{openapi, ui};

/// How publishing may fail.
const WRITING: [u16; 9] = [402, 404, 409, 413, 422, 423, 500, 504, 507];
/// How looking at letters and contacts may fail.
const LETTERS: [u16; 5] = [404, 409, 422, 423, 500];
/// How keys may fail.
const KEYS: [u16; 4] = [404, 422, 423, 500];
const OCTETS: &str = "application/octet-stream";
const GET_WAIT: &str = "how long to ask others for it";

pub(super) static TABLE: &[Route] = {
    &[
        // Bulletins.
        route(
            Post,
            "/v1/bulletins",
            Speak,
            |verb| on(verb, bulletins::publish),
            |it| {
                it.named("publish", "Publishes a bulletin")
                    .takes::<Publish>()
                    .answers::<Published>()
                    .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/bulletins/{id}",
            Read,
            |verb| on(verb, values::by_id),
            |it| {
                it.named(
                    "bulletin",
                    "Any bulletin by its id, from here or from others",
                )
                .query("timeout", GET_WAIT, Time)
                .answers::<WholeValue>()
                .fails(&[404, 500])
            },
        ),
        route(
            Post,
            "/v1/bulletins/{id}/boost",
            Speak,
            |verb| on(verb, values::boost),
            |it| {
                it.named(
                    "boost",
                    "Does more work for a bulletin, so that it is kept longer",
                )
                .takes::<Boost>()
                .answers::<Paid>()
                .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/subscribe",
            Read,
            |verb| on(verb, bulletins::subscribe),
            |it| {
                it.named("subscribe", "Bulletins as they come; the subscription stands when the head of the answer arrives").query("topic", "a topic; may be given up to 256 times", Texts).query("all", "everything, in place of topics", Flag).query("since", "first what is held that was made in this last time", Time).query("cursor", "go on after the bulletin this came with", Text).header("Last-Event-ID", "the cursor of the last event; goes before the parameter").streams::<Bulletin>("each event is a bulletin, and its id the cursor after it; an event `gap` counts what came in between and was not read in time").fails(&[500])
            },
        ),
        // Values.
        route(
            Post,
            "/v1/values",
            Speak,
            |verb| on(verb, values::put),
            |it| {
                it.named("put", "Keeps a value on the network")
                    .takes::<PutValue>()
                    .answers::<Kept>()
                    .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/values",
            Read,
            |verb| on(verb, values::list),
            |it| {
                it.named("list", "What is held here")
                    .query("all", "what is no value, too", Flag)
                    .query("topic", "of this topic", Text)
                    .query("author", "of this author", Text)
                    .query(
                        "name",
                        "under this name; a * at the end stands for any rest",
                        Text,
                    )
                    .query("tag", "with this tag", Text)
                    .query("since", "made in this last time", Time)
                    .query("contains", "with this text in the contents", Text)
                    .query("mine", "by a key of this node", Flag)
                    .answers::<Vec<Listed>>()
                    .fails(&[404, 500])
            },
        ),
        route(
            Get,
            "/v1/values/{id}",
            Read,
            |verb| on(verb, values::by_id),
            |it| {
                it.named("value", "A value by its id, from here or from others")
                    .query("timeout", GET_WAIT, Time)
                    .answers::<WholeValue>()
                    .fails(&[404, 500])
            },
        ),
        route(
            Get,
            "/v1/values/{author}/{*name}",
            Read,
            |verb| on(verb, values::by_name),
            |it| {
                it.named(
                    "named_value",
                    "The latest version of a name, from here or from others",
                )
                .query("timeout", GET_WAIT, Time)
                .answers::<WholeValue>()
                .fails(&[404, 500])
            },
        ),
        route(
            Delete,
            "/v1/values/{author}/{*name}",
            Speak,
            |verb| on(verb, values::delete),
            |it| {
                it.named("delete", "Ends a value of an author key of this node")
                    .answers::<Kept>()
                    .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/follow/{author}/{*name}",
            Read,
            |verb| on(verb, values::follow),
            |it| {
                it.named(
                    "follow",
                    "The versions of a name: the present one, then each later one",
                )
                .streams::<WholeValue>("each event is a version; an event `deleted` is its end")
                .fails(&WRITING)
            },
        ),
        // Files.
        route(
            Post,
            "/v1/files",
            Speak,
            |verb| on(verb, files::put),
            |it| {
                it.named("put_file", "Keeps a content of up to 16 MiB on the network")
                    .query("name", "the name it is put under", Text)
                    .query("topic", "the topic", Text)
                    .query("prev", "the id of the value it goes on from", Text)
                    .query("tag", "the application's label", Text)
                    .query("ttl", "how long it is valid", Time)
                    .query("if_seq", "the count the name must be at", Number)
                    .query("author", "the name of the author key that signs", Text)
                    .query("wait", "what to wait for", Word)
                    .query("timeout", "how long to wait for that", Time)
                    .query("max_work", "most bits of work", Number)
                    .takes_octets()
                    .answers::<Kept>()
                    .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/files/{id}",
            Read,
            |verb| on(verb, files::get),
            |it| {
                it.named("file", "A content as bytes, as it comes")
                    .query(
                        "timeout",
                        "how long to wait for a part that does not come",
                        Time,
                    )
                    .header("Range", "`bytes=FROM-` or `bytes=FROM-LAST`")
                    .answers_as(200, OCTETS)
                    .answers_as(206, OCTETS)
                    .fails(&[404, 416, 500])
            },
        ),
        // Validators.
        route(
            Get,
            "/v1/validate",
            Speak,
            |verb| on(verb, validate::questions),
            |it| {
                it.named("validate", "Asks what is to become of the bulletins of a topic, for as long as the stream is read").needs("topic", "the topic", Text).query("timeout", "how long a verdict may take, up to 1m", Time).streams::<Question>("each event, named `question`, is a bulletin and the number to answer to")
            },
        ),
        route(
            Post,
            "/v1/validate/{question}",
            Speak,
            |verb| on(verb, validate::answer),
            |it| {
                it.named("answer", "A verdict")
                    .takes::<Answer>()
                    .answers::<Answer>()
                    .fails(&[404])
            },
        ),
        // Bundles.
        route(
            Get,
            "/v1/bundle",
            Read,
            |verb| on(verb, bundles::export),
            |it| {
                it.named("export", "A page of what is held, to be carried elsewhere")
                    .query("since", "that came in this last time", Time)
                    .query("topic", "of this topic", Text)
                    .query("after", "the `next` of the page before", Number)
                    .query("limit", "most bulletins on the page", Number)
                    .answers::<Bundle>()
                    .fails(&[500])
            },
        ),
        route(
            Post,
            "/v1/bundle",
            Admin,
            |verb| on(verb, bundles::import),
            |it| {
                it.named("import", "Takes bulletins that were carried here")
                    .takes::<Bring>()
                    .answers::<Brought>()
                    .fails(&[422])
            },
        ),
        // Letters.
        route(
            Post,
            "/v1/letters",
            Speak,
            |verb| on(verb, letters::send),
            |it| {
                it.named("send", "Sends a letter")
                    .takes::<SendLetter>()
                    .answers::<SentLetter>()
                    .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/letters",
            Read,
            |verb| on(verb, letters::outbox),
            |it| {
                it.named(
                    "outbox",
                    "The letters of this node, and how far they have come",
                )
                .answers::<Vec<SentLetter>>()
                .fails(&LETTERS)
            },
        ),
        route(
            Get,
            "/v1/letters/{id}",
            Read,
            |verb| on(verb, letters::sent),
            |it| {
                it.named("sent_letter", "One of them")
                    .answers::<SentLetter>()
                    .fails(&LETTERS)
            },
        ),
        route(
            Get,
            "/v1/letters/inbox",
            Read,
            |verb| on(verb, letters::inbox),
            |it| {
                it.named("inbox", "The letters to this node")
                    .answers::<Vec<ReceivedLetter>>()
                    .fails(&LETTERS)
            },
        ),
        route(
            Delete,
            "/v1/letters/inbox/{id}",
            Speak,
            |verb| on(verb, letters::remove),
            |it| {
                it.named("remove_letter", "Removes a letter to this node")
                    .answers::<Removed>()
                    .fails(&LETTERS)
            },
        ),
        route(
            Get,
            "/v1/letters/mail",
            Read,
            |verb| on(verb, letters::mail),
            |it| {
                it.named("mail", "Letters as they come")
                    .query("all", "first those that are there", Flag)
                    .streams::<ReceivedLetter>("each event is a letter")
                    .fails(&LETTERS)
            },
        ),
        route(
            Post,
            "/v1/letters/foreign",
            Speak,
            |verb| on(verb, foreign::deliver),
            |it| {
                it.named(
                    "deliver",
                    "Puts a letter from another system into the inbox: for gateways",
                )
                .takes::<DeliverLetter>()
                .answers::<DeliveredLetter>()
                .fails(&[413, 422, 500])
            },
        ),
        route(
            Get,
            "/v1/letters/foreign",
            Speak,
            |verb| on(verb, foreign::postings),
            |it| {
                it.named(
                    "carry",
                    "Takes the letters to another system, for as long as the stream is read: for gateways",
                )
                .needs("system", "the system, such as k98kurz", Text)
                .streams::<Posting>("each event, named `letter`, is a letter and the number to answer to")
            },
        ),
        route(
            Post,
            "/v1/letters/foreign/{posting}",
            Speak,
            |verb| on(verb, foreign::posted),
            |it| {
                it.named(
                    "posted",
                    "Says that such a letter is on its way, or why not",
                )
                .takes::<Posted>()
                .answers::<Posted>()
                .fails(&[404])
            },
        ),
        route(
            Post,
            "/v1/letters/rotate",
            Speak,
            |verb| on(verb, letters::rotate),
            |it| {
                it.named(
                    "rotate",
                    "Changes the delivery code, and tells the contacts",
                )
                .takes::<Rotate>()
                .answers::<Rotated>()
                .fails(&WRITING)
            },
        ),
        route(
            Get,
            "/v1/letters/contacts",
            Read,
            |verb| on(verb, letters::contacts),
            |it| {
                it.named("contacts", "Whose letters are acknowledged")
                    .answers::<Vec<Contact>>()
                    .fails(&LETTERS)
            },
        ),
        route(
            Post,
            "/v1/letters/contacts",
            Speak,
            |verb| on(verb, letters::add_contact),
            |it| {
                it.named("add_contact", "Adds a contact")
                    .takes::<Contact>()
                    .answers::<Contact>()
                    .fails(&LETTERS)
            },
        ),
        route(
            Delete,
            "/v1/letters/contacts/{id}",
            Speak,
            |verb| on(verb, letters::remove_contact),
            |it| {
                it.named("remove_contact", "Removes a contact")
                    .answers::<Contact>()
                    .fails(&LETTERS)
            },
        ),
        // The network.
        route(
            Get,
            "/v1/peers",
            Read,
            |verb| on(verb, peers::list),
            |it| {
                it.named("peers", "The links")
                    .query("all", "those being opened or closed, too", Flag)
                    .answers::<Vec<view::Peer>>()
            },
        ),
        route(
            Post,
            "/v1/peers",
            Admin,
            |verb| on(verb, peers::join),
            |it| {
                it.named("join", "Links to nodes")
                    .takes::<Join>()
                    .answers::<Vec<Linked>>()
            },
        ),
        route(
            Get,
            "/v1/peers/{id}",
            Read,
            |verb| on(verb, peers::show),
            |it| {
                it.named("peer", "One link")
                    .answers::<view::Peer>()
                    .fails(&[404])
            },
        ),
        route(
            Delete,
            "/v1/peers/{id}",
            Admin,
            |verb| on(verb, peers::drop),
            |it| {
                it.named("drop", "Unlinks")
                    .answers::<Linked>()
                    .fails(&[404])
            },
        ),
        route(
            Get,
            "/v1/members",
            Read,
            |verb| on(verb, peers::members),
            |it| {
                it.named("members", "All known nodes")
                    .answers::<Vec<view::Member>>()
            },
        ),
        route(
            Get,
            "/v1/seeds",
            Read,
            |verb| on(verb, peers::seeds),
            |it| {
                it.named(
                    "seeds",
                    "The registries this node has to do with, and what it keeps as one",
                )
                .answers::<view::Seeds>()
            },
        ),
        route(
            Get,
            "/v1/topology",
            Read,
            |verb| on(verb, topology::topology),
            |it| {
                it.named("topology", "The links this node knows of")
                    .answers::<view::Topology>()
            },
        ),
        route(
            Get,
            "/v1/traces",
            Read,
            |verb| on(verb, topology::list),
            |it| {
                it.named("traces", "The bulletins that came last, and how they came")
                    .answers::<Vec<view::Passage>>()
            },
        ),
        route(
            Get,
            "/v1/traces/{id}",
            Read,
            |verb| on(verb, topology::trace),
            |it| {
                it.named("trace", "Which way a bulletin took")
                    .answers::<view::Trace>()
                    .fails(&[404])
            },
        ),
        // The node.
        route(
            Get,
            "/v1/topics",
            Read,
            |verb| on(verb, state::topics),
            |it| {
                it.named("topics", "The subscribed topics")
                    .answers::<Vec<view::Topic>>()
            },
        ),
        route(
            Get,
            "/v1/status",
            Read,
            |verb| on(verb, state::status),
            |it| {
                it.named("status", "How the node is doing")
                    .answers::<view::Status>()
            },
        ),
        route(
            Get,
            "/v1/identity",
            Read,
            |verb| on(verb, state::identity),
            |it| {
                it.named("identity", "Who the node is, and how to reach it")
                    .answers::<Identity>()
            },
        ),
        route(
            Post,
            "/v1/keys/{name}/unlock",
            Admin,
            |verb| on(verb, keys::unlock),
            |it| {
                it.named("unlock", "Opens a key that is under a passphrase")
                    .takes::<Unlock>()
                    .answers::<Unlocked>()
                    .fails(&KEYS)
            },
        ),
        route(
            Post,
            "/v1/keys/{name}/lock",
            Admin,
            |verb| on(verb, keys::lock),
            |it| {
                it.named("lock", "Forgets a key that is open")
                    .takes::<Lock>()
                    .answers::<Unlocked>()
                    .fails(&KEYS)
            },
        ),
        route(
            Get,
            "/v1/ws",
            Read,
            |verb| on(verb, ws::open),
            |it| {
                it.named(
                    "socket",
                    "A WebSocket of JSON texts: publish, subscribe, validate",
                )
                .opens::<Ask, Told>()
                .fails(&[426])
            },
        ),
        // How it has been going.
        route(
            Get,
            "/v1/series",
            Read,
            |verb| on(verb, figures::series),
            |it| {
                it.named(
                    "series",
                    "What passed in the last hour or day, in even steps",
                )
                .query(
                    "range",
                    "which of the two; 1h without it",
                    OneOf(&["1h", "24h"]),
                )
                .query("after_ms", "only steps that begin then or later", Number)
                .answers::<Series>()
            },
        ),
        route(
            Get,
            "/v1/defence",
            Read,
            |verb| on(verb, figures::defence),
            |it| {
                it.named("defence", "What was refused, and to whom")
                    .answers::<Defence>()
            },
        ),
        route(
            Get,
            "/v1/logs",
            Read,
            |verb| on(verb, figures::logs),
            |it| {
                it.named("logs", "The last 1,000 lines of the log, and those to come")
                    .streams::<LogLine>("each event is a line; an event `gap` counts lines that were not read in time")
            },
        ),
        route(
            Put,
            "/v1/logs",
            Admin,
            |verb| on(verb, figures::set_filter),
            |it| {
                it.named("set_log", "Changes what is logged")
                    .takes::<LogFilter>()
                    .answers::<LogFilter>()
                    .fails(&[409])
            },
        ),
        route(
            Get,
            "/metrics",
            Read,
            |verb| on(verb, figures::prometheus),
            |it| {
                it.named("metrics", "Everything that is counted, for Prometheus")
                    .answers_as(200, crate::metrics::KIND)
            },
        ),
        // Who may ask.
        route(
            Get,
            "/v1/tokens",
            Admin,
            |verb| on(verb, tokens::list),
            |it| {
                it.named("tokens", "The tokens, without their texts")
                    .answers::<Vec<TokenEntry>>()
            },
        ),
        route(
            Post,
            "/v1/tokens",
            Admin,
            |verb| on(verb, tokens::create),
            |it| {
                it.named("make_token", "Makes a token")
                    .takes::<MakeToken>()
                    .answers::<NewToken>()
                    .fails(&[409, 422, 500])
            },
        ),
        route(
            Delete,
            "/v1/tokens/{id}",
            Admin,
            |verb| on(verb, tokens::revoke),
            |it| {
                it.named("revoke_token", "Ends a token")
                    .answers::<TokenEntry>()
                    .fails(&[404, 422, 500])
            },
        ),
        route(
            Post,
            "/v1/sessions",
            Admin,
            |verb| on(verb, tokens::link),
            |it| {
                it.named(
                    "dashboard_link",
                    "Makes a link that opens the dashboard once",
                )
                .takes::<NewLink>()
                .answers::<Link>()
                .fails(&[404, 500])
            },
        ),
        // Without a token.
        route(
            Get,
            "/healthz",
            Open,
            |verb| on(verb, state::healthy),
            |it| {
                it.named("healthz", "Answers while the process lives")
                    .answers::<Health>()
            },
        ),
        route(
            Get,
            "/readyz",
            Open,
            |verb| on(verb, state::ready),
            |it| {
                it.named(
                    "readyz",
                    "Whether the node has links, or is alone by configuration",
                )
                .answers::<Health>()
                .answers_with::<Health>(503)
            },
        ),
        route(
            Get,
            "/openapi.json",
            Open,
            |verb| on(verb, openapi::serve),
            |it| {
                it.named("openapi", "This description")
                    .answers_as(200, "application/json")
            },
        ),
        route(
            Get,
            "/ui/",
            Open,
            |verb| on(verb, ui::index),
            |it| {
                it.named("dashboard", "The dashboard")
                    .answers_as(200, "text/html; charset=utf-8")
                    .answers_bare(304)
                    .fails(&[404])
            },
        ),
        route(
            Get,
            "/ui/login",
            Open,
            |verb| on(verb, ui::login),
            |it| {
                it.named("login", "Takes the code of a link for a session")
                    .needs("once", "the code", Text)
                    .answers_bare(303)
                    .fails(&[500])
            },
        ),
        route(
            Get,
            "/ui/{*file}",
            Open,
            |verb| on(verb, ui::file),
            |it| {
                it.named("dashboard_file", "A file of the dashboard")
                    .answers_as(200, "*/*")
                    .answers_bare(304)
                    .fails(&[404])
            },
        ),
    ]
};
