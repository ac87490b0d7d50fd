//! Keeps this library in the host's memory for as long as the host runs.
#![allow(unsafe_code, reason = "the dynamic linker's interface")]

use std::sync::Once;

/// From the first call on, unloading the plugin no longer unmaps its code. Does nothing in a program of its own.
pub(crate) fn keep() {
    static ONCE: Once = Once::new();
    ONCE.call_once(keep_mapped);
}

#[cfg(unix)]
fn keep_mapped() {
    let mut found = std::mem::MaybeUninit::<libc::Dl_info>::zeroed();
    let here = keep as fn() as *const libc::c_void;
    // SAFETY: `here` is an address of this library, and `found` has room for what is said about it. The name belongs to
    // the dynamic linker and is valid while the library is loaded, as it is while its code runs. The handle is never
    // closed, which is the purpose.
    unsafe {
        if libc::dladdr(here, found.as_mut_ptr()) != 0 {
            let name = found.assume_init().dli_fname;
            if !name.is_null() {
                libc::dlopen(name, libc::RTLD_NOW | libc::RTLD_NOLOAD | libc::RTLD_NODELETE);
            }
        }
    }
}

#[cfg(not(unix))]
fn keep_mapped() {}
