//! The process's memory as the system sees it. glibc keeps freed memory for itself, in an arena a
//! thread; a worker next to a container's limit has to give it back, or what the accountant thinks is
//! free is not.

/// Bytes of this process in memory.
pub fn resident() -> usize {
    memory_stats::memory_stats().map_or(0, |stats| stats.physical_mem)
}

/// Threads whose freed memory is kept apart, in a process that runs tasks within a limit.
const ARENAS: i32 = 4;

/// Makes freed memory stay with the threads that run tasks, up to a bound for each: pages that go back with
/// every column of a row group are zeroed by the system each time they are needed again, which takes longer
/// than what is computed on them. A process with a limit has fewer places where it can stay, and has to
/// [make room](make_room).
pub fn keep_what_is_freed(within_a_limit: bool) {
    // 32 MiB is the most that glibc takes.
    set(32 << 20, 64 << 20, within_a_limit.then_some(ARENAS));
}

/// Before a task takes `more` bytes: what was freed and kept goes back, if the process would come to more
/// than `limit` otherwise.
pub fn make_room(more: usize, limit: usize) {
    if more > 0 && resident().saturating_add(more) > limit {
        give_back();
    }
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

/// Gives freed memory back to the system, also where it lies in the middle of the heap.
pub fn give_back() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: malloc_trim takes the allocator's own locks; it may be called at any time.
    unsafe {
        libc::malloc_trim(1 << 20);
    }
}
