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

    /// What is left of it in a file of this size.
    pub(super) fn left(self, file: u64, added: u64) -> u64 {
        let used = added.saturating_sub(self.added);
        let shrunk = self.file.saturating_sub(file);
        self.bytes.saturating_sub(used).saturating_sub(shrunk)
    }
}
