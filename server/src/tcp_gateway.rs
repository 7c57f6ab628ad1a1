//! `keyport gateway start`: takes connections and passes what is sent on them on to the members of a cluster, byte for byte, as
//! `etcd gateway start` does. What is spoken on them is none of its business, so TLS goes through from end to end.

mod command;
mod discovery;
mod endpoint;
mod pool;
mod relay;
mod serve;

pub(crate) use command::shape;
pub use command::{Gateway, is_asked_for, read};
