//! What std would bring, without what std would import.

use core::{alloc::Layout, panic::PanicInfo};

#[global_allocator]
static ALLOCATOR: talc::wasm::WasmDynamicTalc = talc::wasm::new_wasm_dynamic_allocator();

// `memcmp` and its kin come from wasi-libc, which only std would link by itself.
#[link(name = "c")]
// SAFETY: nothing is declared here; the block exists for its link attribute.
unsafe extern "C" {}

/// A panic is a trap: the host drops this instance and takes a fresh one.
#[panic_handler]
fn panic(_: &PanicInfo<'_>) -> ! {
    core::arch::wasm32::unreachable()
}

/// How the host asks for room for arguments; wit-bindgen has none of its own
/// for this target. The canonical ABI names the parameters.
///
/// # Safety
/// Called by the host as the canonical ABI prescribes: `old_ptr` is null with
/// `old_len` 0, or a block of `old_len` bytes that this function returned for
/// the same `align`; `align` is a power of two.
#[unsafe(no_mangle)]
unsafe extern "C" fn cabi_realloc(
    old_ptr: *mut u8,
    old_len: usize,
    align: usize,
    new_len: usize,
) -> *mut u8 {
    if new_len == 0 {
        return core::ptr::without_provenance_mut(align);
    }
    // SAFETY: the caller passes a power of two, and sizes of a 32-bit memory
    // that are not rounded beyond `isize::MAX` by any alignment of the ABI (<= 8).
    let old = unsafe { Layout::from_size_align_unchecked(old_len, align) };
    let block = if old_len == 0 {
        // SAFETY: `new_len` is not 0.
        unsafe { alloc::alloc::alloc(Layout::from_size_align_unchecked(new_len, align)) }
    } else {
        // SAFETY: `old_ptr` and `old` describe a block of this allocator, by the contract above.
        unsafe { alloc::alloc::realloc(old_ptr, old, new_len) }
    };
    if block.is_null() {
        core::arch::wasm32::unreachable();
    }
    block
}
