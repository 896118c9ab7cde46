//! A fork-join pool: the calling thread and its workers share the parts of one job at a time.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::ops::{Deref, DerefMut, Range};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::element::Plain;

/// Polls before a waiting thread sleeps, some tens of microseconds: the gap between two kernels is shorter, and a wake
/// by the system costs more than a small kernel.
const SPINS: u32 = 4000;

/// In `Shared::gate`, beside the number of the job (upper half) and the workers inside it (lower bits).
const OPEN: u64 = 1 << 31;

type Body<'a> = &'a (dyn Fn(usize) + Sync);

#[derive(Clone, Copy)]
struct Job {
    body: Body<'static>,
    parts: usize,
}

struct Shared {
    /// A worker enters a job by counting itself in while the gate is open; the caller shuts it when no part is left
    /// and waits only for those inside, so a worker that the system has not woken yet holds nobody up.
    gate: AtomicU64,
    job: Mutex<Option<Job>>,
    next: AtomicUsize,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    asleep: AtomicUsize,
    bed: Mutex<()>,
    bell: Condvar,
    stop: AtomicBool,
}

/// Threads for kernels. Parts of a job are claimed as threads become free: a result must not depend on who ran what.
pub struct Pool {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// Held during a job, so that a second caller waits for its turn.
    turn: Mutex<()>,
}

thread_local! {
    static INSIDE: Cell<bool> = const { Cell::new(false) };
    static SCRATCH: RefCell<Vec<AlignedBytes>> = const { RefCell::new(Vec::new()) };
}

impl Pool {
    /// `threads` counts the calling thread; at least 1.
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            gate: AtomicU64::new(0),
            job: Mutex::new(None),
            next: AtomicUsize::new(0),
            panic: Mutex::new(None),
            asleep: AtomicUsize::new(0),
            bed: Mutex::new(()),
            bell: Condvar::new(),
            stop: AtomicBool::new(false),
        });
        let workers = (1..threads)
            .map_while(|index| {
                let shared = Arc::clone(&shared);
                // Where the system refuses a thread the pool is smaller, and as correct.
                std::thread::Builder::new()
                    .name(format!("ift-cpu-{index}"))
                    .spawn(move || {
                        crate::affinity::stay(index, threads);
                        shared.work();
                    })
                    .ok()
            })
            .collect();
        Self { shared, workers, turn: Mutex::new(()) }
    }

    pub fn threads(&self) -> usize {
        self.workers.len() + 1
    }

    /// Calls `body(0)` … `body(parts - 1)`, each once, and returns when all are done. A job inside a job runs on the
    /// thread it is in. A panic of a part is passed on after the others are done.
    pub fn run(&self, parts: usize, body: &(dyn Fn(usize) + Sync)) {
        if parts <= 1 || self.workers.is_empty() || INSIDE.get() {
            (0..parts).for_each(body);
            return;
        }
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        let shared = &*self.shared;
        // SAFETY: workers use the body only while counted in, and this call returns after the last has left.
        let body = unsafe { std::mem::transmute::<Body<'_>, Body<'static>>(body) };
        *shared.job.lock().unwrap_or_else(PoisonError::into_inner) = Some(Job { body, parts });
        shared.next.store(0, Ordering::Relaxed);
        let number = (shared.gate.load(Ordering::Relaxed) >> 32).wrapping_add(1);
        shared.gate.store(number << 32 | OPEN, Ordering::SeqCst);
        let asleep = shared.asleep.load(Ordering::SeqCst);
        if asleep > 0 {
            drop(shared.bed.lock().unwrap_or_else(PoisonError::into_inner));
            if parts > asleep {
                shared.bell.notify_all();
            } else {
                (1..parts).for_each(|_| shared.bell.notify_one());
            }
        }
        let own = shared.claim(Job { body, parts });
        shared.gate.fetch_and(!OPEN, Ordering::AcqRel);
        let mut spins = 0;
        while shared.gate.load(Ordering::Acquire) & (OPEN - 1) != 0 {
            pause(&mut spins);
        }
        let theirs = shared.panic.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(payload) = own.err().or(theirs) {
            drop(_turn);
            resume_unwind(payload);
        }
    }

    /// Calls `body` on consecutive ranges that cover `0..n`, none but the last shorter than `grain`: a few for each
    /// thread, so that a slow one does not hold up the rest.
    pub fn ranges(&self, n: usize, grain: usize, body: impl Fn(Range<usize>) + Sync) {
        if n == 0 {
            return;
        }
        let size = n.div_ceil(self.threads() * 4).next_multiple_of(grain.max(1));
        self.run(n.div_ceil(size), &|part| body(part * size..((part + 1) * size).min(n)));
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        drop(self.shared.bed.lock().unwrap_or_else(PoisonError::into_inner));
        self.shared.bell.notify_all();
        for worker in self.workers.drain(..) {
            // A worker catches the panics of its parts, so joining cannot fail in a way to report.
            let _ = worker.join();
        }
    }
}

