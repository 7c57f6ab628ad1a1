//! Users, roles and whether anybody is asked, as resources.

use http::Method;
use keyport_tests::http::{Answer, b64};
use serde_json::{Value, json};

use super::{Store, problem};

impl Store {
    async fn access(&self, method: Method, path: &str, body: &Value) -> Answer {
        self.access_as("", method, path, body).await
    }

    /// `user` has its own name for a password; nobody in particular for an empty name.
    async fn access_as(&self, user: &str, method: Method, path: &str, body: &Value) -> Answer {
        let basic = format!("Basic {}", b64(format!("{user}:{user}")));
        let headers = [("authorization", &*basic)];
        let headers = if user.is_empty() { &[][..] } else { &headers };
        let body = if body.is_null() { String::new() } else { body.to_string() };
        self.http.send(method, &format!("/v3/{path}"), headers, body).await
    }
}

#[tokio::test]
async fn roles_say_what_they_permit_as_they_were_told() {
    let store = Store::start();
    let none = Value::Null;
    let made = store.access(Method::POST, "roles", &json!({"name": "r/1"})).await;
    assert_eq!((made.status.as_u16(), made.header("location")), (201, "/v3/roles/r%2F1"));
    assert_eq!(made.json(), json!({"name": "r/1", "permissions": []}));
    let permissions = [
        json!({"permission": "read", "key": "a"}),
        json!({"permission": "write", "from": "b", "to": "b5"}),
        json!({"permission": "readwrite", "prefix": "c/"}),
        json!({"permission": "read", "from": "d"}),
        json!({"permission": "read", "key_b64": "/w=="}),
    ];
    for permission in &permissions {
        let granted = store.access(Method::POST, "roles/r%2F1/permissions", permission).await;
        assert_eq!(granted.status, 204, "{permission}: {}", granted.text());
    }
    let role = store.access(Method::GET, "roles/r%2F1", &none).await.json();
    assert_eq!(role, json!({"name": "r/1", "permissions": permissions}));
    for query in ["key=a", "from=b&to=b5", "prefix=c/", "from=d", "key_b64=_w"] {
        let revoked = store.access(Method::DELETE, &format!("roles/r%2F1/permissions?{query}"), &none).await;
        assert_eq!(revoked.status, 204, "{query}: {}", revoked.text());
    }
    store.access(Method::POST, "roles/r%2F1/permissions", &json!({"permission": "read", "prefix": ""})).await;
    let role = store.access(Method::GET, "roles/r%2F1", &none).await.json();
    assert_eq!(role["permissions"], json!([{"permission": "read", "prefix": ""}]));
    assert_eq!(store.access(Method::GET, "roles", &none).await.json(), json!({"roles": [{"name": "r/1"}]}));
    for (method, path, body, status) in [
        (Method::POST, "roles", json!({"name": "r/1"}), 409),
        (Method::POST, "roles", json!({}), 400),
        (Method::POST, "roles/r%2F1/permissions", json!({"permission": "see", "key": "a"}), 400),
        (Method::POST, "roles/r%2F1/permissions", json!({"key": "a"}), 400),
        (Method::POST, "roles/r%2F1/permissions", json!({"permission": "read"}), 400),
        (Method::POST, "roles/r%2F1/permissions", json!({"permission": "read", "key": "a", "prefix": "a"}), 400),
        (Method::POST, "roles/r%2F1/permissions", json!({"permission": "read", "from": "b", "to": "a"}), 400),
        (Method::POST, "roles/nobody/permissions", json!({"permission": "read", "key": "a"}), 404),
        (Method::DELETE, "roles/r%2F1/permissions?key=z", none.clone(), 404),
        (Method::DELETE, "roles/r%2F1/permissions?kee=z", none.clone(), 400),
        (Method::GET, "roles/nobody", none.clone(), 404),
        (Method::GET, "roles/%FF", none.clone(), 400),
        (Method::DELETE, "roles/nobody", none.clone(), 404),
    ] {
        let refused = store.access(method.clone(), path, &body).await;
        assert_eq!(problem(&refused).0, status, "{method} {path} {body}: {}", refused.text());
    }
    assert_eq!(store.access(Method::DELETE, "roles/r%2F1", &none).await.status, 204);
    assert_eq!(store.access(Method::GET, "roles", &none).await.json(), json!({"roles": []}));
}

