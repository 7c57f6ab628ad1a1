//! Three and five members: what holds while they are killed, paused, cut off and replaced.

mod robustness;
