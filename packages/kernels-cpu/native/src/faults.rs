//! Reads of mapped files that fail. A file that is cut short, a disk or a network file system that fails: whoever reads such a page
//! gets SIGBUS, which ends a process. The handler here puts zeros in the place of the pages and notes it; the queue makes an
//! error of the note, so nothing that was computed from the zeros counts. Every other SIGBUS goes where it would have gone.

use std::ops::Range;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};

/// Addresses of a mapped file as the handler knows them. It may run in any thread at any time, so entries are never freed:
/// they are taken again.
struct Entry {
    start: AtomicUsize,
    end: AtomicUsize,
    lost: AtomicBool,
    taken: AtomicBool,
    /// Set before the entry is published.
    next: AtomicPtr<Entry>,
}

static FIRST: AtomicPtr<Entry> = AtomicPtr::new(std::ptr::null_mut());
static FAULTS: AtomicUsize = AtomicUsize::new(0);

fn entries() -> impl Iterator<Item = &'static Entry> {
    let mut at = FIRST.load(Ordering::Acquire);
    std::iter::from_fn(move || {
        // SAFETY: entries are leaked.
        let entry = unsafe { at.as_ref() }?;
        at = entry.next.load(Ordering::Acquire);
        Some(entry)
    })
}

/// Failed reads of all watched files so far.
pub fn faults() -> usize {
    FAULTS.load(Ordering::Acquire)
}

/// Keeps addresses watched.
pub struct Watch(&'static Entry);

impl Watch {
    /// Watches the addresses of a private map of a file, which must stay mapped as long as this lives.
    pub fn new(addresses: Range<usize>) -> Self {
        #[cfg(unix)]
        handler::install();
        let free = entries().find(|entry| {
            entry.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
        });
        let entry = free.unwrap_or_else(|| {
            let entry: &'static Entry = Box::leak(Box::new(Entry {
                start: AtomicUsize::new(0),
                end: AtomicUsize::new(0),
                lost: AtomicBool::new(false),
                taken: AtomicBool::new(true),
                next: AtomicPtr::new(FIRST.load(Ordering::Acquire)),
            }));
            let this = std::ptr::from_ref(entry).cast_mut();
            while let Err(first) = FIRST.compare_exchange(
                entry.next.load(Ordering::Relaxed),
                this,
                Ordering::AcqRel,
                Ordering::Acquire,
            ) {
                entry.next.store(first, Ordering::Release);
            }
            entry
        });
        entry.lost.store(false, Ordering::Release);
        entry.start.store(addresses.start, Ordering::Release);
        entry.end.store(addresses.end, Ordering::Release);
        Self(entry)
    }

    /// Whether a read of it failed.
    pub fn is_lost(&self) -> bool {
        self.0.lost.load(Ordering::Acquire)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.0.end.store(0, Ordering::Release);
        self.0.taken.store(false, Ordering::Release);
    }
}

/// Only what a signal handler may do: reads and writes of atomics, and calls of the system.
#[cfg(unix)]
mod handler {
    use super::{AtomicUsize, FAULTS, Ordering, entries};
    use std::sync::{Once, OnceLock};

    use libc::{c_int, c_void, siginfo_t};

    static INSTALLED: Once = Once::new();
    static PAGE: AtomicUsize = AtomicUsize::new(4096);
    /// What handled SIGBUS before.
    static BEFORE: OnceLock<libc::sigaction> = OnceLock::new();

    pub fn install() {
        INSTALLED.call_once(|| {
            // SAFETY: the structures are plain numbers, and the handler is one as the system wants it.
            unsafe {
                if let Ok(page) = usize::try_from(libc::sysconf(libc::_SC_PAGESIZE)) {
                    PAGE.store(page, Ordering::Release);
                }
                let mut before: libc::sigaction = std::mem::zeroed();
                if libc::sigaction(libc::SIGBUS, std::ptr::null(), &mut before) != 0 {
                    return;
                }
                let _ = BEFORE.set(before);
                let mut ours: libc::sigaction = std::mem::zeroed();
                let handle: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = on_bus_error;
                ours.sa_sigaction = handle as usize;
                ours.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
                libc::sigemptyset(&mut ours.sa_mask);
                // Refused, a lost file ends the process, as without this.
                libc::sigaction(libc::SIGBUS, &ours, std::ptr::null_mut());
            }
        });
    }

    /// Where this thread keeps errno.
    fn errno() -> *mut c_int {
        // SAFETY: calls without conditions, also in a handler.
        unsafe {
            #[cfg(target_os = "linux")]
            return libc::__errno_location();
            #[cfg(not(target_os = "linux"))]
            return libc::__error();
        }
    }

    extern "C" fn on_bus_error(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        // SAFETY: the system gives a valid `info`; errno belongs to the code that was interrupted.
        unsafe {
            let before = *errno();
            // Positive codes are the kernel's own; a signal that somebody sent has no address.
            let failed_read = (*info).si_code > 0;
            if !(failed_read && hide((*info).si_addr() as usize)) {
                pass_on(signal, info, context);
            }
            *errno() = before;
        }
    }

