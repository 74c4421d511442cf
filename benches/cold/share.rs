//! The share of a processor that Lambda gives a function of 128 MB, by the quotas of Linux.

use std::{
    fs, io,
    path::{Path, PathBuf},
    process,
    sync::atomic::{AtomicU32, Ordering},
    thread,
    time::Duration,
};

/// A function has one processor at 1,769 MB, and in proportion (docs.aws.amazon.com/lambda, "Configure
/// Lambda function memory").
const SHARE: f64 = 128.0 / 1_769.0;

/// In what steps, in microseconds. Lambda does not say; 20 ms is what others have found by measuring.
const PERIOD: u32 = 20_000;

/// Where control groups are, and which of their two interfaces it is (cgroups(7)).
pub(crate) struct Share {
    root: PathBuf,
    interface: Interface,
}

enum Interface {
    First,
    Second,
}

/// A group with that share. It ends when this is dropped, after what is in it.
pub(crate) struct Group(PathBuf);

impl Share {
    /// Or why processes cannot be given a share.
    pub(crate) fn supported() -> Result<Self, io::Error> {
        let first = Path::new("/sys/fs/cgroup/cpu");
        let share = if first.join("cpu.cfs_quota_us").exists() {
            Self {
                root: first.to_path_buf(),
                interface: Interface::First,
            }
        } else {
            let root = PathBuf::from("/sys/fs/cgroup");
            let passed_on = root.join("cgroup.subtree_control");
            if !fs::read_to_string(&passed_on)?
                .split_whitespace()
                .any(|it| it == "cpu")
            {
                fs::write(passed_on, "+cpu")?;
            }
            Self {
                root,
                interface: Interface::Second,
            }
        };
        share.group().map(|_| share)
    }

    /// A group in which nobody has spent anything yet.
    pub(crate) fn group(&self) -> io::Result<Group> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let folder = self
            .root
            .join(format!("bench-cold-{}-{number}", process::id()));
        fs::create_dir(&folder)?;
        let group = Group(folder);
        let quota = quota();
        match self.interface {
            Interface::First => {
                group.write("cpu.cfs_period_us", &PERIOD.to_string())?;
                group.write("cpu.cfs_quota_us", &quota.to_string())?;
            }
            Interface::Second => group.write("cpu.max", &format!("{quota} {PERIOD}"))?,
        }
        Ok(group)
    }
}

/// Microseconds of every period.
fn quota() -> u32 {
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "some 1,450"
    )]
    let quota = (f64::from(PERIOD) * SHARE).round() as u32;
    quota
}

impl Group {
    /// Puts a process into it, with all its threads.
    pub(crate) fn admit(&self, process: u32) -> io::Result<()> {
        self.write("cgroup.procs", &process.to_string())
    }

    fn write(&self, file: &str, text: &str) -> io::Result<()> {
        fs::write(self.0.join(file), text)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        // Where the bench is interrupted, a process that was ended a moment ago may still be in it.
        for _ in 0..100 {
            if fs::remove_dir(&self.0).is_ok() {
                return;
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
