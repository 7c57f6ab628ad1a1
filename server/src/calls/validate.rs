//! What is wrong with a request before anyone looks at the store.

use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use keyport_api::error::Error;
use keyport_api::etcdserverpb::range_request::{SortOrder, SortTarget};
use keyport_api::etcdserverpb::request_op::Request;
use keyport_api::etcdserverpb::*;

pub(crate) fn range(request: &RangeRequest) -> Result<(), Error> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    if SortOrder::try_from(request.sort_order).is_err() || SortTarget::try_from(request.sort_target).is_err() {
        return Err(Error::InvalidSortOption);
    }
    Ok(())
}

pub(crate) fn put(request: &PutRequest) -> Result<(), Error> {
    if request.key.is_empty() {
        return Err(Error::EmptyKey);
    }
    if request.ignore_value && !request.value.is_empty() {
        return Err(Error::ValueProvided);
    }
    if request.ignore_lease && request.lease != 0 {
        return Err(Error::LeaseProvided);
    }
    Ok(())
}

pub(crate) fn delete_range(request: &DeleteRangeRequest) -> Result<(), Error> {
    if request.key.is_empty() { Err(Error::EmptyKey) } else { Ok(()) }
}

/// How deep transactions may nest. Decoders of protobuf give up after 100 messages within one another; a level takes two
/// of them and the log wraps the whole once more, so that what is accepted here can be read back.
pub(crate) const MAX_TXN_LEVELS: usize = 40;

/// Counts, then keys and options, then keys put twice: the order decides which error a bad request gets.
pub(crate) fn txn(request: &TxnRequest, max_ops: usize) -> Result<(), Error> {
    well_formed(request, max_ops, MAX_TXN_LEVELS)?;
    Writes::default().add_branch(&request.success)?;
    Writes::default().add_branch(&request.failure)?;
    Ok(())
}

fn well_formed(request: &TxnRequest, max_ops: usize, levels: usize) -> Result<(), Error> {
    let ops = request.compare.len().max(request.success.len()).max(request.failure.len());
    if ops > max_ops || levels == 0 {
        return Err(Error::TooManyOps);
    }
    if request.compare.iter().any(|compare| compare.key.is_empty()) {
        return Err(Error::EmptyKey);
    }
    for op in request.success.iter().chain(&request.failure) {
        match &op.request {
            Some(Request::RequestRange(request)) => range(request)?,
            Some(Request::RequestPut(request)) => put(request)?,
            Some(Request::RequestDeleteRange(request)) => delete_range(request)?,
            // A nested transaction has what its parent left of the budget.
            Some(Request::RequestTxn(request)) => well_formed(request, max_ops - ops, levels - 1)?,
            None => return Err(Error::KeyNotFound),
        }
    }
    Ok(())
}

/// The keys that one execution path puts and deletes.
#[derive(Debug, Default)]
struct Writes {
    puts: BTreeSet<Bytes>,
    deletes: Deletes,
}

impl Writes {
    /// Adds the operations of one level, its nested transactions included.
    ///
    /// Deletes of this level are collected first, so that order within it does not matter; what nested transactions
    /// write is then held against them and against one another, and this level's puts against all of it.
    fn add_branch(&mut self, ops: &[RequestOp]) -> Result<(), Error> {
        for op in ops {
            if let Some(Request::RequestDeleteRange(request)) = &op.request {
                // An open end is not recognised as overlapping, in etcd neither.
                if request.range_end[..] != [0] {
                    self.deletes.add(request.key.clone(), request.range_end.clone());
                }
            }
        }
        for op in ops {
            let Some(Request::RequestTxn(nested)) = &op.request else { continue };
            // Only one of the two runs, so they cannot conflict with each other.
            let (mut then, mut otherwise) = (Writes::default(), Writes::default());
            then.add_branch(&nested.success)?;
            otherwise.add_branch(&nested.failure)?;
            if then.puts.iter().chain(&otherwise.puts).any(|key| self.puts.contains(key) || self.deletes.contains(key))
            {
                return Err(Error::DuplicateKey);
            }
            self.puts.extend(then.puts);
            self.puts.extend(otherwise.puts);
            self.deletes.append(then.deletes);
            self.deletes.append(otherwise.deletes);
        }
        for op in ops {
            let Some(Request::RequestPut(request)) = &op.request else { continue };
            if self.deletes.contains(&request.key) || !self.puts.insert(request.key.clone()) {
                return Err(Error::DuplicateKey);
            }
        }
        Ok(())
    }
}

