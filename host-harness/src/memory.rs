//! How the allocator treats what only a long message needed.

/// Blocks of 1 MiB and more go back to the operating system as soon as they are
/// freed. By itself glibc keeps more of them the longer they were: after 60
/// answers of 8 MiB that nobody read, 257 MiB of 301 MiB were of nobody's use
/// any more (measured with clients that ask for them and do not read).
pub(crate) fn give_back_large_blocks() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        const LARGE: libc::c_int = 1 << 20;
        // SAFETY: it takes two integers and is called before there is a second
        // thread; it changes a parameter of the allocator, and no block.
        let is_set = unsafe { libc::mallopt(libc::M_MMAP_THRESHOLD, LARGE) };
        // Memory would be kept for longer, and that is all.
        debug_assert_eq!(is_set, 1);
    }
}
