//! `top` and `chat`: on a real pseudo-terminal, and without one.
#![cfg(unix)]
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use common::{Daemon, PATIENCE};
use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Winsize, tcsetwinsize};

/// A command on a terminal of its own.
struct Screen {
    child: Child,
    keyboard: File,
    seen: Arc<Mutex<Vec<u8>>>,
}

impl Screen {
    fn start(command: &mut Command) -> Self {
        let ours = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let name = ptsname(&ours, Vec::new()).unwrap();
        let path = std::ffi::OsStr::from_bytes(name.as_bytes());
        let flags = OFlags::RDWR | OFlags::NOCTTY;
        let theirs: OwnedFd = rustix::fs::open(path, flags, Mode::empty()).unwrap();
        let size = Winsize {
            ws_row: 40,
            ws_col: 120,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&theirs, size).unwrap();
        let child = command
            .stdin(Stdio::from(theirs.try_clone().unwrap()))
            .stdout(Stdio::from(theirs))
            .stderr(Stdio::null())
            .env("TERM", "xterm")
            .spawn()
            .unwrap();
        let keyboard = File::from(ours);
        let mut screen = keyboard.try_clone().unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = Arc::clone(&seen);
        std::thread::spawn(move || {
            let mut bytes = [0; 4_096];
            // Ends with the terminal's other end.
            while let Ok(count @ 1..) = screen.read(&mut bytes) {
                kept.lock().unwrap().extend_from_slice(&bytes[..count]);
            }
        });
        Self {
            child,
            keyboard,
            seen,
        }
    }

    /// What was written, a blank for each command to the terminal: words are moved to their places.
    fn seen(&self) -> String {
        let seen = self.seen.lock().unwrap();
        let text = String::from_utf8_lossy(&seen);
        let mut parts = text.split("\u{1b}[");
        let first = parts.next().unwrap_or_default().to_owned();
        parts.fold(first, |text, part| {
            let rest = part.trim_start_matches(|c: char| !c.is_ascii_alphabetic());
            text + " " + rest.get(1..).unwrap_or_default()
        })
    }

    #[track_caller]
    fn wait_for(&self, text: &str) {
        let start = Instant::now();
        while !self.seen().contains(text) {
            assert!(
                start.elapsed() < PATIENCE,
                "no {text}: {}",
                self.seen().escape_debug()
            );
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).unwrap();
    }

    /// Waits for the end; answers the exit code.
    fn end(mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            if start.elapsed() > PATIENCE {
                self.child.kill().unwrap();
                panic!("it does not end: {}", self.seen().escape_debug());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // It may have ended already.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn top_draws_the_node_and_chat_takes_words_and_both_leave_the_terminal_as_it_was() {
    let daemon = Daemon::start(&["--price", "0"]);
    let mut top = Screen::start(&mut daemon.command(&["top"]));
    top.wait_for(&daemon.id()[..16]);
    top.wait_for("bulletins per second");
    top.press("q");
    let seen = Arc::clone(&top.seen);
    assert_eq!(top.end(), Some(0));
    let left = b"\x1b[?1049l";
    let has_left = || {
        seen.lock()
            .unwrap()
            .windows(left.len())
            .any(|part| part == left)
    };
    let start = Instant::now();
    while !has_left() {
        assert!(start.elapsed() < PATIENCE, "the other screen stays");
        std::thread::sleep(Duration::from_millis(20));
    }

    let mut chat = Screen::start(&mut daemon.command(&["chat", "lobby"]));
    chat.wait_for("lobby");
    daemon.run(&["pub", "lobby", "good evening"]).ok();
    chat.wait_for("good evening");
    chat.press("how do you do\r");
    let heard = daemon
        .run(&[
            "sub",
            "lobby",
            "--since",
            "1h",
            "--count",
            "2",
            "--timeout",
            "10s",
        ])
        .ok();
    assert!(heard.out.contains("how do you do"), "{}", heard.out);
    chat.press("\x03");
    assert_eq!(chat.end(), Some(0));
}

#[test]
fn without_a_terminal_top_says_so_and_chat_is_a_pipe() {
    let daemon = Daemon::start(&["--price", "0"]);
    let done = daemon.run(&["top"]);
    assert_eq!(done.code, 2, "{}", done.err);
    assert!(done.err.contains("--watch"), "{}", done.err);
    let done = common::run(&mut daemon.command(&["chat", "lobby"]), "one\n\ntwo\n");
    assert_eq!(done.code, 0, "{}", done.err);
    let heard = daemon
        .run(&[
            "sub",
            "lobby",
            "--since",
            "1h",
            "--count",
            "2",
            "--timeout",
            "10s",
        ])
        .ok();
    assert!(
        heard.out.contains("one") && heard.out.contains("two"),
        "{}",
        heard.out
    );
}