impl Shared {
    /// Runs parts until none is left.
    fn claim(&self, job: Job) -> Result<(), Box<dyn Any + Send>> {
        INSIDE.set(true);
        let result = catch_unwind(AssertUnwindSafe(|| {
            loop {
                let part = self.next.fetch_add(1, Ordering::Relaxed);
                if part >= job.parts {
                    break;
                }
                (job.body)(part);
            }
        }));
        INSIDE.set(false);
        result
    }

    fn work(&self) {
        let mut seen = 0;
        loop {
            let gate = self.wait_for_other_than(seen);
            if self.stop.load(Ordering::SeqCst) {
                return;
            }
            seen = gate >> 32;
            let mut current = gate;
            let entered = loop {
                if current & OPEN == 0 || current >> 32 != seen {
                    break false;
                }
                match self.gate.compare_exchange_weak(
                    current,
                    current + 1,
                    Ordering::AcqRel,
                    Ordering::Acquire,
                ) {
                    Ok(_) => break true,
                    Err(now) => current = now,
                }
            };
            if !entered {
                continue;
            }
            let job = *self.job.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(Err(payload)) = job.map(|job| self.claim(job)) {
                *self.panic.lock().unwrap_or_else(PoisonError::into_inner) = Some(payload);
            }
            self.gate.fetch_sub(1, Ordering::AcqRel);
        }
    }

    /// The gate once it shows an open job other than `seen`, or the pool stops.
    fn wait_for_other_than(&self, seen: u64) -> u64 {
        let ready = || {
            let gate = self.gate.load(Ordering::SeqCst);
            (gate >> 32 != seen && gate & OPEN != 0 || self.stop.load(Ordering::SeqCst)).then_some(gate)
        };
        for _ in 0..SPINS {
            if let Some(gate) = ready() {
                return gate;
            }
            std::hint::spin_loop();
        }
        self.asleep.fetch_add(1, Ordering::SeqCst);
        let mut bed = self.bed.lock().unwrap_or_else(PoisonError::into_inner);
        let gate = loop {
            if let Some(gate) = ready() {
                break gate;
            }
            bed = self.bell.wait(bed).unwrap_or_else(PoisonError::into_inner);
        };
        self.asleep.fetch_sub(1, Ordering::SeqCst);
        gate
    }
}

fn pause(spins: &mut u32) {
    *spins += 1;
    if *spins < SPINS { std::hint::spin_loop() } else { std::thread::yield_now() }
}

/// 64 aligned bytes, the unit of scratch memory.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u8; 64]);

type AlignedBytes = Vec<Line>;

/// Working memory of one thread, given back when dropped.
pub struct Scratch<T: Plain> {
    lines: AlignedBytes,
    len: usize,
    element: std::marker::PhantomData<T>,
}

/// `len` elements of working memory at a multiple of 64 bytes. What they hold is left from earlier uses. A thread keeps
/// what it was given for the next call; several may be held at once.
pub fn scratch<T: Plain>(len: usize) -> Scratch<T> {
    let needed = (len * size_of::<T>()).div_ceil(64);
    let mut lines = SCRATCH.with_borrow_mut(|kept| {
        let fit = kept.iter().position(|lines| lines.len() >= needed).or(kept.len().checked_sub(1));
        fit.map_or_else(Vec::new, |index| kept.swap_remove(index))
    });
    if lines.len() < needed {
        lines = vec![Line([0; 64]); needed];
    }
    Scratch { lines, len, element: std::marker::PhantomData }
}

