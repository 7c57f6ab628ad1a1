//! Users and roles in the backend.

use std::ops::ControlFlow;

use bytes::Bytes;
use keyport_api::authpb::{Role, User};
use prost::Message;

use super::Policy;
use crate::backend::{Batch, Bucket, Rows};
use crate::lease::RecoverError;

const ENABLED: &[u8] = b"authEnabled";
const REVISION: &[u8] = b"authRevision";

pub(super) fn put_enabled(batch: &mut Batch, enabled: bool) {
    batch.put(Bucket::Auth, ENABLED, vec![u8::from(enabled)]);
}

pub(super) fn put_revision(batch: &mut Batch, revision: u64) {
    batch.put(Bucket::Auth, REVISION, revision.to_be_bytes().to_vec());
}

pub(super) fn put_user(batch: &mut Batch, row: &User) {
    batch.put(Bucket::AuthUsers, row.name.clone(), row.encode_to_vec());
}

pub(super) fn delete_user(batch: &mut Batch, name: Bytes) {
    batch.delete(Bucket::AuthUsers, name);
}

pub(super) fn put_role(batch: &mut Batch, row: &Role) {
    batch.put(Bucket::AuthRoles, row.name.clone(), row.encode_to_vec());
}

pub(super) fn delete_role(batch: &mut Batch, name: Bytes) {
    batch.delete(Bucket::AuthRoles, name);
}

/// What is there, and whether it had no revision yet.
pub(super) fn load(rows: &impl Rows) -> Result<(Policy, bool), RecoverError> {
    let mut policy = Policy::new();
    policy.enabled = rows.row(Bucket::Auth, ENABLED)?.is_some_and(|value| value[..] == [1]);
    let revision = match rows.row(Bucket::Auth, REVISION)? {
        Some(value) => u64::from_be_bytes(value[..].try_into().map_err(|_| RecoverError::Length {
            bucket: Bucket::Auth.name(),
            key: REVISION.to_vec(),
            bytes: size_of::<u64>(),
        })?),
        None => 0,
    };
    let is_new = revision == 0;
    policy.revision = revision.max(Policy::FIRST_REVISION);
    // Users take what they may from their roles.
    each(rows, Bucket::AuthRoles, |row: Role| {
        policy.roles.insert(row.name.clone(), row.into());
    })?;
    each(rows, Bucket::AuthUsers, |row| policy.put_user(row))?;
    Ok((policy, is_new))
}

fn each<M: Message + Default>(rows: &impl Rows, bucket: Bucket, mut take: impl FnMut(M)) -> Result<(), RecoverError> {
    let mut result = Ok(());
    rows.each_row(bucket, &mut |key, value| match M::decode(value) {
        Ok(row) => {
            take(row);
            ControlFlow::Continue(())
        }
        Err(source) => {
            result = Err(RecoverError::Row { bucket: bucket.name(), key: key.to_vec(), source });
            ControlFlow::Break(())
        }
    })?;
    result
}
