//! A line a stack: thread and functions from the outermost on, and how often it was found.

use std::collections::BTreeMap;

use pprof::Frames;

use super::Taken;

pub(super) fn lines(taken: &Taken) -> String {
    let mut stacks = BTreeMap::<String, isize>::new();
    for (frames, count) in &taken.stacks {
        *stacks.entry(stack(frames)).or_default() += count;
    }
    stacks.into_iter().map(|(stack, count)| format!("{stack} {count}\n")).collect()
}

fn stack(frames: &Frames) -> String {
    let functions = frames.frames.iter().rev().flat_map(|inlined| inlined.iter().rev());
    let functions = functions.map(|function| function.name().replace(';', ":"));
    [frames.thread_name_or_id()].into_iter().chain(functions).collect::<Vec<_>>().join(";")
}
