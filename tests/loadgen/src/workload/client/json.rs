//! The operations of a client that speaks JSON.

use std::fmt::Write;

use base64::{Engine, engine::general_purpose::STANDARD as B64};
use serde::Deserialize;

use super::{Client, Link};
use crate::fail::{Fail, rpc};
use crate::workload::{contains, key, rand};

#[derive(Deserialize)]
struct JsonTxnReply {
    #[serde(default)]
    responses: Vec<JsonOpReply>,
}
#[derive(Deserialize)]
struct JsonOpReply {
    response_range: Option<JsonRangeReply>,
}
#[derive(Deserialize)]
struct JsonRangeReply {
    #[serde(default)]
    kvs: Vec<JsonKv>,
}
#[derive(Deserialize)]
struct JsonKv {
    version: String,
    mod_revision: String,
}

impl Client {
    async fn post(&mut self, path: &str) -> Result<&[u8], Fail> {
        match &mut self.link {
            Link::Http(h) => h.post(path, self.text.as_bytes()).await,
            _ => unreachable!("JSON workload on a gRPC link"),
        }
    }

    pub(super) async fn json_put(&mut self) -> Result<u64, Fail> {
        let (k, v) = (B64.encode(self.any_key()), B64.encode(self.value()));
        self.text.clear();
        let _ = write!(self.text, r#"{{"key":"{k}","value":"{v}"}}"#);
        if contains(self.post("/v3/kv/put").await?, b"\"revision\"") {
            Ok(1)
        } else {
            Err(rpc("put answered no revision"))
        }
    }

    pub(super) async fn json_range(&mut self) -> Result<u64, Fail> {
        let k = B64.encode(self.any_key());
        self.text.clear();
        let _ = write!(self.text, r#"{{"key":"{k}"}}"#);
        if contains(self.post("/v3/kv/range").await?, k.as_bytes()) {
            Ok(1)
        } else {
            Err(rpc("range did not find the key"))
        }
    }

    pub(super) async fn json_txn(&mut self) -> Result<u64, Fail> {
        let slot = rand(&mut self.rng) as usize % self.known.len();
        let k = B64.encode(key(b'j', self.id * 16 + slot as u64, self.run.spec.key_size));
        let v = B64.encode(self.value());
        let (version, revision) = self.known[slot];
        self.text.clear();
        let _ = write!(
            self.text,
            r#"{{"compare":[{{"key":"{k}","target":"VERSION","version":"{version}"}},{{"key":"{k}","target":"MOD","mod_revision":"{revision}"}}],"success":[{{"request_put":{{"key":"{k}","value":"{v}"}}}},{{"request_range":{{"key":"{k}"}}}}],"failure":[{{"request_range":{{"key":"{k}"}}}}]}}"#
        );
        let reply: JsonTxnReply = serde_json::from_slice(self.post("/v3/kv/txn").await?).map_err(rpc)?;
        let kv = reply.responses.last().and_then(|o| o.response_range.as_ref()).and_then(|r| r.kvs.first());
        let kv = kv.ok_or(rpc("txn got no key"))?;
        self.known[slot] = (kv.version.parse().map_err(rpc)?, kv.mod_revision.parse().map_err(rpc)?);
        Ok(1)
    }
}
