//! One step: what runs, how it is timed, how its end becomes an outcome.

use std::process::{Command, ExitStatus};
use std::thread;
use std::time::{Duration, Instant};

use crate::report::{Outcome, Row, seconds};

/// How often a command with a limit is looked at.
const LOOK: Duration = Duration::from_millis(50);

/// Runs a step and says how it ended.
pub(crate) fn timed(name: &str, step: impl FnOnce() -> Outcome) -> Row {
    println!("\n━━ {name}");
    let start = Instant::now();
    let outcome = step();
    let took = start.elapsed();
    println!("━━ {name}: {outcome} ({})", seconds(took));
    Row {
        name: name.into(),
        outcome,
        took: Some(took),
    }
}

/// Runs a command whose exit code is the outcome.
pub(crate) fn execute(command: &mut Command) -> Outcome {
    match command.status() {
        Ok(status) if status.success() => Outcome::Ok(String::new()),
        Ok(status) => Outcome::Failed(ended(status)),
        Err(error) => Outcome::Failed(format!("{command:?}: {error}")),
    }
}

/// Runs a command whose exit code is the outcome, and ends it when it takes longer than `limit`.
pub(crate) fn within(command: &mut Command, limit: Duration) -> Outcome {
    let mut child = match command.spawn() {
        Ok(child) => child,
        Err(error) => return Outcome::Failed(format!("{command:?}: {error}")),
    };
    let start = Instant::now();
    loop {
        match child.try_wait() {
            Ok(Some(status)) if status.success() => return Outcome::Ok(String::new()),
            Ok(Some(status)) => return Outcome::Failed(ended(status)),
            Ok(None) if start.elapsed() < limit => thread::sleep(LOOK),
            Ok(None) => {
                child.kill().and_then(|()| child.wait()).ok();
                return Outcome::Failed(format!("not done after {}", seconds(limit)));
            }
            Err(error) => return Outcome::Failed(format!("{command:?}: {error}")),
        }
    }
}

fn ended(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("exit code {code}"),
        None => status.to_string(),
    }
}

/// Adds `note` to what an outcome says.
pub(crate) fn with_note(outcome: Outcome, note: &str) -> Outcome {
    let add = |text: String| {
        if text.is_empty() {
            note.into()
        } else {
            format!("{text}; {note}")
        }
    };
    match outcome {
        Outcome::Ok(text) => Outcome::Ok(add(text)),
        Outcome::Failed(text) => Outcome::Failed(add(text)),
        Outcome::Skipped(text) => Outcome::Skipped(add(text)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cargo::Workspace;

    #[test]
    fn notes_follow_what_the_step_said_itself() {
        let failed = Outcome::Failed("2 findings".into());
        assert_eq!(
            with_note(failed, "own"),
            Outcome::Failed("2 findings; own".into())
        );
        assert_eq!(
            with_note(Outcome::Ok(String::new()), "own"),
            Outcome::Ok("own".into())
        );
    }

    #[test]
    fn a_command_that_takes_too_long_is_ended_and_failed() {
        let mut quick = Command::new("true");
        assert_eq!(
            within(&mut quick, Duration::from_mins(1)),
            Outcome::Ok(String::new())
        );
        let mut fails = Command::new("false");
        assert_eq!(
            within(&mut fails, Duration::from_mins(1)),
            Outcome::Failed("exit code 1".into())
        );
        let mut sleeps = Command::new("sleep");
        let start = Instant::now();
        let outcome = within(sleeps.arg("60"), Duration::from_millis(100));
        assert_eq!(outcome, Outcome::Failed("not done after 0.1 s".into()));
        assert!(start.elapsed() < Duration::from_secs(30));
    }

    #[test]
    fn a_command_that_fails_or_cannot_start_fails_its_step() {
        let workspace = Workspace::find().unwrap();
        let mut fails = workspace.cargo();
        fails
            .arg("no-such-subcommand")
            .stderr(std::process::Stdio::null());
        assert_eq!(execute(&mut fails), Outcome::Failed("exit code 101".into()));
        assert!(matches!(
            execute(&mut Command::new("/no/such/program")),
            Outcome::Failed(_)
        ));
    }
}
