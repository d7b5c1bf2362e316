//! Author keys: several for a daemon, under a passphrase if wanted, on paper and back; and no secret shows
//! anywhere it was not asked for.
#![allow(
    clippy::unwrap_used,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    reason = "a test may fail, and what it measures is small"
)]

mod common;

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::ExitStatusExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use common::{Daemon, Done, bruit, run};
use serde_json::Value;

const PASSPHRASE: &str = "correct horse battery staple";

/// A file with a passphrase, readable by its owner alone.
fn passphrase_file(folder: &Path, name: &str, passphrase: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, format!("{passphrase}\n")).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    path.to_str().unwrap().to_owned()
}

#[track_caller]
fn refused(done: &Done, exit: i32, code: &str) {
    assert_eq!(done.code, exit, "{done:?}");
    assert_eq!(done.error()["code"], code, "{done:?}");
    assert_eq!(done.out, "", "{done:?}");
}

#[test]
fn a_protected_key_signs_only_while_it_is_unlocked() {
    let daemon = Daemon::start(&["--price", "0"]);
    let right = passphrase_file(daemon.data(), "right", PASSPHRASE);
    let wrong = passphrase_file(daemon.data(), "wrong", "incorrect horse");
    let keys = |args: &[&str]| daemon.run(&[&["--json", "id", "keys"], args].concat());
    let publish = || daemon.run(&["--json", "pub", "news", "hello", "--author", "alice"]);

    let made = keys(&["new", "alice", "--passphrase-file", &right])
        .ok()
        .json();
    assert_eq!(made["protected"], true);
    let locked = publish();
    refused(&locked, 5, "key_locked");
    let fix = locked.error()["fix"].as_str().unwrap().to_owned();
    assert!(fix.contains("bruit id keys unlock alice"), "{fix}");

    refused(
        &keys(&["unlock", "alice", "--passphrase-file", &wrong]),
        5,
        "wrong_passphrase",
    );
    refused(&keys(&["unlock", "alice"]), 5, "key_locked");
    refused(&keys(&["unlock", "nobody"]), 1, "key_missing");
    refused(&keys(&["unlock", "default"]), 2, "key_not_protected");
    refused(&keys(&["lock", "nobody"]), 1, "key_missing");
    refused(&publish(), 5, "key_locked");

    let unlocked = keys(&["unlock", "alice", "--passphrase-file", &right]);
    assert_eq!(unlocked.ok().json()["unlocked"], true);
    publish().ok();
    let shown = &daemon.json(&["id"])["authors"][0];
    assert_eq!(
        (&shown["name"], &shown["id"]),
        (&"alice".into(), &made["id"])
    );
    assert_eq!(
        (&shown["protected"], &shown["unlocked"]),
        (&true.into(), &true.into())
    );

    keys(&["lock", "alice"]).ok();
    refused(&publish(), 5, "key_locked");
    // It goes by itself, too.
    let short = [
        "unlock",
        "alice",
        "--for",
        "300ms",
        "--passphrase-file",
        &right,
    ];
    keys(&short).ok();
    std::thread::sleep(Duration::from_millis(350));
    refused(&publish(), 5, "key_locked");
    keys(&["unprotect", "alice", "--passphrase-file", &right]).ok();
    publish().ok();
    // What the daemon has open is not left open by a passphrase put on the file.
    keys(&["protect", "alice", "--passphrase-file", &right]).ok();
    refused(&publish(), 5, "key_locked");
    refused(
        &keys(&["protect", "alice", "--passphrase-file", &right]),
        2,
        "key_protected",
    );
    daemon.run(&["pub", "news", "the default key is open"]).ok();
}

