//! R3: what a parent does not bring is asked of the neighbour that told of it, and of four more by guess.
//!
//! Who told of it may be who withholds it, and neighbours that have it may not have had their turn to
//! say so. One that lacks it as well says no, and will push it as soon as it has it.

use rand_chacha::ChaCha8Rng;

use crate::draw;
use crate::id::LinkId;
use crate::link_map::LinkMap;
use crate::time::Mono;

use super::neighbour::{Bucket, Neighbour};
use super::wanted::{Ask, Request};

/// Draws neighbours that nobody spoke of, not too often.
#[derive(Debug, Clone)]
pub(super) struct Guesses {
    bucket: Bucket,
}

impl Guesses {
    /// Neighbours asked beside the one that told of a bulletin. Two find what is withheld 40 ms later.
    const EACH: usize = 4;
    /// Guesses in a second: under general delay everything is late, and guesses would add to it.
    const PER_S: u32 = 40;

    pub(super) fn new() -> Self {
        Self {
            bucket: Bucket::new(Self::PER_S, Mono::ZERO),
        }
    }

    /// The requests to be made beside `requests`: where a search begins for what a tree did not bring.
    pub(super) fn beside(
        &mut self,
        requests: &[Request],
        is_settled: impl Fn(u64) -> bool,
        links: &LinkMap<Neighbour>,
        rng: &mut ChaCha8Rng,
        now: Mono,
    ) -> Vec<Request> {
        let begins = |request: &&Request| {
            matches!(request.ask, Ask::Graft(tag) if is_settled(tag))
                && request.instead_of.is_none()
        };
        let mut guesses = Vec::new();
        for request in requests.iter().filter(begins) {
            if !self.bucket.take(Self::EACH, now) {
                break;
            }
            let others = links.iter().filter(|(link, neighbour)| {
                neighbour.mesh && !neighbour.is_slow && **link != request.link
            });
            let mut others: Vec<LinkId> = others.map(|(link, _)| *link).collect();
            draw::shuffle(rng, &mut others);
            let drawn = others.into_iter().take(Self::EACH);
            guesses.extend(drawn.map(|link| Request { link, ..*request }));
        }
        guesses
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rand_core::SeedableRng;

    use super::*;
    use crate::broadcast::holders::Seat;
    use crate::broadcast::neighbour::Allowance;
    use crate::id::ShortId;

    fn neighbour(mesh: bool) -> Neighbour {
        Neighbour {
            first: 0,
            seat: Seat::NONE,
            mesh,
            rtt: Duration::ZERO,
            is_slow: false,
            wants_kept: false,
            allowance: Box::new(Allowance {
                serve_bytes: Bucket::new(1, Mono::ZERO),
                chokes: Bucket::new(1, Mono::ZERO),
            }),
        }
    }

    fn request(number: u8, ask: Ask) -> Request {
        Request {
            link: LinkId::new(1),
            ask,
            id: ShortId::from_bytes([number; 16]),
            instead_of: None,
        }
    }

    /// Guesses beside `requests`, with neighbours 1 to 7, of which 7 is not in the mesh.
    fn beside(requests: &[Request]) -> Vec<Request> {
        let links = (1..=7).map(|number| (LinkId::new(number), neighbour(number < 7)));
        let mut rng = ChaCha8Rng::seed_from_u64(1);
        let is_settled = |tag| tag == 7;
        Guesses::new().beside(requests, is_settled, &links.collect(), &mut rng, Mono::ZERO)
    }

    #[test]
    fn four_others_of_the_mesh_are_asked_beside_the_one_that_told() {
        let guesses = beside(&[request(1, Ask::Graft(7))]);
        let mut links: Vec<u64> = guesses.iter().map(|guess| guess.link.number()).collect();
        links.sort_unstable();
        assert!(
            matches!(links[..], [2..=6, 3..=6, 4..=6, 5..=6]),
            "{links:?}"
        );
        assert!(guesses.iter().all(|guess| guess.ask == Ask::Graft(7)));
    }

    #[test]
    fn only_what_a_tree_did_not_bring_is_guessed_at_and_only_once() {
        assert_eq!(beside(&[request(1, Ask::Want)]), []);
        assert_eq!(beside(&[request(1, Ask::Graft(8))]), [], "it still grows");
        let again = Request {
            instead_of: Some(LinkId::new(2)),
            ..request(1, Ask::Graft(7))
        };
        assert_eq!(beside(&[again]), []);
    }

    #[test]
    fn when_everything_is_late_guesses_are_few() {
        let requests: Vec<Request> = (0..200)
            .map(|number| request(number, Ask::Graft(7)))
            .collect();
        let count = beside(&requests).len();
        assert!((38..=42).contains(&count), "{count}");
    }
}
