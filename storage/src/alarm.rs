//! Alarms: what is wrong with which member, as all members agree through the log.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use keyport_api::etcdserverpb::{AlarmMember, AlarmType};
use parking_lot::Mutex;
use prost::Message;

use crate::backend::{Backend, Batch, Bucket, Rows};
use crate::lease::RecoverError;

/// The alarms that are up. The apply thread changes them, anyone may ask.
#[derive(Debug, Default)]
pub struct Alarms {
    /// (alarm, member), so that the list is sorted by kind.
    raised: Mutex<BTreeSet<(i32, u64)>>,
    no_space: AtomicBool,
    corrupt: AtomicBool,
}

impl Alarms {
    pub fn new() -> Alarms {
        Alarms::default()
    }

    /// Takes over what a backend holds, in place of everything known before.
    ///
    /// # Errors
    /// When the backend cannot be read, or holds something that is not an alarm.
    pub fn recover(&self, backend: &Backend) -> Result<(), RecoverError> {
        self.replace(Alarms::read(backend)?);
        Ok(())
    }

    /// Whether [`Alarms::recover`] could take over what is there.
    ///
    /// # Errors
    /// As with that.
    pub fn check(rows: &impl Rows) -> Result<(), RecoverError> {
        Alarms::read(rows).map(drop)
    }

    fn read(rows: &impl Rows) -> Result<BTreeSet<(i32, u64)>, RecoverError> {
        let mut raised = BTreeSet::new();
        let mut result = Ok(());
        rows.each_row(Bucket::Alarm, &mut |key, _| match AlarmMember::decode(key) {
            Ok(AlarmMember { member_id, alarm }) => {
                raised.insert((alarm, member_id));
                ControlFlow::Continue(())
            }
            Err(source) => {
                result = Err(RecoverError::Row { bucket: Bucket::Alarm.name(), key: key.to_vec(), source });
                ControlFlow::Break(())
            }
        })?;
        result.map(|()| raised)
    }

    fn replace(&self, alarms: BTreeSet<(i32, u64)>) {
        let mut raised = self.raised.lock();
        *raised = alarms;
        self.refresh(&raised);
    }

    /// Raises an alarm and returns it, also when it was up already. `NONE` is not an alarm: nothing is returned.
    pub fn activate(&self, member_id: u64, alarm: i32, batch: &mut Batch) -> Option<AlarmMember> {
        if alarm == AlarmType::None as i32 {
            return None;
        }
        let member = AlarmMember { member_id, alarm };
        let mut raised = self.raised.lock();
        if raised.insert((alarm, member_id)) {
            batch.put(Bucket::Alarm, member.encode_to_vec(), Vec::new());
            self.refresh(&raised);
        }
        Some(member)
    }

    /// Clears exactly this alarm and returns it; nothing if it was not up.
    pub fn deactivate(&self, member_id: u64, alarm: i32, batch: &mut Batch) -> Option<AlarmMember> {
        let mut raised = self.raised.lock();
        if !raised.remove(&(alarm, member_id)) {
            return None;
        }
        let member = AlarmMember { member_id, alarm };
        batch.delete(Bucket::Alarm, member.encode_to_vec());
        self.refresh(&raised);
        Some(member)
    }

    /// The alarms of one kind on any member; all of them for `NONE`.
    pub fn list(&self, alarm: i32) -> Vec<AlarmMember> {
        let wanted = |&(raised, _): &&(i32, u64)| alarm == AlarmType::None as i32 || *raised == alarm;
        let raised = self.raised.lock();
        raised.iter().filter(wanted).map(|&(alarm, member_id)| AlarmMember { member_id, alarm }).collect()
    }

    /// Whether some member is out of space.
    pub fn no_space(&self) -> bool {
        self.no_space.load(Ordering::Acquire)
    }

    /// Whether some member's data is corrupt.
    pub fn corrupt(&self) -> bool {
        self.corrupt.load(Ordering::Acquire)
    }

    fn refresh(&self, raised: &BTreeSet<(i32, u64)>) {
        let any = |alarm: AlarmType| raised.range((alarm as i32, 0)..=(alarm as i32, u64::MAX)).next().is_some();
        self.no_space.store(any(AlarmType::Nospace), Ordering::Release);
        self.corrupt.store(any(AlarmType::Corrupt), Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: i32 = AlarmType::None as i32;
    const NO_SPACE: i32 = AlarmType::Nospace as i32;
    const CORRUPT: i32 = AlarmType::Corrupt as i32;

    #[test]
    fn alarms_are_raised_listed_and_cleared_one_by_one() {
        let alarms = Alarms::new();
        let mut batch = Batch::new();
        assert_eq!(alarms.activate(1, NONE, &mut batch), None);
        assert_eq!(alarms.deactivate(1, NO_SPACE, &mut batch), None);
        assert!(batch.is_empty());

        let up = Some(AlarmMember { member_id: 1, alarm: NO_SPACE });
        assert_eq!(alarms.activate(1, NO_SPACE, &mut batch), up);
        assert_eq!(alarms.activate(1, NO_SPACE, &mut batch), up, "also when it is up already");
        alarms.activate(2, NO_SPACE, &mut batch);
        alarms.activate(2, CORRUPT, &mut batch);
        let members = |alarm| alarms.list(alarm).iter().map(|up| (up.alarm, up.member_id)).collect::<Vec<_>>();
        assert_eq!(members(NONE), [(NO_SPACE, 1), (NO_SPACE, 2), (CORRUPT, 2)]);
        assert_eq!(members(CORRUPT), [(CORRUPT, 2)]);

        assert_eq!(alarms.deactivate(2, NONE, &mut batch), None);
        assert_eq!(alarms.deactivate(3, NO_SPACE, &mut batch), None);
        assert_eq!(alarms.deactivate(1, NO_SPACE, &mut batch), up);
        assert!(alarms.no_space() && alarms.corrupt());
        alarms.deactivate(2, NO_SPACE, &mut batch);
        assert!(!alarms.no_space() && alarms.corrupt());
    }
}
