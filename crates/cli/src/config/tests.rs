//! The precedence of the layers for every key, and what mistakes are told as.

use clap::{Args as _, CommandFactory as _, FromArgMatches as _};

use super::flags::Flags;
use super::value::Kind;
use super::*;
use crate::failure::Exit;

fn sources(file: &Path) -> Sources {
    Sources {
        file: file.to_owned(),
        named: true,
        flags: Vec::new(),
        variables: Vec::new(),
    }
}

/// Writes `text` as configuration file and loads it.
fn load(text: &str) -> Result<Loaded, Failure> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, text).unwrap();
    sources(&file).load()
}

/// 64 hexadecimal digits.
fn id(byte: u8) -> String {
    format!("{byte:02x}").repeat(32)
}

/// Three values of `key` that differ from each other and from the default: as text, and as TOML.
fn samples(key: &Key) -> [String; 3] {
    let samples = match key.path().as_str() {
        "network.name" => ["a", "b", "c"].map(str::to_owned),
        "network.secret_file" => ["/a", "/b", "/c"].map(str::to_owned),
        "network.price" => ["1", "2", "3"].map(str::to_owned),
        "node.listen" => ["127.0.0.1:1", "127.0.0.1:2", "127.0.0.1:3"].map(str::to_owned),
        "node.join" => [1, 2, 3].map(|byte| format!("{}@127.0.0.1:{byte}", id(byte))),
        "node.discover" => ["lan", "lan", "lan"].map(str::to_owned),
        "seeds.addresses" => [1, 2, 3].map(|byte| format!("{}@127.0.0.1:{byte}", id(byte))),
        "liveness.misses" | "chatter.messages" => ["2", "3", "4"].map(str::to_owned),
        "node.profile" => ["lan", "local", "assignment"].map(str::to_owned),
        "node.static" | "topology.share" => ["true", "false", "true"].map(str::to_owned),
        "node.max_work" => ["10", "11", "12"].map(str::to_owned),
        "sync.topics" => ["news", "news,weather", "chatter"].map(str::to_owned),
        "store.limit_bytes" => ["2000000", "3000000", "4000000"].map(str::to_owned),
        "letters.acknowledge" => ["everyone", "contacts", "nobody"].map(str::to_owned),
        "letters.acknowledge_within" | "liveness.interval" | "chatter.interval" => {
            ["1s", "2m", "3h"].map(str::to_owned)
        }
        "api.listen" => ["127.0.0.1:1", "unix:/a", "[::1]:0"].map(str::to_owned),
        "api.connections" | "api.requests_per_s" => ["65", "66", "67"].map(str::to_owned),
        "dashboard.enabled" => ["false", "true", "false"].map(str::to_owned),
        "dashboard.listen" => ["127.0.0.1:1", "127.0.0.1:2", "[::1]:0"].map(str::to_owned),
        "access.allow" | "access.deny" => {
            ["10.0.0.0/8,::1", "10.1.0.0/16", "10.2.0.1"].map(str::to_owned)
        }
        "log.level" => ["warn", "debug", "info,bruit=trace"].map(str::to_owned),
        _ => of_gateway(key),
    };
    for sample in &samples {
        let value = Value::from_text(key.kind, sample).expect("samples are right");
        key.check(&value).expect("samples are right");
    }
    samples
}

/// The same for a key of a gateway, by its name and kind.
fn of_gateway(key: &Key) -> [String; 3] {
    assert!(
        key.section.starts_with("gateways."),
        "{key:?} is new: give it samples"
    );
    match (key.name, key.kind) {
        ("config", _) => ["/a", "/b", "/c"].map(str::to_owned),
        ("role", _) => ["seed", "both", "peer"].map(str::to_owned),
        ("topic", _) => ["test channel", "a,b", "c"].map(str::to_owned),
        ("join", _) if key.section == "gateways.k98kurz" => {
            [1, 2, 3].map(|byte| format!("{}@localhost:{byte}", id(byte)))
        }
        ("listen" | "p2p" | "join", _) => {
            ["127.0.0.1:1", "127.0.0.2:2", "[::1]:3"].map(str::to_owned)
        }
        (_, Kind::Text) => ["2s", "3s", "1m"].map(str::to_owned),
        (_, Kind::Switch) => ["true", "false", "true"].map(str::to_owned),
        (_, Kind::Number { .. }) => ["11", "12", "13"].map(str::to_owned),
        _ => panic!("{key:?} is new: give it samples"),
    }
}

