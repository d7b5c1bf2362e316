//! `docs/api.md` names every route, and no other.
#![allow(clippy::unwrap_used, reason = "a test may fail")]

use bruit_api::openapi::document;

/// The table as the description has it, sorted by path.
fn table() -> String {
    let document = document();
    let mut rows = Vec::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, whole) in verbs.as_object().unwrap() {
            let scope = whole["x-scope"].as_str().unwrap_or("-");
            let summary = whole["summary"].as_str().unwrap();
            let verb = verb.to_ascii_uppercase();
            rows.push(format!("| `{verb} {path}` | {scope} | {summary} |"));
        }
    }
    rows.join("\n")
}

#[test]
fn the_page_names_every_route_with_the_token_it_takes() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/api.md");
    let page = std::fs::read_to_string(page).unwrap();
    let table = table();
    let missing: Vec<_> = table.lines().filter(|row| !page.contains(row)).collect();
    assert!(
        missing.is_empty(),
        "docs/api.md lacks:\n{}",
        missing.join("\n")
    );
    let is_route = |line: &&str| {
        let verb = line
            .strip_prefix("| `")
            .and_then(|rest| rest.split_once(" /"));
        verb.is_some_and(|(verb, _)| verb.chars().all(char::is_uppercase))
    };
    let rows = page.lines().filter(is_route);
    let others: Vec<_> = rows.filter(|row| !table.contains(row)).collect();
    assert!(
        others.is_empty(),
        "docs/api.md has too many:\n{}",
        others.join("\n")
    );
}
