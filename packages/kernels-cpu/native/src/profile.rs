//! Time by kernel, counted while somebody asks for it.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Calls of kernels of one name and kind, and the time they took on the queue's thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    pub calls: u64,
    pub time: Duration,
}

#[derive(Default)]
pub struct Profile {
    on: AtomicBool,
    /// What the running kernel says of itself.
    detail: Mutex<String>,
    /// Time of the kernels that the running one is made of.
    parts: Mutex<Duration>,
    table: Mutex<BTreeMap<(&'static str, String), Spent>>,
}

fn open<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Profile {
    /// Forgets what was counted and counts from now on.
    pub fn start(&self) {
        open(&self.table).clear();
        self.on.store(true, Ordering::Release);
    }

    /// Ends the counting and gives what was counted, by kernel and detail.
    pub fn stop(&self) -> BTreeMap<(&'static str, String), Spent> {
        self.on.store(false, Ordering::Release);
        std::mem::take(&mut *open(&self.table))
    }

    /// Sets apart the calls of a kernel that differ in what `of` tells; called by the kernel itself.
    pub fn detail(&self, of: impl FnOnce() -> String) {
        if self.on.load(Ordering::Acquire) {
            *open(&self.detail) = of();
        }
    }

    /// Runs a kernel, and counts it when that is wanted; one inside another by itself, not as part of the other.
    pub fn time<T>(&self, name: &'static str, kernel: impl FnOnce() -> T) -> T {
        if !self.on.load(Ordering::Acquire) {
            return kernel();
        }
        open(&self.detail).clear();
        let before = std::mem::take(&mut *open(&self.parts));
        let begin = Instant::now();
        let result = kernel();
        let whole = begin.elapsed();
        let time = whole - std::mem::replace(&mut *open(&self.parts), before + whole);
        // Stopped meanwhile: what is counted now would be found by the next start only.
        if self.on.load(Ordering::Acquire) {
            let detail = std::mem::take(&mut *open(&self.detail));
            let mut table = open(&self.table);
            let spent = table.entry((name, detail)).or_default();
            spent.calls += 1;
            spent.time += time;
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_between_start_and_stop() {
        let profile = Profile::default();
        assert_eq!(profile.time("before", || 1), 1);
        profile.start();
        for size in [1, 2, 1] {
            profile.time("gemm", || profile.detail(|| format!("{size}")));
        }
        profile.time("whole", || {
            profile.time("part", || std::thread::sleep(Duration::from_millis(50)));
        });
        profile.time("copy", || std::thread::sleep(Duration::from_millis(2)));
        let table = profile.stop();
        profile.time("after", || ());
        let calls: Vec<_> =
            table.iter().map(|((name, detail), spent)| (*name, &**detail, spent.calls)).collect();
        assert_eq!(
            calls,
            [("copy", "", 1), ("gemm", "1", 2), ("gemm", "2", 1), ("part", "", 1), ("whole", "", 1)]
        );
        let time = |name| table[&(name, String::new())].time;
        assert!(time("part") >= Duration::from_millis(50) && time("whole") < Duration::from_millis(40));
        assert!(table[&("copy", String::new())].time >= Duration::from_millis(2));
        assert!(profile.stop().is_empty());
    }
}
