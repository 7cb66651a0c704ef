//! The process's memory as the system sees it. glibc keeps freed memory for itself, in an arena a
//! thread; a worker next to a container's limit has to give it back, or what the accountant thinks is
//! free is not.

/// Bytes of this process in memory.
pub(crate) fn resident() -> usize {
    memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem)
}

/// Makes freed memory go back to the system soon. For a process that runs tasks within a limit.
pub(crate) fn give_back_what_is_freed() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets the allocator's parameters; it may be called at any time.
    unsafe {
        // Buffers of columns get pages of their own, which go back with them. Left alone, the
        // threshold grows with the largest buffer freed, up to 32 MiB.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 1 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 4 << 20);
        libc::mallopt(libc::M_ARENA_MAX, 4);
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
