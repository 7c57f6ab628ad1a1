use futures_util::FutureExt as _;
use keyport_api::authpb::UserAddOptions;
use keyport_api::etcdserverpb::{AuthEnableRequest, AuthRoleAddRequest, AuthUserAddRequest, AuthUserGrantRoleRequest};

use super::*;
use crate::gate::Pass;
use crate::testing::Member;

async fn users(member: &Member) -> Users {
    let (node, pass) = (&member.node, Pass::internal("a test"));
    let options = Some(UserAddOptions { no_password: true });
    let user = AuthUserAddRequest { name: "root".to_owned(), options, ..AuthUserAddRequest::default() };
    node.propose(&pass, user).await.unwrap();
    node.propose(&pass, AuthRoleAddRequest { name: "root".to_owned() }).await.unwrap();
    let grant = AuthUserGrantRoleRequest { user: "root".to_owned(), role: "root".to_owned() };
    node.propose(&pass, grant).await.unwrap();
    node.propose(&pass, AuthEnableRequest {}).await.unwrap();
    let state = node.shared_state();
    let logins = Logins::new(Arc::clone(&state.auth), 4, node.metrics()).unwrap();
    Users::new(node.raft().clone(), state, logins)
}

fn shows(users: &Users, token: &str) -> Identified {
    users.identify(&Claims { token: Some(Secret::new(token)), ..Claims::default() })
}

#[tokio::test]
async fn a_token_that_names_what_is_not_in_the_log_is_not_waited_for() {
    let member = Member::start().await;
    let users = users(&member).await;
    let commit = member.node.raft().commit();
    for ahead in [1, 5_000, FURTHEST_AHEAD, FURTHEST_AHEAD + 1, u64::MAX - commit] {
        let caller = match shows(&users, &format!("abcdefghijklmnop.{}", commit + ahead)) {
            Identified::Now(caller) => Some(caller),
            Identified::Later(caller) => caller.now_or_never(),
        };
        let caller = caller.unwrap_or_else(|| panic!("{ahead} ahead is waited for"));
        assert_eq!(caller.author_found(), Err(Error::InvalidAuthToken), "{ahead}");
    }
    assert_eq!(member.node.metrics().tokens_refused.get(), 5);
}

#[tokio::test]
async fn few_wait_for_what_their_tokens_name() {
    let member = Member::start().await;
    let users = users(&member).await;
    let token = format!("abcdefghijklmnop.{}", member.node.raft().commit() + 1);
    let waiting: Vec<_> = (0..1_000).map(|_| shows(&users, &token)).collect();
    let parked = waiting.iter().filter(|identified| matches!(identified, Identified::Later(_)));
    assert_eq!(parked.count(), 64);
    drop(waiting);
    assert!(matches!(shows(&users, &token), Identified::Later(_)));
}
