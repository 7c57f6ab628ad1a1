//! Ranges: what a `RangeRequest` means, over any view of the store.

use std::cmp::Ordering;

use keyport_api::etcdserverpb::RangeRequest;
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_storage::mvcc::{MvccError, RangeOptions, RangeResult, Store};
use keyport_storage::{KeyRange, Record, Versions};

use super::error::KvError;
use super::reply::{LeftOut, OpReply, RangeReply};

/// Something that keys can be read from at a revision: the store itself, or a transaction under way.
pub(crate) trait View {
    fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError>;

    /// The newest revision of the store before any change of this view's own.
    fn start_revision(&self) -> i64;

    /// The revision up to which history is gone; -1 when it never was compacted.
    fn compacted(&self) -> i64;
}

impl View for Store {
    fn range(&self, range: &KeyRange, options: RangeOptions) -> Result<RangeResult, MvccError> {
        Store::range(self, range, options)
    }

    fn start_revision(&self) -> i64 {
        self.revision()
    }

    fn compacted(&self) -> i64 {
        Store::compacted(self)
    }
}

/// Runs `request` on `view`.
///
/// # Errors
/// `Compacted`, `FutureRev`, or a failure of the backend.
pub(crate) fn range(view: &impl View, request: &RangeRequest) -> Result<RangeReply, KvError> {
    run(view, request, false, |plan, reply| {
        plan.sort(&mut reply.records);
        plan.cut(reply);
    })
}

/// As [`range`], within a transaction: told is also what is left out where keys alone are asked for.
///
/// # Errors
/// As [`range`].
pub(super) fn within_txn(view: &impl View, request: &RangeRequest) -> Result<OpReply, KvError> {
    let mut left_out = Vec::new();
    let reply = run(view, request, false, |plan, reply| {
        plan.sort(&mut reply.records);
        plan.cut(reply);
        if request.keys_only {
            let of = |record: &Record| LeftOut { size: record.value_len(), lease: record.lease() };
            left_out = reply.records.iter().map(of).collect();
        }
    })?;
    Ok(OpReply::Range(reply, left_out))
}

/// As [`range`], but those that the limit leaves are the first by key, whatever they are sorted by: the rest of the range
/// begins behind them. Unless they are `counted`, what is there is not looked at, and the count is no more than theirs.
///
/// # Errors
/// As [`range`].
pub(crate) fn first_of_range(view: &impl View, request: &RangeRequest, counted: bool) -> Result<RangeReply, KvError> {
    run(view, request, !counted, |plan, reply| {
        plan.cut(reply);
        plan.sort(&mut reply.records);
    })
}

fn run(
    view: &impl View,
    request: &RangeRequest,
    uncounted: bool,
    arrange: impl FnOnce(&Plan, &mut RangeReply),
) -> Result<RangeReply, KvError> {
    let plan = Plan::of(request);
    let &RangeRequest { revision, count_only, .. } = request;
    let valueless = request.keys_only && plan.target != SortTarget::Value;
    let options = RangeOptions { revision, limit: plan.fetch_limit, count_only, valueless, uncounted };
    let found = view.range(&KeyRange::new(request.key.clone(), request.range_end.clone()), options)?;
    let count = if uncounted { i64::try_from(found.records.len()).unwrap_or(i64::MAX) } else { found.count };
    let mut reply = RangeReply { revision: found.revision, records: found.records, more: false, count };
    if request.count_only {
        reply.records.clear();
        return Ok(reply);
    }
    plan.filter.retain(&mut reply.records);
    arrange(&plan, &mut reply);
    if request.keys_only {
        let keep_lease = plan.target == SortTarget::Value;
        for record in &mut reply.records {
            *record = without_value(record, keep_lease);
        }
    }
    Ok(reply)
}

/// What a request asks of the keys beyond their range.
struct Plan {
    /// 0 is unlimited.
    limit: usize,
    /// How many keys to read before filtering and sorting; one more than the limit, to see whether there is more.
    fetch_limit: usize,
    order: SortOrder,
    target: SortTarget,
    filter: Filter,
}

