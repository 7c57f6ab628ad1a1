//! How often may be asked: `--rate-limit-*`.

use super::settings::Settings;
use super::{ConfigError, invalid};

/// So many requests a second, and so many at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// At least one.
    pub per_second: u32,
    /// After a pause; at least one.
    pub burst: u32,
}

/// The rates that requests are held to; `None` where they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RatesConfig {
    /// Of each user, where there are users.
    pub per_user: Option<Rate>,
    /// Of each address of clients.
    pub per_address: Option<Rate>,
    /// Of all who ask for keys that begin with a prefix.
    pub prefixes: Vec<(String, Rate)>,
}

pub(super) fn build(s: &Settings) -> Result<RatesConfig, ConfigError> {
    let rate = |flag: &str| {
        let text = s.string(flag);
        parse(&text).map_err(|()| invalid(format!("--{flag}: {text:?} is no {FORM}")))
    };
    let mut prefixes = Vec::new();
    for text in s.list("rate-limit-prefix") {
        let parsed = text.rsplit_once('=').and_then(|(prefix, rate)| Some((prefix, parse(rate).ok()?)));
        let (prefix, rate) =
            parsed.ok_or_else(|| invalid(format!("--rate-limit-prefix: {text:?} is no <prefix>= and {FORM}")))?;
        if prefixes.iter().any(|(known, _)| known == prefix) {
            return Err(invalid(format!("--rate-limit-prefix names {prefix:?} twice")));
        }
        prefixes.extend(rate.map(|rate| (prefix.to_owned(), rate)));
    }
    Ok(RatesConfig { per_user: rate("rate-limit-per-user")?, per_address: rate("rate-limit-per-address")?, prefixes })
}

const FORM: &str = "rate: requests a second, and after a colon how many at once, such as 100 or 100:500";

/// Nothing and 0 are no limit. Without a burst it is what comes back in a second.
fn parse(text: &str) -> Result<Option<Rate>, ()> {
    let number = |text: &str| text.trim().parse::<u32>().map_err(|_| ());
    if text.trim().is_empty() {
        return Ok(None);
    }
    let (per_second, burst) = match text.split_once(':') {
        Some((per_second, burst)) => (number(per_second)?, Some(number(burst)?)),
        None => (number(text)?, None),
    };
    match (per_second, burst.unwrap_or(per_second)) {
        (0, _) if burst.is_none() => Ok(None),
        (0, _) | (_, 0) => Err(()),
        (per_second, burst) => Ok(Some(Rate { per_second, burst })),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read() {
        let rate = |per_second, burst| Ok(Some(Rate { per_second, burst }));
        assert_eq!(parse("100"), rate(100, 100));
        assert_eq!(parse("100:500"), rate(100, 500));
        assert_eq!(parse(" 1 : 1 "), rate(1, 1));
        for none in ["", " ", "0"] {
            assert_eq!(parse(none), Ok(None), "{none:?}");
        }
        for wrong in ["x", "-1", "1.5", "100:", ":5", "0:5", "5:0", "1:2:3", "4294967296"] {
            assert_eq!(parse(wrong), Err(()), "{wrong:?}");
        }
    }
}
