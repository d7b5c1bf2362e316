//! Random choices of a gateway, from a seed its caller gives: a state machine without surprises.

/// A source of choices nobody can foretell without the seed.
#[derive(Debug)]
pub struct Chance {
    seed: [u8; 32],
    drawn: u64,
}

impl Chance {
    /// The source of `seed`: 32 bytes of the operating system's randomness, or fixed ones in a test.
    pub const fn new(seed: [u8; 32]) -> Self {
        Self { seed, drawn: 0 }
    }

    /// Any number.
    pub fn draw(&mut self) -> u64 {
        self.drawn = self.drawn.wrapping_add(1);
        let mut bytes = [0; 8];
        let mut hasher = blake3::Hasher::new_keyed(&self.seed);
        hasher.update(&self.drawn.to_be_bytes());
        hasher.finalize_xof().fill(&mut bytes);
        u64::from_be_bytes(bytes)
    }

    /// At most `count` of `all`, in any order.
    pub fn some_of<T>(&mut self, mut all: Vec<T>, count: usize) -> Vec<T> {
        let mut chosen = Vec::new();
        while chosen.len() < count && !all.is_empty() {
            // Uneven by less than one in 2^40 for any list that fits into memory.
            let among = u64::try_from(all.len()).unwrap_or(u64::MAX);
            let at = usize::try_from(self.draw() % among).unwrap_or(0);
            chosen.push(all.swap_remove(at));
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_are_each_chosen_once_and_every_one_in_its_turn() {
        let mut chance = Chance::new([1; 32]);
        let mut counts = [0; 10];
        for _ in 0..1_000 {
            let mut chosen = chance.some_of((0..10_usize).collect(), 3);
            assert_eq!(chosen.len(), 3);
            chosen.dedup();
            assert_eq!(chosen.len(), 3);
            for at in chosen {
                counts[at] += 1;
            }
        }
        assert!(
            counts.iter().all(|count| (200..400).contains(count)),
            "{counts:?}"
        );
        assert_eq!(chance.some_of(vec![1, 2], 5).len(), 2);
    }

    #[test]
    fn the_same_seed_draws_the_same() {
        let draws = |seed| {
            let mut chance = Chance::new(seed);
            [chance.draw(), chance.draw()]
        };
        assert_eq!(draws([1; 32]), draws([1; 32]));
        assert_ne!(draws([1; 32]), draws([2; 32]));
    }
}
