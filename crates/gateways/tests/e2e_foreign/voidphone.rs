//! Gossip-5: one module that announces more than anybody should. What modules and peers promise each other is in
//! `tests/voidphone/`.

use std::sync::Arc;

use bruit::Incoming;
use bruit_gateways::voidphone::{self, Config};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::common::{listen, node, until};
use crate::load::Load;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_announcements_a_second_cross_one_and_all() {
    let a = node(&[]).await;
    let config = Config {
        api: "127.0.0.1:0".into(),
        ..Config::default()
    };
    let gate = voidphone::start(Arc::new(a.clone()), config).await.unwrap();
    let mut came = listen(&a, "voidphone/7");
    let counting = tokio::spawn(async move {
        let mut count = 0_u64;
        while let Some(Incoming::Bulletin(received)) = came.next().await {
            count += 1;
            if &received.body[..] == b"the last" {
                break;
            }
        }
        count
    });
    let mut module = TcpStream::connect(gate.listen()[0]).await.unwrap();
    // ANNOUNCE with ttl 4 and type 7.
    let announce = |data: &str| {
        let size = u16::try_from(8 + data.len()).unwrap().to_be_bytes();
        [&size[..], &[1, 244, 4, 0, 0, 7], data.as_bytes()].concat()
    };
    let load = Load::send("voidphone", async |n| {
        let announce = announce(&format!("announcement {n}"));
        module.write_all(&announce).await.unwrap();
    });
    let load = load.await;
    load.settles(gate.counters(), &["published"]).await;
    module.write_all(&announce("the last")).await.unwrap();
    until("all came", async || counting.is_finished().then_some(())).await;
    assert_eq!(counting.await.unwrap(), load.sent + 1, "none was lost");
}
