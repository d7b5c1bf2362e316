//! The command line, the same for every peer.

use anyhow::{Context, Result, bail};

/// The least a message can hold: a magic number and its index.
const MSG_BYTES_MIN: usize = 16;

/// One run.
#[derive(Clone, Debug)]
pub struct Args {
    /// Nodes in the network.
    pub nodes: usize,
    /// Bytes of a message.
    pub msg_size: usize,
    /// Messages to publish, by all publishers together.
    pub messages: usize,
    /// Messages a second, by all publishers together; `None` is as fast as the window allows.
    pub rate: Option<f64>,
    /// Nodes that publish.
    pub publishers: usize,
    /// Decides payloads and who dials whom.
    pub seed: u64,
    /// Without a rate: messages that may be under way and not yet everywhere.
    pub outstanding: usize,
    /// Publishing ends after this many seconds.
    pub duration: f64,
    /// The longest wait for missing deliveries after the last message, seconds.
    pub drain: f64,
    /// Rest between joining and measuring, seconds.
    pub settle: f64,
    /// Messages of each publisher that are not measured.
    pub warmup: usize,
    /// How long to measure a network that does nothing, seconds.
    pub idle_secs: f64,
    /// Share of the nodes that die before the first message.
    pub kill_frac: f64,
    /// `drop` (they may say goodbye) or `sigkill`.
    pub kill_mode: String,
    /// With deaths, the messages come twice, this many seconds apart.
    pub gap: f64,
    /// Worker threads of the runtime.
    pub threads: usize,
    /// The longest wait for every node to have its neighbours, seconds.
    pub mesh_wait: f64,
    /// Others each node is told to dial.
    pub degree: usize,
    /// The workload's name in the results.
    pub label: String,
    /// Whether the peer should count copies, where that costs something.
    pub metrics: bool,
    /// Whether the scheduler may move the workers from core to core.
    pub unbound: bool,
    /// Set in a child process: which nodes live there.
    pub child: Option<(usize, usize)>,
    /// Settings of the peer's own, `--opt k=v`.
    pub opts: Vec<(String, String)>,
}

impl Default for Args {
    fn default() -> Self {
        Self {
            nodes: 16,
            msg_size: 256,
            messages: 200,
            rate: Some(20.0),
            publishers: 1,
            seed: 1,
            outstanding: 64,
            duration: 60.0,
            drain: 10.0,
            settle: 2.0,
            warmup: 5,
            idle_secs: 0.0,
            kill_frac: 0.0,
            kill_mode: "drop".into(),
            gap: 10.0,
            threads: 2,
            mesh_wait: 60.0,
            degree: 9,
            label: String::new(),
            metrics: false,
            unbound: false,
            child: None,
            opts: vec![],
        }
    }
}

impl Args {
    /// Reads the words after the program's name.
    ///
    /// # Errors
    /// When a word is unknown, has no value, or has one that makes no sense.
    pub fn parse(words: impl IntoIterator<Item = String>) -> Result<Self> {
        let mut args = Self::default();
        let mut words = words.into_iter();
        while let Some(name) = words.next() {
            if name == "--metrics" {
                args.metrics = true;
            } else if name == "--unbound" {
                args.unbound = true;
            } else {
                let value = words
                    .next()
                    .with_context(|| format!("{name} needs a value"))?;
                args.set(&name, &value)
                    .with_context(|| format!("{name} {value}"))?;
            }
        }
        if args.msg_size < MSG_BYTES_MIN {
            bail!("--msg-size must be at least {MSG_BYTES_MIN}");
        }
        if args.nodes < 2 {
            bail!("--nodes must be at least 2");
        }
        args.publishers = args.publishers.clamp(1, args.nodes);
        Ok(args)
    }

    /// The value of `--opt NAME=value`, the first where there are several.
    pub fn opt(&self, name: &str) -> Option<&str> {
        self.opts
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    fn set(&mut self, name: &str, value: &str) -> Result<()> {
        match name {
            "--nodes" => self.nodes = value.parse()?,
            "--msg-size" => self.msg_size = value.parse()?,
            "--messages" => self.messages = value.parse()?,
            "--rate" if value == "max" => self.rate = None,
            "--rate" => self.rate = Some(value.parse()?),
            "--publishers" => self.publishers = value.parse()?,
            "--seed" => self.seed = value.parse()?,
            "--outstanding" => self.outstanding = value.parse()?,
            "--duration" => self.duration = value.parse()?,
            "--drain" => self.drain = value.parse()?,
            "--settle" => self.settle = value.parse()?,
            "--warmup" => self.warmup = value.parse()?,
            "--idle-secs" => self.idle_secs = value.parse()?,
            "--kill-frac" => self.kill_frac = value.parse()?,
            "--kill-mode" => self.kill_mode = value.into(),
            "--gap" => self.gap = value.parse()?,
            "--threads" => self.threads = value.parse()?,
            "--mesh-wait" => self.mesh_wait = value.parse()?,
            "--degree" => self.degree = value.parse()?,
            "--label" => self.label = value.into(),
            "--child" => {
                let (first, end) = value.split_once(',').context("FIRST,END")?;
                self.child = Some((first.parse()?, end.parse()?));
            }
            "--opt" => {
                let (key, value) = value.split_once('=').context("NAME=VALUE")?;
                self.opts.push((key.into(), value.into()));
            }
            _ => bail!("unknown argument"),
        }
        Ok(())
    }
}
