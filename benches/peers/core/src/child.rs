//! Nodes in a process of their own, so that SIGKILL can end them.
//!
//! Between the two, in lines: the child writes `ADDR <index> <address>` for each of its nodes, the
//! parent answers with the addresses of all, and the child writes `READY <bool> <fewest neighbours>`.
//! The child ends with its standard input.

use std::io::{BufRead, BufReader, Write};
use std::ops::Range;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::recorder::Recorder;
use crate::{Args, Peer, join_all, spawn_range, wait_mesh};

/// Nodes that are going to be killed, seen from the parent.
#[derive(Debug)]
pub(crate) struct Doomed {
    child: Child,
    said: BufReader<ChildStdout>,
}

impl Doomed {
    /// Starts the child; adds the addresses of its nodes to `addrs` and tells it all of them.
    pub(crate) fn start(range: Range<usize>, addrs: &mut Vec<String>) -> Result<Self> {
        let mut child = Command::new(std::env::current_exe()?)
            .args(std::env::args().skip(1))
            .args(["--child", &format!("{},{}", range.start, range.end)])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut said = BufReader::new(child.stdout.take().context("the child's output is piped")?);
        for _ in range {
            let line = read_line(&mut said)?;
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["ADDR", _, addr] => addrs.push(addr.to_owned()),
                _ => bail!("the child said {line:?}"),
            }
        }
        let input = child.stdin.as_mut().context("the child's input is piped")?;
        addrs
            .iter()
            .try_for_each(|addr| writeln!(input, "{addr}"))?;
        input.flush()?;
        Ok(Self { child, said })
    }

    /// Waits for its nodes to have joined: whether they did, and the fewest neighbours.
    pub(crate) async fn ready(self) -> Result<(Self, bool, usize)> {
        let Self { child, mut said } = self;
        let (said, line) = tokio::task::spawn_blocking(move || {
            let line = read_line(&mut said);
            (said, line)
        })
        .await?;
        let line = line?;
        match line.split(' ').collect::<Vec<_>>()[..] {
            ["READY", ready, low] => Ok((Self { child, said }, ready == "true", low.parse()?)),
            _ => bail!("the child said {line:?}"),
        }
    }

    /// Ends it with SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

/// The child's side: runs nodes until it is killed or its parent goes away.
pub(crate) async fn serve<P: Peer>(peer: P, args: Args, range: Range<usize>) -> Result<()> {
    let first = range.start;
    let recorder = Recorder::new(args.nodes, 0, None);
    let nodes = spawn_range(&peer, &args, &recorder, range).await?;
    for (offset, node) in nodes.iter().enumerate() {
        println!("ADDR {} {}", first + offset, node.addr());
    }
    std::io::stdout().flush()?;
    let count = args.nodes;
    let addrs = tokio::task::spawn_blocking(move || read_lines(count)).await??;
    join_all(&nodes, first, &Arc::new(addrs), &args).await;
    let limit = Duration::from_secs_f64(args.mesh_wait);
    let (ready, low) = wait_mesh(&nodes, peer.min_mesh(args.nodes), limit).await;
    println!("READY {ready} {low}");
    std::io::stdout().flush()?;
    tokio::task::spawn_blocking(|| std::io::stdin().lock().read_line(&mut String::new())).await??;
    Ok(())
}

fn read_lines(count: usize) -> Result<Vec<String>> {
    let mut input = std::io::stdin().lock();
    (0..count).map(|_| read_line(&mut input)).collect()
}

fn read_line(input: &mut impl BufRead) -> Result<String> {
    let mut line = String::new();
    input.read_line(&mut line)?;
    Ok(line.trim().to_owned())
}
