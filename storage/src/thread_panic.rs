//! Panics as errors: a thread that panicked must not be missing in silence.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;

use thiserror::Error;

/// A panic, and the thread that it met. What the thread was for is not done any more, so the process should end.
#[derive(Clone, Debug, Error)]
#[error("the thread \"{thread}\" panicked: {message}")]
pub struct ThreadPanic {
    thread: Arc<str>,
    message: Arc<str>,
}

impl ThreadPanic {
    /// Runs `work` on this thread. What it was changing when it panicked may be half done: it is not to be used again.
    ///
    /// # Errors
    /// When it panicked.
    pub fn catch<T>(work: impl FnOnce() -> T) -> Result<T, ThreadPanic> {
        catch_unwind(AssertUnwindSafe(work)).map_err(|panic| ThreadPanic {
            thread: thread::current().name().unwrap_or("unnamed").into(),
            message: message(&*panic).into(),
        })
    }
}

/// The first line of what a panic says.
pub(crate) fn message(panic: &(dyn Any + Send)) -> &str {
    let said = panic.downcast_ref::<String>().map(String::as_str).or(panic.downcast_ref::<&str>().copied());
    said.and_then(|said| said.lines().next()).unwrap_or("no text")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_is_told_with_its_thread_and_its_text() {
        let panicked = |work: fn()| ThreadPanic::catch(work).unwrap_err().to_string();
        let all = thread::Builder::new().name("worker".into()).spawn(move || {
            let text = String::from("two\nlines");
            [
                panicked(|| panic!("plain")),
                ThreadPanic::catch(|| panic!("{text}")).map(|()| "").unwrap_err().to_string(),
            ]
        });
        let [plain, formatted] = all.unwrap().join().unwrap();
        assert_eq!(plain, "the thread \"worker\" panicked: plain");
        assert_eq!(formatted, "the thread \"worker\" panicked: two");
        assert_eq!(ThreadPanic::catch(|| 7).unwrap(), 7);
    }
}
