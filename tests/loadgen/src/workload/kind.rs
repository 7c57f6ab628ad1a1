//! Which workloads there are, what they are called, and what each needs.

/// Of what there are very many at once, while puts are measured.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Crowd {
    /// Connections on which nothing happens.
    Connections,
    /// Watchers, each on a key of its own.
    Watchers,
    /// Watchers of one prefix, which all hear of every put.
    WatchersOfOne,
    /// Leases with a key each, which all expire while puts are measured.
    Leases,
    /// Ranges of keys that the user who puts has been granted one by one.
    Permissions,
}

impl Crowd {
    const ALL: [Crowd; 5] =
        [Crowd::Connections, Crowd::Watchers, Crowd::WatchersOfOne, Crowd::Leases, Crowd::Permissions];

    fn name(self) -> &'static str {
        match self {
            Crowd::Connections => "connections",
            Crowd::Watchers => "watchers",
            Crowd::WatchersOfOne => "watchers-of-one",
            Crowd::Leases => "leases",
            Crowd::Permissions => "permissions",
        }
    }

    /// How many make a crowd, where nobody says.
    pub(crate) fn usual(self) -> u64 {
        match self {
            Crowd::Connections => 10_000,
            Crowd::Watchers | Crowd::WatchersOfOne | Crowd::Permissions => 100_000,
            Crowd::Leases => 1_000_000,
        }
    }
}

#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Kind {
    Put,
    Range,
    RangeSerializable,
    List(u64),
    Txn,
    Mixed,
    Watch,
    WatchMax,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    JsonPut,
    JsonRange,
    JsonTxn,
    /// Keys as resources, and where a server has none, its JSON gateway: what there is for who has no more than HTTP.
    RestPut,
    RestGet,
    Load,
    Restart,
    Rss,
    Disk,
    Failover,
    NewMember,
    TlsConnect,
    WatchesHttps,
    Logins,
    Many(Crowd),
    /// What comes before a crowd of leases expires.
    LeasedKeys,
}
use Kind::*;

pub(crate) const NAMES: &str = "put, range, range-serializable, list (= list-1000, list-10000), txn, mixed, watch (= watch at --rate, watch-max), \
                         lease (= lease-grant, lease-keepalive, lease-revoke), json-put, json-range, json-txn, rest-put, rest-get, tls-connect, watches-https, logins, load, rss, disk, restart, new-member, failover, \
                         connections, watchers, watchers-of-one, leases, permissions (= crowds), all (but failover, which takes three members, and crowds)";

impl Kind {
    pub(crate) fn parse(s: &str) -> anyhow::Result<Vec<Kind>> {
        const ALL: &str = "put range range-serializable txn mixed watch lease json-put json-range json-txn rest-put rest-get load rss disk restart list new-member tls-connect watches-https logins";
        Ok(match s {
            "all" => ALL.split(' ').map(Kind::parse).collect::<anyhow::Result<Vec<_>>>()?.concat(),
            "put" => vec![Put],
            "range" => vec![Range],
            "range-serializable" => vec![RangeSerializable],
            "list" => vec![List(1000), List(10000)],
            "txn" => vec![Txn],
            "mixed" => vec![Mixed],
            "watch" => vec![Watch, WatchMax],
            "watch-max" => vec![WatchMax],
            "lease" => vec![LeaseGrant, LeaseKeepAlive, LeaseRevoke],
            "lease-grant" => vec![LeaseGrant],
            "lease-keepalive" => vec![LeaseKeepAlive],
            "lease-revoke" => vec![LeaseRevoke],
            "json-put" => vec![JsonPut],
            "json-range" => vec![JsonRange],
            "json-txn" => vec![JsonTxn],
            "rest-put" => vec![RestPut],
            "rest-get" => vec![RestGet],
            "load" => vec![Load],
            "restart" => vec![Restart],
            "rss" => vec![Rss],
            "disk" => vec![Disk],
            "failover" => vec![Failover],
            "new-member" => vec![NewMember],
            "tls-connect" => vec![TlsConnect],
            "watches-https" => vec![WatchesHttps],
            "logins" => vec![Logins],
            "crowds" => Crowd::ALL.map(Many).to_vec(),
            _ if Crowd::ALL.iter().any(|crowd| crowd.name() == s) => {
                Crowd::ALL.into_iter().filter(|crowd| crowd.name() == s).map(Many).collect()
            }
            _ => match s.strip_prefix("list-").and_then(|n| n.parse().ok()) {
                Some(n) => vec![List(n)],
                None => anyhow::bail!("unknown workload {s}; known: {NAMES}"),
            },
        })
    }

    pub(crate) fn name(self) -> String {
        match self {
            List(n) => format!("list-{n}"),
            RangeSerializable => "range-serializable".into(),
            WatchMax => "watch-max".into(),
            LeaseGrant => "lease-grant".into(),
            LeaseKeepAlive => "lease-keepalive".into(),
            LeaseRevoke => "lease-revoke".into(),
            JsonPut => "json-put".into(),
            JsonRange => "json-range".into(),
            JsonTxn => "json-txn".into(),
            RestPut => "rest-put".into(),
            RestGet => "rest-get".into(),
            NewMember => "new-member".into(),
            TlsConnect => "tls-connect".into(),
            WatchesHttps => "watches-https".into(),
            Many(crowd) => crowd.name().into(),
            LeasedKeys => "leased-keys".into(),
            k => format!("{k:?}").to_lowercase(),
        }
    }

    /// Is about very many keys.
    pub(crate) fn big(self) -> bool {
        matches!(self, List(_) | Load | Restart | Rss | Disk | NewMember)
    }
    /// Stops and starts members: nothing to do to servers of somebody else.
    pub(crate) fn stops_members(self) -> bool {
        matches!(self, Restart | Failover | NewMember)
    }
    /// Reads keys, so the keyspace is filled first.
    pub(crate) fn preload(self) -> bool {
        matches!(self, Range | RangeSerializable | Mixed | JsonRange | RestGet)
    }
    pub(crate) fn json(self) -> bool {
        matches!(self, JsonPut | JsonRange | JsonTxn | RestPut | RestGet)
    }
    /// Takes servers with TLS, asked for or not.
    pub(crate) fn needs_tls(self) -> bool {
        matches!(self, TlsConnect | WatchesHttps)
    }
    /// Takes servers with users, asked for or not.
    pub(crate) fn needs_users(self) -> bool {
        matches!(self, WatchesHttps | Logins | Many(Crowd::Permissions))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        let all = [Kind::parse("all").unwrap(), Kind::parse("crowds").unwrap(), vec![Failover]].concat();
        for kind in all {
            assert!(Kind::parse(&kind.name()).unwrap().contains(&kind), "{}", kind.name());
        }
    }
}
