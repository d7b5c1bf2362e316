//! The examples of `docs/api.md` do what the page says, with `curl` and a daemon.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::process::Command;

use common::{Daemon, run, skip};
use serde_json::Value;

/// A fenced block of a page.
#[derive(Default)]
struct Block {
    language: String,
    text: String,
    /// Whether it begins where another ended: what that one is answered.
    is_answer: bool,
}

fn blocks(page: &str) -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut is_answer = false;
    for line in page.lines() {
        match (line.strip_prefix("```"), open.take()) {
            (Some(language), None) => {
                open = Some(Block {
                    language: language.to_owned(),
                    is_answer,
                    ..Block::default()
                });
            }
            (Some(_), Some(block)) => {
                blocks.push(block);
                is_answer = true;
            }
            (None, Some(mut block)) => {
                block.text += line;
                block.text.push('\n');
                open = Some(block);
            }
            (None, None) => is_answer = false,
        }
    }
    blocks
}

/// Asserts that `answer` has every key of `example`, with values of the same kind.
fn assert_like(example: &Value, answer: &Value, place: &str) {
    match (example, answer) {
        (Value::Object(example), Value::Object(answer)) => {
            for (key, value) in example {
                let found = answer
                    .get(key)
                    .unwrap_or_else(|| panic!("{place} has no {key}"));
                assert_like(value, found, &format!("{place}.{key}"));
            }
        }
        (Value::Array(example), Value::Array(answer)) => {
            if let Some(first) = example.first() {
                assert!(!answer.is_empty(), "{place} is empty");
                for each in answer {
                    assert_like(first, each, place);
                }
            }
        }
        _ => assert_eq!(
            std::mem::discriminant(example),
            std::mem::discriminant(answer),
            "{place}: {example} and {answer}"
        ),
    }
}

#[test]
fn every_example_is_answered_as_the_page_says() {
    if Command::new("curl").arg("--version").output().is_err() {
        return skip("e2e_api_docs", "there is no curl");
    }
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
    let page = std::fs::read_to_string(page).unwrap();
    let blocks = blocks(&page);
    let daemon = Daemon::start(&["--price", "0", "--dashboard", "127.0.0.1:0"]);
    let (mut shell, mut tried) = (String::new(), 0);
    for (at, Block { language, text, .. }) in blocks.iter().enumerate() {
        if language != "sh" {
            continue;
        }
        if text.starts_with("api()") {
            shell.push_str(text);
            continue;
        }
        let mut command = Command::new("sh");
        command
            .env("DATA", daemon.data())
            .args(["-c", &format!("{shell}{text}")]);
        let done = run(&mut command, "");
        assert_eq!(done.code, 0, "{text}{done:?}");
        assert!(!done.out.is_empty(), "{text}");
        if let Some(answered) = blocks.get(at + 1)
            && answered.is_answer
        {
            let answer =
                serde_json::from_str(&done.out).unwrap_or_else(|e| panic!("{e}: {}", done.out));
            let example = serde_json::from_str(&answered.text)
                .unwrap_or_else(|e| panic!("{e}: {}", answered.text));
            assert_like(&example, &answer, text);
        }
        tried += 1;
    }
    assert!(tried > 10, "{tried}");
}