#[test]
fn a_daemon_whose_own_key_is_protected_starts_with_its_passphrase_alone() {
    let mut daemon = Daemon::start(&[]);
    let (id, data) = (daemon.id().to_owned(), daemon.data().to_owned());
    let right = passphrase_file(&data, "right", PASSPHRASE);
    let wrong = passphrase_file(&data, "wrong", "incorrect horse");
    let node = [
        "--json",
        "id",
        "keys",
        "protect",
        "--node",
        "--passphrase-file",
    ];
    let kept = daemon.json(&[&node[1..], &[right.as_str()]].concat());
    assert_eq!(
        (&kept["id"], &kept["protected"]),
        (&id.as_str().into(), &true.into())
    );
    assert_eq!(daemon.stop(), 0);

    assert_eq!(
        daemon.json(&["id"])["id"],
        id.as_str(),
        "it is told without a passphrase"
    );
    let start = |args: &[&str]| daemon.run(&[&["--json", "run"], args].concat());
    let locked = start(&[]);
    refused(&locked, 5, "key_locked");
    let fix = locked.error()["fix"].as_str().unwrap().to_owned();
    assert!(fix.contains("bruit run --passphrase-file"), "{fix}");
    refused(
        &start(&["--passphrase-file", &wrong]),
        5,
        "wrong_passphrase",
    );
    refused(&start(&["--passphrase-file", "/nonexistent"]), 2, "file");

    let home = tempfile::tempdir().unwrap();
    let args = ["--listen", "127.0.0.1:0", "--passphrase-file", &right];
    let again = Daemon::start_in(home, data, &args);
    assert_eq!(again.id(), id);
}

