//! Any operations, with the power cut and the disk failing in between, against a model in memory (after
//! redb's own fuzzer). What is done is chosen by a seed, or by the bytes of the fuzz target `store`.

use super::super::faults::{Faulty, Platter};
use super::power_cut::{Model, any_write};
use super::*;
use crate::store::disk::{Body, Disk};

/// A store and what it must hold.
struct Pair<C> {
    dice: C,
    faulty: Faulty,
    disk: Disk,
    model: Model,
    top_seq: u64,
    operations: u64,
    cuts: u64,
    failures: u64,
}

impl<C: Chance> Pair<C> {
    fn new(dice: C) -> Self {
        let faulty = Faulty::created();
        let (disk, _) = open(&faulty);
        Self {
            dice,
            faulty,
            disk,
            model: Model::default(),
            top_seq: 0,
            operations: 0,
            cuts: 0,
            failures: 0,
        }
    }

    /// One batch, which may be cut short by the power or by the disk; or some reads; or a restart.
    fn step(&mut self) {
        match self.dice.below(16) {
            0 => self.restart(),
            1 => self.fail(),
            2 | 3 => self.cut(),
            4..9 => self.read(),
            _ => {
                let batch = self.batch();
                self.disk.apply(&batch, self.top_seq).unwrap();
                self.model.apply_all(&batch);
                self.tidy().unwrap();
            }
        }
    }

    fn batch(&mut self) -> Vec<Write> {
        let count = 1 + self.dice.below(6);
        self.operations += count;
        let mut writes = Vec::new();
        for _ in 0..count {
            self.top_seq += 1;
            writes.push(any_write(&mut self.dice, self.top_seq));
        }
        writes
    }

    /// Packs bodies, as far as chance will have it.
    fn tidy(&mut self) -> Result<(), StoreError> {
        while self.dice.below(4) > 0 && self.disk.tidy()? {}
        Ok(())
    }

    /// The disk fails somewhere in a batch: it is there, or it is not.
    fn fail(&mut self) {
        let batch = self.batch();
        self.faulty.fail_after(self.dice.below(30));
        let applied = self.disk.apply(&batch, self.top_seq);
        let applied = applied.and_then(|_| self.tidy());
        self.faulty.fail_after(u64::MAX);
        let mut after = self.model.clone();
        after.apply_all(&batch);
        match applied {
            Ok(()) => self.model = after,
            Err(error) => {
                self.failures += 1;
                assert!(matches!(error, StoreError::Io { .. }), "{error}");
                self.reopen(self.faulty.bytes(), &[after]);
            }
        }
    }

    /// The power goes somewhere in a batch: it is there, or it is not.
    fn cut(&mut self) {
        self.cuts += 1;
        // What was on the disk before the batch is synced: every batch ends with that.
        let mut platter = Platter::new(self.faulty.bytes());
        let begun = self.faulty.log().len();
        let batch = self.batch();
        self.disk.apply(&batch, self.top_seq).unwrap();
        self.tidy().unwrap();
        let log = self.faulty.log();
        let ends =
            begun + usize::try_from(self.dice.below((log.len() - begun + 1) as u64)).unwrap();
        log[begun..ends]
            .iter()
            .for_each(|operation| platter.apply(operation));
        let odds = self.dice.below(5);
        let dice = &mut self.dice;
        let image = platter.cut(|| dice.below(4) < odds);
        let mut after = self.model.clone();
        after.apply_all(&batch);
        self.reopen(image, &[after]);
    }

    fn restart(&mut self) {
        self.disk.close(self.top_seq).unwrap();
        self.reopen(self.faulty.bytes(), &[]);
    }

    /// Opens what is left, which must be what the model says or one of `others`.
    fn reopen(&mut self, image: Vec<u8>, others: &[Model]) {
        let found = Model::read(image.clone(), false).digest();
        if found != self.model.digest() {
            let other = others.iter().find(|other| other.digest() == found);
            self.model = other
                .expect("the store is as before the batch, or as after it")
                .clone();
        }
        self.faulty = Faulty::with_bytes(image);
        let (disk, recovered) = open(&self.faulty);
        assert_eq!(recovered.mended, None);
        self.disk = disk;
        self.top_seq = self.top_seq.max(recovered.next_seq);
    }

