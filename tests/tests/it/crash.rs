//! Kills a server under load and starts it again: whatever it had acknowledged is there, and it never goes back.

mod disk;
mod kill;
