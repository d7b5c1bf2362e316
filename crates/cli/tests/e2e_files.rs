//! Large contents between real daemons: intact, also at one that is killed on the way, and also when the writer
//! is gone.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use common::{Daemon, PATIENCE};

const BYTES: usize = 10 << 20;

fn content(bytes: usize) -> Vec<u8> {
    let words = (0..bytes / 4).map(|at| u32::try_from(at).unwrap());
    let bytes_of = |word: u32| word.wrapping_mul(2_654_435_761).to_be_bytes();
    words.flat_map(bytes_of).collect()
}

/// Sends one request with any body; answers head and body.
fn ask(daemon: &Daemon, head: &str, body: &[u8]) -> std::io::Result<(String, Vec<u8>)> {
    let token = std::fs::read_to_string(daemon.data().join("token"))?;
    let mut stream = UnixStream::connect(daemon.data().join("api.sock"))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "{head}\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\n\
         content-type: application/octet-stream\r\ncontent-length: {}\r\n\r\n",
        token.trim(),
        body.len()
    )?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let at = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let at = at.ok_or(std::io::ErrorKind::UnexpectedEof)?;
    let body = answer.split_off(at + 4);
    Ok((String::from_utf8_lossy(&answer).into_owned(), body))
}

fn put(daemon: &Daemon, content: &[u8]) -> String {
    let (head, body) = ask(daemon, "POST /v1/files?wait=stored HTTP/1.1", content).unwrap();
    let text = String::from_utf8_lossy(&body);
    assert!(head.starts_with("HTTP/1.1 200"), "{head} {text}");
    let answer: serde_json::Value = serde_json::from_str(&text).unwrap();
    answer["id"].as_str().unwrap().to_owned()
}

/// The whole content, within `timeout` from one chunk to the next.
fn get(daemon: &Daemon, id: &str) -> Vec<u8> {
    let (head, body) = ask(
        daemon,
        &format!("GET /v1/files/{id}?timeout=20s HTTP/1.1"),
        b"",
    )
    .unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    body
}

/// How many chunks are there, and how many there are.
fn chunks(daemon: &Daemon, id: &str) -> Option<(u32, u32)> {
    let request = format!("GET /v1/files/{id}?timeout=1ms HTTP/1.1\r\nrange: bytes=0-0");
    let (head, _) = ask(daemon, &request, b"").ok()?;
    let line = head
        .lines()
        .find_map(|line| line.strip_prefix("x-bruit-chunks: "))?;
    let (here, all) = line.split_once('/')?;
    Some((here.parse().ok()?, all.parse().ok()?))
}

#[test]
fn ten_mebibytes_arrive_intact_at_a_reader_that_was_killed_twice_and_at_all_others() {
    let writer = Daemon::start(&["--price", "0"]);
    let join = ["--price", "0", "--join", writer.address()];
    let others = [(); 3].map(|()| Daemon::start(&join));
    for daemon in [&writer].into_iter().chain(&others) {
        daemon.wait_for_links(3);
    }
    let content = content(BYTES);
    let began = Instant::now();
    let id = put(&writer, &content);
    println!("put after {:?}", began.elapsed());
    // On one machine all have it at once; so the reader comes when it is there already.
    let mut reader = Daemon::start(&join);
    let (mut had, mut halfway) = (0, 0);
    for _ in 0..2 {
        let start = Instant::now();
        let (here, all) = loop {
            match chunks(&reader, &id) {
                Some((here, all)) if here > had || here == all => break (here, all),
                _ => assert!(start.elapsed() < PATIENCE, "nothing more comes"),
            }
        };
        reader.process.kill();
        println!(
            "killed with {here} of {all} chunks, after {:?}",
            began.elapsed()
        );
        had = here;
        halfway += u32::from(here < all);
        reader.restart();
    }
    assert!(halfway > 0, "it was never killed on the way");
    assert!(
        get(&reader, &id) == content,
        "the reader has something else"
    );
    println!("the reader has it after {:?}", began.elapsed());
    for other in &others {
        assert!(get(other, &id) == content, "another has something else");
    }
    println!("all have it after {:?}", began.elapsed());
    // The writer goes, and somebody new comes.
    drop(writer);
    let late = Daemon::start(&["--price", "0", "--join", others[0].address()]);
    let start = Instant::now();
    assert!(
        get(&late, &id) == content,
        "the latecomer has something else"
    );
    println!("a latecomer has it {:?} after its start", start.elapsed());
    assert!(
        start.elapsed() < Duration::from_secs(10),
        "{:?}",
        start.elapsed()
    );
}

#[test]
fn a_content_that_is_too_large_is_explained() {
    let daemon = Daemon::start(&["--price", "0"]);
    let head = "POST /v1/files HTTP/1.1";
    let content = vec![0; (16 << 20) + 1];
    // The answer may come before everything was sent.
    if let Ok((head, body)) = ask(&daemon, head, &content) {
        assert!(head.starts_with("HTTP/1.1 413"), "{head}");
        let error: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(error["error"]["code"], "too_big");
        assert!(error["error"]["fix"].as_str().unwrap().contains("16 MiB"));
    }
    let id = put(&daemon, &content[1..]);
    assert!(get(&daemon, &id) == content[1..]);
}

#[test]
fn a_photograph_goes_there_and_back_by_the_commands() {
    let first = Daemon::start(&["--price", "0"]);
    let second = Daemon::start(&["--price", "0", "--join", first.address()]);
    second.wait_for_links(1);
    let folder = tempfile::tempdir().unwrap();
    let photo = folder.path().join("photo.jpg");
    let content = content(1_234_568);
    std::fs::write(&photo, &content).unwrap();
    let path = photo.to_str().unwrap();
    let put = [
        "--json", "put", "--file", path, "--name", "photo", "--tag", "jpg",
    ];
    let put = first.run(&put).ok().json();
    assert_eq!(
        (put["name"].as_str(), put["seq"].as_u64()),
        (Some("photo"), Some(1))
    );
    let address = format!("{}/photo", put["author"].as_str().unwrap());
    let out = folder.path().join("out.jpg");
    // What an earlier attempt left.
    std::fs::write(folder.path().join("out.jpg.part"), &content[..300_000]).unwrap();
    let get = [
        "get",
        &address,
        "--out",
        out.to_str().unwrap(),
        "--timeout",
        "20s",
    ];
    second.run(&get).ok();
    assert!(std::fs::read(&out).unwrap() == content);
    assert!(!folder.path().join("out.jpg.part").exists());
    // What is wrong with a part is noticed.
    std::fs::write(folder.path().join("out.jpg.part"), vec![7; 300_000]).unwrap();
    second.run(&get).ok();
    assert!(std::fs::read(&out).unwrap() == content);

    std::fs::write(&photo, vec![0; (16 << 20) + 1]).unwrap();
    let done = first.run(&["--json", "put", "--file", path]);
    assert_eq!(done.code, 6, "{done:?}");
    let error = done.error();
    assert_eq!(error["code"], "too_big");
    assert!(
        error["message"]
            .as_str()
            .unwrap()
            .contains("16777217 bytes"),
        "{error}"
    );
}
