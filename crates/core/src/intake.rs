//! Intake: from bytes somebody sent to values nobody need doubt.
//!
//! The order is fixed and cheapest first: length and shape (decoding) ▸ time window ▸ already known
//! or in work? ▸ price and work ▸ content hash ▸ signature. The last two are a job for the driver;
//! meanwhile the id is marked, and later copies are remembered as other sources. Bulletins,
//! node records and beacons all pass here, and only here is a [`Verified`] made.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::broadcast::Copy;
use crate::bulletin::Bulletin;
use crate::event::{Check, JobId, Refusal, Verdict};
use crate::id::{AuthorId, BulletinId, LinkId, ShortId, TopicId};
use crate::latest::Latest;
use crate::limits;
use crate::network::Network;
use crate::record::{Beacon, Record};
use crate::time::{Mono, Now, Wall, millis};

/// A value whose signature (and, for a bulletin, content hash, price, work and time) was checked.
///
/// Intake is the only place that makes one, so a room that takes a `Verified` need not check again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verified<T>(T);

impl<T> Verified<T> {
    /// Vouches for `value` in a test of another room.
    #[cfg(test)]
    pub(crate) const fn for_test(value: T) -> Self {
        Self(value)
    }

    /// The value.
    pub const fn get(&self) -> &T {
        &self.0
    }

    /// The value itself.
    pub fn into_inner(self) -> T {
        self.0
    }
}

/// What intake allows itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Config {
    /// Jobs under way at once; more are refused as `Busy` and asked for again. Default 4,096.
    pub jobs_max: usize,
    /// Bulletins before application validators at once; more are ignored. Default 1,024.
    pub judged_max: usize,
    /// Muted authors, per topic; the oldest are forgiven. Default 10,000.
    pub muted_max: usize,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            jobs_max: 4_096,
            judged_max: 1_024,
            muted_max: 10_000,
        }
    }
}

/// What is being checked.
#[derive(Debug, Clone)]
enum Job {
    Bulletin(Box<Arrived>),
    Record(LinkId, Box<Record>),
    Beacon(LinkId, Beacon),
}

/// A bulletin on its way through intake, and who sent it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrived {
    /// The bulletin.
    pub bulletin: Bulletin,
    /// Its copies so far, first one first; empty when made here.
    pub copies: Vec<Copy>,
}

/// What a finished job was about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Finished {
    /// A good bulletin.
    Bulletin(Verified<Bulletin>, Vec<Copy>),
    /// A bad bulletin: its first copy's sender is to blame, the other senders may have better.
    BadBulletin(Arrived),
    /// A good record.
    Record(LinkId, Verified<Record>),
    /// A good beacon.
    Beacon(LinkId, Verified<Beacon>),
    /// A bad record or beacon.
    Forged(LinkId),
}

#[derive(Debug, Clone)]
struct Judged {
    bulletin: Verified<Bulletin>,
    copies: Vec<Copy>,
    due: Mono,
}

/// Where an id is on its way.
#[derive(Debug, Clone, Copy)]
enum Place {
    Checked(JobId),
    Judged(BulletinId),
}

/// The room.
#[derive(Debug, Clone)]
pub struct Intake {
    config: Config,
    network: Network,
    jobs: BTreeMap<JobId, Job>,
    next_job: u64,
    in_work: BTreeMap<ShortId, Place>,
    judged: BTreeMap<BulletinId, Judged>,
    muted: BTreeMap<(TopicId, AuthorId), Mono>,
    /// What came before its time by our clock, and until when nobody else is asked for it.
    early: Latest<ShortId, Mono>,
    /// How far our wall clock led the monotonic one then, in milliseconds.
    early_lead_ms: u64,
}

impl Intake {
    /// Ids remembered as too early.
    const EARLY_MAX: usize = 4_096;
    /// Longest time for which nobody is asked for what came too early: ten neighbours announce it, and each
    /// would send it in vain.
    const EARLY_LONGEST: Duration = Duration::from_mins(10);
    /// A wall clock that moved by more against the monotonic one was set: what was too early need not be.
    const CLOCK_SET_MS: u64 = 1_000;

    /// Copies remembered of a bulletin in work.
    const COPIES_MAX: usize = 16;

    /// The intake of `network`.
    pub const fn new(config: Config, network: Network) -> Self {
        Self {
            config,
            network,
            jobs: BTreeMap::new(),
            next_job: 0,
            in_work: BTreeMap::new(),
            judged: BTreeMap::new(),
            muted: BTreeMap::new(),
            early: Latest::new(Self::EARLY_MAX),
            early_lead_ms: 0,
        }
    }

