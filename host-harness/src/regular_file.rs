//! Files that are read whole: configurations, keys, components.
//!
//! Whoever names such a file may mean well and still name a pipe that nobody
//! writes to, a device that never ends, or a file of gigabytes. None of them
//! blocks the reader, and none fills its memory.

use std::{
    fs::{File, OpenOptions},
    io::{self, Read},
    path::Path,
};

/// The bytes of a regular file of at most `most` bytes. Links are followed.
///
/// # Errors
/// It cannot be opened or read, is not a regular file, or is longer.
pub fn bytes(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let file = open(path)?;
    // Of what was opened, whatever has taken its place since.
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        let kind = if metadata.is_dir() { "a directory" } else { "a pipe, a socket or a device" };
        let told = format!("it is {kind}; it must be a regular file");
        return Err(io::Error::new(io::ErrorKind::InvalidInput, told));
    }
    let limit = u64::try_from(most).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    // It may grow while it is read.
    file.take(limit.saturating_add(1)).read_to_end(&mut bytes)?;
    if bytes.len() > most {
        let told = format!("it has more than {most} bytes");
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, told));
    }
    Ok(bytes)
}

/// The same of a file of text.
///
/// # Errors
/// As [`bytes()`], or it is not UTF-8.
pub fn text(path: &Path, most: usize) -> io::Result<String> {
    String::from_utf8(bytes(path, most)?).map_err(|error| {
        let told = format!("it is not UTF-8 from byte {} on", error.utf8_error().valid_up_to());
        io::Error::new(io::ErrorKind::InvalidData, told)
    })
}

/// Opens a pipe without waiting for somebody at its other end.
fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        let flags = rustix::fs::OFlags::NONBLOCK | rustix::fs::OFlags::NOCTTY;
        options.custom_flags(flags.bits().cast_signed());
    }
    options.open(path)
}

#[cfg(all(test, unix))]
mod tests {
    use std::{fs, os::unix::net::UnixListener, path::PathBuf};

    use rustix::fs::{CWD, FileType, Mode, mknodat};

    use super::*;

    /// A directory of its own for one test.
    fn folder(test: &str) -> PathBuf {
        let folder = std::env::temp_dir().join(format!("regular-{test}-{}", std::process::id()));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("a place to write");
        folder
    }

    fn refusal(path: &Path) -> String {
        bytes(path, 8).expect_err("not a file to read").to_string()
    }

    #[test]
    fn what_is_not_a_regular_file_is_refused_without_waiting_for_it() {
        let folder = folder("kinds");
        let pipe = folder.join("pipe");
        mknodat(CWD, &pipe, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("a pipe");
        let link = folder.join("link");
        std::os::unix::fs::symlink(&pipe, &link).expect("a link");
        for path in [&*pipe, &link, Path::new("/dev/zero"), Path::new("/dev/null")] {
            let told = "it is a pipe, a socket or a device; it must be a regular file";
            assert_eq!(refusal(path), told, "{}", path.display());
        }
        assert_eq!(refusal(&folder), "it is a directory; it must be a regular file");
        let socket = folder.join("socket");
        let _listener = UnixListener::bind(&socket).expect("a socket");
        assert!(bytes(&socket, 8).is_err());
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_file_is_read_up_to_its_limit_and_not_beyond() {
        let folder = folder("length");
        let file = folder.join("file");
        fs::write(&file, "12345678").expect("written");
        assert_eq!(bytes(&file, 8).expect("it fits"), b"12345678");
        fs::write(&file, "123456789").expect("written");
        assert_eq!(refusal(&file), "it has more than 8 bytes");
        fs::remove_dir_all(folder).expect("removed");
    }

    #[test]
    fn a_text_is_utf8_or_the_first_byte_that_is_not_is_named() {
        let folder = folder("text");
        let file = folder.join("file");
        fs::write(&file, "{\"é\":1}").expect("written");
        assert_eq!(text(&file, 8).expect("a text"), "{\"é\":1}");
        fs::write(&file, b"{\"\xff\"").expect("written");
        let told = text(&file, 8).expect_err("no text").to_string();
        assert_eq!(told, "it is not UTF-8 from byte 2 on");
        fs::remove_dir_all(folder).expect("removed");
    }
}
