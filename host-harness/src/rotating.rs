//! A file that is gone on with, and set aside when it has grown: `calls.jsonl`
//! becomes `calls.jsonl.1`, that one `calls.jsonl.2`, and the oldest goes.

use std::{
    ffi::OsString,
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    num::{NonZeroU32, NonZeroU64},
    path::{Path, PathBuf},
};

/// How large the files of a log get, and how many there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rotation {
    /// A file that would have more bytes is set aside; default 64 MiB. One line
    /// is never parted, so a longer one has a file to itself.
    pub max_bytes: NonZeroU64,
    /// How many files there are, the one that is written included; default 4.
    /// With 1 the log begins anew when it is full.
    pub files: NonZeroU32,
}

impl Rotation {
    /// 64 MiB.
    pub const MAX_BYTES: NonZeroU64 = NonZeroU64::new(64 << 20).expect("not 0");
    /// The one that is written, and three before it.
    pub const FILES: NonZeroU32 = NonZeroU32::new(4).expect("not 0");
}

impl Default for Rotation {
    fn default() -> Self {
        Self { max_bytes: Self::MAX_BYTES, files: Self::FILES }
    }
}

/// The file, open. Every call of `write` takes whole lines and is written whole.
///
/// Several processes may write to one: each line is appended at once, and who
/// finds that another has set the file aside goes on with the new one.
#[derive(Debug)]
pub struct RotatingFile {
    path: PathBuf,
    file: File,
    rotation: Rotation,
}

impl RotatingFile {
    /// Opens it at its end. A last line that was not written to its end, for
    /// the process that wrote it was killed, is ended, so that what follows is
    /// not lost with it.
    ///
    /// # Errors
    /// It cannot be opened or written.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).read(true).append(true).open(path)?;
        if !ends_with_a_line(&mut file)? {
            file.write_all(b"\n")?;
        }
        Ok(Self { path: path.to_owned(), file, rotation })
    }

    /// Sets the file aside if it is full, and begins a new one.
    fn rotate(&mut self, more: usize) -> io::Result<()> {
        let full = |length: u64| {
            length > 0 && length.saturating_add(more as u64) > self.rotation.max_bytes.get()
        };
        if !full(self.file.metadata()?.len()) {
            return Ok(());
        }
        // It may be another process that has filled it, and that has set it aside.
        if fs::metadata(&self.path).is_ok_and(|metadata| full(metadata.len())) {
            let older = self.rotation.files.get() - 1;
            for number in (1..older).rev() {
                let from = aside(&self.path, number);
                if from.exists() {
                    fs::rename(from, aside(&self.path, number + 1))?;
                }
            }
            if older == 0 {
                fs::remove_file(&self.path)?;
            } else {
                fs::rename(&self.path, aside(&self.path, 1))?;
            }
        }
        self.file = OpenOptions::new().create(true).read(true).append(true).open(&self.path)?;
        Ok(())
    }
}

impl Write for RotatingFile {
    fn write(&mut self, lines: &[u8]) -> io::Result<usize> {
        self.rotate(lines.len())?;
        self.file.write_all(lines)?;
        Ok(lines.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

fn ends_with_a_line(file: &mut File) -> io::Result<bool> {
    // A pipe or a terminal has no end to look at.
    if !file.metadata()?.is_file() || file.seek(SeekFrom::End(0))? == 0 {
        return Ok(true);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn aside(path: &Path, number: u32) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(format!(".{number}"));
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A folder of one test, which goes with it.
    struct Folder(PathBuf);

    impl Folder {
        fn of(test: &str) -> Self {
            let name = format!("rotating-{test}-{}", std::process::id());
            let folder = std::env::temp_dir().join(name);
            fs::create_dir_all(&folder).expect("a folder");
            Self(folder)
        }

        fn path(&self) -> &Path {
            &self.0
        }
    }

    impl Drop for Folder {
        fn drop(&mut self) {
            fs::remove_dir_all(&self.0).ok();
        }
    }

    fn rotation(max_bytes: u64, files: u32) -> Rotation {
        Rotation {
            max_bytes: NonZeroU64::new(max_bytes).expect("not 0"),
            files: NonZeroU32::new(files).expect("not 0"),
        }
    }

    fn found(folder: &Path) -> Vec<(String, String)> {
        let mut found: Vec<_> = fs::read_dir(folder)
            .expect("a folder")
            .map(|entry| entry.expect("an entry").path())
            .map(|path| {
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, fs::read_to_string(path).expect("text"))
            })
            .collect();
        found.sort();
        found
    }

    fn pair(name: &str, text: &str) -> (String, String) {
        (name.to_owned(), text.to_owned())
    }

    #[test]
    fn a_file_that_is_there_is_gone_on_with() {
        let folder = Folder::of("append");
        let path = folder.path().join("calls");
        for line in ["one\n", "two\n"] {
            let mut file = RotatingFile::open(&path, Rotation::default()).expect("opens");
            file.write_all(line.as_bytes()).expect("writes");
        }
        assert_eq!(found(folder.path()), [pair("calls", "one\ntwo\n")]);
    }

    #[test]
    fn a_line_that_a_killed_process_left_open_is_ended() {
        let folder = Folder::of("ended");
        let path = folder.path().join("calls");
        fs::write(&path, "one\n{\"cut").expect("writes");
        let mut file = RotatingFile::open(&path, Rotation::default()).expect("opens");
        file.write_all(b"two\n").expect("writes");
        assert_eq!(found(folder.path()), [pair("calls", "one\n{\"cut\ntwo\n")]);
    }

    #[test]
    fn full_files_are_set_aside_and_the_oldest_goes() {
        let folder = Folder::of("oldest");
        let path = folder.path().join("calls");
        let mut file = RotatingFile::open(&path, rotation(8, 3)).expect("opens");
        for number in 0..9 {
            file.write_all(format!("{number}..\n").as_bytes()).expect("writes");
        }
        let now =
            [pair("calls", "8..\n"), pair("calls.1", "6..\n7..\n"), pair("calls.2", "4..\n5..\n")];
        assert_eq!(found(folder.path()), now);
    }

    #[test]
    fn one_file_alone_begins_anew_and_a_line_that_is_too_long_is_not_parted() {
        let folder = Folder::of("anew");
        let path = folder.path().join("calls");
        let mut file = RotatingFile::open(&path, rotation(8, 1)).expect("opens");
        for line in ["one\n", "two\n", "a long line\n"] {
            file.write_all(line.as_bytes()).expect("writes");
        }
        assert_eq!(found(folder.path()), [pair("calls", "a long line\n")]);
    }

    #[test]
    fn who_finds_the_file_set_aside_by_another_goes_on_with_the_new_one() {
        let folder = Folder::of("another");
        let path = folder.path().join("calls");
        let mut one = RotatingFile::open(&path, rotation(8, 4)).expect("opens");
        let mut other = RotatingFile::open(&path, rotation(8, 4)).expect("opens");
        for line in ["1..\n", "2..\n", "3..\n"] {
            one.write_all(line.as_bytes()).expect("writes");
        }
        other.write_all(b"4..\n").expect("writes");
        let now = [pair("calls", "3..\n4..\n"), pair("calls.1", "1..\n2..\n")];
        assert_eq!(found(folder.path()), now);
    }
}
