//! Backups of a store without a key, and of one with alarms.

use keyport_api::etcdserverpb::alarm_request::AlarmAction;
use keyport_api::etcdserverpb::{AlarmRequest, AlarmType};
use keyport_tests::grpc::get;
use keyport_tests::{Flavor, Server};

use super::{done, keyport, restore, text};

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_store_is_one_everywhere() {
    for from in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("backup.db");
        Server::of(from).start().etcdctl().ok(&["snapshot", "save", text(&file)]);
        let status = done(&keyport(&["status", text(&file), "-w", "json"]));
        assert!(status.contains(r#""totalKey":0"#), "{from:?}: {status}");
        let etcds = if from == Flavor::Keyport { Flavor::releases() } else { Vec::new() };
        for to in [Flavor::Keyport].into_iter().chain(etcds) {
            let data = dir.path().join(format!("{to:?}"));
            restore(to, &file, &data);
            let mut restored = Server::of(to).data_dir(&data).start();
            assert_eq!(restored.grpc().await.put("k", "v").await, 2, "{from:?} {to:?}: the first revision");
            restored.stop();
            restored.restart();
            assert_eq!(restored.grpc().await.put("k", "w").await, 3, "{from:?} {to:?}");
        }
    }
}

/// They are of a member that the new cluster does not have: nobody could take them back.
#[tokio::test]
async fn alarms_stay_behind_and_it_is_said() {
    for from in [Flavor::Keyport].into_iter().chain(Flavor::releases()) {
        let dir = tempfile::tempdir().unwrap();
        let server = Server::of(from).start();
        let mut c = server.grpc().await;
        c.put("k", "v").await;
        let member_id = c.range(get("k")).await.header.unwrap().member_id;
        for alarm in [AlarmType::Nospace, AlarmType::Corrupt] {
            let request = AlarmRequest { action: AlarmAction::Activate.into(), member_id, alarm: alarm.into() };
            c.maintenance.alarm(request).await.unwrap();
        }
        let file = dir.path().join("backup.db");
        server.etcdctl().ok(&["snapshot", "save", text(&file)]);
        let data = dir.path().join("data");
        let told = done(&keyport(&["restore", text(&file), "--data-dir", text(&data)]));
        for alarm in ["NOSPACE", "CORRUPT"] {
            let said = format!("left out the alarm {alarm} of member {member_id:x}");
            assert!(told.contains(&said), "{from:?}: {told}");
        }
        let restored = Server::of(Flavor::Keyport).data_dir(&data).start();
        let mut c = restored.grpc().await;
        assert!(c.maintenance.alarm(AlarmRequest::default()).await.unwrap().into_inner().alarms.is_empty());
        assert_eq!(c.put("k", "w").await, 3, "{from:?}");
    }
}
