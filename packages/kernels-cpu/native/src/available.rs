//! How much memory there still is.

/// Bytes that the system and the control group of this process can still give, where they tell.
#[cfg(target_os = "linux")]
pub fn available() -> Option<usize> {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let number = |path: &str| read(path)?.trim().parse::<usize>().ok();
    let system = read("/proc/meminfo").and_then(|text| {
        let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?.trim();
        Some(line.strip_suffix("kB")?.trim().parse::<usize>().ok()? * 1024)
    });
    let group = number("/sys/fs/cgroup/memory.max").zip(number("/sys/fs/cgroup/memory.current"));
    let group = group.map(|(limit, used)| {
        // Pages of files count as used and are given up on demand.
        let files = read("/sys/fs/cgroup/memory.stat").map(|text| {
            let lines = text.lines().filter_map(|line| {
                line.strip_prefix("inactive_file ")
                    .or(line.strip_prefix("active_file "))?
                    .parse::<usize>()
                    .ok()
            });
            lines.sum::<usize>()
        });
        (limit + files.unwrap_or(0)).saturating_sub(used)
    });
    system.into_iter().chain(group).min()
}

#[cfg(not(target_os = "linux"))]
pub fn available() -> Option<usize> {
    None
}
