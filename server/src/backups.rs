//! Backups: copies of the database outside of a server. `keyport snapshot` has a server make one, be it an etcd, looks at it, and
//! makes it the beginning of a new cluster; a member that is told to makes its own from time to time.

mod command;
mod file;
mod part;
mod restore;
mod save;
mod schedule;
mod shown;
mod status;

pub(crate) use command::shape;
pub use command::{is_asked_for, run};
pub use schedule::{Schedule, ScheduleError};
