//! The process's memory as the system sees it. glibc keeps freed memory for itself, in an arena a
//! thread; a worker next to a container's limit has to give it back, or what the accountant thinks is
//! free is not.

/// Bytes of this process in memory.
pub(crate) fn resident() -> usize {
    memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem)
}

/// Makes freed memory go back to the system soon. For a process that runs tasks within a limit.
pub(crate) fn give_back_what_is_freed() {
    // Left alone, the threshold grows with the largest buffer freed, up to 32 MiB. A column of a row group
    // of usual size is below it: those come and go with every task.
    set(4 << 20, 16 << 20, Some(4));
}

/// Makes freed memory stay with the threads that run tasks, up to a bound for each. For a process without a
/// limit: pages that go back with every column of a row group are zeroed by the system each time they
/// are needed again, which takes longer than what is computed on them.
pub(crate) fn keep_what_is_freed() {
    // 32 MiB is the most that glibc takes.
    set(32 << 20, 64 << 20, None);
}

/// Buffers from `map` bytes up get pages of their own, which go back with them; the end of a heap goes
/// back when so much of it is free.
#[cfg_attr(not(all(target_os = "linux", target_env = "gnu")), allow(unused_variables))]
fn set(map: i32, trim: i32, arenas: Option<i32>) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets the allocator's parameters; it may be called at any time.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, map);
        libc::mallopt(libc::M_TRIM_THRESHOLD, trim);
        if let Some(arenas) = arenas {
            libc::mallopt(libc::M_ARENA_MAX, arenas);
        }
    }
}

/// Gives freed memory in the middle of the heap back to the system.
pub(crate) fn trim() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes the allocator's own locks; it may be called at any time.
    unsafe {
        libc::malloc_trim(1 << 20);
    }
}
