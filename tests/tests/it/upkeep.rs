//! What keeps a cluster going over the years: downgrades, quotas, compactions, defragmentations, and the service Maintenance.

mod auto_defragment;
mod compactor;
mod defragment;
mod downgrade;
mod quota;
mod table;