fn row(loaded: &Loaded, key: &Key) -> Row {
    let mut rows = loaded.rows.iter();
    rows.find(|row| row.key == key)
        .expect("every key has a row")
        .clone()
}

#[test]
fn default_gives_way_to_file_to_environment_to_flag_for_every_key() {
    for key in KEYS.iter().copied() {
        let [in_file, in_environment, in_flag] = samples(key);
        let value = |text: &str| Some(Value::from_text(key.kind, text).unwrap());
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        let mut sources = sources(&file);

        fs::write(&file, "").unwrap();
        let found = row(&sources.load().unwrap(), key);
        assert_eq!(
            (found.value, found.origin.as_str()),
            (key.default(), "default"),
            "{key:?}"
        );

        let toml = value(&in_file).unwrap().to_toml();
        fs::write(
            &file,
            format!("\n[{}]\n{} = {toml}\n", key.section, key.name),
        )
        .unwrap();
        let found = row(&sources.load().unwrap(), key);
        let origin = format!("file {}, line 3", file.display());
        assert_eq!(
            (found.value, found.origin),
            (value(&in_file), origin),
            "{key:?}"
        );

        sources.variables = vec![(key.variable(), in_environment.clone())];
        let found = row(&sources.load().unwrap(), key);
        let origin = format!("environment {}", key.variable());
        assert_eq!(
            (found.value, found.origin),
            (value(&in_environment), origin),
            "{key:?}"
        );

        if key.flag.is_empty() {
            continue;
        }
        sources.flags = vec![(key.flag, in_flag.clone())];
        let found = row(&sources.load().unwrap(), key);
        let origin = format!("flag {}", key.flag);
        assert_eq!(
            (found.value, found.origin),
            (value(&in_flag), origin),
            "{key:?}"
        );
    }
}

#[test]
fn every_key_has_its_flag_and_every_flag_its_key() {
    let command = Flags::augment_args(clap::Command::new("run"));
    let mut flags: Vec<_> = command
        .get_arguments()
        .filter_map(|arg| arg.get_long())
        .map(|long| format!("--{long}"))
        .collect();
    flags.push("--log".to_owned()); // a global one
    flags.sort_unstable();
    let with_flag = || KEYS.iter().filter(|key| !key.flag.is_empty());
    let mut keys: Vec<_> = with_flag().map(|key| key.flag.to_owned()).collect();
    keys.sort_unstable();
    assert_eq!(flags, keys);

    let words = with_flag()
        .filter(|key| key.flag != "--log")
        .flat_map(|key| match key.kind {
            Kind::Switch => vec![key.flag.to_owned()],
            _ => vec![key.flag.to_owned(), samples(key)[0].clone()],
        });
    let words = [String::from("run")].into_iter().chain(words);
    let flags = Flags::from_arg_matches(&command.get_matches_from(words)).unwrap();
    let given: Vec<_> = flags
        .given(Some("warn"))
        .into_iter()
        .map(|(flag, _)| flag)
        .collect();
    assert_eq!(given.len(), keys.len());
    assert!(crate::args::Cli::command().find_subcommand("run").is_some());
}

#[test]
fn the_template_is_right_and_says_every_key() {
    let plain = template(&[]);
    let loaded = load(&plain).unwrap();
    assert!(loaded.rows.iter().all(|row| row.origin == "default"));

    // Its examples and defaults may be taken as they stand.
    let keys = |line: &str| {
        line.starts_with("# [")
            || KEYS
                .iter()
                .any(|key| line.starts_with(&format!("# {} = ", key.name)))
    };
    let lines = plain
        .lines()
        .map(|line| if keys(line) { &line[2..] } else { line });
    let loaded = load(&lines.collect::<Vec<_>>().join("\n")).unwrap();
    assert!(
        loaded
            .rows
            .iter()
            .all(|row| row.origin.starts_with("file ")),
        "{loaded:?}"
    );

    let private = template(&[("network.secret_file", "\"secret\"".to_owned())]);
    let loaded = load(&private).unwrap();
    let path = loaded.settings.network.secret_file.unwrap();
    assert!(path.is_absolute() && path.ends_with("secret"), "{path:?}");
}

