//! What holds for all faces, mostly from outside: real sockets, a real member.

mod backup;
mod deadlines;
mod every_call;
mod listeners;
mod pace;
mod sizes;
mod web;