#[test]
fn a_key_goes_to_paper_and_to_a_file_and_comes_back() {
    let home = tempfile::tempdir().unwrap();
    let keys = |args: &[&str], input: &str| {
        let all = [&["--json", "id", "keys"], args].concat();
        run(bruit(home.path()).args(all), input)
    };
    let right = passphrase_file(home.path(), "right", PASSPHRASE);
    let file = home.path().join("alice.key");
    let file = file.to_str().unwrap();
    let id = keys(&["new", "alice"], "").ok().json()["id"].clone();

    let words = keys(&["export", "alice", "--words"], "").ok().json()["words"].clone();
    let words = words.as_str().unwrap();
    assert_eq!(words.split(' ').count(), 24);
    let typed = words.to_uppercase().replace(' ', "\n");
    let back = keys(&["import", "paper", "--words"], &typed).ok().json();
    assert_eq!(back["id"], id);
    let slip = format!("{}x", words.replacen(' ', "x ", 1).trim_end());
    let told = keys(&["import", "slip", "--words"], &slip);
    refused(&told, 2, "key_words");
    let told = told.error();
    assert!(
        told["message"].as_str().unwrap().contains("word 1 "),
        "{told}"
    );
    let first = words.split(' ').next().unwrap();
    assert!(told["fix"].as_str().unwrap().contains(first), "{told}");
    let (start, _) = words.rsplit_once(' ').unwrap();
    refused(
        &keys(&["import", "short", "--words"], start),
        2,
        "key_words",
    );

    let copied = keys(&["export", "alice", "--file", file], "").ok().json();
    assert_eq!((&copied["id"], &copied["protected"]), (&id, &false.into()));
    assert_eq!(
        fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    refused(
        &keys(&["export", "alice", "--file", file], ""),
        2,
        "key_exists",
    );
    let back = keys(&["import", "copy", "--file", file], "").ok().json();
    assert_eq!(back["id"], id);

    // A copy of a protected key is protected; what is printed asks for the passphrase.
    keys(&["protect", "alice", "--passphrase-file", &right], "").ok();
    fs::remove_file(file).unwrap();
    let copied = keys(&["export", "alice", "--file", file], "").ok().json();
    assert_eq!((&copied["id"], &copied["protected"]), (&id, &true.into()));
    let back = keys(&["import", "sealed", file], "").ok().json();
    assert_eq!((&back["id"], &back["protected"]), (&id, &true.into()));
    refused(&keys(&["export", "alice"], ""), 5, "key_locked");
    refused(&keys(&["export", "alice", "--words"], ""), 5, "key_locked");
    let wrong = ["export", "alice", "--passphrase-file", "-"];
    refused(&keys(&wrong, "guess\n"), 5, "wrong_passphrase");
    let opened = keys(&wrong, PASSPHRASE).ok().json();
    let secret = opened["secret"].as_str().unwrap();
    let back = keys(&["import", "open", "-"], secret).ok().json();
    assert_eq!((&back["id"], &back["protected"]), (&id, &false.into()));
    refused(&keys(&["import", "x", "-"], "no key"), 2, "key_malformed");
    let both = ["import", "x", "-", "--passphrase-file", "-"];
    refused(&keys(&both, "x"), 2, "usage");
    let listed = keys(&["list"], "").ok().json();
    assert_eq!(listed.as_array().unwrap().len(), 5);
    assert!(listed.as_array().unwrap().iter().all(|key| key["id"] == id));
}

/// A secret in every form in which it could have leaked.
struct Secret {
    name: &'static str,
    forms: Vec<Vec<u8>>,
}

impl Secret {
    fn of_hex(name: &'static str, hex: &str) -> Self {
        let hex = hex.trim();
        let digit = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let raw: Vec<u8> = (0..64).step_by(2).map(digit).collect();
        let list = format!("{raw:?}");
        let mut forms = vec![
            hex.as_bytes().to_vec(),
            hex.to_uppercase().into_bytes(),
            list.trim_matches(['[', ']']).as_bytes().to_vec(),
        ];
        // At each place of a longer text base64 looks another way: what depends on the neighbours is cut.
        for engine in [STANDARD, URL_SAFE] {
            for shift in 0..3 {
                let mut shifted = vec![0; shift];
                shifted.extend(&raw);
                let text = engine.encode(shifted).into_bytes();
                forms.push(text[4..text.len() - 4].to_vec());
            }
        }
        forms.push(raw);
        Self { name, forms }
    }

    fn of_text(name: &'static str, text: &str) -> Self {
        let forms = vec![text.as_bytes().to_vec(), STANDARD.encode(text).into_bytes()];
        Self { name, forms }
    }

    fn is_in(&self, bytes: &[u8]) -> bool {
        let found = |form: &Vec<u8>| bytes.windows(form.len()).any(|window| window == form);
        self.forms.iter().any(found)
    }
}

#[test]
fn a_secret_is_found_in_each_of_its_forms() {
    let hex = "00112233445566778899aabbccddeeff102132435465768798a9bacbdcedfe0f";
    let raw: Vec<u8> = (0..64)
        .step_by(2)
        .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
        .collect();
    let secret = Secret::of_hex("it", hex);
    let padded = [b"any".as_slice(), &raw, b"thing"].concat();
    for text in [
        format!("key={hex}.").into_bytes(),
        hex.to_uppercase().into_bytes(),
        STANDARD.encode(&padded).into_bytes(),
        STANDARD.encode(&padded[1..]).into_bytes(),
        URL_SAFE.encode(&padded[2..]).into_bytes(),
        format!("{padded:?}").into_bytes(),
        padded,
    ] {
        assert!(secret.is_in(&text), "{}", String::from_utf8_lossy(&text));
    }
    assert!(!secret.is_in(&hex.as_bytes()[1..]));
}

const GUESS: &str = "an incorrect guess at it";

/// What was exported on purpose.
struct Exports {
    plain: String,
    sealed: String,
    words: String,
}

/// Makes, moves, unlocks and uses keys, well and badly. Answers what was said meanwhile but for what was
/// exported on purpose.
fn do_everything(daemon: &Daemon, home: &Path) -> (Vec<Vec<u8>>, Exports) {
    let right = passphrase_file(home, "right", PASSPHRASE);
    let wrong = passphrase_file(home, "wrong", GUESS);
    let mut said = Vec::new();
    let mut keep = |done: Done| said.extend([done.out.into_bytes(), done.err.into_bytes()]);
    let keys = |args: &[&str]| daemon.run(&[&["--json", "id", "keys"], args].concat());
    let text = |args: &[&str]| daemon.run(&[&["id", "keys"], args].concat()).ok().out;
    keep(keys(&["new", "plain"]).ok());
    keep(keys(&["new", "sealed", "--passphrase-file", &right]).ok());
    let exports = Exports {
        plain: text(&["export", "plain"]),
        sealed: text(&["export", "sealed", "--passphrase-file", &right]),
        words: text(&["export", "plain", "--words"]),
    };
    let (plain, words) = (&exports.plain, &exports.words);
    for (args, input, code) in [
        (vec!["import", "typed", "--words"], words.as_str(), 0),
        (vec!["import", "hex", "-"], plain, 0),
        (vec!["import", "bad", "-"], &plain[1..], 2),
        (vec!["export", "sealed"], "", 5),
        (vec!["export", "sealed", "--passphrase-file", &wrong], "", 5),
        (vec!["unlock", "sealed", "--passphrase-file", &wrong], "", 5),
        (vec!["new", "plain"], "", 2),
        (vec!["unlock", "sealed", "--passphrase-file", &right], "", 0),
        (vec!["list"], "", 0),
    ] {
        let all = [&["--json", "id", "keys"], args.as_slice()].concat();
        let done = run(&mut daemon.command(&all), input);
        assert_eq!(done.code, code, "{args:?}: {done:?}");
        keep(done);
    }
    for author in ["default", "plain", "sealed", "hex"] {
        let args = ["--json", "pub", "news", "x", "--author", author];
        keep(daemon.run(&args).ok());
    }
    let mut ask = |method: &str, path: &str, body: &str| {
        let (status, answer) = daemon.api().connect().ask(method, path, body);
        said.push(answer.to_string().into_bytes());
        status
    };
    for path in ["/v1/identity", "/v1/status", "/nothing"] {
        ask("GET", path, "");
    }
    let body = format!(r#"{{"passphrase":"{GUESS}"}}"#);
    assert_eq!(ask("POST", "/v1/keys/sealed/unlock", &body), 403);
    (said, exports)
}

/// What the process shows of itself, on its log and to the system.
fn shown(daemon: &Daemon) -> Vec<Vec<u8>> {
    let pid = daemon.process.pid();
    // Root alone reads the environment of a process that holds keys.
    let entries = ["cmdline", "environ", "comm"].map(|name| format!("/proc/{pid}/{name}"));
    let mut shown: Vec<_> = entries.iter().flat_map(fs::read).collect();
    let logs = ["run.log.1", "run.log"].map(|name| daemon.data().join(name));
    let log = logs
        .iter()
        .flat_map(fs::read)
        .flatten()
        .collect::<Vec<u8>>();
    assert!(contains(&log, "a key is unlocked"), "the log is there");
    assert!(contains(&log, "TRACE"), "the log tells everything");
    shown.extend([log, daemon.process.errors_so_far().into_bytes()]);
    shown
}

/// S18: a daemon that logs everything and does everything with keys tells none of them to anybody.
#[test]
fn no_secret_shows_in_logs_environments_command_lines_and_answers() {
    let home = tempfile::tempdir().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("bruit");
    let args = ["--listen", "127.0.0.1:0", "--price", "0", "--log", "trace"];
    let daemon = Daemon::start_in(tempfile::tempdir().unwrap(), data.clone(), &args);
    let other = Daemon::start(&["--price", "0", "--join", daemon.address()]);
    other.wait_for_links(1);
    let inbox = other.subscribe(&["news", "--count", "4"]);
    let (mut said, exports) = do_everything(&daemon, home.path());
    (0..4).for_each(|_| drop(inbox.json()));
    said.extend(shown(&daemon));

    let read = |name: &str| fs::read_to_string(data.join(name)).unwrap();
    let secrets = [
        Secret::of_hex("node key", &read("node.key")),
        Secret::of_hex("token", &read("token")),
        Secret::of_hex("default author", &read("authors/default.key")),
        Secret::of_hex("plain author", &exports.plain),
        Secret::of_hex("protected author", &exports.sealed),
        Secret::of_text("words", exports.words.trim()),
        Secret::of_text("passphrase", PASSPHRASE),
        Secret::of_text("wrong passphrase", GUESS),
    ];
    for secret in &secrets {
        for text in &said {
            let shown = String::from_utf8_lossy(text);
            assert!(!secret.is_in(text), "{} in: {shown}", secret.name);
        }
    }
    // The store holds bulletins and no keys; a protected key lies in no file at all.
    for file in files(&data) {
        let bytes = fs::read(&file).unwrap();
        for secret in &secrets[4..] {
            assert!(
                !secret.is_in(&bytes),
                "{} in {}",
                secret.name,
                file.display()
            );
        }
    }
    for (path, mode) in [
        ("", 0o700),
        ("authors", 0o700),
        ("authors/sealed.key", 0o600),
    ] {
        let found = fs::metadata(data.join(path)).unwrap().permissions().mode();
        assert_eq!(found & 0o777, mode, "{path}");
    }
}

fn contains(bytes: &[u8], text: &str) -> bool {
    Secret::of_text("", text).is_in(bytes)
}

fn files(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let (folders, mut found): (Vec<_>, Vec<_>) = entries.partition(|path| path.is_dir());
    found.retain(|path| fs::symlink_metadata(path).unwrap().is_file());
    found.extend(folders.iter().flat_map(|folder| files(folder)));
    found
}

/// What dies of a signal that dumps leaves nothing of its memory, whatever its limits were.
#[cfg(target_os = "linux")]
#[test]
fn a_daemon_that_crashes_leaves_no_memory_on_disk() {
    let home = tempfile::tempdir().unwrap();
    let mut command = bruit(home.path());
    command.args(["--json", "run", "--listen", "127.0.0.1:0"]);
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -c unlimited 2>/dev/null; exec \"$@\"", "sh"]);
    shell.arg(command.get_program()).args(command.get_args());
    shell.env("HOME", home.path()).current_dir(home.path());
    shell.env_remove("XDG_DATA_HOME").env_remove("BRUIT_DATA");
    let mut child = shell.stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    let mut out = std::io::BufReader::new(child.stdout.take().unwrap());
    std::io::BufRead::read_line(&mut out, &mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(ready["event"], "ready");
    let pid = child.id();
    let limits = fs::read_to_string(format!("/proc/{pid}/limits")).unwrap();
    let core = limits
        .lines()
        .find(|line| line.starts_with("Max core file size"));
    let core = core.unwrap().split_whitespace().collect::<Vec<_>>();
    assert_eq!(core[4..6], ["0", "0"], "{limits}");
    kill(pid, "ABRT");
    let status = child.wait().unwrap();
    assert_eq!(status.signal(), Some(6));
    assert!(!status.core_dumped());
}

/// A user who is nobody here.
#[cfg(target_os = "linux")]
const NOBODY: u32 = 65_534;

/// The system gives what tells of a process's memory to root alone, when the process asked for it.
#[cfg(target_os = "linux")]
#[test]
fn a_daemon_cannot_be_looked_into_by_other_processes_of_its_user() {
    let home = tempfile::tempdir().unwrap();
    let id = NOBODY.to_string();
    let as_nobody = ["setpriv", "--reuid", &id, "--regid", &id, "--clear-groups"];
    // Root's own processes belong to root either way.
    let is_root = rustix::process::geteuid().is_root();
    let under = if is_root { as_nobody.as_slice() } else { &[] };
    if is_root {
        std::os::unix::fs::chown(home.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        let program = bruit(home.path()).get_program().to_owned();
        let mut works = Command::new(as_nobody[0]);
        works.args(&as_nobody[1..]).arg(program).arg("--version");
        if !works.output().is_ok_and(|done| done.status.success()) {
            common::skip(
                "e2e_keys looked_into",
                "no setpriv, or nobody may not run bruit",
            );
            return;
        }
    }
    let data = home.path().join("bruit");
    let daemon = Daemon::start_under(under, home, data, &["--listen", "127.0.0.1:0"]);
    let entry = |name| format!("/proc/{}/{name}", daemon.process.pid());
    let owner = |name| fs::metadata(entry(name)).unwrap().uid();
    for closed in ["environ", "maps", "mem", "fd"] {
        assert_eq!(owner(closed), 0, "{closed}");
    }
    // How it is doing stays to be seen.
    for open in ["stat", "status", "statm", "limits", "net/snmp"] {
        let mode = fs::metadata(entry(open)).unwrap().mode();
        assert_eq!(mode & 0o444, 0o444, "{open}");
    }
}

#[cfg(target_os = "linux")]
fn kill(pid: u32, signal: &str) {
    let status = Command::new("kill")
        .args([&format!("-{signal}"), &pid.to_string()])
        .status();
    assert!(status.unwrap().success());
}