    fn read(&mut self) {
        self.operations += 1;
        let held: BTreeMap<_, _> = self
            .model
            .bodies
            .values()
            .map(|body| (body.id, body))
            .collect();
        let wanted = id(1 + self.dice.below(60));
        let expected = held
            .get(&wanted)
            .map_or(Body::None, |body| Body::Whole(body.bytes.clone()));
        assert_eq!(self.disk.body(&wanted).unwrap(), expected);
        let after = self.dice.below(self.top_seq + 1);
        let limit = usize::try_from(1 + self.dice.below(20)).unwrap();
        let topics = (self.dice.below(2) == 0).then(|| vec![topic(self.dice.below(4))]);
        let scan = scan(topics, after, self.dice.below(60_000), limit);
        let read = self.disk.page(&scan).unwrap();
        let matching = self.model.bodies.values().filter(|body| scan.matches(body));
        let expected: Vec<_> = matching.take(limit).cloned().collect();
        let found = &read.page.rows;
        assert_eq!(found[..], expected[..found.len()], "{scan:?}");
        assert!(
            read.page.next.is_some() || found.len() == expected.len(),
            "{scan:?}"
        );
        assert!(read.damaged.is_empty());
    }
}

fn open(faulty: &Faulty) -> (Disk, Recovered) {
    let options = StoreOptions {
        check_bytes_max: 0,
        ..options()
    };
    Disk::open(Box::new(faulty.clone()), &options).unwrap()
}

fn run(seed: u64, operations: u64) {
    let mut pair = Pair::new(Dice(seed));
    while pair.operations < operations {
        pair.step();
    }
    println!(
        "{} operations, {} power cuts, {} failures",
        pair.operations, pair.cuts, pair.failures
    );
}

/// Bytes as choices, each taking as few as it needs. When none are left the first is chosen.
struct Script<'a>(&'a [u8]);

impl Script<'_> {
    fn take(&mut self, count: usize) -> u64 {
        let (bytes, rest) = self.0.split_at(count.min(self.0.len()));
        self.0 = rest;
        bytes
            .iter()
            .fold(0, |sum, byte| sum << 8 | u64::from(*byte))
    }
}

impl Chance for Script<'_> {
    fn roll(&mut self) -> u64 {
        self.take(8)
    }

    fn below(&mut self, end: u64) -> u64 {
        let count = match end {
            ..=0x100 => 1,
            0x101..=0x1_0000 => 2,
            _ => 8,
        };
        self.take(count) % end
    }
}

/// What the fuzz target `store` runs: operations as `data` chooses them, until there is no more of it.
pub(crate) fn fuzzed(data: &[u8]) {
    const OPERATIONS_MAX: u64 = 300;
    let mut pair = Pair::new(Script(data));
    while !pair.dice.0.is_empty() && pair.operations < OPERATIONS_MAX {
        pair.step();
    }
    pair.restart();
}

/// The corpus of the fuzz target `store`, run without a fuzzer. With `BLESS=1` in the environment its seeds
/// are written anew; what a fuzzer has added stays.
#[test]
fn every_file_of_the_corpus_leaves_what_the_model_says() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/store");
    if std::env::var_os("BLESS").is_some() {
        std::fs::create_dir_all(&folder).unwrap();
        for (seed, len) in [(1, 64), (2, 256), (3, 1_024), (4, 2_048)] {
            let mut dice = Dice(seed);
            let bytes: Vec<u8> = (0..len)
                .map(|_| u8::try_from(dice.below(256)).unwrap())
                .collect();
            std::fs::write(folder.join(format!("seed-{seed}")), bytes).unwrap();
        }
    }
    let mut run = 0;
    for file in std::fs::read_dir(&folder).unwrap() {
        let file = file.unwrap().path();
        println!("{}", file.display());
        fuzzed(&std::fs::read(file).unwrap());
        run += 1;
    }
    assert!(run >= 4, "{run} files");
}

#[test]
fn any_operations_leave_what_the_model_says() {
    run(Dice::new(13).0, 20_000);
}

/// `OPERATIONS` of them, a million unless it says otherwise, from `SEED` on.
#[test]
#[ignore = "minutes: cargo xtask nightly model"]
fn a_million_operations_leave_what_the_model_says() {
    let operations = std::env::var("OPERATIONS")
        .ok()
        .and_then(|text| text.parse().ok());
    let seed = Dice::new(1).0;
    let mut left: u64 = operations.unwrap_or(1_000_000);
    for seed in seed.. {
        let part = left.min(20_000);
        println!("SEED={seed}");
        run(seed, part);
        left -= part;
        if left == 0 {
            break;
        }
    }
}
