//! How much of the file can be written again, as it was found out last.

/// What was free when it was looked at, and what had been added to the file before.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Free {
    pub(super) bytes: u64,
    pub(super) file: u64,
    pub(super) added: u64,
}

impl Free {
    /// As a file says of itself, and how large it was then; nothing has been added yet.
    pub(crate) fn found(bytes: u64, file: u64) -> Free {
        Free { bytes, file, added: 0 }
    }

    /// What is left of it in a file of this size; nothing, if it was never looked at.
    pub(super) fn left(self, file: u64, added: u64) -> u64 {
        if self.file == 0 {
            return 0;
        }
        // What the file has grown by in spite of it is free as well: it was written anew instead of what was.
        let taken = self.file.saturating_sub(self.bytes);
        file.saturating_sub(taken.saturating_add(added.saturating_sub(self.added)))
    }
}
