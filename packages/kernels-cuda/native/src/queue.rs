//! The device's queue: one thread that starts kernels in the order in which they came, so that the thread of JavaScript
//! neither waits for a device nor for a driver.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};

use ift_kernel_abi::{Code, Error, Result};

use crate::driver::Driver;
use crate::launch::Context;

type Kernel = Box<dyn FnOnce(&Context) -> Result<()> + Send>;
type Fence = Box<dyn FnOnce(Result<&Context>) + Send>;

enum Job {
    Kernel(&'static str, Kernel),
    /// Gets the first error of the work before it, which is then forgotten.
    Fence(Fence),
    /// Memory that the jobs before still used.
    Release(Box<dyn Send>),
    /// Done when its turn comes, whether or not the jobs before have failed.
    Ask(Box<dyn FnOnce(&Context) + Send>),
}

pub struct Queue {
    /// None once closed.
    jobs: Option<Sender<Job>>,
    closed: Arc<AtomicBool>,
}

impl Queue {
    /// Starts the thread; an error of its first use of the device is returned.
    pub fn new(driver: Arc<dyn Driver>) -> Result<Self> {
        let (jobs, line) = channel();
        let (ready, started) = channel();
        let closed = Arc::new(AtomicBool::new(false));
        let theirs = Arc::clone(&closed);
        let run = move || match Context::new(driver) {
            Ok(context) => {
                let _ = ready.send(Ok(()));
                work(&context, &line, &theirs);
            }
            Err(error) => {
                let _ = ready.send(Err(error));
            }
        };
        let thread = std::thread::Builder::new().name("ift-cuda".to_owned());
        // The emulator runs kernels of many threads on this one.
        thread.stack_size(8 << 20).spawn(run).map_err(|error| {
            Error::new(Code::BackendUnavailable, format!("the system refuses a thread: {error}"))
        })?;
        started.recv().unwrap_or_else(|_| Err(closed_error()))?;
        Ok(Self { jobs: Some(jobs), closed })
    }

    fn push(&self, job: Job) {
        let refused = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|error| error.0),
            None => Some(job),
        };
        if let Some(Job::Fence(then)) = refused {
            then(Err(closed_error()));
        }
    }

    pub fn kernel(&self, name: &'static str, run: impl FnOnce(&Context) -> Result<()> + Send + 'static) {
        self.push(Job::Kernel(name, Box::new(run)));
    }

    /// Calls `then` on the queue's thread when all before it is done.
    pub fn fence(&self, then: impl FnOnce(Result<&Context>) + Send + 'static) {
        self.push(Job::Fence(Box::new(then)));
    }

    /// Drops `memory` when all before it is done.
    pub fn release(&self, memory: impl Send + 'static) {
        self.push(Job::Release(Box::new(memory)));
    }

    /// Waits until the device has done all that was queued. A failure of that work stays for the next fence.
    pub fn drain(&self) -> Result<()> {
        self.ask(|context| context.driver().synchronize())
    }

    /// Waits for an answer from the queue's thread.
    pub fn ask<T: Send + 'static>(
        &self,
        question: impl FnOnce(&Context) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let (answer, answered) = channel();
        self.push(Job::Ask(Box::new(move |context| {
            let _ = answer.send(question(context));
        })));
        answered.recv().unwrap_or_else(|_| Err(closed_error()))
    }

    /// Kernels not yet begun are forgotten, fences get an error, memory is released.
    pub fn close(&mut self) {
        self.closed.store(true, Ordering::Release);
        self.jobs = None;
    }
}

impl Drop for Queue {
    fn drop(&mut self) {
        self.close();
    }
}

fn work(context: &Context, line: &Receiver<Job>, closed: &AtomicBool) {
    let mut failure: Option<Error> = None;
    while let Ok(job) = line.recv() {
        match job {
            Job::Kernel(..) if closed.load(Ordering::Acquire) => {}
            Job::Kernel(name, kernel) => {
                let result = catch_unwind(AssertUnwindSafe(|| kernel(context))).unwrap_or_else(|payload| {
                    let text = payload.downcast_ref::<String>().map(String::as_str);
                    let text =
                        text.or_else(|| payload.downcast_ref::<&str>().copied()).unwrap_or("no message");
                    Err(Error::new(Code::Internal, format!("the kernel panicked: {text}")))
                });
                if let Err(error) = result {
                    failure.get_or_insert(error.of(name));
                }
            }
            Job::Fence(then) if closed.load(Ordering::Acquire) => then(Err(closed_error())),
            Job::Fence(then) => {
                let done = context.fence();
                match failure.take().map_or(done, Err) {
                    Ok(()) => then(Ok(context)),
                    Err(error) => then(Err(error)),
                }
            }
            Job::Release(memory) => {
                // A device that is closed while it records ends that first: nobody may wait for one that does.
                context.driver().abandon_recording();
                // Dropping gives memory back to the device, which may still work on it.
                let _ = context.driver().synchronize();
                drop(memory);
            }
            Job::Ask(question) => question(context),
        }
    }
    let _ = context.driver().synchronize();
}

pub fn closed_error() -> Error {
    Error::new(Code::BackendClosed, "the device is closed")
}
