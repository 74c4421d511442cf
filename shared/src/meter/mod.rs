//! The meter: how often things happen, minute by minute, for rates and for what they cost.
//!
//! Owns: what is counted, how counts get into the table, and how they are read back. Does not own: what
//! a rate means (`vendors`), nor anything that has to be proved (`events`).
//!
//! Counting is of the process: [`Meter::add`] makes no call. What was counted is written at the end of a
//! request or a job, once a minute and instance at the most; the job `watch` folds what was written into
//! a row for each hour and a row for each day.
//!
//! What it costs: one write a minute for each instance that counted something, and one transaction a
//! minute, of three small rows. What the portal itself uses of AWS goes along with that write; where
//! nothing else was counted it waits for the next tenth minute of the clock, at which all instances
//! write. So a portal that nobody uses makes one query a minute, and in ten of them one write for each
//! instance that is awake, and one transaction.
//!
//! What can be missing, and nothing else: what a process counted in its last minute, if it ends without
//! another request (of what the portal itself uses of AWS, in its last ten); what it could not write for four hours; what was written by a clock that is more
//! than ten seconds behind that of the folding instance, or landed so much later than it was sent.
//! Nothing is ever counted twice.

mod fold;
mod model;
mod platform;
mod played;
mod process;
mod read;

pub use self::{
    fold::{Folded, fold},
    model::{Counter, Series},
    played::Played,
    process::{Meter, flush, flushing},
    read::{hours, minutes},
};
