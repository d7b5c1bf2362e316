//! `bruit demo`: a network of real nodes in one process, and what happens in it.
//!
//! The story: nodes join, say things, one is killed, the others go on, it comes back and catches up.
//! Everything that is printed was measured in this run: a wave's clock starts when the work for its
//! stamp is done and stops at another node's subscriber, and both clocks are one.

mod board;
mod events;
mod input;
mod waves;
mod world;

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use clap::Args;
use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use crate::args::Global;
use crate::failure::{Exit, Failure};
use crate::output;
use crate::signals::Stop;
use board::Board;
use events::Event;
use input::Input;
use waves::Waves;
use world::{Arrival, Said, World};

/// How long the story takes when --seconds does not say.
const STORY: Duration = Duration::from_secs(20);
/// Longest time the nodes may take to find each other.
const FORM_TIMEOUT: Duration = Duration::from_secs(30);
/// How long missing messages are waited for at the end.
const GRACE: Duration = Duration::from_secs(15);
/// How often the story is looked at.
const TICK: Duration = Duration::from_millis(50);

/// Run a network of real nodes on this machine and watch it: QUIC on 127.0.0.1, stores in a temporary
/// folder, the default price. One node is killed (its tasks die without a word to the others) and
/// started again. Exit code 0 when every live node got every message.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit demo\n  bruit demo --nodes 24 --seconds 30\n  bruit demo --seconds 15 --json | tail -1\n  bruit demo --no-dashboard\n\n\
                        Keys on a terminal, each with Enter: m TEXT says something, k N kills a node, r N starts it \
                        again, l lists the nodes, q ends, ? helps."
)]
pub(crate) struct Demo {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 12, value_parser = clap::value_parser!(u16).range(2..=200))]
    nodes: u16,
    /// End after so many seconds; without it, the demo goes on until q or Ctrl-C
    #[arg(long, value_name = "S", value_parser = clap::value_parser!(u64).range(1..=86_400))]
    seconds: Option<u64>,
    /// No port for the dashboard
    #[arg(long)]
    no_dashboard: bool,
}

impl Demo {
    pub(crate) async fn run(&self, global: &Global) -> Result<(), Failure> {
        let stop = Stop::new()?;
        let (arrived, arrivals) = mpsc::unbounded_channel();
        let world = World::new(arrived)?;
        let is_interactive =
            !global.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
        let mut director = Director {
            world,
            board: (!self.no_dashboard).then(Board::default),
            waves: Waves::default(),
            arrivals,
            saying: JoinSet::new(),
            input: Input::new(is_interactive),
            stop,
            json: global.json,
            said: 0,
        };
        let done = director.play(self).await;
        director.close_board().await;
        director.world.stop().await;
        done
    }
}

/// The scenes of the story, as moments from its beginning.
struct Script {
    killing: Duration,
    restarting: Duration,
    silence: Option<Duration>,
    end: Option<Duration>,
    /// Between two messages.
    pause: Duration,
}

impl Script {
    fn new(seconds: Option<u64>) -> Self {
        let end = seconds.map(Duration::from_secs);
        let length = end.unwrap_or(STORY);
        Self {
            killing: length.mul_f64(0.35),
            restarting: length.mul_f64(0.6),
            silence: end.map(|end| end.mul_f64(0.8)),
            end,
            pause: (length / 14).clamp(Duration::from_millis(150), Duration::from_millis(1_500)),
        }
    }
}

/// Runs the story.
struct Director {
    world: World,
    /// None where none is wanted.
    board: Option<Board>,
    waves: Waves,
    arrivals: mpsc::UnboundedReceiver<Arrival>,
    saying: JoinSet<Option<Said>>,
    input: Input,
    stop: Stop,
    json: bool,
    said: usize,
}

/// Whether the story goes on.
#[derive(PartialEq, Eq)]
enum Flow {
    On,
    Over,
}

/// Who ended the story.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Ended {
    Itself,
    ByRequest,
}

