//! Settings under the names that earlier releases of etcd had for them.
//!
//! Each is read as the other flags are, in all three places, and then counts as what took its place. That one wins when
//! both are given.

use super::flag::{Flag, Group, Kind, Value, flag};
use super::flags::FLAGS;
use super::settings::Settings;
use super::{ConfigError, invalid};
use Kind::{Bool, Choice, Duration as Dur, Int, Str, Uint};

/// What a former flag is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Now {
    Flag(&'static str),
    /// Of `--feature-gates`.
    Gate(&'static str),
    /// Nothing took its place, and this is said of it.
    Nothing(&'static str),
}

/// A row of the table.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) flag: Flag,
    pub(super) now: Now,
}

/// A flag that another one replaced. Its default counts for nothing: only what was given is passed on.
const fn moved(name: &'static str, kind: Kind, now: &'static str) -> Former {
    Former { flag: flag(Group::General, name, kind, "", ""), now: Now::Flag(now) }
}

const fn gate(name: &'static str, gate: &'static str) -> Former {
    Former { flag: flag(Group::General, name, Bool, "", ""), now: Now::Gate(gate) }
}

const fn gone(name: &'static str, kind: Kind, text: &'static str) -> Former {
    Former { flag: flag(Group::General, name, kind, "", ""), now: Now::Nothing(text) }
}

const MAX_SNAPSHOTS: &str = "--max-snapshots is deprecated in 3.6 and will be decommissioned in 3.8. It is ignored: a state that was received is removed as soon as it is in place.";
const V2_DEPRECATION: &str = "--v2-deprecation is deprecated and scheduled for removal in v3.8. The default value is enforced, ignoring user input.";

/// What 3.6 took and 3.7 does not take any more, and what 3.7 takes and ignores.
pub(super) const FORMER: &[Former] = &[
    gone("max-snapshots", Uint, MAX_SNAPSHOTS),
    gone(
        "v2-deprecation",
        Choice(&["not-yet", "write-only", "write-only-skip-check", "write-only-drop-data", "gone"]),
        V2_DEPRECATION,
    ),
    moved("experimental-bootstrap-defrag-threshold-megabytes", Uint, "bootstrap-defrag-threshold-megabytes"),
    moved("experimental-compact-hash-check-time", Dur, "compact-hash-check-time"),
    moved("experimental-compaction-batch-limit", Int, "compaction-batch-limit"),
    moved("experimental-compaction-sleep-interval", Dur, "compaction-sleep-interval"),
    moved("experimental-corrupt-check-time", Dur, "corrupt-check-time"),
    moved("experimental-distributed-tracing-address", Str, "distributed-tracing-address"),
    moved("experimental-distributed-tracing-instance-id", Str, "distributed-tracing-instance-id"),
    moved("experimental-distributed-tracing-sampling-rate", Int, "distributed-tracing-sampling-rate"),
    moved("experimental-distributed-tracing-service-name", Str, "distributed-tracing-service-name"),
    moved("experimental-downgrade-check-time", Dur, "downgrade-check-time"),
    moved("experimental-enable-distributed-tracing", Bool, "enable-distributed-tracing"),
    moved("experimental-max-learners", Int, "max-learners"),
    moved("experimental-memory-mlock", Bool, "memory-mlock"),
    moved("experimental-peer-skip-client-san-verification", Bool, "peer-skip-client-san-verification"),
    moved("experimental-snapshot-catchup-entries", Uint, "snapshot-catchup-entries"),
    moved("experimental-warning-apply-duration", Dur, "warning-apply-duration"),
    moved("experimental-warning-unary-request-duration", Dur, "warning-unary-request-duration"),
    moved("experimental-watch-progress-notify-interval", Dur, "watch-progress-notify-interval"),
    gate("experimental-compact-hash-check-enabled", "CompactHashCheck"),
    gate("experimental-enable-lease-checkpoint", "LeaseCheckpoint"),
    gate("experimental-enable-lease-checkpoint-persist", "LeaseCheckpointPersist"),
    gate("experimental-initial-corrupt-check", "InitialCorruptCheck"),
    gate("experimental-stop-grpc-service-on-defrag", "StopGRPCServiceOnDefrag"),
    gate("experimental-txn-mode-write-with-shared-buffer", "TxnModeWriteWithSharedBuffer"),
];

/// Every row that can be given: those of the present names, and those of the former ones.
pub(super) fn all() -> impl Iterator<Item = &'static Flag> {
    FLAGS.iter().chain(FORMER.iter().map(|former| &former.flag))
}

/// The flag of that name, present or former.
pub(super) fn find(name: &str) -> Option<&'static Flag> {
    all().find(|flag| flag.name == name)
}

/// Has what was given under a former name count under the present one, and says so.
///
/// # Errors
/// When a gate is set both ways: which of the two is meant, nobody can know.
pub(super) fn settle(settings: &mut Settings) -> Result<(), ConfigError> {
    for Former { flag: Flag { name, .. }, now } in FORMER {
        let Some(value) = settings.set.remove(name) else { continue };
        let instead = match now {
            Now::Nothing(text) => {
                settings.warnings.push((*text).to_owned());
                continue;
            }
            Now::Flag(now) => {
                settings.set.entry(now).or_insert(value);
                format!("--{now}")
            }
            Now::Gate(gate) => {
                let setting = open(settings, name, gate, &value)?;
                format!("--feature-gates={setting}")
            }
        };
        let warning = format!("--{name} is deprecated in 3.6 and decommissioned in 3.7. Use {instead} instead.");
        settings.warnings.push(warning);
    }
    Ok(())
}

/// Adds a gate to those of `--feature-gates`; returns what was added.
fn open(settings: &mut Settings, name: &str, gate: &str, value: &Value) -> Result<String, ConfigError> {
    let mut gates = settings.string("feature-gates");
    if gates.split(',').any(|pair| pair.split('=').next().is_some_and(|named| named.trim() == gate)) {
        return Err(invalid(format!("cannot specify both flags: --{name} and --feature-gates={gates}")));
    }
    let setting = format!("{gate}={}", *value == Value::Bool(true));
    if !gates.is_empty() {
        gates.push(',');
    }
    gates.push_str(&setting);
    settings.set.insert("feature-gates", Value::Str(gates));
    Ok(setting)
}

#[cfg(test)]
mod tests {
    use super::super::gates;
    use super::*;

    #[test]
    fn what_took_their_place_is_there_and_of_the_same_kind() {
        for Former { flag, now } in FORMER {
            match now {
                Now::Flag(now) => {
                    let now = FLAGS.iter().find(|f| f.name == *now).expect(now);
                    assert_eq!(flag.kind, now.kind, "{}", flag.name);
                }
                Now::Gate(gate) => {
                    assert!(gates::GATES.iter().any(|g| g.name == *gate), "{gate}");
                    assert_eq!(flag.kind, Bool);
                }
                Now::Nothing(text) => assert!(text.starts_with(&format!("--{} is deprecated", flag.name))),
            }
        }
    }
}
