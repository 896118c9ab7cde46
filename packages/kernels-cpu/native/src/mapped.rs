//! Files of weights, each mapped once, whatever is read of it. While weights are worked with they move from the pages of the
//! file to huge pages, which a processor reads faster: one step of decoding reads all of them.

use std::fs::{File, Metadata};
use std::io::Result;
use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};
use std::time::{Duration, Instant, SystemTime};

use ift_kernel_abi::{Code, Error};
use memmap2::Mmap;

use crate::available::available;
use crate::faults::{Watch, faults};
use crate::pool::Pool;

/// A file in memory, read-only.
struct MappedFile {
    /// Ends before the map does.
    watch: Watch,
    map: Mmap,
    path: String,
    /// Some of it is no longer the file's memory but this process's own.
    moved: AtomicBool,
}

/// What tells one file from another, and from the same one after it was written again.
#[derive(PartialEq)]
struct Identity {
    path: String,
    bytes: u64,
    modified: Option<SystemTime>,
}

/// The files that something is read of.
#[derive(Default)]
pub struct MappedFiles(Vec<(Identity, Weak<MappedFile>)>);

impl MappedFiles {
    /// Bytes of a file, which has them, and the file for [`Moving`] when it was not mapped before.
    pub fn map(
        &mut self,
        path: &str,
        file: &File,
        metadata: &Metadata,
        range: Range<usize>,
    ) -> Result<(MappedBytes, Option<Fresh>)> {
        self.0.retain(|(_, file)| file.strong_count() > 0);
        let modified = metadata.modified().ok();
        let identity = Identity { path: path.to_owned(), bytes: metadata.len(), modified };
        let known = self.0.iter().find(|(known, _)| *known == identity);
        if let Some(file) = known.and_then(|(_, file)| file.upgrade()) {
            return Ok((MappedBytes { file, range }, None));
        }
        // SAFETY: the bytes are only ever read as numbers, so a file that changes under the map changes results and
        // nothing else; pages that go away are watched.
        let map = unsafe { Mmap::map(file) }?;
        let start = map.as_ptr() as usize;
        let watch = Watch::new(start..start + map.len());
        let file = Arc::new(MappedFile { watch, map, path: path.to_owned(), moved: AtomicBool::new(false) });
        let weak = Arc::downgrade(&file);
        self.0.push((identity, Weak::clone(&weak)));
        Ok((MappedBytes { file, range }, Some(Fresh(weak))))
    }
}

/// A range of bytes of a mapped file.
pub struct MappedBytes {
    file: Arc<MappedFile>,
    range: Range<usize>,
}

impl MappedBytes {
    pub fn address(&self) -> usize {
        self.file.map.as_ptr() as usize + self.range.start
    }

    pub fn bytes(&self) -> usize {
        self.range.len()
    }
}

impl Drop for MappedBytes {
    /// The process lets go of the file's pages, as if these bytes alone had been mapped.
    fn drop(&mut self) {
        #[cfg(unix)]
        if !self.file.moved.load(Ordering::Acquire) {
            const PAGE: usize = 64 << 10;
            let (start, end) = (self.range.start.next_multiple_of(PAGE), self.range.end / PAGE * PAGE);
            if start < end {
                let advice = memmap2::UncheckedAdvice::DontNeed;
                // SAFETY: pages of a file come back as they were when somebody reads them again.
                let _ = unsafe { self.file.map.unchecked_advise_range(advice, start, end - start) };
            }
        }
    }
}

/// A file that was not mapped before.
pub struct Fresh(Weak<MappedFile>);

/// The files that kernels of a queue read.
#[derive(Default)]
pub struct Read(Vec<Weak<MappedFile>>);

impl Read {
    pub fn add(&mut self, file: &Fresh) {
        self.0.retain(|file| file.strong_count() > 0);
        self.0.push(Weak::clone(&file.0));
    }

    /// The error of the first file that could not be read, as long as somebody uses it: whatever was computed since is wrong.
    pub fn check(&self) -> ift_kernel_abi::Result<()> {
        if faults() == 0 {
            return Ok(());
        }
        let lost = self.0.iter().filter_map(Weak::upgrade).find(|file| file.watch.is_lost());
        lost.map_or(Ok(()), |file| Err(unreadable_now(&file.path)))
    }
}

fn unreadable_now(path: &str) -> Error {
    let what = "cannot be read any more: it was cut short or its disk failed while its weights were in use";
    Error::new(Code::FileChanged, format!("{path} {what}"))
}

/// What `read` copies of memory that may be a file's; an error when the file went away meanwhile.
pub fn copied<T>(read: impl FnOnce() -> T) -> ift_kernel_abi::Result<T> {
    let before = faults();
    let value = read();
    if faults() == before { Ok(value) } else { Err(unreadable_now("a file of weights")) }
}

/// Files on their way to huge pages, a slice at a time.
#[derive(Default)]
pub struct Moving {
    /// And how far they are.
    files: Vec<(Weak<MappedFile>, usize)>,
    steps: usize,
}

