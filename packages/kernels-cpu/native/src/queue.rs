//! The device's queue: one thread that runs kernels in order and is the pool's first member.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use ift_kernel_abi::{Code, Error, Result};

use crate::isa::Isa;
use crate::mapped::{Fresh, Moving, Read};
use crate::pool::Pool;
use crate::profile::Profile;

/// What a kernel runs on.
pub struct Context {
    pub pool: Pool,
    pub isa: Isa,
    pub profile: Arc<Profile>,
    /// Of the kernel that runs: a row's result has the same bits whatever the other rows are.
    pub invariant_rows: bool,
}

type Kernel = dyn Fn(&Context) -> Result<()> + Send + Sync;

/// A kernel and what it works on. It may run several times, for a recording.
pub struct Step {
    name: &'static str,
    run: Box<Kernel>,
    /// [`Context::invariant_rows`] while it runs.
    invariant_rows: bool,
}

impl Step {
    pub fn new(name: &'static str, run: impl Fn(&Context) -> Result<()> + Send + Sync + 'static) -> Self {
        Self { name, run: Box::new(run), invariant_rows: false }
    }

    pub fn with_invariant_rows(self, invariant_rows: bool) -> Self {
        Self { invariant_rows, ..self }
    }

    fn run(&self, context: &mut Context) -> Result<()> {
        context.invariant_rows = self.invariant_rows;
        let context = &*context;
        let run = || context.profile.time(self.name, || (self.run)(context));
        let result = catch_unwind(AssertUnwindSafe(run)).unwrap_or_else(|payload| {
            let text = payload.downcast_ref::<String>().map(String::as_str);
            let text = text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
            Err(Error::new(Code::Internal, format!("the kernel panicked: {text}")))
        });
        result.map_err(|error| error.of(self.name))
    }
}

type Fence = Box<dyn FnOnce(Result<()>) + Send>;

enum Job {
    Step(Step),
    /// Kernels that were written down.
    Recording(Arc<[Step]>),
    /// Gets the first error of the kernels before it, which is then forgotten.
    Fence(Fence),
    /// Memory that the jobs before still used.
    Release(Box<dyn Send>),
    /// A file that kernels read from now on.
    Mapped(Fresh),
}

/// Polls of the idle queue before its thread sleeps.
const SPINS: u32 = 2000;

#[derive(Default)]
struct Line {
    jobs: VecDeque<Job>,
    asleep: bool,
    closed: bool,
}

#[derive(Default)]
struct Shared {
    line: Mutex<Line>,
    bell: Condvar,
    /// Jobs put in, for the thread to poll without the lock.
    queued: AtomicU64,
    /// Jobs done.
    done: AtomicU64,
    closed: AtomicBool,
    profile: Arc<Profile>,
}

impl Shared {
    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Runs kernels in the order in which they came. Putting one in never waits; the queue has no bound, because memory is
/// handed out in the same order and what a waiting kernel takes is a few hundred bytes.
pub struct Queue {
    shared: Arc<Shared>,
}

impl Queue {
    pub fn new(threads: usize, isa: Isa) -> Result<Self> {
        let shared = Arc::new(Shared::default());
        let theirs = Arc::clone(&shared);
        let run = move || {
            crate::affinity::stay(0, threads);
            let profile = Arc::clone(&theirs.profile);
            theirs.run(&mut Context { pool: Pool::new(threads), isa, profile, invariant_rows: false });
        };
        std::thread::Builder::new().name("ift-cpu-0".to_owned()).spawn(run).map_err(|error| {
            Error::new(Code::BackendUnavailable, format!("the system refuses a thread: {error}"))
        })?;
        Ok(Self { shared })
    }

    pub fn step(&self, step: Step) {
        self.push(Job::Step(step));
    }

    pub fn replay(&self, recording: Arc<[Step]>) {
        self.push(Job::Recording(recording));
    }

    /// Calls `then` on the queue's thread when all before it is done; with a `BackendClosed` error when the queue was
    /// closed before that.
    pub fn fence(&self, then: impl FnOnce(Result<()>) + Send + 'static) {
        self.push(Job::Fence(Box::new(then)));
    }

    /// What may be done for a file's sake between the kernels, now that they read it.
    pub fn mapped(&self, file: Fresh) {
        self.push(Job::Mapped(file));
    }

    /// Drops `memory` when all before it is done.
    pub fn release(&self, memory: impl Send + 'static) {
        self.push(Job::Release(Box::new(memory)));
    }

    pub fn profile(&self) -> &Profile {
        &self.shared.profile
    }

    /// Whether everything put in is done.
    pub fn is_idle(&self) -> bool {
        self.shared.done.load(Ordering::Acquire) == self.shared.queued.load(Ordering::Relaxed)
    }

    fn push(&self, job: Job) {
        let mut line = self.shared.line();
        line.jobs.push_back(job);
        self.shared.queued.fetch_add(1, Ordering::Release);
        if line.asleep {
            line.asleep = false;
            drop(line);
            self.shared.bell.notify_one();
        }
    }