    /// Puts zeros over the watched file from the page of `address` to its end; false where nothing is watched.
    fn hide(address: usize) -> bool {
        for entry in entries() {
            let (start, end) = (entry.start.load(Ordering::Acquire), entry.end.load(Ordering::Acquire));
            if !(start <= address && address < end) {
                continue;
            }
            let page = PAGE.load(Ordering::Acquire);
            let from = address / page * page;
            let bytes = end.next_multiple_of(page) - from;
            let how = libc::MAP_PRIVATE | libc::MAP_ANON | libc::MAP_FIXED;
            // SAFETY: pages of a map that is read-only and whose owner watches it: it stays mapped until the watch ends.
            let zeros = unsafe { libc::mmap(from as *mut c_void, bytes, libc::PROT_READ, how, -1, 0) };
            if zeros == libc::MAP_FAILED {
                return false;
            }
            entry.lost.store(true, Ordering::Release);
            FAULTS.fetch_add(1, Ordering::AcqRel);
            return true;
        }
        false
    }

    /// # Safety
    /// The arguments are those of a handler of `signal` that runs now.
    unsafe fn pass_on(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
        let before = BEFORE.get();
        let handler = before.map_or(libc::SIG_DFL, |before| before.sa_sigaction);
        // SAFETY: a handler that somebody installed for this signal, called as its flags say.
        unsafe {
            if handler == libc::SIG_DFL || handler == libc::SIG_IGN {
                libc::signal(signal, libc::SIG_DFL);
                // A failed read fails once more by itself; what was sent must be sent again.
                if (*info).si_code <= 0 {
                    libc::raise(signal);
                }
            } else if before.is_some_and(|before| before.sa_flags & libc::SA_SIGINFO != 0) {
                let handler: extern "C" fn(c_int, *mut siginfo_t, *mut c_void) = std::mem::transmute(handler);
                handler(signal, info, context);
            } else {
                let handler: extern "C" fn(c_int) = std::mem::transmute(handler);
                handler(signal);
            }
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::process::ExitStatusExt;
    use std::process::Command;

    /// Runs a test of this file alone, in a process of its own, with a task; how that ended.
    fn alone(test: &str, task: &str) -> std::process::ExitStatus {
        Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env("IFT_TEST_FAULT", task)
            .output()
            .unwrap()
            .status
    }

    /// As in a process of Node: Rust's own programs have a handler for the ends of stacks.
    fn install_over_the_default() {
        // SAFETY: no handler of this process counts on it.
        unsafe { libc::signal(libc::SIGBUS, libc::SIG_DFL) };
        super::handler::install();
    }

    /// A map of a file whose second half is cut off, and that nobody watches.
    fn unwatched() -> (memmap2::Mmap, std::path::PathBuf) {
        let path = std::env::temp_dir().join(format!("ift-fault-{}", std::process::id()));
        std::fs::write(&path, vec![1; 1 << 16]).unwrap();
        let file = std::fs::OpenOptions::new().write(true).read(true).open(&path).unwrap();
        // SAFETY: nobody writes to the file; that its end goes away is what the tests are about.
        let map = unsafe { memmap2::Mmap::map(&file) }.unwrap();
        file.set_len(1 << 15).unwrap();
        (map, path)
    }

    #[test]
    fn other_bus_errors_end_the_process_as_before() {
        let test = "faults::tests::other_bus_errors_end_the_process_as_before";
        match std::env::var("IFT_TEST_FAULT").as_deref() {
            Ok("read") => {
                install_over_the_default();
                let (map, path) = unwatched();
                let _ = std::fs::remove_file(path);
                println!("{}", std::hint::black_box(map[40_000]));
            }
            Ok("sent") => {
                install_over_the_default();
                // SAFETY: a signal to this process.
                unsafe { libc::kill(libc::getpid(), libc::SIGBUS) };
                std::thread::sleep(std::time::Duration::from_secs(5));
            }
            _ => {
                for task in ["read", "sent"] {
                    assert_eq!(alone(test, task).signal(), Some(libc::SIGBUS), "{task}");
                }
            }
        }
    }

    #[test]
    fn a_handler_from_before_gets_what_is_not_ours() {
        extern "C" fn theirs(_: libc::c_int) {
            // SAFETY: ends the process at once.
            unsafe { libc::_exit(77) }
        }
        let test = "faults::tests::a_handler_from_before_gets_what_is_not_ours";
        if std::env::var("IFT_TEST_FAULT").is_ok() {
            let handler: extern "C" fn(libc::c_int) = theirs;
            // SAFETY: the handler is one as the system wants it, and no other of this process counts on its place.
            unsafe { libc::signal(libc::SIGBUS, handler as usize) };
            super::handler::install();
            let (map, path) = unwatched();
            let _ = std::fs::remove_file(path);
            println!("{}", std::hint::black_box(map[40_000]));
        } else {
            assert_eq!(alone(test, "read").code(), Some(77));
        }
    }
}
