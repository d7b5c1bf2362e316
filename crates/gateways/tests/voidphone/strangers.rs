//! Peers that claim what they are not, say too much, or speak another language: nobody else notices.

use tokio::net::TcpListener;

use super::Station;
use super::peers::{address, joiner, with_peers};
use super::raw::{Raw, frame};

/// Whoever said HELLO in another's name kept that one from being met for two minutes.
#[tokio::test(flavor = "multi_thread")]
async fn who_claims_an_address_keeps_nobody_from_being_met_there() {
    let station = Station::start(with_peers(&[]), &[], false).await;
    let mut member = joiner(&station, 6999, *b"000").await;
    assert_eq!(member.next().await.0, 505);
    let other = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let at_other = address(other.local_addr().unwrap().port());

    let mut stranger = Raw::connect(station.gateway.listen()[1]).await;
    stranger.send(&frame(508, &at_other)).await;
    assert_eq!(stranger.next().await.0, 506);
    member
        .send(&frame(509, &[&[0, 0][..], &at_other].concat()))
        .await;
    let met = tokio::time::timeout(super::PATIENCE, other.accept()).await;
    let (stream, _) = met.expect("it is met").unwrap();
    let own = address(station.gateway.listen()[1].port());
    assert_eq!(Raw(stream).next().await, (508, own));
}
