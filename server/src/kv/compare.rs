//! The guards of a transaction.

use std::cmp::Ordering;

use keyport_api::etcdserverpb::Compare;
use keyport_api::etcdserverpb::compare::{CompareResult, CompareTarget, TargetUnion};
use keyport_storage::mvcc::RangeOptions;
use keyport_storage::{KeyRange, Record, Versions};

use super::error::KvError;
use super::range::View;

/// Whether every guard holds on `view`. No guard at all holds.
///
/// # Errors
/// When the view cannot be read.
pub(crate) fn all_hold(view: &impl View, compares: &[Compare]) -> Result<bool, KvError> {
    for compare in compares {
        if !holds(view, compare)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn holds(view: &impl View, compare: &Compare) -> Result<bool, KvError> {
    let range = KeyRange::new(compare.key.clone(), compare.range_end.clone());
    // A value may be on the disk alone: it is had where it is what is compared.
    let is_of_value = target(compare) == Some(CompareTarget::Value);
    let found = view.range(&range, RangeOptions { valueless: !is_of_value, ..RangeOptions::default() })?;
    if found.records.is_empty() {
        // A missing key has no value to compare, not even an unequal one; its numbers are 0.
        return Ok(!is_of_value && matches(compare, None));
    }
    Ok(found.records.iter().all(|record| matches(compare, Some(record))))
}

fn target(compare: &Compare) -> Option<CompareTarget> {
    CompareTarget::try_from(compare.target).ok()
}

fn matches(compare: &Compare, record: Option<&Record>) -> bool {
    let found = record.map(Record::versions).unwrap_or_default();
    let Versions { create_revision, mod_revision, version, lease } = found;
    // A union member of another target counts as 0 or empty.
    let ordering = match (target(compare), &compare.target_union) {
        (Some(CompareTarget::Value), union) => {
            let wanted: &[u8] = if let Some(TargetUnion::Value(value)) = union { value } else { &[] };
            record.map_or(&[][..], Record::value).cmp(wanted)
        }
        (Some(CompareTarget::Create), Some(TargetUnion::CreateRevision(wanted))) => create_revision.cmp(wanted),
        (Some(CompareTarget::Create), _) => create_revision.cmp(&0),
        (Some(CompareTarget::Mod), Some(TargetUnion::ModRevision(wanted))) => mod_revision.cmp(wanted),
        (Some(CompareTarget::Mod), _) => mod_revision.cmp(&0),
        (Some(CompareTarget::Version), Some(TargetUnion::Version(wanted))) => version.cmp(wanted),
        (Some(CompareTarget::Version), _) => version.cmp(&0),
        (Some(CompareTarget::Lease), Some(TargetUnion::Lease(wanted))) => lease.cmp(wanted),
        (Some(CompareTarget::Lease), _) => lease.cmp(&0),
        (None, _) => Ordering::Equal,
    };
    match CompareResult::try_from(compare.result) {
        Ok(CompareResult::Equal) => ordering.is_eq(),
        Ok(CompareResult::NotEqual) => ordering.is_ne(),
        Ok(CompareResult::Greater) => ordering.is_gt(),
        Ok(CompareResult::Less) => ordering.is_lt(),
        Err(_) => true,
    }
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use keyport_storage::mvcc::{MvccError, RangeResult};

    use super::*;

    /// One key, of which is told whether its value was asked for.
    #[derive(Default)]
    struct OneKey {
        is_value_read: Cell<bool>,
    }

    impl View for OneKey {
        fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
            self.is_value_read.set(!options.valueless);
            let versions = Versions { create_revision: 2, mod_revision: 3, version: 2, lease: 4 };
            let value: &[u8] = if options.valueless { b"" } else { b"v" };
            Ok(RangeResult { records: vec![Record::new(&range.start, value, versions)], count: 1, revision: 3 })
        }

        fn start_revision(&self) -> i64 {
            3
        }

        fn compacted(&self) -> i64 {
            -1
        }
    }

    #[test]
    fn a_value_is_read_only_where_it_is_compared() {
        for (target, union, reads) in [
            (CompareTarget::Create, TargetUnion::CreateRevision(2), false),
            (CompareTarget::Mod, TargetUnion::ModRevision(3), false),
            (CompareTarget::Version, TargetUnion::Version(2), false),
            (CompareTarget::Lease, TargetUnion::Lease(4), false),
            (CompareTarget::Value, TargetUnion::Value(b"v"[..].into()), true),
        ] {
            let view = OneKey::default();
            let compare = Compare { target: target.into(), target_union: Some(union), ..Compare::default() };
            assert!(all_hold(&view, &[compare]).unwrap(), "{target:?}");
            assert_eq!(view.is_value_read.get(), reads, "{target:?}");
        }
    }
}
