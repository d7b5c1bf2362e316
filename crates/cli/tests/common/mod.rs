//! Real daemons in temporary folders on 127.0.0.1, and the commands that talk to them.
//!
//! Every process is started with an environment of its own, waited for with a deadline, and killed
//! by its own id when its handle is dropped.
#![allow(
    dead_code,
    unreachable_pub,
    reason = "each test binary uses a part of it, and unused parts are no mistake of theirs"
)]

pub mod api;
pub mod measure;
pub mod namespace;
pub mod overlay;

use std::ffi::OsStr;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read, Write as _};
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::time::{Duration, Instant};

use serde_json::Value;
use tempfile::TempDir;

/// Longest time anything here may take.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// `bruit` with an environment of its own: home is `home`, nothing of ours is set but that there is no
/// dashboard, and that the API takes more than usual.
pub fn bruit(home: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_bruit"));
    let ours = std::env::vars_os().filter(|(name, _)| name.to_string_lossy().starts_with("BRUIT"));
    for (name, _) in ours {
        command.env_remove(name);
    }
    command
        .env("HOME", home)
        .env("XDG_DATA_HOME", home.join("data"))
        .env("RUST_BACKTRACE", "0")
        // Many daemons on one machine, and nobody who looks on: tests of the dashboard say otherwise.
        .env("BRUIT__DASHBOARD__ENABLED", "false")
        // Tests ask faster than people: those of the limits say otherwise.
        .env("BRUIT__API__CONNECTIONS", "1024")
        .env("BRUIT__API__REQUESTS_PER_S", "1000000")
        .stdin(Stdio::null());
    command
}

/// What a finished command left.
#[derive(Debug)]
pub struct Done {
    /// Its exit code.
    pub code: i32,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Done {
    /// Asserts that all went well.
    #[track_caller]
    pub fn ok(self) -> Self {
        assert_eq!(self.code, 0, "{self:?}");
        self
    }

    /// The lines of its output as JSON.
    #[track_caller]
    pub fn json_lines(&self) -> Vec<Value> {
        let parse =
            |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
        self.out.lines().map(parse).collect()
    }

    /// Its one line of output as JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        match self.json_lines().as_mut_slice() {
            [value] => value.take(),
            lines => panic!("{} lines: {self:?}", lines.len()),
        }
    }

    /// The error in its last line of standard error.
    #[track_caller]
    pub fn error(&self) -> Value {
        let line = self.err.lines().last().unwrap_or_default();
        let value: Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {self:?}"));
        for key in ["code", "message", "fix"] {
            let text = value["error"][key].as_str().unwrap_or_default();
            assert!(!text.is_empty(), "no {key}: {self:?}");
        }
        value["error"].clone()
    }
}

/// Runs a command to its end, with `input` on its standard input.
#[track_caller]
pub fn run(command: &mut Command, input: &str) -> Done {
    let child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut child = Killed(child);
    let mut stdin = child.0.stdin.take().unwrap();
    // A command that does not read its input may close it early.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let out = gather(child.0.stdout.take().unwrap());
    let err = gather(child.0.stderr.take().unwrap());
    let code = wait(&mut child.0, PATIENCE).unwrap_or_else(|| panic!("{command:?} does not end"));
    let (out, err) = (out.recv().unwrap(), err.recv().unwrap());
    Done { code, out, err }
}

fn gather(mut stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, gathered) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        // What broke off is what there is.
        let _ = stream.read_to_end(&mut bytes);
        sender.send(String::from_utf8_lossy(&bytes).into_owned())
    });
    gathered
}

