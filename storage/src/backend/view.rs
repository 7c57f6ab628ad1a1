//! The file as one committed transaction left it.

use std::path::Path;
use std::sync::Arc;

use redb::{Database, ReadableDatabase, TableError};

use super::table::Table;
use super::{BackendError, Bucket};

/// Stays as it is while the flusher goes on. Whoever holds it keeps the pages it needs from being reused.
pub(super) struct View {
    /// One for each of [`Bucket::ALL`].
    tables: Vec<Table>,
    // Below the tables: it must outlive them, as the file is closed with it.
    database: Arc<Database>,
}

impl View {
    pub(super) fn open(path: &Path, database: &Arc<Database>) -> Result<View, BackendError> {
        let transaction = database.begin_read().map_err(|error| BackendError::from_redb(path, error))?;
        let open = |bucket| Table::open(&transaction, bucket);
        let tables: Result<Vec<Table>, TableError> = Bucket::ALL.into_iter().map(open).collect();
        let tables = tables.map_err(|error| BackendError::from_redb(path, error))?;
        Ok(View { tables, database: Arc::clone(database) })
    }

    pub(super) fn table(&self, bucket: Bucket) -> &Table {
        &self.tables[bucket as usize]
    }

    pub(super) fn database(&self) -> &Arc<Database> {
        &self.database
    }
}

impl std::fmt::Debug for View {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("View").finish_non_exhaustive()
    }
}