/// Kernels that are a step with all weights, and not a number that somebody reads.
const STEP: usize = 50;
/// Steps until weights move: about as many as it takes to win back what that costs.
const STEPS: usize = 32;
/// The part of the time of a step that may go into it.
const PART: u32 = 8;

/// Bytes of a huge page.
const HUGE: usize = 2 << 20;
/// Bytes that move at a time: some milliseconds.
const SLICE: usize = 16 * HUGE;
/// So many times what is left of a file must the system be able to give: other processes may do the same.
const ROOM: usize = 2;

impl Moving {
    pub fn add(&mut self, file: Fresh) {
        self.files.push((file.0, 0));
    }

    /// Takes some time, when so many kernels have run since the last call; none runs meanwhile.
    pub fn after(&mut self, kernels: usize, passed: Duration, pool: &Pool) {
        self.steps += usize::from(kernels >= STEP);
        if kernels >= STEP && self.steps > STEPS {
            self.go_on(pool, passed / PART);
        }
    }

    /// Moves slices as long as there is time, and at least one, if any is left to move.
    fn go_on(&mut self, pool: &Pool, time: Duration) {
        let begin = Instant::now();
        while let Some((file, at)) = self.files.last_mut() {
            if let Some(file) = file.upgrade()
                && let Some(next) = file.move_from(*at, pool)
            {
                *at = next;
                if begin.elapsed() >= time {
                    return;
                }
            } else {
                self.files.pop();
            }
        }
    }
}

impl MappedFile {
    /// Moves a slice from `at` on; where the next one begins, or none when this one was the last or could not move.
    fn move_from(&self, at: usize, pool: &Pool) -> Option<usize> {
        let room = available()?;
        if ROOM * (self.map.len() - at) > room || at == 0 && !huge_pages_are_given() {
            return None;
        }
        // Huge pages of the address space that lie wholly in the map.
        let base = self.map.as_ptr() as usize;
        let first = (base + at).next_multiple_of(HUGE);
        let end = ((base + self.map.len()) / HUGE * HUGE).min(first + SLICE);
        if first >= end {
            return None;
        }
        self.moved.store(true, Ordering::Release);
        // SAFETY: pages of the map, which nobody reads meanwhile.
        unsafe { replace(first, end - first, pool) }.ok()?;
        Some(end - base)
    }
}

/// Whether the system gives huge pages to those who ask.
fn huge_pages_are_given() -> bool {
    let setting = std::fs::read_to_string("/sys/kernel/mm/transparent_hugepage/enabled");
    setting.is_ok_and(|setting| !setting.contains("[never]"))
}

/// Puts huge pages with the same bytes in the place of `bytes` at `address`, both multiples of [`HUGE`].
///
/// # Safety
/// The range is mapped and this process's to map anew, and nothing writes to it.
#[cfg(target_os = "linux")]
unsafe fn replace(address: usize, bytes: usize, pool: &Pool) -> Result<()> {
    use std::io::Error;
    use std::ptr::{copy_nonoverlapping, null_mut};

    // SAFETY: memory of its own until it takes the place of memory with the same bytes; what is left over goes back.
    unsafe {
        let (both, private) = (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS);
        let room = libc::mmap(null_mut(), bytes + HUGE, both, private, -1, 0);
        if room == libc::MAP_FAILED {
            return Err(Error::last_os_error());
        }
        let (start, end) = (room as usize, room as usize + bytes + HUGE);
        let fresh = start.next_multiple_of(HUGE);
        // Refused, small pages are as good as the file's.
        libc::madvise(fresh as *mut _, bytes, libc::MADV_HUGEPAGE);
        pool.run(bytes / HUGE, &|page| {
            let (from, to) = (address + page * HUGE, fresh + page * HUGE);
            copy_nonoverlapping(from as *const u8, to as *mut u8, HUGE);
        });
        libc::mprotect(fresh as *mut _, bytes, libc::PROT_READ);
        let how = libc::MREMAP_MAYMOVE | libc::MREMAP_FIXED;
        let place = address as *mut libc::c_void;
        if libc::mremap(fresh as *mut _, bytes, bytes, how, place) == libc::MAP_FAILED {
            let error = Error::last_os_error();
            // What was there may be gone already.
            if libc::mmap(place, bytes, both, private | libc::MAP_FIXED, -1, 0) != libc::MAP_FAILED {
                copy_nonoverlapping(fresh as *const u8, place.cast(), bytes);
            }
            libc::munmap(room, end - start);
            return Err(error);
        }
        for (from, to) in [(start, fresh), (fresh + bytes, end)] {
            if from < to {
                libc::munmap(from as *mut _, to - from);
            }
        }
        Ok(())
    }
}

#[cfg(not(target_os = "linux"))]
unsafe fn replace(_address: usize, _bytes: usize, _pool: &Pool) -> Result<()> {
    Err(std::io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests;
