//! The process's memory as the system sees it. glibc keeps freed memory in one arena per thread. A worker
//! close to a container's limit must return it to the system, or memory that the accountant counts as
//! free is not.

/// The resident bytes of this process.
pub fn resident() -> usize {
    memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem)
}

/// The number of arenas in a process that runs tasks within a limit.
const ARENAS: i32 = 4;

/// Makes the allocator keep freed memory for the threads that run tasks, up to a bound per thread.
/// Otherwise the pages of every column of a row group are returned and must be zeroed by the system on
/// each reuse, which takes longer than the computation on them. A process with a limit has fewer arenas,
/// and must call [`make_room`].
pub fn keep_what_is_freed(within_a_limit: bool) {
    // 32 MiB is the maximum that glibc accepts.
    set(32 << 20, 64 << 20, within_a_limit.then_some(ARENAS));
}

/// Call before a task takes `more` bytes: returns freed memory to the system if the process would
/// otherwise exceed `limit`.
pub fn make_room(more: usize, limit: usize) {
    if more > 0 && resident().saturating_add(more) > limit {
        give_back();
    }
}

/// Buffers of `map` bytes and more get pages of their own, which are returned with them. The end of a
/// heap is returned when this much of it is free.
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

/// Returns freed memory to the system, even from the middle of the heap.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes the allocator's own locks; it may be called at any time.
    unsafe {
        libc::malloc_trim(1 << 20);
    }
}
