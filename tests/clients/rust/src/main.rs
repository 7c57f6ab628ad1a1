//! Drives a server with the `etcd-client` crate as its users do. Usage: `rust-client HOST:PORT`; exits 0 if all is well.

use std::error::Error;
use std::time::Duration;

use etcd_client::{
    Client, Compare, CompareOp, DeleteOptions, EventType, GetOptions, LeaseGrantOptions, LockOptions, PutOptions, SortOrder,
    SortTarget, Txn, TxnOp, WatchOptions,
};
use tokio_stream::StreamExt;

type Outcome = Result<(), Box<dyn Error>>;

#[tokio::main]
async fn main() -> Outcome {
    let endpoint = std::env::args().nth(1).ok_or("usage: rust-client HOST:PORT")?;
    let client = Client::connect([endpoint], None).await?;
    tokio::time::timeout(Duration::from_secs(60), async {
        keys(client.clone()).await?;
        transactions(client.clone()).await?;
        leases(client.clone()).await?;
        watching(client.clone()).await?;
        locks(client.clone()).await?;
        elections(client.clone()).await?;
        maintenance(client).await
    })
    .await?
}

async fn keys(mut c: Client) -> Outcome {
    for i in 0..5 {
        c.put(format!("keys/{i}"), format!("value {i}"), None).await?;
    }
    let got = c.get("keys/3", None).await?;
    assert_eq!(got.kvs()[0].value_str()?, "value 3");
    let options = GetOptions::new().with_prefix().with_sort(SortTarget::Key, SortOrder::Descend).with_limit(2);
    let got = c.get("keys/", Some(options)).await?;
    assert_eq!((got.count(), got.more(), got.kvs()[0].key_str()?), (5, true, "keys/4"));
    let put = c.put("keys/0", "again", Some(PutOptions::new().with_prev_key())).await?;
    assert_eq!(put.prev_key().ok_or("no previous pair")?.value_str()?, "value 0");
    let gone = c.delete("keys/", Some(DeleteOptions::new().with_prefix().with_prev_key())).await?;
    assert_eq!((gone.deleted(), gone.prev_kvs().len()), (5, 5));
    let refused = c.get("keys/", Some(GetOptions::new().with_revision(1 << 40))).await;
    assert!(refused.is_err_and(|e| e.to_string().contains("required revision is a future revision")));
    Ok(())
}

async fn transactions(mut c: Client) -> Outcome {
    let create = || {
        Txn::new()
            .when([Compare::version("txn", CompareOp::Equal, 0)])
            .and_then([TxnOp::put("txn", "made", None)])
            .or_else([TxnOp::get("txn", None)])
    };
    assert!(c.txn(create()).await?.succeeded());
    let answer = c.txn(create()).await?;
    assert!(!answer.succeeded());
    match &answer.op_responses()[..] {
        [etcd_client::TxnOpResponse::Get(got)] => assert_eq!(got.kvs()[0].value_str()?, "made"),
        other => return Err(format!("{other:?}").into()),
    }
    Ok(())
}

async fn leases(mut c: Client) -> Outcome {
    let lease = c.lease_grant(60, Some(LeaseGrantOptions::new().with_id(77))).await?;
    assert_eq!((lease.id(), lease.ttl()), (77, 60));
    c.put("leased", "v", Some(PutOptions::new().with_lease(77))).await?;
    let (mut keeper, mut answers) = c.lease_keep_alive(77).await?;
    keeper.keep_alive().await?;
    assert_eq!(answers.message().await?.ok_or("no answer")?.ttl(), 60);
    assert_eq!(c.leases().await?.leases().len(), 1);
    c.lease_revoke(77).await?;
    assert!(c.get("leased", None).await?.kvs().is_empty());
    Ok(())
}

async fn watching(mut c: Client) -> Outcome {
    let from = c.put("watched/a", "1", None).await?.header().ok_or("no header")?.revision();
    c.put("watched/b", "2", None).await?;
    c.delete("watched/a", None).await?;
    let mut stream = c.watch("watched/", Some(WatchOptions::new().with_prefix().with_start_revision(from))).await?;
    let mut seen = Vec::new();
    while seen.len() < 3 {
        let message = stream.next().await.ok_or("the stream ended")??;
        for event in message.events() {
            seen.push((event.event_type(), event.kv().ok_or("no pair")?.key_str()?.to_string()));
        }
    }
    let want = [(EventType::Put, "watched/a"), (EventType::Put, "watched/b"), (EventType::Delete, "watched/a")];
    assert_eq!(seen, want.map(|(kind, key)| (kind, key.to_string())));
    Ok(())
}

async fn locks(mut c: Client) -> Outcome {
    let lease = c.lease_grant(60, None).await?.id();
    let lock = c.lock("lock", Some(LockOptions::new().with_lease(lease))).await?;
    let key = lock.key().to_vec();
    assert_eq!(c.get(key.clone(), None).await?.count(), 1);
    let mut other = c.clone();
    let waiting = tokio::spawn(async move { other.lock("lock", None).await });
    c.unlock(key).await?;
    let second = waiting.await??;
    c.unlock(second.key().to_vec()).await?;
    Ok(())
}

async fn elections(mut c: Client) -> Outcome {
    let lease = c.lease_grant(60, None).await?.id();
    let won = c.campaign("election", "me", lease).await?;
    let leader = c.leader("election").await?;
    assert_eq!(leader.kv().ok_or("no leader")?.value_str()?, "me");
    let key = won.leader().ok_or("no leader key")?.clone();
    c.proclaim("still me", Some(etcd_client::ProclaimOptions::new().with_leader(key.clone()))).await?;
    c.resign(Some(etcd_client::ResignOptions::new().with_leader(key))).await?;
    assert!(c.leader("election").await.is_err());
    Ok(())
}

async fn maintenance(mut c: Client) -> Outcome {
    let status = c.status().await?;
    assert!(status.db_size() > 0 && status.leader() != 0 && !status.version().is_empty());
    assert!(c.alarm(etcd_client::AlarmAction::Get, etcd_client::AlarmType::None, None).await?.alarms().is_empty());
    let revision = c.put("compact", "v", None).await?.header().ok_or("no header")?.revision();
    c.compact(revision, None).await?;
    assert!(c.hash_kv(0).await?.hash() != 0);
    c.defragment().await?;
    assert_eq!(c.member_list().await?.members().len(), 1);
    let mut snapshot = c.snapshot().await?;
    let mut bytes = 0;
    while let Some(part) = snapshot.message().await? {
        bytes += part.blob().len();
    }
    assert!(bytes > 1000);
    Ok(())
}