/// What is deleted. Ranges that touch are one, so that it is quickly said whether a key is in any of them: nested
/// transactions can have tens of thousands.
#[derive(Debug, Default)]
struct Deletes {
    keys: BTreeSet<Bytes>,
    /// Ends by starts.
    ranges: BTreeMap<Bytes, Bytes>,
}

impl Deletes {
    /// A key, or where `end` is not empty the range up to it.
    fn add(&mut self, mut start: Bytes, mut end: Bytes) {
        if end.is_empty() {
            self.keys.insert(start);
            return;
        }
        if end <= start {
            return;
        }
        while let Some((from, to)) = self.ranges.range::<Bytes, _>(..=&end).next_back() {
            if *to < start {
                break;
            }
            let (from, to) = (from.clone(), to.clone());
            self.ranges.remove(&from);
            start = start.min(from);
            end = end.max(to);
        }
        self.ranges.insert(start, end);
    }

    fn append(&mut self, other: Deletes) {
        self.keys.extend(other.keys);
        for (start, end) in other.ranges {
            self.add(start, end);
        }
    }

    fn contains(&self, key: &Bytes) -> bool {
        self.keys.contains(key) || self.ranges.range::<Bytes, _>(..=key).next_back().is_some_and(|(_, end)| key < end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use keyport_storage::KeyRange;
    use proptest::prelude::*;
    use prost::Message;

    proptest! {
        /// Ranges that overlap, touch, repeat or are empty: a key is deleted if one of them has it.
        #[test]
        fn deletes_are_what_was_added(pairs in prop::collection::vec(("[a-e]{1,2}", "[a-e]{0,2}"), 0..12), cut in 0usize..12) {
            let ranges: Vec<_> = pairs.into_iter().map(|(start, end)| (Bytes::from(start), Bytes::from(end))).collect();
            let (mut deletes, mut nested) = (Deletes::default(), Deletes::default());
            for (at, (start, end)) in ranges.iter().cloned().enumerate() {
                if at < cut { deletes.add(start, end) } else { nested.add(start, end) }
            }
            deletes.append(nested);
            let letters = || ('a'..='e').map(String::from);
            for key in letters().flat_map(|a| letters().map(move |b| format!("{a}{b}"))).chain(letters()).map(Bytes::from) {
                let expected = ranges.iter().any(|(a, b)| KeyRange::new(a.clone(), b.clone()).contains(&key));
                prop_assert_eq!(deletes.contains(&key), expected, "{:?}", key);
            }
            let starts: Vec<_> = deletes.ranges.iter().collect();
            prop_assert!(starts.windows(2).all(|pair| pair[0].1 < pair[1].0), "apart: {:?}", starts);
        }
    }

    #[test]
    fn whatever_nests_no_deeper_than_allowed_can_be_read_back_from_the_log() {
        let get = RangeRequest { key: Bytes::from_static(b"k"), ..RangeRequest::default() };
        let mut txn = TxnRequest {
            success: vec![RequestOp { request: Some(Request::RequestRange(get)) }],
            ..TxnRequest::default()
        };
        for level in 1..60 {
            let accepted = super::txn(&txn, 128);
            assert_eq!(
                accepted,
                if level <= MAX_TXN_LEVELS { Ok(()) } else { Err(Error::TooManyOps) },
                "level {level}"
            );
            if accepted.is_ok() {
                let entry = InternalRaftRequest { txn: Some(txn.clone()), ..InternalRaftRequest::default() };
                assert!(InternalRaftRequest::decode(entry.encode_to_vec().as_slice()).is_ok(), "level {level}");
            }
            let nested = RequestOp { request: Some(Request::RequestTxn(txn)) };
            txn = TxnRequest { success: vec![nested], ..TxnRequest::default() };
        }
    }
}
