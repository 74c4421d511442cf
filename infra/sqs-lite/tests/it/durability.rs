//! What a process that is killed leaves behind is enough to go on from.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use aws_sdk_sqs::types::QueueAttributeName;
use sqs_lite::Sqs;

use crate::support::{Account, bodies};

/// A new folder, gone with its owner.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let name = format!("{name}-{}", std::process::id());
        let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        fs::create_dir_all(&path).unwrap();
        Self(path)
    }

    fn file(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // Left in the target folder it would do no harm.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// A kill closes nothing and leaves the files as they are, so a copy of them taken from under a
/// running account is what the next process would find.
#[tokio::test]
async fn what_was_answered_survives_a_kill() {
    let folder = Folder::new("kill");
    let account = Account::kept_in(&folder.file("before")).await;
    let timeout = [(QueueAttributeName::VisibilityTimeout, "77")];
    let queue = account.queue_with("orders", &timeout).await;
    let mut ids = Vec::new();
    for body in ["1", "2", "3"] {
        ids.push(queue.send(body).await);
    }
    let held = queue.receive_one().await;
    for suffix in ["", "-wal"] {
        let from = folder.file(&format!("before{suffix}"));
        fs::copy(from, folder.file(&format!("after{suffix}"))).unwrap();
    }

    let account = Account::kept_in(&folder.file("after")).await;
    let queue = account.queue_with("orders", &timeout).await;
    assert_eq!(
        queue.attribute(QueueAttributeName::VisibilityTimeout).await,
        "77"
    );
    assert_eq!(queue.in_flight().await, "1");
    queue.delete(&held).await;
    assert_eq!(queue.in_flight().await, "0");
    assert_eq!(bodies(&queue.receive().await), ["2", "3"]);
    let new = queue.send("4").await;
    assert!(!ids.contains(&new), "{new} was used before the kill");
}

#[test]
fn a_file_that_cannot_be_opened_is_an_error_with_a_cause() {
    let folder = Folder::new("unopened");
    let error = Sqs::open(Some(&folder.0)).err().unwrap();
    assert_eq!(error.to_string(), "queue store could not be opened");
    assert!(error.source().is_some());
}
