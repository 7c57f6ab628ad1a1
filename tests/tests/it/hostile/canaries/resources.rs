//! The same at keys and leases as resources, in every way that they fail.

use http::Method;

use super::{COOKIE, PASSWORD, TOKEN, VALUE, WRONG, Watched, basic};

impl Watched {
    pub(super) async fn over_resources(&self) {
        let good = self.secrets[1].clone();
        let ways = [
            ("authorization", format!("Bearer {good}")),
            ("authorization", good.clone()),
            ("authorization", format!("Bearer {TOKEN}")),
            ("authorization", basic(PASSWORD)),
            ("authorization", basic(WRONG)),
            ("grpc-metadata-token", TOKEN.to_owned()),
            ("cookie", format!("keyport={good}; other={COOKIE}")),
            ("cookie", format!("keyport={TOKEN}; other={COOKIE}")),
        ];
        for (name, value) in &ways {
            let said = (*name, value.as_str());
            for (verb, path, headers) in FORMS {
                self.ask(verb.clone(), path, &[&[said], *headers].concat(), VALUE.to_owned()).await;
            }
            for path in ["/v3/keys/k/1?watch", "/v3/keys?prefix=k/&watch", "/v3/keys/not-mine?watch"] {
                drop(self.realm.http.get_stream(path, &[said]).await);
            }
            self.ask(Method::POST, "/v3/leases", &[said], format!(r#"{{"ttl":"{VALUE}"}}"#)).await;
            self.ask(Method::POST, "/v3/leases", &[said], format!("{{{VALUE}")).await;
        }
        for token in [&*good, TOKEN] {
            for path in
                ["/v3/keys/k/1?watch", "/v3/keys/k/1?start", "/v3/keys?prefix=k/", "/v3/leases?keys", "/v3/keys/?watch"]
            {
                let path = format!("{path}&access_token={token}");
                let (head, _) = self.realm.http.get_stream(&path, &[]).await.into_parts();
                self.heard(format!("{head:?}"));
                if !head.status.is_success() {
                    self.ask(Method::GET, &path, &[], String::new()).await;
                }
                self.ask(Method::PUT, &path, &[], VALUE.to_owned()).await;
            }
        }
    }
}

type Form = (Method, &'static str, &'static [(&'static str, &'static str)]);

/// All with a value that must not be told; most of them fail.
const FORMS: &[Form] = &[
    (Method::PUT, "/v3/keys/k/1", &[]),
    (Method::PUT, "/v3beta/keys/k/1", &[]),
    (Method::PUT, "/v3/keys/k/1?ttl=600", &[]),
    (Method::PUT, "/v3/keys/k/1?cas=1", &[]),
    (Method::PUT, "/v3/keys/k/1?lease=99", &[]),
    (Method::PUT, "/v3/keys/k/1?ttl=x", &[]),
    (Method::PUT, "/v3/keys/k/1", &[("content-range", "bytes 0-1/2")]),
    (Method::PUT, "/v3/keys/not-mine", &[]),
    (Method::PATCH, "/v3/keys/k/1?increment=1", &[]),
    (Method::PATCH, "/v3/keys/k/1?append", &[]),
    (Method::PATCH, "/v3/keys/not-mine?append", &[]),
    (Method::PATCH, "/v3/keys/k/1", &[("content-type", "application/json-patch+json")]),
    (Method::PATCH, "/v3/keys/k/1", &[("content-type", "application/merge-patch+json")]),
    (Method::PATCH, "/v3/keys/k/1", &[]),
    (Method::POST, "/v3/keys/k/jobs/", &[]),
    (Method::GET, "/v3/keys/k/none?wait=1", &[]),
    (Method::GET, "/v3/keys/k/1", &[("if-match", "\"1\"")]),
    (Method::GET, "/v3/keys/not-mine", &[]),
    (Method::GET, "/v3/keys?prefix=not", &[]),
    (Method::DELETE, "/v3/keys/k/none", &[]),
    (Method::DELETE, "/v3/keys/k/1?cas=1", &[]),
    (Method::DELETE, "/v3/keys/not-mine?prev", &[]),
    (Method::OPTIONS, "/v3/keys/k/1", &[]),
    (Method::TRACE, "/v3/keys/k/1", &[]),
];
