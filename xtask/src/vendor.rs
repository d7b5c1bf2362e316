//! `cargo xtask vendor`: what others made for the dashboard, in files of their own with their licences.
//!
//! `xtask/vendor.toml` names each package, its version, and the BLAKE3 hash of its archive and of each file as it
//! lies here. Invariant: nothing lies in `dashboard/vendor/` that the list does not name with its hash. Fetching
//! needs npm; building, running and checking do not.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::cargo::Workspace;
use crate::report::{Outcome, Report};
use crate::step::{execute, timed};

/// The list, from the root.
const LIST: &str = "xtask/vendor.toml";
/// Where the files lie, from the root.
const FOLDER: &str = "dashboard/vendor";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct List {
    package: Vec<Package>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Package {
    name: String,
    version: String,
    /// As SPDX names it; for people.
    #[serde(rename = "licence")]
    _licence: String,
    /// The hash of the archive npm gives.
    archive: String,
    file: Vec<File>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    /// Where it is in the package.
    from: String,
    /// Where it goes below [`FOLDER`].
    to: String,
    /// The hash of what lies there.
    hash: String,
    /// What is changed in it: each pair occurs exactly once.
    #[serde(default)]
    replace: Vec<[String; 2]>,
}

/// Fetches every package and writes its files; fails where a hash is not the one of the list.
///
/// # Errors
/// When the list cannot be read.
pub(crate) fn run(workspace: &Workspace) -> Result<Report, String> {
    let list = List::read(workspace.root())?;
    let scratch = workspace.target().join("xtask/vendor");
    let mut report = Report::default();
    for package in &list.package {
        report.push(timed(&package.name, || {
            let done = package.fetch(&scratch, &workspace.root().join(FOLDER));
            done.map_or_else(Outcome::Failed, |()| Outcome::Ok(package.version.clone()))
        }));
    }
    report.push(timed("files", || {
        match findings(workspace.root(), &list).as_slice() {
            [] => Outcome::Ok(String::new()),
            wrong => Outcome::Failed(wrong.join("; ")),
        }
    }));
    Ok(report)
}

impl List {
    fn read(root: &Path) -> Result<Self, String> {
        let path = root.join(LIST);
        let text = fs::read_to_string(&path).map_err(|e| format!("{}: {e}", path.display()))?;
        toml::from_str(&text).map_err(|e| format!("{LIST}: {e}"))
    }
}

impl Package {
    fn fetch(&self, scratch: &Path, folder: &Path) -> Result<(), String> {
        let scratch = scratch.join(&self.name);
        fs::remove_dir_all(&scratch).ok();
        fs::create_dir_all(&scratch).map_err(|e| format!("{}: {e}", scratch.display()))?;
        let archive = self.pack(&scratch)?;
        same(&self.archive, &read(&archive)?, "its archive")?;
        let mut unpack = Command::new("tar");
        well(unpack.arg("-xzf").arg(&archive).arg("-C").arg(&scratch))?;
        self.file
            .iter()
            .try_for_each(|file| file.put(&scratch.join("package"), folder))
    }

    /// The archive, as npm gives it.
    fn pack(&self, scratch: &Path) -> Result<PathBuf, String> {
        let named = format!("{}@{}", self.name, self.version);
        let mut npm = Command::new("npm");
        npm.args(["pack", "--silent", "--ignore-scripts", &named]);
        well(npm.current_dir(scratch))?;
        Ok(scratch.join(format!("{}-{}.tgz", self.name, self.version)))
    }
}

impl File {
    fn put(&self, package: &Path, folder: &Path) -> Result<(), String> {
        let text = String::from_utf8(read(&package.join(&self.from))?);
        let mut text = text.map_err(|_| format!("{} is no text", self.from))?;
        for [old, new] in &self.replace {
            if text.matches(old.as_str()).count() != 1 {
                return Err(format!("{} does not have `{old}` once", self.from));
            }
            text = text.replace(old.as_str(), new);
        }
        same(&self.hash, text.as_bytes(), &self.to)?;
        let path = folder.join(&self.to);
        let parent = path.parent().expect("a file lies in a folder");
        fs::create_dir_all(parent)
            .and_then(|()| fs::write(&path, text))
            .map_err(|e| format!("{}: {e}", path.display()))
    }
}

/// What lies in the folder and should not, and the other way round.
fn findings(root: &Path, list: &List) -> Vec<String> {
    let folder = root.join(FOLDER);
    let files = list.package.iter().flat_map(|package| &package.file);
    let mut found: Vec<String> = files
        .clone()
        .filter_map(|file| {
            let bytes = read(&folder.join(&file.to));
            bytes
                .and_then(|bytes| same(&file.hash, &bytes, &file.to))
                .err()
        })
        .collect();
    let named: BTreeSet<PathBuf> = files.map(|file| folder.join(&file.to)).collect();
    let strangers = below(&folder)
        .into_iter()
        .filter(|path| !named.contains(path));
    found.extend(strangers.map(|path| format!("{} is not in {LIST}", path.display())));
    found
}

fn below(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .flat_map(|entry| match entry.path() {
            path if path.is_dir() => below(&path),
            path => vec![path],
        })
        .collect()
}

fn same(hash: &str, bytes: &[u8], what: &str) -> Result<(), String> {
    let got = blake3::hash(bytes).to_hex();
    if got.as_str() == hash {
        return Ok(());
    }
    Err(format!("{what}: {got} is not the {hash} of the list"))
}

fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("{}: {error}", path.display()))
}

fn well(command: &mut Command) -> Result<(), String> {
    match execute(command) {
        Outcome::Failed(why) => Err(format!("{command:?}: {why}")),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn vendored_files_are_what_the_list_says_and_nothing_else() {
        let workspace = Workspace::find().unwrap();
        let list = List::read(workspace.root()).unwrap();
        assert_eq!(findings(workspace.root(), &list), Vec::<String>::new());
    }

    #[test]
    fn a_changed_file_and_a_stranger_are_found() {
        let root = std::env::temp_dir().join(format!("xtask-vendor-{}", std::process::id()));
        let folder = root.join(FOLDER);
        fs::create_dir_all(&folder).unwrap();
        fs::write(folder.join("a.js"), "changed").unwrap();
        fs::write(folder.join("b.js"), "").unwrap();
        let hash = blake3::hash(b"as it was").to_hex();
        let list = format!(
            "[[package]]\nname = 'a'\nversion = '1'\nlicence = 'MIT'\narchive = ''\n\
             file = [{{ from = 'a.js', to = 'a.js', hash = '{hash}' }}]"
        );
        let found = findings(&root, &toml::from_str(&list).unwrap());
        fs::remove_dir_all(&root).unwrap();
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found[0].starts_with("a.js: "), "{found:?}");
        assert!(
            found[1].ends_with("b.js is not in xtask/vendor.toml"),
            "{found:?}"
        );
    }
}