    /// Whether a bulletin's validity includes `now`.
    ///
    /// # Errors
    /// [`Refusal::Expired`], [`Refusal::Future`], or [`Refusal::Shape`] for too long a validity.
    pub fn check_time(bulletin: &Bulletin, now: Wall) -> Result<(), Refusal> {
        let header = &bulletin.header;
        if header.ttl() > limits::TTL_MAX {
            return Err(Refusal::Shape);
        }
        if header.created > now.plus(limits::FUTURE_MAX) {
            return Err(Refusal::Future(millis(header.created.since(now))));
        }
        if header.expires() <= now {
            return Err(Refusal::Expired);
        }
        Ok(())
    }

    /// Whether a bulletin's stamp pays the network's minimum by work that was done.
    ///
    /// # Errors
    /// [`Refusal::Price`] or [`Refusal::Work`].
    pub fn check_work(&self, bulletin: &Bulletin) -> Result<(), Refusal> {
        let header = &bulletin.header;
        let min = self
            .network
            .price()
            .bits_min(header.size_bytes, header.ttl());
        let got = bulletin.stamp.bits;
        if got < min {
            return Err(Refusal::Price { got, min });
        }
        if !bulletin.stamp.verify(bulletin.id()) {
            return Err(Refusal::Work);
        }
        Ok(())
    }

    /// Whether `id` is being checked or judged.
    pub fn is_in_work(&self, id: &ShortId) -> bool {
        self.in_work.contains_key(id)
    }

    /// Whether `id` need not be asked for: it is being checked or judged, or came too early.
    pub fn is_busy_with(&self, id: &ShortId, now: Now) -> bool {
        let is_early = |until: &Mono| now.mono < *until && !self.was_clock_set(now);
        self.is_in_work(id) || self.early.get(id).is_some_and(is_early)
    }

    /// Notes that `id` came `early` before its time.
    pub fn note_early(&mut self, id: ShortId, early: Duration, now: Now) {
        if self.was_clock_set(now) {
            self.early.clear();
            self.early_lead_ms = lead_ms(now);
        }
        let until = now.mono.plus(early.min(Self::EARLY_LONGEST));
        self.early.insert(id, until);
    }

    fn was_clock_set(&self, now: Now) -> bool {
        lead_ms(now).abs_diff(self.early_lead_ms) > Self::CLOCK_SET_MS
    }

    /// Notes another copy of a bulletin in work; answers whether it was one.
    pub fn another_copy(&mut self, id: &ShortId, copy: Copy) -> bool {
        let copies = match self.in_work.get(id) {
            None => return false,
            Some(Place::Checked(job)) => match self.jobs.get_mut(job) {
                Some(Job::Bulletin(arrived)) => Some(&mut arrived.copies),
                _ => None,
            },
            Some(Place::Judged(id)) => self.judged.get_mut(id).map(|judged| &mut judged.copies),
        };
        if let Some(copies) = copies.filter(|copies| copies.len() < Self::COPIES_MAX) {
            copies.push(copy);
        }
        true
    }

    /// Begins the costly checks of a bulletin that passed the cheap ones; `copy` is none when it was
    /// made here.
    ///
    /// # Errors
    /// [`Refusal::Muted`] or [`Refusal::Busy`].
    pub fn begin(
        &mut self,
        bulletin: Bulletin,
        copy: Option<Copy>,
    ) -> Result<(JobId, Check), Refusal> {
        let header = &bulletin.header;
        if self.muted.contains_key(&(header.topic, header.author)) {
            return Err(Refusal::Muted);
        }
        if self.jobs.len() >= self.config.jobs_max {
            return Err(Refusal::Busy);
        }
        let check = Check {
            key: *header.author.as_bytes(),
            message: header.signed_text(self.network.id()).into(),
            signature: bulletin.signature,
            content: Some((bulletin.content.clone(), *header.content_id.as_bytes())),
        };
        let short = bulletin.id().short();
        let arrived = Arrived {
            bulletin,
            copies: copy.into_iter().collect(),
        };
        let job = self.add(Job::Bulletin(Box::new(arrived)));
        self.in_work.insert(short, Place::Checked(job));
        Ok((job, check))
    }

