//! Threads that stay where they are: the system moves a thread that has just slept onto the processor of the one that
//! wakes it, where both then wait for each other.

/// Keeps the calling thread on processor `index` of those that the process may use, where they are exactly `threads`:
/// with fewer threads than processors the system can do better, and with more none has one of its own.
#[cfg(target_os = "linux")]
pub fn stay(index: usize, threads: usize) {
    // SAFETY: sets of the size that the calls are told.
    unsafe {
        let mut allowed: libc::cpu_set_t = std::mem::zeroed();
        let size = size_of::<libc::cpu_set_t>();
        if libc::sched_getaffinity(libc::getpid(), size, &raw mut allowed) != 0 {
            return;
        }
        let processors: Vec<usize> =
            (0..8 * size).filter(|processor| libc::CPU_ISSET(*processor, &allowed)).collect();
        if processors.len() == threads {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(processors[index], &mut one);
            // Where the system refuses, the thread goes on wandering.
            libc::sched_setaffinity(0, size, &raw const one);
        }
    }
}

#[cfg(not(target_os = "linux"))]
pub fn stay(_index: usize, _threads: usize) {}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    /// Processors that the calling thread may use.
    fn processors() -> usize {
        // SAFETY: a set of the size that the call is told.
        unsafe {
            let mut set: libc::cpu_set_t = std::mem::zeroed();
            assert_eq!(libc::sched_getaffinity(0, size_of_val(&set), &raw mut set), 0);
            libc::CPU_COUNT(&set) as usize
        }
    }

    #[test]
    fn a_thread_stays_where_there_is_one_for_each_processor() {
        let all = processors();
        let left = |index, threads| {
            std::thread::spawn(move || {
                stay(index, threads);
                processors()
            })
            .join()
            .unwrap()
        };
        assert_eq!(left(all - 1, all), 1);
        assert_eq!(left(0, all + 1), all);
        assert_eq!(processors(), all, "others are as free as before");
    }
}
