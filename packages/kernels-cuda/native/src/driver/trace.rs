//! Which work an error may come from. A kernel fails when it runs, which a later call reports: the names of what was
//! launched since the last wait go into that error. Behind a failure that ends the context every call says so.

use std::collections::VecDeque;
use std::sync::{Mutex, OnceLock};

use ift_kernel_abi::{Code, Error, Result};

use super::lock;

/// Launches that are remembered.
const MOST: usize = 8;

#[derive(Default)]
pub struct Trace {
    launched: Mutex<Launched>,
    /// The first error that ended the context.
    lost: OnceLock<String>,
}

#[derive(Default)]
struct Launched {
    /// Since the last wait.
    count: usize,
    last: VecDeque<String>,
}

impl Trace {
    pub fn launch(&self, name: &str) {
        let mut launched = lock(&self.launched);
        launched.count += 1;
        // The oldest name's memory holds the newest.
        let mut text =
            if launched.last.len() < MOST { None } else { launched.last.pop_front() }.unwrap_or_default();
        text.clear();
        text.push_str(name);
        launched.last.push_back(text);
    }

    /// An error once the device is lost.
    pub fn expect_alive(&self) -> Result<()> {
        match self.lost.get() {
            None => Ok(()),
            Some(first) => Err(Error::new(Code::DeviceLost, format!("the GPU was lost before: {first}"))),
        }
    }

    /// The same result. The end of the device is remembered; whichever call tells of it, a launch before it was the cause.
    pub fn keep<T>(&self, result: Result<T>) -> Result<T> {
        result.map_err(|error| {
            if error.code != Code::DeviceLost || self.lost.get().is_some() {
                return error;
            }
            let error = Error::new(error.code, error.message + &lock(&self.launched).suspects());
            let _ = self.lost.set(error.message.clone());
            error
        })
    }

    /// The outcome of a wait for all that was launched.
    pub fn waited(&self, result: Result<()>) -> Result<()> {
        let result = self.keep(result);
        *lock(&self.launched) = Launched::default();
        result
    }
}

impl Launched {
    fn suspects(&self) -> String {
        if self.count == 0 {
            return String::new();
        }
        let names: Vec<_> = self.last.iter().rev().map(String::as_str).collect();
        let more = match self.count - names.len() {
            0 => String::new(),
            more => format!(" and {more} before"),
        };
        let names = names.join(", ");
        format!(
            ". Launched since the last wait, the last one first: {names}{more}. CUDA_LAUNCH_BLOCKING=1 names the one that failed"
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn failed() -> Result<()> {
        Err(Error::new(Code::DeviceLost, "waiting: ILLEGAL"))
    }

    #[test]
    fn an_error_of_a_wait_tells_what_was_launched_since_the_one_before() {
        let trace = Trace::default();
        trace.launch("before");
        trace.waited(Ok(())).unwrap();
        for i in 0..10 {
            trace.launch(&format!("k{i}"));
        }
        assert!(trace.expect_alive().is_ok());
        let error = trace.waited(failed()).unwrap_err();
        let first = "waiting: ILLEGAL. Launched since the last wait, the last one first: k9, k8, k7, k6, k5, k4, k3, \
                     k2 and 2 before. CUDA_LAUNCH_BLOCKING=1 names the one that failed";
        assert_eq!(error.message, first);
        let later = trace.expect_alive().unwrap_err();
        assert_eq!(
            (later.code, later.message),
            (Code::DeviceLost, format!("the GPU was lost before: {first}"))
        );
    }

    #[test]
    fn other_errors_are_no_end() {
        let trace = Trace::default();
        let error = trace.waited(Err(Error::new(Code::OutOfMemory, "full"))).unwrap_err();
        assert_eq!(error.message, "full");
        assert!(trace.expect_alive().is_ok());
    }
}
