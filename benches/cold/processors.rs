//! Who runs where: the functions on one processor, everything of the bench on the others.

use std::thread;

use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
use tokio::process::{Child, Command};

/// The division; whole if there is nothing to divide.
pub(crate) struct Processors {
    functions: Option<CpuSet>,
}

impl Processors {
    /// Keeps this thread, and those that it will start, off the last processor.
    pub(crate) fn divide() -> Self {
        let all = sched_getaffinity(None).unwrap();
        let mine: Vec<usize> = (0..CpuSet::MAX_CPU).filter(|it| all.is_set(*it)).collect();
        let [others @ .., last] = mine.as_slice() else {
            return Self { functions: None };
        };
        if others.is_empty() {
            return Self { functions: None };
        }
        let (mut bench, mut functions) = (CpuSet::new(), CpuSet::new());
        for other in others {
            bench.set(*other);
        }
        functions.set(*last);
        let divided = sched_setaffinity(None, &bench).is_ok();
        Self {
            functions: divided.then_some(functions),
        }
    }

    pub(crate) fn are_divided(&self) -> bool {
        self.functions.is_some()
    }

    /// Starts a process where the functions run: it runs where the thread that starts it does.
    pub(crate) fn spawn(&self, command: &mut Command) -> Child {
        let Some(functions) = &self.functions else {
            return command.spawn().unwrap();
        };
        let runtime = tokio::runtime::Handle::current();
        thread::scope(|scope| {
            let starter = scope.spawn(|| {
                sched_setaffinity(None, functions).unwrap();
                let _entered = runtime.enter();
                command.spawn().unwrap()
            });
            starter.join().unwrap()
        })
    }
}
