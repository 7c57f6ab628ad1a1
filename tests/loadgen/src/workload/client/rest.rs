//! The operations of a client that has no more than HTTP: keys as resources, and where a server has none, its JSON gateway.

use std::fmt::Write;

use super::{Client, Link};
use crate::fail::{Fail, rpc};
use crate::http1::Http;

impl Client {
    /// Whether the server has them. A server that fails at the question has them not, or is asked again.
    async fn has_keys(&mut self) -> Result<bool, Fail> {
        if let Some(has) = self.has_keys {
            return Ok(has);
        }
        let has = match self.http().get("/v3/keys?limit=1").await {
            Ok(_) => true,
            Err(Fail::Rpc(_)) => false,
            Err(fail) => return Err(fail),
        };
        self.has_keys = Some(has);
        Ok(has)
    }

    pub(super) async fn rest_put(&mut self) -> Result<u64, Fail> {
        if !self.has_keys().await? {
            return self.json_put().await;
        }
        let value = self.value();
        self.address();
        let path = std::mem::take(&mut self.text);
        let code = self.http().put(&path, &value).await;
        self.text = path;
        code.map(|_| 1)
    }

    pub(super) async fn rest_get(&mut self) -> Result<u64, Fail> {
        if !self.has_keys().await? {
            return self.json_range().await;
        }
        self.address();
        let path = std::mem::take(&mut self.text);
        let size = self.run.spec.value_size;
        let found = self.http().get(&path).await.map(<[u8]>::len);
        self.text = path;
        match found? {
            found if found == size => Ok(1),
            found => Err(rpc(format!("a value of {found} bytes, not {size}"))),
        }
    }

    /// Of any key.
    fn address(&mut self) {
        let key = self.any_key();
        self.text.clear();
        let _ = write!(self.text, "/v3/keys/{}", String::from_utf8_lossy(&key));
    }

    fn http(&mut self) -> &mut Http {
        match &mut self.link {
            Link::Http(http) => http,
            _ => unreachable!("a workload of HTTP on a gRPC link"),
        }
    }
}
