//! What the gateway is told, and the original's file that tells it.

use std::time::Duration;

use crate::error::GatewayError;

/// What the gateway is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// Where modules connect, `HOST:PORT`, IPv4 or IPv6. Default 127.0.0.1:7001: whoever reaches it may
    /// publish in this node's name, so it should be this machine only.
    pub api: String,
    /// Where peers connect, `HOST:PORT`, IPv4 only, for their frames have no room for more. None, the
    /// default, to have no peers: then modules speak to bruit alone.
    pub p2p: Option<String>,
    /// Peers to join by, `HOST:PORT`. Empty, the default, to be a bootstrapper, which tells others of who
    /// joins.
    pub bootstrappers: Vec<String>,
    /// Most peers, at least 2. Default 50, of the course's example.
    pub cache_size: usize,
    /// Peers that everything is told to, at least 1. More spread it surer and cost as much more. Default
    /// 30, of the course's example.
    pub degree: usize,
    /// How often word of a new peer is passed on. Default 5, the original's.
    pub p2p_ttl: u16,
    /// How long modules may take to vote; then what they did not vote on is dropped. Default 5 s, the
    /// original's; at most 1 min.
    pub validation: Duration,
    /// How long the same id, type and data are not taken again. Default 60 s, the original's.
    pub suppress: Duration,
    /// Whether a module is told of what it announced itself, when it subscribed to the type. Default no:
    /// the originals disagree, and a module knows what it said.
    pub notify_announcer: bool,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            api: "127.0.0.1:7001".to_owned(),
            p2p: None,
            bootstrappers: Vec::new(),
            cache_size: 50,
            degree: 30,
            p2p_ttl: 5,
            validation: Duration::from_secs(5),
            suppress: Duration::from_mins(1),
            notify_announcer: false,
        }
    }
}

/// Most peers there may be: their list has to fit into a frame, and each costs two tasks.
const CACHE_MAX: usize = 1_024;
/// Longest vote.
const VALIDATION_MAX: Duration = Duration::from_mins(1);
/// Longest memory.
const SUPPRESS_MAX: Duration = Duration::from_hours(24);

impl Config {
    /// Reads the original's file: `key = value` (or `key: value`), sections in brackets, comments after
    /// `#` or `;`. What is not set there stays as it is in `self`. Answers warnings, a line each, for what
    /// has no meaning here.
    ///
    /// # Errors
    /// [`GatewayError::Config`], with the line.
    pub fn read_ini(&mut self, text: &str) -> Result<Vec<String>, GatewayError> {
        let (mut section, mut warnings) = (String::new(), Vec::new());
        for (line, text) in (1..).zip(text.lines()) {
            let text = text.split([';', '#']).next().unwrap_or_default().trim();
            if text.is_empty() {
                continue;
            }
            if let Some(name) = text
                .strip_prefix('[')
                .and_then(|rest| rest.strip_suffix(']'))
            {
                name.trim().clone_into(&mut section);
                continue;
            }
            let Some((key, value)) = text.split_once(['=', ':']) else {
                return Err(wrong(
                    line,
                    &format!("`{text}` is no setting"),
                    "write key = value",
                ));
            };
            let (key, value) = (key.trim(), value.trim());
            let is_known = match section.as_str() {
                "" => key == "hostkey",
                "gossip" => self.set(line, key, value)?,
                // A file serves all modules of a machine: their sections are theirs.
                _ => true,
            };
            if !is_known {
                warnings.push(format!(
                    "line {line}: there is no setting {key}; it is ignored"
                ));
            }
        }
        Ok(warnings)
    }

