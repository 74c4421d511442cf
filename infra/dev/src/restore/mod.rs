//! `dev restore-drill`: the table of a busy stack is backed up, restored into another one, compared item
//! by item, and worked on with; `dev compare-tables`: how much of one table is in another.

mod backup;
mod compare;
mod drill;
mod story;

pub use self::{
    backup::{Backup, differences, export, fill, indexed},
    compare::{CompareTables, run as compare},
    drill::{RestoreDrill, run},
};