/// Waits for `child` to end; answers its exit code, -1 after a signal.
fn wait(child: &mut Child, patience: Duration) -> Option<i32> {
    let start = Instant::now();
    while start.elapsed() < patience {
        if let Some(status) = child.try_wait().unwrap() {
            return Some(status.code().unwrap_or(-1));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    None
}

/// A process that does not outlive its handle.
#[derive(Debug)]
struct Killed(Child);

impl Drop for Killed {
    fn drop(&mut self) {
        // One that has ended already cannot be killed any more.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A command that runs on, and the lines it prints.
#[derive(Debug)]
pub struct Running {
    child: Killed,
    lines: Receiver<String>,
    errors: Receiver<String>,
}

impl Running {
    /// Starts `command`.
    #[track_caller]
    pub fn start(command: &mut Command) -> Self {
        let child = command
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut child = Killed(child);
        Self {
            lines: lines(child.0.stdout.take().unwrap()),
            errors: lines(child.0.stderr.take().unwrap()),
            child,
        }
    }

    /// Waits for the next line of its output.
    #[track_caller]
    pub fn line(&self) -> String {
        self.lines
            .recv_timeout(PATIENCE)
            .expect("a line of output in time")
    }

    /// Waits for the next line of its output, which is JSON.
    #[track_caller]
    pub fn json(&self) -> Value {
        let line = self.line();
        serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"))
    }

    /// Whether no line comes within `time`.
    pub fn is_silent_for(&self, time: Duration) -> bool {
        self.lines.recv_timeout(time).is_err()
    }

    /// Waits for a line of its standard error that contains `text`.
    #[track_caller]
    pub fn wait_for_error_line(&self, text: &str) -> String {
        let start = Instant::now();
        let mut seen = Vec::new();
        while start.elapsed() < PATIENCE {
            match self.errors.recv_timeout(PATIENCE) {
                Ok(line) if line.contains(text) => return line,
                Ok(line) => seen.push(line),
                Err(_) => break,
            }
        }
        panic!("no line with {text:?} among {seen:#?}");
    }

    /// What it has written to standard error since somebody last looked.
    pub fn errors_so_far(&self) -> String {
        self.errors.try_iter().map(|line| line + "\n").collect()
    }

    /// The process's id.
    pub fn pid(&self) -> u32 {
        self.child.0.id()
    }

    /// Sends the signal `name`, such as `TERM`.
    #[track_caller]
    pub fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.pid().to_string()])
            .status()
            .unwrap();
        assert!(status.success(), "kill -{name}");
    }

    /// Kills it as `kill -9` does.
    pub fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// Waits for its end; answers the exit code, -1 after a signal.
    #[track_caller]
    pub fn wait(&mut self) -> i32 {
        wait(&mut self.child.0, PATIENCE).expect("it ends in time")
    }
}

fn lines(stream: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines() {
            let Ok(line) = line else { return };
            if sender.send(line).is_err() {
                return;
            }
        }
    });
    lines
}

/// A UDP address on 127.0.0.1 whose port is free now.
pub fn free_address() -> String {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.local_addr().unwrap().to_string()
}

/// Daemons at price 0 of which all but the first are told of the first alone, each with so many links.
#[track_caller]
pub fn network(count: usize, links: usize) -> Vec<Daemon> {
    let args = ["--profile", "local", "--price", "0"];
    let first = Daemon::start(&args);
    let address = first.address().to_owned();
    let join = [&["--join", &address][..], &args].concat();
    let mut daemons = vec![first];
    daemons.extend((1..count).map(|_| Daemon::start(&join)));
    for daemon in &daemons {
        daemon.wait_for_links(links);
    }
    daemons
}

/// A daemon that is ready, and its folder.
#[derive(Debug)]
pub struct Daemon {
    /// The process.
    pub process: Running,
    /// What its ready line said.
    pub ready: Value,
    data: PathBuf,
    home: TempDir,
    /// `run` and the like, and what it is given.
    words: Vec<String>,
    under: Vec<String>,
}

impl Daemon {
    /// Starts a daemon in a new folder, on 127.0.0.1 and any port, with `args` besides.
    #[track_caller]
    pub fn start(args: &[&str]) -> Self {
        let all = [&["--listen", "127.0.0.1:0"], args].concat();
        Self::start_plain(&all)
    }

    /// Starts a daemon in a new folder by another command than `run`.
    #[track_caller]
    pub fn start_as(command: &str, args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data/bruit");
        Self::start_words(&[], home, data, &[&[command], args].concat())
    }

    /// Starts a daemon in a new folder with `args` alone.
    #[track_caller]
    pub fn start_plain(args: &[&str]) -> Self {
        let home = tempfile::tempdir().unwrap();
        let data = home.path().join("data/bruit");
        Self::start_in(home, data, args)
    }

    /// Starts a daemon with the folder `data`, which may lie below `home`.
    #[track_caller]
    pub fn start_in(home: TempDir, data: PathBuf, args: &[&str]) -> Self {
        Self::start_under(&[], home, data, args)
    }

