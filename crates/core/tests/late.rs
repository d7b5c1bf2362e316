//! Checks that end when whoever gave cause for them has left.
#![expect(clippy::arithmetic_side_effects, reason = "tests count small things")]

mod solo;

use bruit_core::bulletin::{Bulletin, Header};
use bruit_core::config::Config;
use bruit_core::event::{Action, Event, JobId};
use bruit_core::id::{LinkId, TopicId};
use bruit_core::identity::{SecretKey, Signature};
use bruit_core::link::CloseReason;
use bruit_core::network::Network;
use bruit_core::wire::encode_pub;
use bruit_core::work::Price;
use solo::Solo;

const NOW_MS: u64 = 1_800_000_000_000;

fn network() -> Network {
    Network::new("late", Price::FREE, None)
}

/// A bulletin with a signature that is nobody's.
fn forged(solo: &Solo) -> Bulletin {
    let author = SecretKey::from_seed(&[1; 32]);
    let body = b"not mine".as_slice();
    let header = Header::post(TopicId::of("news"), author.author_id(), body, solo.now.wall);
    let mut bulletin = Bulletin::sign(header, body.into(), network().id(), &author);
    bulletin.signature = Signature::from_bytes([1; 64]);
    bulletin
}

/// Hands over `bulletin`; returns the check that it takes, which is not done yet.
fn push(solo: &mut Solo, link: LinkId, bulletin: &Bulletin) -> Option<JobId> {
    let frame = encode_pub(7, 1, bulletin);
    let actions = solo.engine.handle(Event::Frame { link, frame }, solo.now);
    actions.into_iter().find_map(|action| match action {
        Action::Verify { job, .. } => Some(job),
        _ => None,
    })
}

#[test]
fn whoever_left_before_a_signature_was_found_bad_is_blamed_and_nothing_of_them_is_kept() {
    let mut solo = Solo::new(&network(), NOW_MS);
    let links = [solo.link(), solo.link()];
    let nodes = links.map(|link| {
        let views = solo.engine.links();
        let view = views.iter().find(|view| view.link == link);
        view.expect("it is there").peer
    });
    let bulletin = forged(&solo);
    let job = push(&mut solo, links[0], &bulletin).expect("it is checked");
    assert_eq!(push(&mut solo, links[1], &bulletin), None, "it is, already");
    for link in links {
        solo.feed(Event::LinkDown {
            link,
            reason: CloseReason::Quit,
            by_peer: true,
        });
    }
    solo.feed(Event::Verified { job, good: false });

    let blamed = solo.engine.discouraged(solo.now.mono);
    let blamed: Vec<_> = blamed.map(|(node, ..)| node).collect();
    assert_eq!(blamed, [nodes[0]], "the second may have been told the same");
    let fills = solo.engine.fills(&Config::new(network()));
    let wanted = fills.iter().find(|fill| fill.what == "ids wanted");
    assert_eq!(wanted.expect("it is a table").used, 0);
    assert!(solo.engine.peer_states().is_empty());
}
