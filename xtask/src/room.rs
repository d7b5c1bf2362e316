//! Whether the disk has room for what the checks build. Where it runs out, compilers and linkers say so in their
//! own ways, of which a bus error is one.

use std::path::Path;
use std::process::Command;

use crate::cargo::{Workspace, answer};
use crate::report::Outcome;

/// Bytes all builds of a run take in the target folder.
const BUILDS: u64 = 14 << 30;

/// Fails when what the target folder has and what is free beside it is less than a run takes.
pub(crate) fn check(workspace: &Workspace) -> Outcome {
    let target = workspace.target();
    match (free(target), taken(target)) {
        (Ok(free), Ok(taken)) => judge(free, taken),
        (Err(why), _) | (_, Err(why)) => Outcome::Skipped(why),
    }
}

fn judge(free: u64, taken: u64) -> Outcome {
    if free.saturating_add(taken) >= BUILDS {
        return Outcome::Ok(format!("{} GB free", free >> 30));
    }
    Outcome::Failed(format!(
        "{} GB free for builds that take {}: make room, or set CARGO_TARGET_DIR to a folder that has it",
        free >> 30,
        BUILDS.saturating_sub(taken) >> 30
    ))
}

/// Bytes free to us where `folder` lies.
fn free(folder: &Path) -> Result<u64, String> {
    let table = answer(Command::new("df").arg("-Pk").arg(folder))?;
    let row = table.lines().nth(1).unwrap_or_default();
    kilobytes(row.split_whitespace().nth(3), "df")
}

/// Bytes of the files in `folder`.
fn taken(folder: &Path) -> Result<u64, String> {
    let row = answer(Command::new("du").arg("-sk").arg(folder))?;
    kilobytes(row.split_whitespace().next(), "du")
}

fn kilobytes(field: Option<&str>, program: &str) -> Result<u64, String> {
    let count: Option<u64> = field.and_then(|field| field.parse().ok());
    let count = count.ok_or_else(|| format!("{program} does not answer as POSIX says"))?;
    Ok(count << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_without_room_fails_and_says_how_much_is_missing() {
        assert_eq!(judge(20 << 30, 0), Outcome::Ok("20 GB free".into()));
        assert_eq!(judge(1 << 30, BUILDS), Outcome::Ok("1 GB free".into()));
        let Outcome::Failed(why) = judge(2 << 30, BUILDS - (5 << 30)) else {
            panic!("2 GB for 5 more");
        };
        assert!(why.starts_with("2 GB free for builds that take 5"), "{why}");
    }

    #[test]
    fn this_disk_is_measured() {
        let workspace = Workspace::find().unwrap();
        assert!(free(workspace.root()).unwrap() > 0);
        assert!(taken(&workspace.root().join("xtask/src")).unwrap() > 10_000);
    }
}
