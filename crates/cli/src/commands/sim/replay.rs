//! `bruit sim replay FILE`: runs the recording of a daemon again and compares what the engine answers.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;

use bruit_sim::replay::{self, Difference, End, Ending, HeadError, ReplayError, Replayed};
use clap::Args;
use serde::Serialize;

use crate::failure::{Exit, Failure};
use crate::output;

/// Run the recording of a daemon (`bruit run --record FILE`) again: an engine is told the same at the same
/// moments, and must answer with the same actions. Exit code 1 names the first answer that is another one.
/// A recording that breaks off, as that of a daemon that was killed does, is run as far as it goes.
#[derive(Debug, Args)]
#[command(
    after_help = "Examples:\n  bruit sim replay seen.journal\n  bruit sim replay seen.journal --json"
)]
pub(super) struct Replay {
    /// The recording
    #[arg(value_name = "FILE")]
    file: PathBuf,
}

/// What is printed.
#[derive(Debug, Serialize)]
struct Answer {
    id: String,
    program: String,
    events: u64,
    kinds: BTreeMap<&'static str, u64>,
    seconds: f64,
    actions: u64,
    delivered: u64,
    same: bool,
    /// `stopped`, `overrun`, `failed`, `cut`, `damaged`; none when the engine answered something else before.
    end: Option<&'static str>,
    difference: Option<Differing>,
}

/// An answer that is not the recorded one, as it is printed.
#[derive(Debug, Serialize)]
struct Differing {
    event: u64,
    kind: &'static str,
    at_s: f64,
    recorded: u32,
    answered: u32,
}

impl Replay {
    pub(super) async fn run(self, json: bool) -> Result<(), Failure> {
        let file = File::open(&self.file).map_err(|error| Failure::file(&self.file, &error))?;
        let work = move || replay::replay(BufReader::new(file));
        let done = tokio::task::spawn_blocking(work).await;
        let replayed = done.map_err(|error| {
            let message = format!("the replay broke off: {error}");
            Failure::new(
                Exit::Negative,
                "crashed",
                message,
                "report this, with the file",
            )
        })?;
        let replayed = replayed.map_err(|error| self.refused(error))?;
        output::line(&if json {
            output::json(&answer(&replayed))
        } else {
            text(&replayed)
        })?;
        judged(&replayed)
    }

    fn refused(&self, error: ReplayError) -> Failure {
        let path = self.file.display();
        if let ReplayError::Io(error) = error {
            return Failure::file(&self.file, &error);
        }
        let fix = match error {
            ReplayError::Head(HeadError::Foreign) => "name what `bruit run --record FILE` wrote",
            ReplayError::Head(_) => "run it with the version of bruit that recorded it",
            _ => "record again: nothing can be done without its beginning",
        };
        let message = format!("{path} cannot be run again: {error}");
        Failure::new(Exit::Usage, "recording", message, fix)
    }
}

fn answer(replayed: &Replayed) -> Answer {
    Answer {
        id: replayed.me.to_string(),
        program: replayed.program.clone(),
        events: replayed.events,
        kinds: replayed.kinds.clone(),
        seconds: replayed.time.as_secs_f64(),
        actions: replayed.actions,
        delivered: replayed.delivered,
        same: replayed.is_same(),
        end: match replayed.ending {
            Ending::Meant(End::Stopped) => Some("stopped"),
            Ending::Meant(End::Overrun) => Some("overrun"),
            Ending::Meant(End::Failed) => Some("failed"),
            Ending::Cut => Some("cut"),
            Ending::Damaged => Some("damaged"),
            Ending::Unknown => None,
        },
        difference: replayed.difference.as_ref().map(differing),
    }
}

fn differing(difference: &Difference) -> Differing {
    Differing {
        event: difference.event,
        kind: difference.kind,
        at_s: difference.at.as_secs_f64(),
        recorded: difference.recorded,
        answered: difference.answered,
    }
}

fn text(replayed: &Replayed) -> String {
    let kinds = replayed.kinds.iter();
    let kinds: Vec<_> = kinds
        .map(|(kind, count)| format!("{count} {kind}"))
        .collect();
    let pairs = output::pairs([
        ("node", replayed.me.to_string()),
        ("recorded by", format!("bruit {}", replayed.program)),
        (
            "events",
            format!("{} ({})", replayed.events, kinds.join(", ")),
        ),
        ("over", format!("{:.3} s", replayed.time.as_secs_f64())),
        ("actions", replayed.actions.to_string()),
        ("delivered", format!("{} bulletins", replayed.delivered)),
    ]);
    let end = match replayed.ending {
        Ending::Meant(End::Stopped) => "the same actions",
        Ending::Meant(End::Overrun) => {
            "the same actions, up to where there was more than could be written in time"
        }
        Ending::Meant(End::Failed) => "the same actions, up to where the file took no more",
        Ending::Cut => "the same actions, up to where the recording breaks off",
        Ending::Damaged | Ending::Unknown => return output::escape_lines(&pairs),
    };
    output::escape_lines(&format!("{pairs}\n\n{end}"))
}

/// Exit code 1 when an answer is another one, or the recording was changed.
fn judged(replayed: &Replayed) -> Result<(), Failure> {
    if let Some(difference) = &replayed.difference {
        let Difference {
            event,
            kind,
            at,
            recorded,
            answered,
        } = difference;
        let at = at.as_secs_f64();
        let message = format!(
            "event {event} ({kind}, {at:.6} s after the start) has another answer: \
             {recorded} actions then, {answered} now, or in other words"
        );
        let program = &replayed.program;
        let fix = format!("run it with the very program that recorded it, of version {program}");
        return Err(Failure::new(Exit::Negative, "differs", message, fix));
    }
    if replayed.ending == Ending::Damaged {
        let message = format!(
            "the recording is damaged after event {}: its bytes are not those that were written",
            replayed.events
        );
        let fix = "take another copy of it; up to there, the actions are the same";
        return Err(Failure::new(Exit::Negative, "damaged", message, fix));
    }
    Ok(())
}
