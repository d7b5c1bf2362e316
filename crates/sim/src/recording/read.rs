//! Reads a recording and checks it: every line in its place and of its shape, no node that is not there, as
//! much of everything as the first line says.

use std::io::{self, BufRead, BufReader, Read};

use flate2::read::GzDecoder;
use serde::de::DeserializeOwned;

use super::{
    Band, Delivery, Head, LifeChange, LinkChange, Pin, Recording, TICK_US, VERSION, Wave, write,
};

/// Longest file, unpacked.
const BYTES_MAX: u64 = 1 << 30;

/// Why something is no recording.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReadError {
    /// It cannot be read or unpacked.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// Its first line is not that of a recording of a simulation.
    #[error("it is no recording of a simulation")]
    Foreign,
    /// Another version.
    #[error("it is of version {got}, and this program reads version {VERSION}")]
    Version {
        /// Its version.
        got: u32,
    },
    /// A line is not as it should be.
    #[error("line {line}: {what}")]
    Line {
        /// Which, from 1 on.
        line: usize,
        /// What is wrong.
        what: String,
    },
    /// It holds other counts than its first line says.
    #[error("it does not hold as much as its first line says")]
    Counts,
}

/// Reads a recording.
///
/// # Errors
/// When it is none, or contradicts itself.
pub fn read(file: impl Read) -> Result<Recording, ReadError> {
    let unpacked = BufReader::new(GzDecoder::new(file).take(BYTES_MAX));
    let mut lines = unpacked.lines();
    let first = lines.next().ok_or(ReadError::Foreign)??;
    let head: Head = serde_json::from_str(&first).map_err(|_| ReadError::Foreign)?;
    if head.bruit != write::KIND {
        return Err(ReadError::Foreign);
    }
    if head.version != VERSION || head.tick_us != TICK_US {
        return Err(ReadError::Version { got: head.version });
    }
    let mut recording = Recording {
        head,
        places: Vec::new(),
        links: Vec::new(),
        lives: Vec::new(),
        bands: Vec::new(),
        waves: Vec::new(),
        pins: Vec::new(),
    };
    let mut count = 0;
    for (line, text) in (2..).zip(lines) {
        let added = add(&mut recording, &text?);
        added.map_err(|what| ReadError::Line { line, what })?;
        count += 1;
    }
    check(&recording, count)?;
    recording.head.lines = 0;
    Ok(recording)
}

fn check(recording: &Recording, lines: usize) -> Result<(), ReadError> {
    let head = &recording.head;
    let waves = &recording.waves;
    let deliveries: usize = waves.iter().map(|wave| wave.deliveries.len()).sum();
    let kept = (waves.len(), deliveries, recording.links.len());
    let said = (head.kept.bulletins, head.kept.deliveries, head.kept.links);
    let is_whole = recording.places.len() == head.nodes && lines == head.lines;
    if kept == said && recording.pins.len() == head.kept.pins && is_whole {
        Ok(())
    } else {
        Err(ReadError::Counts)
    }
}

fn add(recording: &mut Recording, line: &str) -> Result<(), String> {
    let nodes = recording.head.nodes;
    let word = line
        .strip_prefix("[\"")
        .and_then(|rest| rest.split('"').next());
    match word {
        Some("places") => {
            let (_, x, y): (String, Vec<u16>, Vec<u16>) = parse(line)?;
            same_length(&[x.len(), y.len()])?;
            recording.places = x.into_iter().zip(y).map(|(x, y)| [x, y]).collect();
        }
        Some("band") => {
            let (_, begin, end, kind, what): (String, u64, Option<u64>, String, String) =
                parse(line)?;
            recording.bands.push(Band {
                begin,
                end,
                kind,
                what,
            });
        }
        Some("lives") => recording.lives.extend(lives(line, nodes)?),
        Some("links") => recording.links.extend(links(line, nodes)?),
        Some("wave") => recording.waves.push(wave(line, nodes)?),
        Some("pin") => {
            let (_, at, promise, node, wave, what): (
                String,
                u64,
                String,
                u32,
                Option<u32>,
                String,
            ) = parse(line)?;
            known(node, nodes)?;
            recording.pins.push(Pin {
                at,
                promise,
                node,
                wave,
                what,
            });
        }
        _ => return Err("it begins with no word of a recording".to_owned()),
    }
    Ok(())
}

fn lives(line: &str, nodes: usize) -> Result<Vec<LifeChange>, String> {
    let (_, begin, after, is_up, node): (String, u64, Vec<u64>, Vec<u8>, Vec<u32>) = parse(line)?;
    same_length(&[after.len(), is_up.len(), node.len()])?;
    let rows = moments(begin, after).zip(is_up).zip(node);
    let changes = rows.map(|((at, is_up), node)| {
        let is_up = is_up == 1;
        known(node, nodes).map(|()| LifeChange { at, is_up, node })
    });
    changes.collect()
}

fn links(line: &str, nodes: usize) -> Result<Vec<LinkChange>, String> {
    type Line = (String, u64, Vec<u64>, Vec<u8>, Vec<u32>, Vec<u32>);
    let (_, begin, after, is_up, from, to): Line = parse(line)?;
    same_length(&[after.len(), is_up.len(), from.len(), to.len()])?;
    let rows = moments(begin, after).zip(is_up).zip(from).zip(to);
    let changes = rows.map(|(((at, is_up), from), to)| {
        known(from, nodes)?;
        known(to, nodes)?;
        Ok(LinkChange {
            at,
            is_up: is_up == 1,
            nodes: [from, to],
        })
    });
    changes.collect()
}

fn wave(line: &str, nodes: usize) -> Result<Wave, String> {
    type Line = (
        String,
        u64,
        Option<u32>,
        u32,
        String,
        Vec<u64>,
        Vec<u32>,
        Vec<i64>,
        Vec<u8>,
    );
    let (_, at, publisher, bytes, id, after, node, from, hops): Line = parse(line)?;
    same_length(&[after.len(), node.len(), from.len(), hops.len()])?;
    if let Some(publisher) = publisher {
        known(publisher, nodes)?;
    }
    let rows = moments(at, after).zip(node).zip(from).zip(hops);
    let deliveries = rows.map(|(((at, node), from), hops)| {
        known(node, nodes)?;
        let from = u32::try_from(from).ok();
        from.map_or(Ok(()), |from| known(from, nodes))?;
        Ok(Delivery {
            at,
            node,
            from,
            hops,
        })
    });
    let deliveries = deliveries.collect::<Result<_, String>>()?;
    Ok(Wave {
        at,
        publisher,
        bytes,
        id,
        deliveries,
    })
}

fn parse<T: DeserializeOwned>(line: &str) -> Result<T, String> {
    serde_json::from_str(line).map_err(|error| error.to_string())
}

/// The moments that differences stand for.
fn moments(begin: u64, after: Vec<u64>) -> impl Iterator<Item = u64> {
    let mut at = begin;
    after.into_iter().map(move |ticks| {
        at = at.saturating_add(ticks);
        at
    })
}

fn same_length(columns: &[usize]) -> Result<(), String> {
    if columns.windows(2).all(|pair| pair[0] == pair[1]) {
        Ok(())
    } else {
        Err("its columns differ in length".to_owned())
    }
}

fn known(node: u32, nodes: usize) -> Result<(), String> {
    if usize::try_from(node).is_ok_and(|node| node < nodes) {
        Ok(())
    } else {
        Err(format!("there is no node {node}"))
    }
}