/// A text with a mistake; the key, the line and a part of the fix that must be named.
const MISTAKES: [(&str, &str, usize, &str); 62] = [
    // Sections and keys.
    (
        "[netwrok]\nname = 'a'",
        "netwrok",
        1,
        "did you mean [network]?",
    ),
    (
        "\n\n[quota]\nmax = 3",
        "quota",
        3,
        "the sections are [network]",
    ),
    ("name = 'a'", "name", 1, "write it under [network]"),
    ("join = []", "join", 1, "write it under [node]"),
    ("network = 'main'", "network", 1, "as [network]"),
    (
        "lisen = '[::]:1'",
        "lisen",
        1,
        "did you mean listen? Write it under [node]",
    ),
    ("netwrok = 'main'", "netwrok", 1, "as [network]"),
    ("zebra = 1", "zebra", 1, "the sections are"),
    (
        "[network]\nnmae = 'a'",
        "network.nmae",
        2,
        "did you mean name?",
    ),
    (
        "[network]\nprize = 3",
        "network.prize",
        2,
        "did you mean price?",
    ),
    (
        "[network]\nsecret = 'a'",
        "network.secret",
        2,
        "did you mean secret_file?",
    ),
    (
        "[network]\nlisten = '[::]:1'",
        "network.listen",
        2,
        "write it under [node]",
    ),
    (
        "[node]\nprice = 1",
        "node.price",
        2,
        "write it under [network]",
    ),
    (
        "[node]\nmaxwork = 1",
        "node.maxwork",
        2,
        "did you mean max_work?",
    ),
    (
        "[store]\nlimit = 1",
        "store.limit",
        2,
        "did you mean limit_bytes?",
    ),
    (
        "[access]\nzebra = 1",
        "access.zebra",
        2,
        "[access] has allow, deny",
    ),
    (
        "[log]\nlevle = 'info'",
        "log.levle",
        2,
        "did you mean level?",
    ),
    (
        "[gateways.voidphon]\nlisten = 'a:1'",
        "gateways.voidphon",
        1,
        "did you mean [gateways.voidphone]?",
    ),
    (
        "[gateways.voidphone]\ncachesize = 3",
        "gateways.voidphone.cachesize",
        2,
        "did you mean cache_size?",
    ),
    (
        "[gateways]\nvoidphone = true",
        "gateways.voidphone",
        2,
        "[gateways.voidphone]",
    ),
    (
        "[gateways.voidphone]\nlisten = '7001'",
        "gateways.voidphone.listen",
        2,
        "127.0.0.1:7001",
    ),
    (
        "[gateways.dave]\nfanout_sett = 3",
        "gateways.dave.fanout_sett",
        2,
        "did you mean fanout_set?",
    ),
    (
        "[gateways.dave]\ndrop = 2000",
        "gateways.dave.drop",
        2,
        "from 0 to 1024",
    ),
    (
        "[gateways.simple]\nlisten = 'localhost:5000'",
        "gateways.simple.listen",
        2,
        "127.0.0.1:0",
    ),
    (
        "[gateways.k98kurz]\njoin = ['12@127.0.0.1:1']",
        "gateways.k98kurz.join",
        2,
        "64 hexadecimal digits",
    ),
    (
        "[gateways.p2p_messaging]\nrole = 'peer'",
        "gateways.p2p_messaging",
        1,
        "did you mean [gateways.p2p-messaging]?",
    ),
    (
        "[gateways.p2p-messaging]\nrole = 'seeds'",
        "gateways.p2p-messaging.role",
        2,
        "peer, seed, both",
    ),
    (
        "[gateways.p2p-messaging]\ninterval = '25h'",
        "gateways.p2p-messaging.interval",
        2,
        "\"5s\"",
    ),
    // Kinds.
    (
        "[network]\nname = 3",
        "network.name",
        2,
        "a text in quotes: name = \"main\"",
    ),
    (
        "[network]\nprice = '128'",
        "network.price",
        2,
        "a whole number",
    ),
    (
        "[network]\nprice = 1.5",
        "network.price",
        2,
        "a whole number",
    ),
    (
        "[network]\nprice = -1",
        "network.price",
        2,
        "from 0 to 4294967295",
    ),
    (
        "[network]\nprice = 4294967296",
        "network.price",
        2,
        "from 0 to 4294967295",
    ),
    (
        "[network]\nsecret_file = ['a']",
        "network.secret_file",
        2,
        "a path in quotes",
    ),
    ("[node]\nstatic = 'yes'", "node.static", 2, "true or false"),
    ("[node]\nstatic = 1", "node.static", 2, "true or false"),
    ("[node]\njoin = 'a'", "node.join", 2, "a list of texts"),
    ("[node]\njoin = [1]", "node.join", 2, "a list of texts"),
    ("[node]\nmax_work = 65", "node.max_work", 2, "from 0 to 64"),
    (
        "[node.profile]\nname = 'lan'",
        "node.profile",
        1,
        "a text in quotes",
    ),
    (
        "[store]\nlimit_bytes = '1 GiB'",
        "store.limit_bytes",
        2,
        "a whole number",
    ),
    (
        "[store]\nlimit_bytes = 1000",
        "store.limit_bytes",
        2,
        "from 1048576",
    ),
    (
        "[log]\nlevel = 2026-01-01",
        "log.level",
        2,
        "a text in quotes",
    ),
    // Values.
    ("[network]\nname = ''", "network.name", 2, "choose a name"),
    (
        "[network]\nsecret_file = ''",
        "network.secret_file",
        2,
        "leave the key out",
    ),
    ("[node]\nlisten = '7447'", "node.listen", 2, "[::]:7447"),
    (
        "[node]\nlisten = 'localhost:7447'",
        "node.listen",
        2,
        "0.0.0.0:7447",
    ),
    (
        "[node]\njoin = ['10.0.0.1:7447']",
        "node.join",
        2,
        "NODEID@HOST:PORT",
    ),
    (
        "[node]\njoin = ['bruit1qqqq']",
        "node.join",
        2,
        "the ticket beginning with bruit1",
    ),
    ("[node]\ndiscover = 'wan'", "node.discover", 2, "write lan"),
    (
        "[seeds]\naddresses = ['10.0.0.1:7447']",
        "seeds.addresses",
        2,
        "NODEID@HOST:PORT",
    ),
    (
        "[liveness]\nmisses = 0",
        "liveness.misses",
        2,
        "from 1 to 100",
    ),
    (
        "[node]\nprofile = 'lna'",
        "node.profile",
        2,
        "did you mean \"lan\"?",
    ),
    (
        "[node]\nprofile = 'x'",
        "node.profile",
        2,
        "choose one of wan, lan, local, assignment",
    ),
    (
        "[letters]\nacknowledge = 'all'",
        "letters.acknowledge",
        2,
        "choose one of everyone, contacts, nobody",
    ),
    (
        "[letters]\nacknowledge_within = '10'",
        "letters.acknowledge_within",
        2,
        "10m",
    ),
    (
        "[api]\nlisten = '0.0.0.0:7448'",
        "api.listen",
        2,
        "listen = \"127.0.0.1:7448\"",
    ),
    ("[api]\nlisten = '/run/a.sock'", "api.listen", 2, "unix:"),
    (
        "[access]\ndeny = ['10.0.0.0/33']",
        "access.deny",
        2,
        "10.0.0.0/8",
    ),
    (
        "[log]\nlevel = 'verbose'",
        "log.level",
        2,
        "error, warn, info, debug or trace",
    ),
    // Syntax.
    ("[network]\nname = main", "name", 2, "texts in quotes"),
    (
        "[network]\nname = 'a'\nname = 'b'",
        "name",
        3,
        "key = value",
    ),
];

