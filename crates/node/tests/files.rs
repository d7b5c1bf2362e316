//! Large contents between real nodes over real QUIC on loopback, in one process.
#![allow(missing_docs, reason = "tests")]

use std::time::{Duration, Instant};

use bruit::{Config, FileError, Node, PublishError, Put, PutReceipt, Wait};
use bytes::Bytes;

const PATIENCE: Duration = Duration::from_secs(20);

async fn node(config: Config, join: &[&Node]) -> Node {
    let join = join
        .iter()
        .map(|node| node.address().expect("reachable"))
        .collect();
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let config = Config {
        listen,
        price: 0,
        join,
        ..config
    };
    Node::spawn(config).await.expect("starts")
}

fn content(bytes: usize) -> Bytes {
    let words = (0..bytes.div_ceil(4)).map(|at| u32::try_from(at).expect("small"));
    let bytes_of = |word: u32| word.wrapping_mul(2_654_435_761).to_be_bytes();
    let whole: Bytes = words.flat_map(bytes_of).collect();
    whole.slice(..bytes)
}

async fn read(node: &Node, put: &PutReceipt) -> Vec<u8> {
    let value = node.get(&put.address(), PATIENCE).await.expect("readable");
    let file = node.file(&value.expect("it came")).expect("a manifest");
    let mut body = Vec::new();
    for index in 0..file.chunks() {
        body.extend(file.chunk(index, PATIENCE).await.expect("it comes"));
    }
    body
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_reaches_the_others_and_stays_when_its_writer_is_gone() {
    let a = node(Config::default(), &[]).await;
    let b = node(Config::default(), &[&a]).await;
    let c = node(Config::default(), &[&a]).await;
    let body = content(3_000_000);
    let began = Instant::now();
    let put = Put::new(body.clone()).name("photo");
    let put = a.put_file(put).await.expect("put");
    assert_eq!(read(&a, &put).await, body);
    assert_eq!(read(&b, &put).await, body);
    println!("3 MB were at the second node after {:?}", began.elapsed());
    // The writer is gone before the third has asked for anything but what came by itself.
    a.shutdown().await;
    assert_eq!(read(&c, &put).await, body);
    b.shutdown().await;
    c.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_short_goes_in_its_bulletin_and_what_is_too_long_is_refused() {
    let a = node(Config::default(), &[]).await;
    let put = a.put_file(Put::new(content(16_383))).await.expect("put");
    let value = a.get(&put.address(), PATIENCE).await.expect("readable");
    let value = value.expect("it is here");
    assert!(a.file(&value).is_none());
    assert_eq!(value.body, content(16_383));
    let error = a.put_file(Put::new(content((16 << 20) + 1))).await;
    let error = error.expect_err("too long");
    assert!(
        matches!(
            error,
            PublishError::TooBig {
                got: 16_777_217,
                max: 16_777_216
            }
        ),
        "{error}"
    );
    assert_eq!(error.code(), "too_big");
    assert!(error.fix().contains("16 MiB"), "{}", error.fix());
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_price_of_a_file_is_that_of_the_whole() {
    let price = 1;
    let listen = Some("127.0.0.1:0".parse().expect("an address"));
    let a = Node::spawn(Config {
        listen,
        price,
        ..Config::default()
    })
    .await
    .expect("starts");
    let put = Put::new(content(1 << 20)).ttl(Duration::from_mins(5));
    let put = a.put_file(put).await.expect("put");
    let network =
        bruit_core::network::Network::new("main", bruit_core::work::Price::new(price), None);
    let least = network.price().bits_min(1 << 20, Duration::from_mins(5));
    assert!(put.bits >= least && least >= 20, "{} of {least}", put.bits);
    let dear = Put::new(content(1 << 20))
        .ttl(Duration::from_mins(5))
        .max_work(least - 1);
    let error = a.put_file(dear).await.expect_err("too dear");
    assert!(matches!(error, PublishError::PriceTooLow { .. }), "{error}");
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stored_file_is_there_after_a_restart_and_is_saved_to_disk_in_parts() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Some(folder.path().join("data"));
    let config = || Config {
        data: data.clone(),
        ..Config::default()
    };
    let a = node(config(), &[]).await;
    let body = content(500_000);
    let put = Put::new(body.clone()).wait(Wait::Stored);
    let put = a.put_file(put).await.expect("put");
    a.shutdown().await;
    drop(a);
    let a = node(config(), &[]).await;
    let value = a.get(&put.address(), PATIENCE).await.expect("readable");
    let file = a.file(&value.expect("it is here")).expect("a manifest");
    assert_eq!(file.progress().await, Some(file.chunks()));
    let path = folder.path().join("photo.jpg");
    // An earlier attempt got so far, and something is wrong after it.
    std::fs::write(
        folder.path().join("photo.jpg.part"),
        [&body[..40_000], b"XXXX"].concat(),
    )
    .expect("written");
    let mut seen = Vec::new();
    a.save_file(&file, &path, PATIENCE, |bytes| seen.push(bytes))
        .await
        .expect("saved");
    assert_eq!(std::fs::read(&path).expect("there"), body);
    assert_eq!(seen.last(), Some(&500_000));
    a.shutdown().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_file_that_cannot_come_says_how_much_of_it_is_here() {
    let folder = tempfile::tempdir().expect("a folder");
    let data = Some(folder.path().join("data"));
    let a = node(
        Config {
            data,
            ..Config::default()
        },
        &[],
    )
    .await;
    let put = a.put_file(Put::new(content(100_000))).await.expect("put");
    let value = a
        .get(&put.address(), PATIENCE)
        .await
        .expect("readable")
        .expect("here");
    let file = a.file(&value).expect("a manifest");
    let error = file
        .chunk(99, Duration::from_millis(50))
        .await
        .expect_err("there is none");
    assert!(
        matches!(
            error,
            FileError::Incomplete {
                chunks: 25,
                all: 25,
                ..
            }
        ),
        "{error}"
    );
    a.shutdown().await;
}
