//! What a member has counted of its calls.

use std::collections::BTreeMap;
use std::time::Duration;

use keyport_api::methods::Method;

use super::Member;

/// How many calls ended with each code.
pub(crate) type Codes = BTreeMap<String, u64>;

pub(crate) fn codes(counts: &[(&str, u64)]) -> Codes {
    counts.iter().map(|&(code, count)| (code.to_owned(), count)).collect()
}

impl Member {
    /// How many calls of an RPC have begun.
    pub(crate) fn begun(&self, method: Method) -> u64 {
        self.series("grpc_server_started_total", method).values().sum()
    }

    /// How those ended that have ended.
    pub(crate) fn ended(&self, method: Method) -> Codes {
        let series = self.series("grpc_server_handled_total", method).into_iter();
        series.map(|(labels, count)| (labels.split('"').nth(1).unwrap().to_owned(), count)).collect()
    }

    /// Returns once this is how they ended.
    pub(crate) async fn wait_until_ended(&self, method: Method, expected: &[(&str, u64)]) {
        let expected = codes(expected);
        let waited = tokio::time::timeout(Duration::from_secs(10), async {
            while self.ended(method) != expected {
                tokio::task::yield_now().await;
            }
        });
        assert!(waited.await.is_ok(), "{:?} and not {expected:?}", self.ended(method));
    }

    fn series(&self, name: &str, method: Method) -> Codes {
        let info = method.info();
        let labels = format!("grpc_method=\"{}\",grpc_service=\"{}\"", info.name, info.service);
        let text = self.metrics.render().unwrap();
        let lines = text.lines().filter(|line| line.starts_with(name) && line.contains(&labels));
        let values = lines.filter_map(|line| line.rsplit_once(' '));
        values
            .map(|(series, value)| (series.to_owned(), value.parse().unwrap()))
            .filter(|(_, value)| *value > 0)
            .collect()
    }
}