#[test]
fn each_mistake_is_told_with_key_file_line_and_fix() {
    for (text, key, line, fix) in MISTAKES {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("config.toml");
        fs::write(&file, text).unwrap();
        let failure = sources(&file).load().expect_err(text);
        let place = format!("({}, line {line}):", file.display());
        assert!(
            failure.message.starts_with(&format!("{key} ")),
            "{text:?}: {failure}"
        );
        assert!(failure.message.contains(&place), "{text:?}: {failure}");
        assert!(failure.fix.contains(fix), "{text:?}: {failure}");
        assert_eq!(
            (failure.exit, &*failure.code),
            (Exit::Usage, "config"),
            "{text:?}"
        );
    }
}

#[test]
fn topics_to_catch_up_on_reach_the_node_and_too_many_are_refused() {
    let load = |count: usize| {
        let topics: Vec<_> = (0..count).map(|n| format!("\"topic {n}\"")).collect();
        load(&format!("[sync]\ntopics = [{}]", topics.join(", "))).unwrap()
    };
    let node = load(2).node(None).unwrap();
    assert_eq!(node.sync_topics, ["topic 0", "topic 1"]);
    assert!(load(16).node(None).is_ok());
    let failure = load(17).node(None).unwrap_err();
    assert!(
        failure.message.contains("17 topics are more than 16"),
        "{failure}"
    );
    assert!(failure.message.contains("sync.topics"), "{failure}");
}