#[tokio::test]
async fn users_come_in_once_everybody_is_asked() {
    let store = Store::with(&["--bcrypt-cost=4"]);
    let none = Value::Null;
    let state = store.access(Method::GET, "authentication", &none).await.json();
    assert_eq!((&state["enabled"], state["revision"].is_string()), (&json!(false), true));
    assert_eq!(problem(&store.access(Method::PUT, "authentication", &json!({"enabled": true})).await).0, 409);
    for name in ["root", "app"] {
        let made = store.access(Method::POST, "users", &json!({"name": name, "password": name})).await;
        assert_eq!((made.status.as_u16(), made.json()), (201, json!({"name": name, "roles": []})));
        assert_eq!(made.header("location"), format!("/v3/users/{name}"));
    }
    for (path, body) in [("users/root/roles/root", none.clone()), ("authentication", json!({"enabled": true}))] {
        // There has to be the role first.
        store.access(Method::POST, "roles", &json!({"name": "root"})).await;
        let done = store.access(Method::PUT, path, &body).await;
        assert_eq!(done.status, 204, "{path}: {}", done.text());
    }
    assert_eq!(problem(&store.access(Method::GET, "users", &none).await).0, 401);
    assert_eq!(problem(&store.access_as("app", Method::GET, "users", &none).await).0, 403);
    let users = store.access_as("root", Method::GET, "users", &none).await.json();
    assert_eq!(users, json!({"users": [{"name": "app"}, {"name": "root"}]}));
    let app = || store.access_as("app", Method::GET, "keys/k", &none);
    assert_eq!(problem(&app().await).0, 403);
    for (method, path, body, status) in [
        (Method::POST, "roles", json!({"name": "reader"}), 201),
        (Method::POST, "roles/reader/permissions", json!({"permission": "read", "key": "k"}), 204),
        (Method::PUT, "users/app/roles/reader", none.clone(), 204),
    ] {
        let done = store.access_as("root", method, path, &body).await;
        assert_eq!(done.status, status, "{path}: {}", done.text());
    }
    assert_eq!(problem(&app().await).0, 404);
    let shown = store.access_as("root", Method::GET, "users/app", &none).await.json();
    assert_eq!(shown, json!({"name": "app", "roles": ["reader"]}));
    // A password is another one, and a role is taken away again.
    let changed = store.access_as("root", Method::PUT, "users/app/password", &json!({"password": "other"})).await;
    assert_eq!(changed.status, 204);
    assert_eq!(problem(&app().await).0, 401);
    store.access_as("root", Method::PUT, "users/app/password", &json!({"password": "app"})).await;
    assert_eq!(store.access_as("root", Method::DELETE, "users/app/roles/reader", &none).await.status, 204);
    assert_eq!(problem(&app().await).0, 403);
    for (method, path, body, status) in [
        (Method::POST, "users", json!({"name": "app", "password": "x"}), 409),
        (Method::POST, "users", json!({"name": "x"}), 400),
        (Method::POST, "users", json!({"name": "x", "password": "x", "no_password": true}), 400),
        (Method::POST, "users", json!({"name": "", "password": "x"}), 400),
        (Method::PUT, "users/app/password", json!({"password": ""}), 400),
        (Method::PUT, "users/nobody/password", json!({"password": "x"}), 404),
        (Method::PUT, "users/app/roles/nothing", none.clone(), 404),
        (Method::DELETE, "users/app/roles/reader", none.clone(), 404),
        (Method::DELETE, "users/nobody", none.clone(), 404),
        (Method::PUT, "users/app", none.clone(), 405),
    ] {
        let refused = store.access_as("root", method.clone(), path, &body).await;
        assert_eq!(problem(&refused).0, status, "{method} {path} {body}: {}", refused.text());
    }
    assert_eq!(store.access_as("root", Method::DELETE, "users/app", &none).await.status, 204);
    assert_eq!(store.access_as("root", Method::PUT, "authentication", &json!({"enabled": false})).await.status, 204);
    assert_eq!(store.access(Method::GET, "users", &none).await.json(), json!({"users": [{"name": "root"}]}));
}
