//! What holds for all faces, from outside: real sockets, a real member.

mod deadlines;
mod every_call;
mod listeners;
