//! Kills a server under load and starts it again: whatever it had acknowledged is there, and it never goes back.
//! What it cannot keep or apply ends it, with a reason.

mod apply;
mod disk;
mod kill;
mod one_cpu;