#[test]
fn mistakes_of_environment_and_flags_name_them() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("config.toml");
    fs::write(&file, "").unwrap();
    let variable = |name: &str, value: &str| Sources {
        variables: vec![(name.into(), value.into())],
        ..sources(&file)
    };
    let failure = variable("BRUIT__NETWORK__NMAE", "a").load().unwrap_err();
    assert!(
        failure.message.contains("environment BRUIT__NETWORK__NMAE"),
        "{failure}"
    );
    assert!(
        failure.fix.contains("did you mean BRUIT__NETWORK__NAME?"),
        "{failure}"
    );
    let failure = variable("BRUIT__NODE__STATIC", "1").load().unwrap_err();
    assert!(
        failure
            .message
            .contains("node.static (environment BRUIT__NODE__STATIC)"),
        "{failure}"
    );
    assert!(
        variable("BRUIT_DATA", "a").load().is_ok(),
        "other variables are not settings"
    );
    // What looks like a number is a text where a text is meant.
    let loaded = variable("BRUIT__NETWORK__NAME", "42").load().unwrap();
    assert_eq!(loaded.settings.network.name, "42");

    let flag = Sources {
        flags: vec![("--price", "cheap".into())],
        ..sources(&file)
    };
    let failure = flag.load().unwrap_err();
    assert!(
        failure
            .message
            .contains("network.price (flag --price): `cheap`"),
        "{failure}"
    );
}

#[test]
fn all_mistakes_are_told_at_once() {
    let failure = load("[network]\nprize = 1\nname = 2\n[node]\nstatic = 3").unwrap_err();
    for key in ["network.prize", "network.name", "node.static"] {
        assert!(failure.message.contains(key), "{failure}");
    }
    assert_eq!(failure.message.lines().count(), 3);
}

#[test]
fn a_missing_file_is_an_error_only_when_it_was_named() {
    let file = Path::new("/nonexistent/config.toml");
    let failure = sources(file).load().unwrap_err();
    assert!(
        failure.message.contains("/nonexistent/config.toml"),
        "{failure}"
    );
    let unnamed = Sources {
        named: false,
        ..sources(file)
    };
    assert!(unnamed.load().is_ok());
}

#[cfg(unix)]
#[test]
fn a_secret_is_read_without_its_line_end_and_only_when_it_is_private() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let (file, secret) = (
        folder.path().join("config.toml"),
        folder.path().join("secret"),
    );
    fs::write(&file, "[network]\nsecret_file = 'secret'").unwrap();
    let node = || sources(&file).load().unwrap().node(None);

    let missing = node().unwrap_err();
    assert!(
        missing.message.contains("network.secret_file") && missing.message.contains("line 2"),
        "{missing}"
    );
    fs::write(&secret, "swordfish\n").unwrap();
    let exposed = node().unwrap_err();
    assert!(
        exposed
            .fix
            .contains(&format!("chmod 600 {}", secret.display())),
        "{exposed}"
    );
    fs::set_permissions(&secret, fs::Permissions::from_mode(0o600)).unwrap();
    assert_eq!(
        node().unwrap().secret.as_deref(),
        Some(b"swordfish".as_slice())
    );
    fs::write(&secret, "\n").unwrap();
    assert!(node().unwrap_err().message.contains("is empty"));
}

