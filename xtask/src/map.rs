//! The map is true: every path that `ARCHITECTURE.md` names exists, and every source file of the
//! crates is on it.
//!
//! A path is inline code that ends in a file name's ending or in `/`, or begins with a folder of the
//! root; paths are written from the root. Fenced blocks are pictures, not paths. A folder on the map
//! covers the files below it when it is `crates/NAME/src` or deeper.

use std::fs;
use std::path::{Path, PathBuf};

/// The endings that make inline code a path.
const ENDINGS: [&str; 6] = [".rs", ".toml", ".md", ".py", ".sh", "/"];

#[test]
fn every_path_on_the_map_exists_and_every_source_file_is_on_it() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("xtask lies in the root");
    let map = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("ARCHITECTURE.md is there");
    let named = paths(&map, &folders(root));

    let lost: Vec<_> = named
        .iter()
        .filter(|path| !root.join(path).exists())
        .collect();
    assert!(
        lost.is_empty(),
        "ARCHITECTURE.md names what does not exist: {lost:#?}"
    );

    let off: Vec<_> = sources(root)
        .into_iter()
        .filter(|file| !covered(file, &named))
        .collect();
    assert!(off.is_empty(), "ARCHITECTURE.md does not name: {off:#?}");
}

/// The paths a text names.
fn paths(map: &str, folders: &[String]) -> Vec<String> {
    let mut named = Vec::new();
    let mut fenced = false;
    for line in map.lines() {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        } else if !fenced {
            named.extend(
                line.split('`')
                    .skip(1)
                    .step_by(2)
                    .filter(|code| is_path(code, folders)),
            );
        }
    }
    named
        .into_iter()
        .map(|path| path.trim_end_matches('/').to_owned())
        .collect()
}

fn is_path(code: &str, folders: &[String]) -> bool {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-./".contains(c);
    let rooted = || {
        folders
            .iter()
            .any(|folder| code.starts_with(&format!("{folder}/")))
    };
    code.chars().all(plain) && (ENDINGS.iter().any(|end| code.ends_with(end)) || rooted())
}

fn covered(file: &str, named: &[String]) -> bool {
    let deep_enough = |path: &&String| path.starts_with("crates/") && path.contains("/src");
    let below = |path: &String| Path::new(file).starts_with(path);
    named.iter().filter(deep_enough).any(below)
}

/// The folders in the root.
fn folders(root: &Path) -> Vec<String> {
    let entries = children(root).into_iter().filter(|path| path.is_dir());
    entries
        .filter_map(|path| Some(path.file_name()?.to_str()?.to_owned()))
        .collect()
}

/// The `.rs` files of `crates/*/src`, from the root, with `/` on every system.
fn sources(root: &Path) -> Vec<String> {
    let mut waiting: Vec<PathBuf> = children(&root.join("crates"))
        .into_iter()
        .map(|path| path.join("src"))
        .collect();
    let mut files = Vec::new();
    while let Some(path) = waiting.pop() {
        if path.is_dir() {
            waiting.extend(children(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            let file = path.strip_prefix(root).expect("the walk began in the root");
            files.push(
                file.to_str()
                    .expect("our files have plain names")
                    .replace('\\', "/"),
            );
        }
    }
    files.sort();
    files
}

fn children(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).unwrap_or_else(|e| panic!("{}: {e}", folder.display()));
    entries.map(|entry| entry.unwrap().path()).collect()
}

#[test]
fn inline_code_that_looks_like_a_path_is_one() {
    let map = "| time | `crates/core/src/time.rs` | `Now { mono, wall }` |\n\
               ```text\n`docs/picture.md`\n```\n\
               `Engine::handle`, `README.md`, `crates/core/src/wire/`, `crates/cli`, `a/b`";
    let named = paths(map, &["crates".into(), "docs".into()]);
    assert_eq!(
        named,
        [
            "crates/core/src/time.rs",
            "README.md",
            "crates/core/src/wire",
            "crates/cli"
        ]
    );
}

#[test]
fn a_folder_covers_its_files_and_a_crate_does_not() {
    let named = |path: &str| [path.to_owned()];
    let file = "crates/core/src/wire/frame.rs";
    assert!(covered(file, &named("crates/core/src/wire/frame.rs")));
    assert!(covered(file, &named("crates/core/src/wire")));
    assert!(covered(file, &named("crates/core/src")));
    assert!(!covered(file, &named("crates/core")));
    assert!(!covered(file, &named("crates/core/src/wir")));
}