    /// Kernels not yet begun are forgotten, fences get an error, memory is released.
    pub fn close(&self) {
        let mut line = self.shared.line();
        line.closed = true;
        self.shared.closed.store(true, Ordering::Release);
        line.asleep = false;
        drop(line);
        self.shared.bell.notify_one();
    }
}

impl Drop for Queue {
    /// Does not wait for the thread: it ends by itself after the kernel it is in.
    fn drop(&mut self) {
        self.close();
    }
}

impl Shared {
    fn run(&self, context: &mut Context) {
        let mut failure: Option<Error> = None;
        let (mut moving, mut read) = (Moving::default(), Read::default());
        let (mut kernels, mut fence) = (0, Instant::now());
        let run = |step: &Step, context: &mut Context, failure: &mut Option<Error>| {
            if !self.closed.load(Ordering::Acquire)
                && let Err(error) = step.run(context)
            {
                failure.get_or_insert(error);
            }
        };
        while let Some(job) = self.next() {
            match job {
                Job::Step(step) => {
                    kernels += 1;
                    run(&step, context, &mut failure);
                }
                Job::Recording(recording) => {
                    kernels += recording.len();
                    recording.iter().for_each(|step| run(step, context, &mut failure));
                }
                Job::Fence(then) if self.closed.load(Ordering::Acquire) => then(Err(closed())),
                Job::Fence(then) => {
                    // Until the file is let go of: what its readers have computed stays wrong.
                    then(read.check().and_then(|()| failure.take().map_or(Ok(()), Err)));
                    moving.after(std::mem::take(&mut kernels), fence.elapsed(), &context.pool);
                    fence = Instant::now();
                }
                Job::Release(memory) => drop(memory),
                Job::Mapped(file) => {
                    read.add(&file);
                    moving.add(file);
                }
            }
            self.done.fetch_add(1, Ordering::Release);
        }
    }

    /// The next job, or none when the queue is closed and empty.
    fn next(&self) -> Option<Job> {
        let mut spins = 0;
        loop {
            let mut line = self.line();
            if let Some(job) = line.jobs.pop_front() {
                return Some(job);
            }
            if line.closed {
                return None;
            }
            if spins >= SPINS {
                line.asleep = true;
                while line.asleep {
                    line = self.bell.wait(line).unwrap_or_else(PoisonError::into_inner);
                }
                spins = 0;
                continue;
            }
            drop(line);
            let queued = self.queued.load(Ordering::Acquire);
            while spins < SPINS
                && self.queued.load(Ordering::Acquire) == queued
                && self.done.load(Ordering::Relaxed) == queued
                && !self.closed.load(Ordering::Acquire)
            {
                spins += 1;
                std::hint::spin_loop();
            }
        }
    }
}

pub fn closed() -> Error {
    Error::new(Code::BackendClosed, "the backend is closed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;
    use std::time::Duration;

    fn wait(queue: &Queue) -> Result<()> {
        let (send, receive) = mpsc::channel();
        queue.fence(move |result| send.send(result).unwrap());
        receive.recv_timeout(Duration::from_secs(20)).unwrap()
    }

    #[test]
    fn kernels_run_in_order() {
        let queue = Queue::new(2, Isa::Portable).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        for round in 0..3 {
            for index in 0..100 {
                let seen = Arc::clone(&seen);
                queue.step(Step::new("test", move |_| {
                    seen.lock().unwrap().push(round * 100 + index);
                    Ok(())
                }));
            }
            wait(&queue).unwrap();
            // Long enough for the thread to fall asleep.
            std::thread::sleep(Duration::from_millis(5));
        }
        assert_eq!(*seen.lock().unwrap(), (0..300).collect::<Vec<_>>());
    }

    #[test]
    fn a_step_runs_in_the_mode_that_it_was_made_in_also_in_a_recording() {
        let queue = Queue::new(1, Isa::Portable).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let step = |on| {
            let seen = Arc::clone(&seen);
            let look = move |context: &Context| {
                seen.lock().unwrap().push(context.invariant_rows);
                Ok(())
            };
            Step::new("look", look).with_invariant_rows(on)
        };
        let recording: Arc<[Step]> = [step(true), step(false)].into();
        queue.replay(Arc::clone(&recording));
        queue.step(step(true));
        queue.step(step(false));
        queue.replay(recording);
        wait(&queue).unwrap();
        assert_eq!(*seen.lock().unwrap(), [true, false, true, false, true, false]);
    }

    #[test]
    fn the_first_error_reaches_the_next_fence_and_no_other() {
        let queue = Queue::new(1, Isa::Portable).unwrap();
        queue.step(Step::new("first", |_| Err(Error::new(Code::IndexRange, "id 9"))));
        queue.step(Step::new("second", |_| panic!("second")));
        let error = wait(&queue).unwrap_err();
        assert_eq!((error.code, error.message.as_str()), (Code::IndexRange, "first: id 9"));
        wait(&queue).unwrap();
        queue.step(Step::new("third", |_| panic!("at {}", 3)));
        assert_eq!(wait(&queue).unwrap_err().message, "third: the kernel panicked: at 3");
    }

    #[test]
    fn a_recording_runs_as_often_as_it_is_queued_and_names_the_kernel_that_failed() {
        let queue = Queue::new(2, Isa::Portable).unwrap();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let push = |number: u32| {
            let seen = Arc::clone(&seen);
            Step::new("push", move |_| {
                seen.lock().unwrap().push(number);
                Ok(())
            })
        };
        let fail = Step::new("fail", |_| Err(Error::new(Code::IndexRange, "id 9")));
        let recording: Arc<[Step]> = [push(1), fail, push(2)].into();
        queue.replay(Arc::clone(&recording));
        queue.step(push(3));
        queue.replay(recording);
        assert_eq!(wait(&queue).unwrap_err().message, "fail: id 9");
        assert_eq!(*seen.lock().unwrap(), [1, 2, 3, 1, 2]);
    }

    #[test]
    fn closing_answers_the_fences() {
        let queue = Queue::new(1, Isa::Portable).unwrap();
        let (send, receive) = mpsc::channel();
        queue.step(Step::new("slow", |_| {
            std::thread::sleep(Duration::from_millis(30));
            Ok(())
        }));
        queue.fence(move |result| send.send(result).unwrap());
        drop(queue);
        let error = receive.recv_timeout(Duration::from_secs(20)).unwrap().unwrap_err();
        assert_eq!(error.code, Code::BackendClosed);
    }
}