impl Director {
    async fn play(&mut self, demo: &Demo) -> Result<(), Failure> {
        if self.open(usize::from(demo.nodes)).await? == Flow::Over {
            return Ok(());
        }
        let script = Script::new(demo.seconds);
        self.input.greet();
        let ended = self.tell(&script).await?;
        self.settle().await?;
        self.close(ended).await
    }

    /// The nodes start one after the other, each joins up to three before it.
    async fn open(&mut self, nodes: usize) -> Result<Flow, Failure> {
        let start = Instant::now();
        for _ in 0..nodes {
            // Nothing ends a start half-way.
            if self.stop.asked().now_or_never().is_some() {
                return Ok(Flow::Over);
            }
            let event = self.world.add().await?;
            self.show(&event)?;
        }
        while !self.world.is_connected().await {
            if start.elapsed() > FORM_TIMEOUT {
                return Err(Failure::new(
                    Exit::Negative,
                    "not_formed",
                    format!("{nodes} nodes did not find each other within {FORM_TIMEOUT:?}"),
                    "try fewer with --nodes, or see whether something blocks UDP on 127.0.0.1",
                ));
            }
            tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(Flow::Over),
                () = tokio::time::sleep(TICK) => {}
            }
        }
        self.open_board().await?;
        let links = self.world.links().await;
        self.show(&Event::formed(nodes, links, start.elapsed()))?;
        Ok(Flow::On)
    }

    async fn tell(&mut self, script: &Script) -> Result<Ended, Failure> {
        let start = Instant::now();
        let mut next_message = Duration::ZERO;
        let mut tick = tokio::time::interval(TICK);
        let (mut is_killed, mut is_restarted) = (None, false);
        loop {
            tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(Ended::ByRequest),
                Some(arrival) = self.arrivals.recv() => self.waves.arrive(arrival),
                Some(Ok(said)) = self.saying.join_next() => self.said(said)?,
                Some(line) = self.input.next() => {
                    if self.obey(&line).await? == Flow::Over {
                        return Ok(Ended::ByRequest);
                    }
                }
                _ = tick.tick() => {}
            }
            self.show_waves()?;
            let now = start.elapsed();
            if script.end.is_some_and(|end| now >= end) {
                return Ok(Ended::Itself);
            }
            if now >= next_message && script.silence.is_none_or(|silence| now < silence) {
                next_message = now + script.pause;
                self.say(None);
            }
            if now >= script.killing && is_killed.is_none() {
                is_killed = Some(self.kill(self.world.quiet_one()).await?);
            }
            if let Some(Some(node)) = is_killed
                && now >= script.restarting
                && !is_restarted
            {
                is_restarted = true;
                // Somebody may have typed it already.
                let _ = self.restart(node).await?;
            }
        }
    }

    /// Waits until everybody has everything, or it takes too long.
    async fn settle(&mut self) -> Result<(), Failure> {
        let start = Instant::now();
        let mut tick = tokio::time::interval(TICK);
        loop {
            let is_done = self.saying.is_empty() && self.waves.missing(&self.world.live()) == 0;
            if is_done || start.elapsed() > GRACE {
                self.waves.give_up();
                return self.show_waves();
            }
            tokio::select! {
                biased;
                () = self.stop.asked() => return Ok(()),
                Some(arrival) = self.arrivals.recv() => self.waves.arrive(arrival),
                Some(Ok(said)) = self.saying.join_next() => self.said(said)?,
                _ = tick.tick() => {}
            }
            self.show_waves()?;
        }
    }

    async fn close(&mut self, ended: Ended) -> Result<(), Failure> {
        let totals = self.world.totals().await;
        let (killed, restarted) = (self.world.killed, self.world.restarted);
        let summary = self.waves.summary(
            &self.world.live(),
            self.world.count(),
            totals,
            killed,
            restarted,
        );
        let (expected, delivered) = (summary.expected, summary.delivered);
        self.show(&Event::Summary(summary))?;
        verdict(delivered, expected, ended)
    }

    fn say(&mut self, text: Option<String>) {
        self.said += 1;
        let text = text.unwrap_or_else(|| format!("message {}", self.said));
        if let Some(saying) = self.world.say(text) {
            self.saying.spawn(saying);
        }
    }

    fn said(&mut self, said: Option<Said>) -> Result<(), Failure> {
        let Some(said) = said else { return Ok(()) };
        self.show(&Event::published(&said))?;
        self.waves.begin(said, &self.world.live());
        Ok(())
    }

    /// Kills `node`, if there is one that may go; answers which.
    async fn kill(&mut self, node: Option<usize>) -> Result<Option<usize>, Failure> {
        let Some(node) = node else { return Ok(None) };
        if Board::is_of(node) {
            self.close_board().await;
        }
        if !self.world.kill(node).await {
            return Ok(None);
        }
        self.waves.forget(node);
        self.show(&Event::Killed { node })?;
        Ok(Some(node))
    }

    /// Starts `node` again; answers whether it was dead.
    async fn restart(&mut self, node: usize) -> Result<bool, Failure> {
        let event = self.world.restart(node).await?;
        event.iter().try_for_each(|event| self.show(event))?;
        if event.is_some() && Board::is_of(node) {
            self.open_board().await?;
        }
        Ok(event.is_some())
    }

    async fn open_board(&mut self) -> Result<(), Failure> {
        let Some(board) = &mut self.board else {
            return Ok(());
        };
        let event = board.open(&self.world).await?;
        event.iter().try_for_each(|event| self.show(event))
    }

    async fn close_board(&mut self) {
        if let Some(board) = &mut self.board {
            board.close().await;
        }
    }

    /// Does what was typed.
    async fn obey(&mut self, line: &str) -> Result<Flow, Failure> {
        match input::parse(line) {
            Ok(input::Order::Say(text)) => self.say(Some(text)),
            Ok(input::Order::Kill(node)) => {
                if self.kill(Some(node)).await?.is_none() {
                    output::line(&format!("no node {node} is alive: l lists them"))?;
                }
            }
            Ok(input::Order::Restart(node)) => {
                if !self.restart(node).await? {
                    output::line(&format!("no node {node} is dead: l lists them"))?;
                }
            }
            Ok(input::Order::List) => {
                for event in self.world.list().await {
                    self.show(&event)?;
                }
            }
            Ok(input::Order::Quit) => return Ok(Flow::Over),
            Ok(input::Order::Nothing) => {}
            Err(help) => output::line(help)?,
        }
        Ok(Flow::On)
    }

    fn show_waves(&mut self) -> Result<(), Failure> {
        for wave in self.waves.finished() {
            self.show(&Event::Wave(wave))?;
        }
        Ok(())
    }

    fn show(&self, event: &Event) -> Result<(), Failure> {
        output::line(&if self.json {
            output::json(event)
        } else {
            event.text()
        })?;
        Ok(())
    }
}

/// Whether the demo showed what it is to show. One that was ended before anybody spoke owes nothing.
fn verdict(delivered: usize, expected: usize, ended: Ended) -> Result<(), Failure> {
    if delivered == expected && (expected > 0 || ended == Ended::ByRequest) {
        return Ok(());
    }
    Err(Failure::new(
        Exit::Negative,
        "not_delivered",
        format!("{delivered} of {expected} deliveries came about"),
        "run it again with --log debug on a less busy machine, and report it if it stays so",
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_asked_for_the_end_may_see_nothing() {
        assert!(verdict(0, 0, Ended::ByRequest).is_ok());
        assert!(verdict(0, 0, Ended::Itself).is_err());
        for ended in [Ended::ByRequest, Ended::Itself] {
            assert!(verdict(12, 12, ended).is_ok());
            assert!(verdict(11, 12, ended).is_err());
        }
    }
}