    /// Begins the check of a record; none when too much is under way.
    pub fn begin_record(&mut self, link: LinkId, record: Record) -> Option<(JobId, Check)> {
        let check = Check {
            key: *record.body.node.as_bytes(),
            message: record.body.signed_text(self.network.id()).into(),
            signature: record.signature,
            content: None,
        };
        let job = || Job::Record(link, Box::new(record));
        (self.jobs.len() < self.config.jobs_max).then(|| (self.add(job()), check))
    }

    /// Begins the check of a beacon; none when too much is under way.
    pub fn begin_beacon(&mut self, link: LinkId, beacon: Beacon) -> Option<(JobId, Check)> {
        let text = Beacon::signed_text(&beacon.node, beacon.minute, self.network.id());
        let check = Check {
            key: *beacon.node.as_bytes(),
            message: Bytes::from(text),
            signature: beacon.signature,
            content: None,
        };
        (self.jobs.len() < self.config.jobs_max)
            .then(|| (self.add(Job::Beacon(link, beacon)), check))
    }

    fn add(&mut self, job: Job) -> JobId {
        let id = JobId(self.next_job);
        self.next_job = self.next_job.wrapping_add(1);
        self.jobs.insert(id, job);
        id
    }

    /// Takes the answer to a check. The only place where anything becomes [`Verified`].
    pub fn finish(&mut self, id: JobId, good: bool) -> Option<Finished> {
        Some(match (self.jobs.remove(&id)?, good) {
            (Job::Bulletin(arrived), true) => {
                self.in_work.remove(&arrived.bulletin.id().short());
                Finished::Bulletin(Verified(arrived.bulletin), arrived.copies)
            }
            (Job::Bulletin(arrived), false) => {
                self.in_work.remove(&arrived.bulletin.id().short());
                Finished::BadBulletin(*arrived)
            }
            (Job::Record(link, record), true) => Finished::Record(link, Verified(*record)),
            (Job::Beacon(link, beacon), true) => Finished::Beacon(link, Verified(beacon)),
            (Job::Record(link, _) | Job::Beacon(link, _), false) => Finished::Forged(link),
        })
    }

    /// Sets a good bulletin before the application's validator, which has until `due`; answers
    /// whether there was room.
    pub fn judge(&mut self, bulletin: Verified<Bulletin>, copies: Vec<Copy>, due: Mono) -> bool {
        if self.judged.len() >= self.config.judged_max {
            return false;
        }
        let id = *bulletin.get().id();
        self.in_work.insert(id.short(), Place::Judged(id));
        self.judged.insert(
            id,
            Judged {
                bulletin,
                copies,
                due,
            },
        );
        true
    }

    /// Takes the application's verdict. A rejected author is muted on that topic for as long as the
    /// bulletin would have been valid.
    pub fn verdict(
        &mut self,
        id: &BulletinId,
        verdict: Verdict,
        now: Now,
    ) -> Option<(Verified<Bulletin>, Vec<Copy>)> {
        let judged = self.judged.remove(id)?;
        self.in_work.remove(&id.short());
        let header = &judged.bulletin.get().header;
        if verdict == Verdict::Reject {
            if self.muted.len() >= self.config.muted_max {
                let oldest = self.muted.iter().min_by_key(|(_, until)| **until);
                if let Some(author) = oldest.map(|(author, _)| *author) {
                    self.muted.remove(&author);
                }
            }
            let until = now.mono.plus(header.expires().since(now.wall));
            self.muted.insert((header.topic, header.author), until);
        }
        Some((judged.bulletin, judged.copies))
    }

    /// Ids whose validator did not answer in time, and forgives authors whose time is over.
    pub fn overdue(&mut self, now: Mono) -> Vec<BulletinId> {
        self.muted.retain(|_, until| *until > now);
        self.judged
            .iter()
            .filter(|(_, judged)| judged.due <= now)
            .map(|(id, _)| *id)
            .collect()
    }

    /// When [`Intake::overdue`] has something to say.
    pub fn next_wakeup(&self) -> Option<Mono> {
        self.judged.values().map(|judged| judged.due).min()
    }

    /// Sizes of the tables, for the bounds checked in tests: jobs, judged bulletins, muted authors.
    pub fn footprint(&self) -> (usize, usize, usize) {
        (self.jobs.len(), self.judged.len(), self.muted.len())
    }
}

/// How far the wall clock leads the monotonic one.
fn lead_ms(now: Now) -> u64 {
    let mono = millis(now.mono.since(Mono::ZERO));
    now.wall.as_millis().saturating_sub(mono)
}
