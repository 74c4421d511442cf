//! What is measured, with its peer beside it: `cargo bench -p benches`. Nothing here is a test.
