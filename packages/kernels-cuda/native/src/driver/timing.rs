//! Time of launches on the device, by an event before and one behind each of them.

use std::ffi::c_uint;
use std::ptr::null_mut;

use ift_kernel_abi::Result;

use super::api::{Api, Handle};
use crate::profile::{KernelTime, Table};

/// Launches that are measured before their events are read, which waits for the device.
const MOST_OPEN: usize = 1 << 14;

/// A launch between its events.
struct Open {
    kernel: String,
    detail: String,
    begin: Handle,
    end: Handle,
}

#[derive(Default)]
pub struct Timing {
    open: Vec<Open>,
    table: Table,
}

fn event(api: &Api) -> Result<Handle> {
    const TIMED: c_uint = 0;
    let mut event = null_mut();
    // SAFETY: a pointer to a local; the context is current.
    api.expect("cuEventCreate", unsafe { (api.event_create)(&raw mut event, TIMED) }).map(|()| event)
}

impl Timing {
    /// Does `work`, which launches on the stream, between two events. The context is current and nothing is recorded.
    pub fn time(
        &mut self,
        api: &Api,
        stream: Handle,
        kernel: &str,
        detail: String,
        work: impl FnOnce() -> Result<()>,
    ) -> Result<()> {
        if self.open.len() >= MOST_OPEN {
            self.settle(api)?;
        }
        let begin = event(api)?;
        let mut open = Open { kernel: kernel.to_owned(), detail, begin, end: null_mut() };
        // SAFETY: events just made, and the device's stream.
        let result = unsafe {
            event(api).and_then(|end| {
                open.end = end;
                api.expect("cuEventRecord", (api.event_record)(begin, stream))?;
                work()?;
                api.expect("cuEventRecord", (api.event_record)(end, stream))
            })
        };
        match result {
            Ok(()) => self.open.push(open),
            Err(_) => open.forget(api),
        }
        result
    }

    /// Waits for what was measured and adds it up.
    fn settle(&mut self, api: &Api) -> Result<()> {
        let mut outcome = Ok(());
        for open in self.open.drain(..) {
            let mut ms = 0f32;
            // SAFETY: events of `time`, both of them recorded.
            let measured = unsafe {
                api.expect("cuEventSynchronize", (api.event_synchronize)(open.end)).and_then(|()| {
                    let status = (api.event_elapsed)(&raw mut ms, open.begin, open.end);
                    api.expect("cuEventElapsedTime", status)
                })
            };
            match measured {
                Ok(()) => self.table.add(&open.kernel, &open.detail, f64::from(ms)),
                Err(error) => outcome = outcome.and(Err(error)),
            }
            open.forget(api);
        }
        outcome
    }

    pub fn end(mut self, api: &Api) -> Result<Vec<KernelTime>> {
        self.settle(api)?;
        Ok(self.table.into_times())
    }

    /// Ends without an answer.
    pub fn drop_events(self, api: &Api) {
        for open in self.open {
            open.forget(api);
        }
    }
}

impl Open {
    fn forget(&self, api: &Api) {
        for event in [self.begin, self.end] {
            if !event.is_null() {
                // SAFETY: made in `time` and destroyed once.
                unsafe { (api.event_destroy)(event) };
            }
        }
    }
}
