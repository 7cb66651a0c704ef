use std::{
    collections::BTreeSet,
    ffi::{CStr, OsStr, c_int, c_void},
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

use parking_lot::Mutex;
use partita_bridge::Frame;

/// The maximum number of frames examined, and of calls sent.
const LOOKED_AT: usize = 4096;
const TOLD: usize = 64;

/// The shared objects of cells. Calls in them are the person's. Process-wide because the panic hook reads it, on
/// whichever thread panics.
static CELLS: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

unsafe extern "C" {
    // The unwinder that panics use. It is called directly because `std::backtrace` would read all symbols
    // of this library, which takes longer than most cells, to name frames that are not shown.
    fn _Unwind_Backtrace(visit: extern "C" fn(*mut c_void, *mut c_void) -> c_int, data: *mut c_void)
    -> c_int;
    fn _Unwind_GetIP(context: *mut c_void) -> usize;
}

/// From now on, calls in this shared object belong to a cell.
pub(super) fn remember(library: &Path) {
    CELLS.lock().insert(library.to_path_buf());
}

/// The current calls of this thread that are in cells, innermost first.
pub(super) fn of_cells() -> Vec<Frame> {
    let mut addresses: Vec<usize> = Vec::new();
    // SAFETY: the callback gets the context it expects and the vector, which outlives the call.
    unsafe { _Unwind_Backtrace(visit, (&raw mut addresses).cast()) };
    let cells = CELLS.lock();
    addresses.into_iter().filter_map(|address| in_cell(address, &cells)).take(TOLD).collect()
}

extern "C" fn visit(context: *mut c_void, data: *mut c_void) -> c_int {
    // SAFETY: `of_cells` passed its vector, and the unwinder its context.
    let (addresses, address) = unsafe { (&mut *data.cast::<Vec<usize>>(), _Unwind_GetIP(context)) };
    addresses.push(address);
    // Anything but zero stops the walk: endless recursion has more frames than anyone reads.
    c_int::from(addresses.len() >= LOOKED_AT)
}

fn in_cell(address: usize, cells: &BTreeSet<PathBuf>) -> Option<Frame> {
    // The return address may be the first byte after the function.
    let address = address.checked_sub(1)?;
    // SAFETY: all zeros are a valid `Dl_info`; the call only writes it, and its names belong to a
    // loaded library, which cells never unload.
    let (name, base) = unsafe {
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(address as *const c_void, &raw mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        (CStr::from_ptr(info.dli_fname), info.dli_fbase as usize)
    };
    let library = Path::new(OsStr::from_bytes(name.to_bytes()));
    cells
        .contains(library)
        .then(|| Frame { library: library.to_path_buf(), address: address.wrapping_sub(base) as u64 })
}
