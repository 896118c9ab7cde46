//! Threads that encode, the same for all tokenizers: rayon's own pool takes every core, and ends the process where it cannot start.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::{ThreadPool, ThreadPoolBuilder};

static SIZE: AtomicUsize = AtomicUsize::new(1);
static POOL: OnceLock<Option<ThreadPool>> = OnceLock::new();

/// The size of the pool, which starts with the first large batch; without effect from then on.
pub fn set_threads(threads: usize) {
    SIZE.store(threads, Ordering::Relaxed);
}

/// None where one thread was asked for, or the system does not give so many.
pub fn pool() -> Option<&'static ThreadPool> {
    POOL.get_or_init(|| match SIZE.load(Ordering::Relaxed) {
        0 | 1 => None,
        threads => ThreadPoolBuilder::new()
            .num_threads(threads)
            .thread_name(|number| format!("tokenizer-{number}"))
            .build()
            .ok(),
    })
    .as_ref()
}
