//! What a dying process leaves for the kernel. A stack overflow and an invalid pointer reach the process
//! as a signal, whose handler may do next to nothing; a panic that cannot unwind aborts. Each writes a
//! line to a file that the kernel reads when the process has ended.

use std::{
    env,
    fs::{File, OpenOptions},
    io,
    os::{fd::AsRawFd, unix::fs::FileExt},
    path::Path,
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicI32, AtomicUsize, Ordering},
    },
};

use partita_bridge::{LAST_WORDS_FILE, LastWords, Panic, SPILL_VARIABLE};

/// The file for the last words. This static and the next two are process-wide because a process has one
/// panic hook and one handler per signal, and neither takes an argument.
static FILE: OnceLock<File> = OnceLock::new();
/// The same file, for the signal handler.
static DESCRIPTOR: AtomicI32 = AtomicI32::new(-1);
/// The guard area of the cell thread's stack: the first byte, and the byte after the last.
static GUARD: (AtomicUsize, AtomicUsize) = (AtomicUsize::new(0), AtomicUsize::new(0));

/// The stack of the handler, which cannot use the one that has just overflowed.
const HANDLER_STACK_BYTES: usize = 64 << 10;

/// Opens the file and installs the handlers.
pub(super) fn prepare() -> io::Result<()> {
    let Some(directory) = env::var_os(SPILL_VARIABLE) else { return Ok(()) };
    let path = Path::new(&directory).join(LAST_WORDS_FILE);
    let file = OpenOptions::new().create(true).append(true).open(path)?;
    DESCRIPTOR.store(file.as_raw_fd(), Ordering::Release);
    // Set once: there is one evaluation process per process.
    let _ = FILE.set(file);
    for signal in [libc::SIGSEGV, libc::SIGBUS] {
        // SAFETY: all zeros are a valid `sigaction`, and the handler does only what a handler may.
        let done = unsafe {
            let mut action: libc::sigaction = std::mem::zeroed();
            action.sa_sigaction = handle as *const () as usize;
            action.sa_flags = libc::SA_SIGINFO | libc::SA_ONSTACK;
            libc::sigaction(signal, &raw const action, ptr::null_mut())
        };
        if done != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Called on the thread that runs cells: gives the handler a stack of its own, and records where the
/// thread's stack ends.
pub(super) fn guard_this_thread() -> io::Result<()> {
    let stack = vec![0u8; HANDLER_STACK_BYTES].leak();
    let alternate =
        libc::stack_t { ss_sp: stack.as_mut_ptr().cast(), ss_flags: 0, ss_size: HANDLER_STACK_BYTES };
    // SAFETY: the memory was leaked and is the handler's alone.
    if unsafe { libc::sigaltstack(&raw const alternate, ptr::null_mut()) } != 0 {
        return Err(io::Error::last_os_error());
    }
    #[cfg(target_os = "linux")]
    // SAFETY: the calls fill what they are given and free what they made.
    unsafe {
        let mut attributes: libc::pthread_attr_t = std::mem::zeroed();
        let failed = libc::pthread_getattr_np(libc::pthread_self(), &raw mut attributes);
        if failed != 0 {
            return Err(io::Error::from_raw_os_error(failed));
        }
        let (mut start, mut size, mut guard) = (ptr::null_mut(), 0, 0);
        libc::pthread_attr_getstack(&raw const attributes, &raw mut start, &raw mut size);
        libc::pthread_attr_getguardsize(&raw const attributes, &raw mut guard);
        libc::pthread_attr_destroy(&raw mut attributes);
        // C libraries differ in whether the guard is part of the stack; an extra page covers both cases.
        let page = 4096;
        GUARD.0.store((start as usize).saturating_sub(guard.max(page)), Ordering::Release);
        GUARD.1.store(start as usize + guard.max(page), Ordering::Release);
    }
    Ok(())
}

/// A new cell: what the last one left is void.
pub(super) fn forget() {
    if let Some(file) = FILE.get() {
        // What remains is misleading at worst, and only if the process dies.
        let _ = file.set_len(0);
    }
}

/// Records the last panic.
pub(super) fn panic(panic: &Panic) {
    if let Some(file) = FILE.get() {
        let place = format!("{}, line {}", panic.file, panic.line);
        let message: String = panic.message.chars().take(2000).collect();
        // The first panic is the interesting one: later ones come from cleaning up after it.
        if file.metadata().is_ok_and(|metadata| metadata.len() == 0) {
            let _ = file.write_at(LastWords::panic(&place, &message).as_bytes(), 0);
        }
    }
}

extern "C" fn handle(signal: i32, info: *mut libc::siginfo_t, _: *mut libc::c_void) {
    // SAFETY: the system passes a valid `siginfo_t` for these signals; `write` and `signal` may be
    // called in a handler.
    unsafe {
        let address = (*info).si_addr() as usize;
        let guard = GUARD.0.load(Ordering::Acquire)..GUARD.1.load(Ordering::Acquire);
        let descriptor = DESCRIPTOR.load(Ordering::Acquire);
        if guard.contains(&address) {
            let said = LastWords::STACK_OVERFLOW.as_bytes();
            libc::write(descriptor, said.as_ptr().cast(), said.len());
        } else {
            let said = LastWords::BAD_ADDRESS.as_bytes();
            libc::write(descriptor, said.as_ptr().cast(), said.len());
            let said = hexadecimal(address);
            libc::write(descriptor, said.as_ptr().cast(), said.len());
        }
        // The instruction is retried, and ends the process as it would have without us.
        libc::signal(signal, libc::SIG_DFL);
    }
}

/// `0x00…ff` and a line end, without allocating.
fn hexadecimal(address: usize) -> [u8; 19] {
    let mut text = *b"0x0000000000000000\n";
    let mut rest = address;
    for digit in text[2..18].iter_mut().rev() {
        *digit = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_written_in_hexadecimal() {
        assert_eq!(&hexadecimal(0xdead_beef), b"0x00000000deadbeef\n");
    }
}