/// What the gateways that `text` names are told, as shown.
fn told(text: &str) -> Vec<String> {
    let gateways = load(text).unwrap().settings.gateways.named();
    gateways.iter().map(|which| format!("{which:?}")).collect()
}

/// What a command is told by flags, as shown.
fn told_by_flags(args: &str) -> Vec<String> {
    use clap::Parser as _;
    #[derive(Debug, clap::Parser)]
    struct Command {
        #[command(subcommand)]
        which: crate::commands::gateway::Which,
    }
    let command = Command::parse_from(["gateway"].into_iter().chain(args.split(' ')));
    vec![format!("{:?}", command.which)]
}

#[test]
fn a_section_and_a_command_tell_a_gateway_the_same() {
    assert_eq!(told(""), [""; 0]);
    for name in ["dave", "simple", "k98kurz", "p2p-messaging"] {
        let section = format!("[gateways.{name}]\n");
        assert_eq!(told(&section), told_by_flags(name));
        assert_eq!(told(&format!("{section}enabled = false")), [""; 0]);
        let listening = told_by_flags(&format!("{name} --listen [::1]:7 --join {}", join(name)));
        let text = format!("{section}listen = '[::1]:7'\njoin = ['{}']", join(name));
        assert_eq!(told(&text), listening);
    }
    for (text, args) in [
        (
            "[gateways.dave]\nfanout_set = 3\ntolerance = 5\nwork_store = 1",
            "dave --fanout-set 3 --tolerance 5 --work-store 1",
        ),
        (
            "[gateways.k98kurz]\ntopic = ['a']\nbulletin_difficulty = 3",
            "k98kurz --topic a --bulletin-difficulty 3",
        ),
        (
            "[gateways.p2p-messaging]\nconfig = '/seeds.json'\nrole = 'both'\ninterval = '1s'\nmisses = 2",
            "p2p-messaging -c /seeds.json --role both --interval 1s --misses 2",
        ),
    ] {
        assert_eq!(told(text), told_by_flags(args));
    }
    let all = "[gateways.simple]\n[gateways.dave]\n[gateways.voidphone]";
    assert_eq!(told(all).len(), 3);
}

/// Somebody to join by.
fn join(name: &str) -> String {
    match name {
        "k98kurz" => format!("{}@127.0.0.1:8", id(1)),
        _ => "127.0.0.1:8".to_owned(),
    }
}

#[test]
fn a_section_tells_the_gateway_to_voidphone_what_the_originals_file_does() {
    let voidphone = |text: &str| match load(text).unwrap().settings.gateways.named().as_slice() {
        [crate::commands::gateway::Which::Voidphone(told)] => told.config().unwrap(),
        other => panic!("{other:?}"),
    };
    let default = bruit_gateways::voidphone::Config::default();
    assert_eq!(voidphone("[gateways.voidphone]"), default);
    let set = voidphone("[gateways.voidphone]\np2p = 'a:1'\nsuppress = '2m'\ndegree = 4");
    let expected = bruit_gateways::voidphone::Config {
        p2p: Some("a:1".into()),
        suppress: std::time::Duration::from_mins(2),
        degree: 4,
        ..default
    };
    assert_eq!(set, expected);
}

#[test]
fn seeds_are_refused_where_nobody_else_is_linked_to() {
    let seed = format!("{}@127.0.0.1:1", id(1));
    let text = format!("[node]\nstatic = true\n[seeds]\naddresses = ['{seed}']");
    let in_file = load(&text).unwrap().node(None).unwrap_err();
    let mut by_flags = sources(Path::new("/nonexistent"));
    by_flags.named = false;
    by_flags.flags = vec![("--static", "true".to_owned()), ("--seeds", seed)];
    let by_flags = by_flags.load().unwrap().node(None).unwrap_err();
    for (failure, place) in [(in_file, "line 4"), (by_flags, "flag --seeds")] {
        assert_eq!(failure.exit, Exit::Usage);
        assert!(failure.message.contains("seeds.addresses"), "{failure}");
        assert!(failure.message.contains(place), "{failure}");
        assert!(failure.fix.contains("`static`"), "{failure}");
    }
}
