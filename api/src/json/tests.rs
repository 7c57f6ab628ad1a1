//! The JSON mapping seen from outside. `input` holds the rules of the way in, `equality` compares both ways with pbjson.

mod equality;
mod input;
