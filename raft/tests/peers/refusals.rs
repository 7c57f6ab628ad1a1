//! Who may have a stream, and what the others are told.

use std::sync::Arc;

use keyport_raft::peers::NoPeerObserver;
use keyport_raft::{PeerOptions, Peers};
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use crate::harness::{Cluster, Listener, Member, Settings, count, local, options, until, urls, within};
use crate::machine::State;
use crate::plain::plain;
use crate::raw::{Acceptor, Greeting};

pub(crate) fn peers(id: u64, options: PeerOptions) -> Peers {
    let store = Arc::new(State::default());
    Peers::new(
        local(id, vec![format!("http://127.0.0.1:{id}")]),
        Handle::current(),
        plain(),
        store,
        Arc::new(NoPeerObserver),
        options,
    )
}

/// A member of a cluster of two whose other one is not there.
pub(crate) async fn member(settings: &Settings) -> Member {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let member = Member::start(2, listener, &[1, 2], settings);
    member.peers.add(1, vec![]);
    member
}

#[tokio::test]
async fn strangers_are_turned_away_with_their_reason() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    member.peers.remove(9);
    let good = Greeting::new(1, 2);
    for (greeting, status) in [
        (Greeting { cluster: 0xbad, ..good.clone() }, 412),
        (Greeting { to: 3, ..good.clone() }, 412),
        (Greeting { version: "2.0.0", ..good.clone() }, 412),
        (Greeting { version: "soon", ..good.clone() }, 412),
        (Greeting { from: 2, ..good.clone() }, 400),
        (Greeting { from: 9, ..good.clone() }, 410),
        (Greeting { from: 5, ..good.clone() }, 403),
        (Greeting { from: 5, urls: "https://a:1,nonsense".into(), ..good.clone() }, 403),
        (Greeting { upgrade: "websocket", ..good.clone() }, 426),
        (good.clone(), 101),
    ] {
        assert_eq!(greeting.stream(address).await.status, status);
    }
    let mut snapshot = Greeting { from: 9, ..good.clone() }.snapshot(address).await;
    assert_eq!(snapshot.answer().await, 410);
    member.peers.stop();
    assert_eq!(good.stream(address).await.status, 503);
}

#[tokio::test]
async fn nobody_gets_in_before_the_node_runs() {
    let peers = peers(2, options());
    let listener = Listener::serve(TcpListener::bind("127.0.0.1:0").await.unwrap(), peers.clone());
    assert_eq!(Greeting::new(1, 2).stream(listener.address).await.status, 503);
    assert_eq!(Greeting::new(1, 2).snapshot(listener.address).await.answer().await, 503);
}

#[tokio::test]
async fn a_member_not_known_yet_is_answered_at_its_urls_and_forgotten_when_it_goes() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let acceptor = Acceptor::new().await;
    let mut newcomer = Greeting { urls: acceptor.url(), ..Greeting::new(7, 2) }.stream(address).await;
    assert_eq!(newcomer.status, 101);
    newcomer.ping(1).await;
    let _answers = acceptor.accept(7).await;
    until("the stream back is up", || member.peers.active_since(7).is_some()).await;
    assert_eq!(member.peers.urls(7), Some(vec![acceptor.url()]));
    drop(newcomer);
    until("it is forgotten", || member.peers.urls(7).is_none()).await;

    // Once it is a member, it stays known.
    let newcomer = Greeting { urls: acceptor.url(), ..Greeting::new(7, 2) }.stream(address).await;
    member.peers.add(7, vec!["http://127.0.0.1:1".into()]);
    drop(newcomer);
    assert_eq!(member.peers.urls(7), Some(vec!["http://127.0.0.1:1".into()]));
}

#[tokio::test]
async fn only_some_unknown_members_are_let_in() {
    let member = member(&Settings::default()).await;
    let address = member.listener.as_ref().unwrap().address;
    let mut streams = Vec::new();
    for from in 10..18 {
        streams.push(Greeting { urls: "http://127.0.0.1:1".into(), ..Greeting::new(from, 2) }.stream(address).await);
    }
    assert!(streams.iter().all(|stream| stream.status == 101));
    let greeting = Greeting { urls: "http://127.0.0.1:1".into(), ..Greeting::new(18, 2) };
    assert_eq!(greeting.stream(address).await.status, 503);
    // Members are not affected.
    assert_eq!(Greeting::new(1, 2).stream(address).await.status, 101);
    streams.pop();
    until("there is room again", || member.peers.urls(17).is_none()).await;
    assert_eq!(greeting.stream(address).await.status, 101);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_removed_member_learns_it() {
    let cluster = Cluster::start(&[1, 2, 3]).await;
    cluster.leader().await;
    for member in &cluster.0[..2] {
        member.peers.remove(3);
        assert_eq!(member.peers.urls(3), None);
    }
    within("it learns it", cluster.0[2].peers.removed(|_| true)).await;
    // For good.
    cluster.introduce();
    assert_eq!(cluster.0[0].peers.urls(3), None);
    assert!(cluster.0[1].peers.urls(1).is_some());
}

#[tokio::test]
async fn only_the_own_cluster_can_say_that_a_member_was_removed() {
    let peers = peers(2, options());
    let acceptor = Acceptor::new().await;
    peers.add(1, vec![acceptor.url()]);
    let removed = peers.removed(|_| true);
    tokio::pin!(removed);
    for _ in 0..3 {
        tokio::select! {
            () = &mut removed => panic!("anybody could stop this member"),
            _ = acceptor.answer("HTTP/1.1 410 Gone\r\nX-Etcd-Cluster-ID: bad\r\nContent-Length: 0\r\n\r\n") => {}
        }
    }
    let _last = acceptor.answer("HTTP/1.1 410 Gone\r\nX-Etcd-Cluster-ID: c1\r\nContent-Length: 0\r\n\r\n").await;
    within("it believes its own cluster", removed).await;
    // Also for who asks later.
    within("it still does", peers.removed(|_| true)).await;
}

#[tokio::test]
async fn a_member_names_the_urls_that_the_cluster_has_for_it() {
    let peers = peers(2, options());
    let acceptor = Acceptor::new().await;
    peers.add(1, vec![acceptor.url()]);
    let (first, head) = acceptor.hear().await;
    assert!(head.contains("x-peerurls: http://127.0.0.1:2\r\n"), "{head}");
    peers.add(2, vec!["http://moved:1".into(), "http://moved:2".into()]);
    drop(first);
    let (_second, head) = acceptor.hear().await;
    assert!(head.contains("x-peerurls: http://moved:1,http://moved:2\r\n"), "{head}");
}

#[tokio::test]
async fn an_address_that_belongs_to_somebody_else_gives_no_stream() {
    let member = member(&Settings::default()).await;
    let other = peers(3, options());
    let (wrong, right) = (Acceptor::new().await, Acceptor::new().await);
    // An address of the wrong member, then one that nobody may dial: neither gets in the way of the right one.
    other.add(2, [urls(&member)[0].clone(), "https://127.0.0.1:1".into(), wrong.url(), right.url()].into());
    member.peers.remove(3);
    let _first = wrong.accept(5).await;
    let _second = right.accept(2).await;
    until("the stream is up", || other.active_since(2).is_some()).await;
    assert_eq!(count(&member.counts.received), 0);
}
