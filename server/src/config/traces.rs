//! Traces: `--enable-distributed-tracing` and what goes with it.

use super::settings::Settings;
use super::{ConfigError, Url, invalid};

/// Of so many calls without a parent, [`TracesConfig::sampled`] begin a trace.
pub const A_MILLION: u32 = 1_000_000;

/// What is told of calls, to whom, and as whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TracesConfig {
    /// Of the collector. It is spoken to without encryption, as by etcd.
    pub collector: Url,
    pub service_name: String,
    /// `None` where this member is told from others by nothing.
    pub instance_id: Option<String>,
    /// How many of a million.
    pub sampled: u32,
}

/// `None` when there are none.
pub(super) fn build(s: &Settings) -> Result<Option<TracesConfig>, ConfigError> {
    if !s.bool("enable-distributed-tracing") {
        return Ok(None);
    }
    let wrong = |why: String| invalid(format!("distributed tracing configurition is not valid: ({why})"));
    let rate = s.int("distributed-tracing-sampling-rate");
    if rate < 0 {
        return Err(wrong("tracing sampling rate must be positive".to_owned()));
    }
    let Some(sampled) = u32::try_from(rate).ok().filter(|rate| *rate <= A_MILLION) else {
        return Err(wrong(format!("tracing sampling rate must be less than {A_MILLION}")));
    };
    let address = s.string("distributed-tracing-address");
    // etcd starts with any, and then tells nobody.
    let collector = Url::parse(&format!("http://{address}"));
    let collector = collector.map_err(|error| wrong(format!("tracing address {address:?}: {error}")))?;
    Ok(Some(TracesConfig {
        collector,
        service_name: s.string("distributed-tracing-service-name"),
        instance_id: Some(s.string("distributed-tracing-instance-id")).filter(|id| !id.is_empty()),
        sampled,
    }))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::super::flag::Value;
    use super::*;

    fn built(enabled: bool, rate: i64, address: &str) -> Result<Option<TracesConfig>, ConfigError> {
        let set = BTreeMap::from([
            ("enable-distributed-tracing", Value::Bool(enabled)),
            ("distributed-tracing-sampling-rate", Value::Int(rate)),
            ("distributed-tracing-address", Value::Str(address.to_owned())),
        ]);
        build(&Settings { set, warnings: Vec::new() })
    }

    #[test]
    fn rates_are_of_a_million_and_looked_at_where_traces_are() {
        assert_eq!(built(false, -1, "nowhere").unwrap(), None);
        for rate in [0, 1, 1_000_000] {
            let config = built(true, rate, "localhost:4317").unwrap().unwrap();
            assert_eq!(
                (i64::from(config.sampled), config.collector.to_string().as_str()),
                (rate, "http://localhost:4317")
            );
            assert_eq!((config.service_name.as_str(), config.instance_id), ("etcd", None));
        }
        for (rate, address, why) in [
            (-1, "a:1", "distributed tracing configurition is not valid: (tracing sampling rate must be positive)"),
            (1_000_001, "a:1", "(tracing sampling rate must be less than 1000000)"),
            (1, "a:b:c", "(tracing address \"a:b:c\": "),
            (1, "localhost", "(tracing address \"localhost\": "),
        ] {
            let error = built(true, rate, address).unwrap_err().to_string();
            assert!(error.contains(why), "{error}");
        }
    }
}
