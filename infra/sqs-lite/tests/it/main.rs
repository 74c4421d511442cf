//! The stand-in as an SDK sees it: the real client, over loopback, under a clock moved by hand.
#![expect(
    clippy::unwrap_used,
    reason = "in a test's own machinery an unwrap that fails is the test that fails"
)]

mod batches;
mod dead_letters;
mod durability;
mod fifo;
mod messages;
mod polling;
mod queues;
mod support;
mod visibility;
