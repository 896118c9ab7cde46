//! Work that a device has written down, and whether it may still be done.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use crate::{Code, Error, Result};

struct Recording<W> {
    work: W,
    /// Where the buffers begin that it reads and writes.
    used: BTreeSet<usize>,
    /// One of them was freed: another's data may be there now.
    stale: bool,
}

/// The recordings of a device, of work `W` each, and the one under way.
pub struct Recordings<W> {
    kept: HashMap<u32, Recording<W>>,
    last: u32,
    /// Where the buffers of the one under way begin.
    under_way: Option<BTreeSet<usize>>,
}

impl<W> Default for Recordings<W> {
    fn default() -> Self {
        Self { kept: HashMap::new(), last: 0, under_way: None }
    }
}

impl<W> Recordings<W> {
    pub fn is_under_way(&self) -> bool {
        self.under_way.is_some()
    }

    /// An error for what cannot be part of a recording, while one is under way.
    pub fn expect_none(&self, what: &str) -> Result<()> {
        if self.is_under_way() {
            return Err(Error::new(Code::Recording, format!("{what} cannot be recorded")));
        }
        Ok(())
    }

    pub fn begin(&mut self) -> Result<()> {
        self.expect_none("a recording")?;
        self.under_way = Some(BTreeSet::new());
        Ok(())
    }

    /// Keeps the work of the recording under way; its number.
    pub fn end(&mut self, work: W) -> u32 {
        let used = self.under_way.take().unwrap_or_default();
        self.last += 1;
        self.kept.insert(self.last, Recording { work, used, stale: false });
        self.last
    }

    /// The recording under way, if any, works on the buffer at this address.
    pub fn uses(&mut self, address: usize) {
        if let Some(used) = &mut self.under_way {
            used.insert(address);
        }
    }

    /// Another's data may come to these addresses. What a recording frees while it is under way stays its own.
    pub fn freed(&mut self, addresses: &Range<usize>) {
        if self.is_under_way() {
            return;
        }
        for recording in self.kept.values_mut() {
            recording.stale |= recording.used.range(addresses.clone()).next().is_some();
        }
    }

    /// Work to be done again.
    pub fn work(&self, number: u32) -> Result<&W> {
        self.expect_none("a replay")?;
        let found = self.kept.get(&number).ok_or_else(no_recording)?;
        if found.stale {
            return Err(Error::new(Code::Recording, "a buffer of the recording was freed"));
        }
        Ok(&found.work)
    }

    pub fn forget(&mut self, number: u32) -> Result<W> {
        self.kept.remove(&number).map(|recording| recording.work).ok_or_else(no_recording)
    }

    /// All of them, forgotten.
    pub fn take_all(&mut self) -> Vec<W> {
        self.kept.drain().map(|(_, recording)| recording.work).collect()
    }
}

pub fn no_recording() -> Error {
    Error::new(Code::Recording, "there is no such recording, or it failed")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn work_is_given_until_one_of_its_buffers_is_freed() {
        let mut recordings = Recordings::default();
        recordings.uses(64);
        recordings.begin().unwrap();
        assert_eq!(recordings.begin().unwrap_err().code, Code::Recording);
        recordings.uses(128);
        recordings.uses(256);
        recordings.freed(&(256..512));
        let first = recordings.end("first");
        recordings.begin().unwrap();
        let second = recordings.end("second");
        assert_eq!(*recordings.work(first).unwrap(), "first");
        recordings.freed(&(64..128));
        assert_eq!(*recordings.work(first).unwrap(), "first");
        recordings.freed(&(100..129));
        assert_eq!(recordings.work(first).unwrap_err().code, Code::Recording);
        assert_eq!(*recordings.work(second).unwrap(), "second");
        assert_eq!(recordings.forget(first).unwrap(), "first");
        assert_eq!(recordings.forget(first).unwrap_err().code, Code::Recording);
        assert_eq!(recordings.take_all(), ["second"]);
        assert_eq!(recordings.work(second).unwrap_err().code, Code::Recording);
    }

    #[test]
    fn nothing_is_replayed_into_a_recording() {
        let mut recordings = Recordings::default();
        recordings.begin().unwrap();
        let number = recordings.end(());
        recordings.begin().unwrap();
        assert!(recordings.is_under_way());
        assert_eq!(recordings.work(number).unwrap_err().message, "a replay cannot be recorded");
        recordings.end(());
        assert!(recordings.work(number).is_ok());
    }
}