impl<T: Plain> Deref for Scratch<T> {
    type Target = [T];
    fn deref(&self) -> &[T] {
        // SAFETY: the lines hold `len` elements, and every bit pattern is one.
        unsafe { std::slice::from_raw_parts(self.lines.as_ptr().cast(), self.len) }
    }
}

impl<T: Plain> DerefMut for Scratch<T> {
    fn deref_mut(&mut self) -> &mut [T] {
        // SAFETY: as above, and the lines are owned.
        unsafe { std::slice::from_raw_parts_mut(self.lines.as_mut_ptr().cast(), self.len) }
    }
}

impl<T: Plain> Drop for Scratch<T> {
    fn drop(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        // During the end of a thread there is no list to keep it in.
        let _ = SCRATCH.try_with(|kept| kept.borrow_mut().push(lines));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_runs_once() {
        for threads in [1, 2, 5] {
            let pool = Pool::new(threads);
            for parts in [0, 1, 2, 7, 100] {
                let counts: Vec<_> = (0..parts).map(|_| AtomicUsize::new(0)).collect();
                pool.run(parts, &|part| {
                    counts[part].fetch_add(1, Ordering::Relaxed);
                });
                assert!(counts.iter().all(|count| count.load(Ordering::Relaxed) == 1));
            }
        }
    }

    #[test]
    fn many_short_jobs_in_a_row() {
        let pool = Pool::new(3);
        let total = AtomicUsize::new(0);
        for _ in 0..20_000 {
            pool.run(3, &|part| {
                total.fetch_add(part, Ordering::Relaxed);
            });
        }
        assert_eq!(total.load(Ordering::Relaxed), 60_000);
    }

    #[test]
    fn wakes_from_sleep_and_serves_several_callers() {
        let pool = Pool::new(3);
        let total = AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..3 {
                scope.spawn(|| {
                    for _ in 0..20 {
                        std::thread::sleep(std::time::Duration::from_millis(2));
                        pool.run(4, &|_| {
                            pool.run(2, &|_| {
                                total.fetch_add(1, Ordering::Relaxed);
                            })
                        });
                    }
                });
            }
        });
        assert_eq!(total.load(Ordering::Relaxed), 3 * 20 * 8);
    }

    #[test]
    fn a_panic_reaches_the_caller_and_the_pool_lives_on() {
        let pool = Pool::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| pool.run(8, &|part| assert_ne!(part, 3))));
        assert!(caught.is_err());
        let total = AtomicUsize::new(0);
        pool.run(8, &|_| {
            total.fetch_add(1, Ordering::Relaxed);
        });
        assert_eq!(total.load(Ordering::Relaxed), 8);
    }

    #[test]
    fn ranges_cover_everything_once() {
        let pool = Pool::new(2);
        for n in [0, 1, 5, 64, 1000] {
            let seen: Vec<_> = (0..n).map(|_| AtomicUsize::new(0)).collect();
            pool.ranges(n, 3, |range| {
                range.for_each(|i| {
                    seen[i].fetch_add(1, Ordering::Relaxed);
                })
            });
            assert!(seen.iter().all(|count| count.load(Ordering::Relaxed) == 1));
        }
    }

    #[test]
    fn scratch_is_aligned_and_not_shared_while_held() {
        let mut a = scratch::<f32>(100);
        let mut b = scratch::<f32>(7);
        a.fill(1.0);
        b.fill(2.0);
        assert_eq!(a.as_ptr() as usize % 64, 0);
        assert_eq!(b.as_ptr() as usize % 64, 0);
        assert!(a.iter().all(|x| *x == 1.0) && a.len() == 100);
        let place = a.as_ptr();
        drop(a);
        assert_eq!(scratch::<f32>(50).as_ptr(), place);
    }
}