    /// Starts a daemon by way of the command `under`, which becomes it: `ip netns exec NAME`.
    #[track_caller]
    pub fn start_under(under: &[&str], home: TempDir, data: PathBuf, args: &[&str]) -> Self {
        Self::start_words(under, home, data, &[&["run"], args].concat())
    }

    #[track_caller]
    fn start_words(under: &[&str], home: TempDir, data: PathBuf, words: &[&str]) -> Self {
        let words: Vec<_> = words.iter().map(ToString::to_string).collect();
        let under: Vec<_> = under.iter().map(ToString::to_string).collect();
        let (process, ready) = launch(&under, home.path(), &data, &words);
        Self {
            process,
            ready,
            data,
            home,
            words,
            under,
        }
    }

    /// Starts it again in the same folder, after it ended.
    #[track_caller]
    pub fn restart(&mut self) {
        (self.process, self.ready) = launch(&self.under, self.home.path(), &self.data, &self.words);
    }

    /// Its API.
    #[track_caller]
    pub fn api(&self) -> api::Api {
        api::Api::of(self)
    }

    /// The end of its log file.
    pub fn log(&self) -> String {
        let log = std::fs::read_to_string(self.data.join("run.log")).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        lines[lines.len().saturating_sub(200)..].join("\n")
    }

    /// Its data folder.
    pub fn data(&self) -> &Path {
        &self.data
    }

    /// Its id.
    pub fn id(&self) -> &str {
        self.ready["id"].as_str().unwrap()
    }

    /// Its address, complete.
    pub fn address(&self) -> &str {
        self.ready["address"].as_str().unwrap()
    }

    /// A command for this daemon, not yet started.
    pub fn command(&self, args: &[impl AsRef<OsStr>]) -> Command {
        let mut command = bruit(self.home.path());
        command.arg("--data").arg(&self.data).args(args);
        command
    }

    /// Runs a command for this daemon to its end.
    #[track_caller]
    pub fn run(&self, args: &[impl AsRef<OsStr>]) -> Done {
        run(&mut self.command(args), "")
    }

    /// Runs a command with --json that must go well; answers its one line.
    #[track_caller]
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(&[&["--json"], args].concat()).ok().json()
    }

    /// Starts `sub` with --json; the subscription stands when this returns.
    #[track_caller]
    pub fn subscribe(&self, args: &[&str]) -> Running {
        let running = Running::start(&mut self.command(&[&["--json", "sub"], args].concat()));
        running.wait_for_error_line("subscribed");
        running
    }

    /// Waits until it has `count` links.
    #[track_caller]
    pub fn wait_for_links(&self, count: usize) {
        let start = Instant::now();
        loop {
            let links = self.json(&["peers"]).as_array().unwrap().len();
            if links >= count {
                return;
            }
            assert!(start.elapsed() < PATIENCE, "{links} of {count} links");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it with SIGTERM; answers its exit code.
    #[track_caller]
    pub fn stop(&mut self) -> i32 {
        self.process.signal("TERM");
        self.process.wait()
    }
}

#[track_caller]
fn launch(under: &[String], home: &Path, data: &Path, words: &[String]) -> (Running, Value) {
    let mut command = match under {
        [] => bruit(home),
        [program, rest @ ..] => {
            let bruit = bruit(home);
            let mut command = Command::new(program);
            command.args(rest).arg(bruit.get_program());
            for (name, value) in bruit.get_envs() {
                match value {
                    Some(value) => command.env(name, value),
                    None => command.env_remove(name),
                };
            }
            command
        }
    };
    command.stdin(Stdio::null());
    command.args(["--json", "--data"]).arg(data).args(words);
    let process = Running::start(&mut command);
    let Ok(line) = process.lines.recv_timeout(PATIENCE) else {
        let errors: Vec<_> = process.errors.try_iter().collect();
        panic!("{command:?} does not get ready: {errors:#?}");
    };
    let ready: Value = serde_json::from_str(&line).unwrap_or_else(|e| panic!("{line}: {e}"));
    assert_eq!(ready["event"], "ready");
    (process, ready)
}

/// Notes that the test `name` cannot run here; `cargo xtask test` lists it.
pub fn skip(name: &str, why: &str) {
    eprintln!("skipped: {name}: {why}");
    if let Some(list) = std::env::var_os("BRUIT_SKIPS") {
        let mut file = File::options()
            .append(true)
            .create(true)
            .open(list)
            .unwrap();
        writeln!(file, "{name}: {why}").unwrap();
    }
}
