//! A directory of this user's that nobody else may enter.

use std::{
    fs::{DirBuilder, File},
    io::{self, Read, Write},
    os::{
        fd::OwnedFd,
        unix::fs::{DirBuilderExt, MetadataExt},
    },
    path::Path,
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::{
    fs::{AtFlags, Mode, OFlags, openat, renameat, unlinkat},
    process::{geteuid, getpid},
};

/// Held open, so that everything happens in the directory that was checked,
/// whatever its path comes to mean.
#[derive(Debug)]
pub(super) struct PrivateDir(OwnedFd);

impl PrivateDir {
    pub(super) fn open(path: &Path) -> io::Result<Self> {
        match DirBuilder::new().mode(0o700).create(path) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
            _ => {}
        }
        let flags = OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let dir = File::from(rustix::fs::open(path, flags, Mode::empty())?);
        only_ours(&dir)?;
        Ok(Self(dir.into()))
    }

    /// The whole of a file.
    pub(super) fn read(&self, name: &str) -> io::Result<Vec<u8>> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.0, name, flags, Mode::empty())?);
        if !file.metadata()?.is_file() {
            return Err(refusal("it is no file"));
        }
        only_ours(&file)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Replaces a file by these bytes, at once: a reader finds the old file or
    /// the new one, never a part.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        static WRITES: AtomicU32 = AtomicU32::new(0);
        let number = WRITES.fetch_add(1, Ordering::Relaxed);
        let draft = format!(".{name}.{}.{number}", getpid().as_raw_nonzero());
        let written = self.draft(&draft, bytes).and_then(|()| {
            renameat(&self.0, &draft, &self.0, name)?;
            Ok(())
        });
        if written.is_err() {
            // It may not even be there; the first error is the one to tell.
            let _ = unlinkat(&self.0, &draft, AtFlags::empty());
        }
        written
    }

    fn draft(&self, name: &str, bytes: &[u8]) -> io::Result<()> {
        let flags =
            OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut file = File::from(openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?);
        file.write_all(bytes)?;
        // The name must not be there before the bytes are.
        file.sync_all()
    }
}

fn only_ours(file: &File) -> io::Result<()> {
    let metadata = file.metadata()?;
    if metadata.uid() != geteuid().as_raw() {
        return Err(refusal("it belongs to another user"));
    }
    let mode = metadata.mode() & 0o777;
    if mode & 0o077 != 0 {
        return Err(refusal(&format!(
            "it is open to others (mode {mode:04o}); expected 0700 or less"
        )));
    }
    Ok(())
}

fn refusal(why: &str) -> io::Error {
    io::Error::new(io::ErrorKind::PermissionDenied, why)
}