impl Plan {
    fn of(request: &RangeRequest) -> Plan {
        let limit = usize::try_from(request.limit).unwrap_or(0);
        let filter = Filter::of(request);
        let target = request.sort_target();
        // Keys come in ascending order as they are; another target without an order means ascending, but is
        // sorted after the limit was applied, as etcd does.
        let mut order = request.sort_order();
        let needs_all = order != SortOrder::None && !(order == SortOrder::Ascend && target == SortTarget::Key);
        if order == SortOrder::None && target != SortTarget::Key {
            order = SortOrder::Ascend;
        }
        let fetch_limit = if limit == 0 || needs_all || filter.is_on() { 0 } else { limit.saturating_add(1) };
        Plan { limit, fetch_limit, order, target, filter }
    }

    fn cut(&self, reply: &mut RangeReply) {
        if self.limit > 0 && reply.records.len() > self.limit {
            reply.records.truncate(self.limit);
            reply.more = true;
        }
    }

    /// Those with equal sort values stay in the order of their keys, whichever way the others go. What the limit will cut
    /// off stays behind the others, in any order.
    fn sort(&self, mut records: &mut [Record]) {
        if self.order == SortOrder::None || (self.target == SortTarget::Key && self.order == SortOrder::Ascend) {
            return;
        }
        if self.limit > 0 && self.limit < records.len() / 4 {
            // Finding out who is among the first few takes a step a key, not one for each of its halvings.
            records.select_nth_unstable_by(self.limit, |a, b| self.compare(a, b));
            records = records.get_mut(..self.limit).unwrap_or_default();
            return records.sort_unstable_by(|a, b| self.compare(a, b));
        }
        let descend = self.order == SortOrder::Descend;
        let directed = |ordering: Ordering| if descend { ordering.reverse() } else { ordering };
        // A number's complement goes the other way.
        let directed_number = |number: i64| if descend { !number } else { number };
        match self.target {
            SortTarget::Key => records.sort_by(|a, b| directed(a.key().cmp(b.key()))),
            SortTarget::Value => records.sort_by(|a, b| directed(a.value().cmp(b.value()))),
            SortTarget::Version => records.sort_by_cached_key(|r| directed_number(r.versions().version)),
            SortTarget::Create => records.sort_by_cached_key(|r| directed_number(r.versions().create_revision)),
            SortTarget::Mod => records.sort_by_cached_key(|r| directed_number(r.versions().mod_revision)),
        }
    }
}

impl Plan {
    /// Who comes first. Two records are never equal, as their keys are not.
    fn compare(&self, a: &Record, b: &Record) -> Ordering {
        let number = |of: fn(Versions) -> i64| of(a.versions()).cmp(&of(b.versions()));
        let by_target = match self.target {
            SortTarget::Key => a.key().cmp(b.key()),
            SortTarget::Value => a.value().cmp(b.value()),
            SortTarget::Version => number(|versions| versions.version),
            SortTarget::Create => number(|versions| versions.create_revision),
            SortTarget::Mod => number(|versions| versions.mod_revision),
        };
        let directed = if self.order == SortOrder::Descend { by_target.reverse() } else { by_target };
        directed.then_with(|| a.key().cmp(b.key()))
    }
}

/// Inclusive revision bounds; 0 is off.
struct Filter {
    min_mod: i64,
    max_mod: i64,
    min_create: i64,
    max_create: i64,
}

impl Filter {
    fn of(request: &RangeRequest) -> Filter {
        Filter {
            min_mod: request.min_mod_revision,
            max_mod: request.max_mod_revision,
            min_create: request.min_create_revision,
            max_create: request.max_create_revision,
        }
    }

    fn is_on(&self) -> bool {
        [self.min_mod, self.max_mod, self.min_create, self.max_create].iter().any(|bound| *bound != 0)
    }

    fn retain(&self, records: &mut Vec<Record>) {
        if !self.is_on() {
            return;
        }
        let above = |bound: i64, revision: i64| bound != 0 && revision > bound;
        let below = |bound: i64, revision: i64| bound != 0 && revision < bound;
        records.retain(|record| {
            let Versions { mod_revision, create_revision, .. } = record.versions();
            !(above(self.max_mod, mod_revision)
                || below(self.min_mod, mod_revision)
                || above(self.max_create, create_revision)
                || below(self.min_create, create_revision))
        });
    }
}

fn without_value(record: &Record, keep_lease: bool) -> Record {
    let mut versions = record.versions();
    if !keep_lease {
        versions.lease = 0;
    }
    Record::new(record.key(), &[], versions)
}
