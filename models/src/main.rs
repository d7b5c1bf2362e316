//! Explores the models to their ends, and prints how many states each has.
//!
//! `bruit-models [--shortest] [WORDS...]`: all of them, or those whose names have these words. Exit code 1: a
//! promise was not kept, or a planted fault was not found. `--shortest` looks for the shortest way to a broken
//! promise, with more memory.

use std::collections::VecDeque;
use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use bruit_models::net::{Action, Net, State};
use bruit_models::{Question, Subject, subjects};
use stateright::{Checker, HasDiscoveries, Model, Path, Property};

/// A subject as the checker takes it.
struct Explored(Subject);

impl Model for Explored {
    type State = State;
    type Action = Action;

    fn init_states(&self) -> Vec<State> {
        self.0.net.begins().to_vec()
    }

    fn actions(&self, state: &State, actions: &mut Vec<Action>) {
        actions.extend(self.0.net.actions(state));
    }

    fn next_state(&self, state: &State, action: Action) -> Option<State> {
        Some(self.0.net.next(state, action))
    }

    fn properties(&self) -> Vec<Property<Self>> {
        let promises = self.0.promises.iter().zip(PROMISES);
        let promises = promises.map(|((name, _), asked)| Property::always(name, asked));
        let sights = self.0.sights.iter().zip(SIGHTS);
        let sights = sights.map(|((name, _), asked)| Property::sometimes(name, asked));
        promises.chain(sights).collect()
    }
}

/// A property is a function without a memory: these ask the first question, the second, and so on.
type Asked = fn(&Explored, &State) -> bool;
const PROMISES: [Asked; 4] = [promise::<0>, promise::<1>, promise::<2>, promise::<3>];
const SIGHTS: [Asked; 2] = [sight::<0>, sight::<1>];

fn promise<const AT: usize>(explored: &Explored, state: &State) -> bool {
    explored.0.promises[AT].1(&explored.0.net, state)
}

fn sight<const AT: usize>(explored: &Explored, state: &State) -> bool {
    explored.0.sights[AT].1(&explored.0.net, state)
}

fn main() -> ExitCode {
    let (options, words): (Vec<String>, Vec<String>) = std::env::args()
        .skip(1)
        .partition(|word| word.starts_with("--"));
    let is_shortest = options.iter().any(|option| option == "--shortest");
    let full = |subject: &Subject| format!("{}: {}", subject.room, subject.name);
    let is_asked = |subject: &Subject| {
        words.is_empty()
            || words
                .iter()
                .any(|word| full(subject).contains(word.as_str()))
    };
    let chosen = subjects().into_iter().filter(is_asked);
    let waiting: Mutex<VecDeque<Subject>> = Mutex::new(chosen.collect());
    let take = || {
        let mut waiting = waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.pop_front()
    };
    let begun = Instant::now();
    let (states, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let cores = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| {
        for _ in 0..cores {
            scope.spawn(|| {
                while let Some(subject) = take() {
                    let name = full(&subject);
                    let found = explore(&name, subject, is_shortest);
                    states.fetch_add(found.states, Ordering::Relaxed);
                    failed.fetch_add(usize::from(!found.is_well), Ordering::Relaxed);
                }
            });
        }
    });
    let (states, failed) = (states.into_inner(), failed.into_inner());
    let took = begun.elapsed().as_secs();
    println!("{states} states in all, {took} s; {failed} not as they should be");
    ExitCode::from(u8::from(failed > 0 || states == 0))
}

/// What came of a subject.
struct Found {
    states: usize,
    is_well: bool,
}

/// Explores all states of a subject.
fn explore(name: &str, subject: Subject, is_shortest: bool) -> Found {
    let begun = Instant::now();
    let is_faulty = subject.is_faulty;
    let checker = Explored(subject)
        .checker()
        .finish_when(HasDiscoveries::AnyFailures);
    // One thread: what is explored first, and so every figure, is the same each time.
    if is_shortest {
        judge(name, is_faulty, begun, &checker.spawn_bfs().join())
    } else {
        judge(name, is_faulty, begun, &checker.spawn_dfs().join())
    }
}

fn judge(name: &str, is_faulty: bool, begun: Instant, checker: &impl Checker<Explored>) -> Found {
    let discoveries = checker.discoveries();
    let Explored(subject) = checker.model();
    let is_found = |(question, _): &&Question| discoveries.contains_key(question);
    let broken: Vec<&Question> = subject.promises.iter().filter(is_found).collect();
    let unseen = subject
        .sights
        .iter()
        .filter(|sight| !is_found(sight) && !is_faulty);
    let unseen: Vec<&Question> = unseen.collect();
    let states = checker.unique_state_count();
    println!(
        "{name}: {states} states, of {} of single nodes; {} steps between them, at most {} in a row; {:.1} s",
        subject.net.steps(),
        checker.state_count(),
        checker.max_depth(),
        begun.elapsed().as_secs_f64(),
    );
    for (question, _) in &broken {
        let is_meant = if is_faulty { ", as is meant" } else { "" };
        println!("{name}: not so{is_meant}: {question}");
        if let Some(path) = discoveries.get(question).filter(|_| !is_faulty) {
            tell(&subject.net, path);
        }
    }
    for (question, _) in &unseen {
        println!("{name}: never seen: {question}");
    }
    if is_faulty && broken.is_empty() {
        println!("{name}: the planted fault was not found");
    }
    Found {
        states,
        is_well: is_faulty != broken.is_empty() && unseen.is_empty(),
    }
}

/// Prints how it came about.
fn tell(net: &Net, path: &Path<State, Action>) {
    for (state, action) in path.clone().into_vec() {
        match action {
            Some(action) => println!("  {}", net.words(&state, action)),
            None => println!("  {}", state.fault().unwrap_or("and rest")),
        }
    }
}
