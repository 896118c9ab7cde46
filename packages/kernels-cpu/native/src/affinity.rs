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
