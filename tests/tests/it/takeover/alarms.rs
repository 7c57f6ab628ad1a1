//! Alarms that are up when a server becomes another's: up there, too, refusing what they refused, until somebody disarms them.

use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{AlarmMember, AlarmRequest, AlarmType, DefragmentRequest};
use keyport_tests::grpc::{Grpc, delete, get, put, refused};
use keyport_tests::wait::{eventually, within};
use keyport_tests::{Flavor, Server};
use tonic::Code;

use super::to_etcd;

const QUOTA: u64 = 8 << 20;
const NO_SPACE: &str = "etcdserver: mvcc: database space exceeded";
const CORRUPT: &str = "etcdserver: corrupt cluster";

async fn ask(c: &mut Grpc, action: AlarmAction, member_id: u64, alarm: AlarmType) -> Vec<AlarmMember> {
    let request = AlarmRequest { action: action.into(), member_id, alarm: alarm.into() };
    within("alarms", c.maintenance.alarm(request)).await.unwrap().into_inner().alarms
}

async fn alarms(c: &mut Grpc) -> Vec<(AlarmType, u64)> {
    let raised = ask(c, AlarmAction::Get, 0, AlarmType::None).await;
    let mut raised: Vec<_> = raised.into_iter().map(|raised| (raised.alarm(), raised.member_id)).collect();
    raised.sort_by_key(|(alarm, _)| *alarm as i32);
    raised
}

/// Writes until the quota is reached, then says that data are corrupt, too; whose alarms they are.
async fn raise_both(server: &Server) -> u64 {
    let mut c = server.grpc().await;
    let value = "x".repeat(50_000);
    let mut puts = 0;
    let no_space = loop {
        match within("put", c.kv.put(put(&format!("k{}", puts % 10), &value))).await {
            Ok(_) => puts += 1,
            Err(status) => break status,
        }
        assert!(puts < 10_000, "the quota is not reached");
    };
    refused(Err::<(), _>(no_space), Code::ResourceExhausted, NO_SPACE);
    let own = c.range(get("k")).await.header.unwrap().member_id;
    eventually("the alarm is up", async || (alarms(&mut c).await == [(AlarmType::Nospace, own)]).then_some(())).await;
    ask(&mut c, AlarmAction::Activate, own, AlarmType::Corrupt).await;
    own
}

/// Both are as they were, each refuses its own, and each goes when it is told to.
async fn gets_over_both(server: &Server, own: u64) {
    let mut c = server.grpc().await;
    assert_eq!(alarms(&mut c).await, [(AlarmType::Nospace, own), (AlarmType::Corrupt, own)], "{:?}", server.flavor());
    let health = server.http().get("/health").await;
    assert!(health.status == 503 && health.text().contains("ALARM"), "{}", health.text());
    refused(c.kv.delete_range(delete("k9")).await, Code::DataLoss, CORRUPT);
    ask(&mut c, AlarmAction::Deactivate, own, AlarmType::Corrupt).await;
    // (An etcd forgets the one alarm when it is told that the other is over, until it starts again.)
    if !server.is_etcd() {
        refused(c.kv.put(put("k", "")).await, Code::ResourceExhausted, NO_SPACE);
    }
    assert_eq!(c.get("k1").await.unwrap().value.len(), 50_000);
    let revision = c.delete("k9").await;
    c.compact(revision).await;
    if server.is_etcd() {
        // It goes by the size of the file.
        within("defragmenting", c.maintenance.defragment(DefragmentRequest {})).await.unwrap();
    }
    ask(&mut c, AlarmAction::Deactivate, own, AlarmType::Nospace).await;
    assert!(alarms(&mut c).await.is_empty());
    assert_eq!(c.put("k", "again").await, revision + 1);
}

/// (Their rows are the same in each release.)
#[tokio::test(flavor = "multi_thread")]
async fn alarms_are_taken_over_and_back() {
    for flavor in Flavor::peers() {
        let mut server = Server::of(flavor).args(["--quota-backend-bytes", &QUOTA.to_string()]).start();
        let own = raise_both(&server).await;
        server.stop();

        server.become_a(Flavor::Keyport);
        server.restart_unhealthy();
        gets_over_both(&server, own).await;
        assert_eq!(raise_both(&server).await, own);
        server.stop();

        let back = server.scratch().join("back");
        to_etcd(server.data_dir(), &back);
        server.become_a(flavor);
        server.move_to(&back);
        server.restart_unhealthy();
        gets_over_both(&server, own).await;
        server.stop();
        server.restart();
        assert_eq!(server.grpc().await.get("k").await.unwrap().value, "again");
    }
}