    /// Sets `key` of the section `gossip`; answers whether there is such a key.
    fn set(&mut self, line: usize, key: &str, value: &str) -> Result<bool, GatewayError> {
        match key {
            "cache_size" => self.cache_size = number(line, key, value)?,
            "degree" => self.degree = number(line, key, value)?,
            "p2p_ttl" => self.p2p_ttl = number(line, key, value)?,
            "bootstrapper" => self.bootstrappers = vec![address(line, key, value)?],
            "p2p_address" => self.p2p = Some(address(line, key, value)?),
            "api_address" => self.api = address(line, key, value)?,
            // Some files have it here; it is the key of upper layers.
            "hostkey" => {}
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Checks what holds for all of it.
    ///
    /// # Errors
    /// [`GatewayError::Config`].
    pub fn check(&self) -> Result<(), GatewayError> {
        let within = |what: &str, is_good: bool, fix: &str| {
            let error = || GatewayError::Config {
                what: what.to_owned(),
                fix: fix.to_owned(),
            };
            is_good.then_some(()).ok_or_else(error)
        };
        let (cache, validation, suppress) = (self.cache_size, self.validation, self.suppress);
        within(
            &format!("cache_size = {cache} is not within 2 to {CACHE_MAX}"),
            (2..=CACHE_MAX).contains(&cache),
            "write cache_size = 50",
        )?;
        within(
            "degree = 0 tells nobody anything",
            self.degree > 0,
            "write degree = 30",
        )?;
        within(
            &format!(
                "a vote within {} s is not within 1 s to 1 min",
                validation.as_secs()
            ),
            (Duration::from_secs(1)..=VALIDATION_MAX).contains(&validation),
            "choose -v 5",
        )?;
        within(
            &format!(
                "suppressing for {} s is not within 1 s to 1 day",
                suppress.as_secs()
            ),
            (Duration::from_secs(1)..=SUPPRESS_MAX).contains(&suppress),
            "choose -s 60",
        )?;
        within(
            "there are peers to join, but no address for peers",
            self.bootstrappers.is_empty() || self.p2p.is_some(),
            "name the address at which peers reach this gateway: p2p_address in the file, or --p2p",
        )
    }
}

fn number<T: std::str::FromStr>(line: usize, key: &str, value: &str) -> Result<T, GatewayError> {
    let error = |_| {
        wrong(
            line,
            &format!("{key} = {value} is no number that fits"),
            "write a whole number",
        )
    };
    value.parse().map_err(error)
}

/// A host and a port, as text: whether the host has an address is seen when it is used.
fn address(line: usize, key: &str, value: &str) -> Result<String, GatewayError> {
    let port = value.rsplit_once(':').filter(|(host, _)| !host.is_empty());
    let port = port.and_then(|(_, port)| port.parse::<u16>().ok());
    let error = || {
        wrong(
            line,
            &format!("{key} = {value} is no address"),
            "write HOST:PORT, such as 127.0.0.1:7001",
        )
    };
    port.map(|_| value.to_owned()).ok_or_else(error)
}

fn wrong(line: usize, what: &str, fix: &str) -> GatewayError {
    GatewayError::Config {
        what: format!("line {line}: {what}"),
        fix: fix.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "hostkey = /hostkey.pem\n\n[gossip]\ncache_size = 40 ; most peers\ndegree=7\n\
                        # nobody else\nbootstrapper = 127.0.0.1:6001\np2p_address: 127.0.0.1:6011\n\
                        api_address = localhost:7011\n\n[nse]\nalpha = 3\n";

    #[test]
    fn a_file_of_the_original_is_taken_as_it_is() {
        let mut config = Config::default();
        assert_eq!(config.read_ini(FILE).unwrap(), Vec::<String>::new());
        let expected = Config {
            api: "localhost:7011".into(),
            p2p: Some("127.0.0.1:6011".into()),
            bootstrappers: vec!["127.0.0.1:6001".into()],
            cache_size: 40,
            degree: 7,
            ..Config::default()
        };
        assert_eq!(config, expected);
        assert_eq!(
            (
                config.p2p_ttl,
                config.validation.as_secs(),
                config.suppress.as_secs()
            ),
            (5, 5, 60)
        );
        config.check().unwrap();
    }

    #[test]
    fn unknown_keys_warn_with_their_line_and_nothing_else() {
        let mut config = Config::default();
        let warnings = config
            .read_ini("[gossip]\nmin_connections = 3\ndegree = 4")
            .unwrap();
        assert_eq!(
            warnings,
            ["line 2: there is no setting min_connections; it is ignored"]
        );
        assert_eq!(config.degree, 4);
    }

    #[test]
    fn mistakes_name_their_line() {
        for (text, line) in [
            ("[gossip]\ndegree = many", "line 2"),
            ("[gossip]\n\napi_address = 7001", "line 3"),
            ("[gossip]\np2p_address = :7001", "line 2"),
            ("[gossip]\nbootstrapper = a:b", "line 2"),
            ("[gossip]\np2p_ttl = 70000", "line 2"),
            ("hello", "line 1"),
        ] {
            let error = Config::default().read_ini(text).unwrap_err();
            assert!(error.to_string().starts_with(line), "{text:?}: {error}");
            assert!(!error.fix().is_empty());
        }
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        let wrong = [
            Config {
                cache_size: 1,
                ..Config::default()
            },
            Config {
                degree: 0,
                ..Config::default()
            },
            Config {
                validation: Duration::from_secs(61),
                ..Config::default()
            },
            Config {
                suppress: Duration::ZERO,
                ..Config::default()
            },
            Config {
                bootstrappers: vec!["a:1".into()],
                ..Config::default()
            },
        ];
        for config in wrong {
            assert_eq!(config.check().unwrap_err().code(), "config", "{config:?}");
        }
    }
}
