//! The plugin and its configuration are read again while calls go on.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use host_harness::metrics::Metrics;

/// How often the files are looked at.
const LOOK: Duration = Duration::from_millis(500);

/// What makes plugin and configuration be read again.
pub(super) struct Triggers {
    hangups: Hangups,
    watched: Option<Watch>,
}

impl Triggers {
    /// SIGHUP, and changes to these files from now on. Made before the files
    /// are read for the first time, so that no change goes unnoticed.
    pub(super) fn new(watched: Option<Vec<PathBuf>>) -> Self {
        Self { hangups: Hangups::new(), watched: watched.map(Watch::over) }
    }

    /// None if nothing will ever happen.
    async fn next(&mut self) -> Option<()> {
        tokio::select! {
            Some(()) = self.hangups.next() => Some(()),
            Some(()) = changed(self.watched.as_mut()) => Some(()),
            else => None,
        }
    }
}

/// Reads plugin and configuration again whenever it is asked for. What is
/// refused changes nothing.
pub(super) async fn on_request(
    mut triggers: Triggers,
    metrics: Arc<Metrics>,
    reload: impl Fn() -> anyhow::Result<&'static str>,
) {
    while triggers.next().await.is_some() {
        // It may compile; the other calls go on.
        let answer = tokio::task::block_in_place(&reload);
        metrics.reloaded(answer.is_ok());
        match answer {
            Ok(what) => tracing::info!("{what} was read again and is in force"),
            Err(error) => {
                for line in format!("{error:#}").lines() {
                    tracing::error!("{line}");
                }
                tracing::error!("the old configuration stays in force");
            }
        }
    }
}

#[cfg(unix)]
struct Hangups(Option<tokio::signal::unix::Signal>);

#[cfg(unix)]
impl Hangups {
    fn new() -> Self {
        let signal = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::hangup());
        if signal.is_err() {
            tracing::warn!("SIGHUP cannot be heard; it will not make anything be read again");
        }
        Self(signal.ok())
    }

    async fn next(&mut self) -> Option<()> {
        self.0.as_mut()?.recv().await
    }
}

#[cfg(not(unix))]
struct Hangups;

#[cfg(not(unix))]
impl Hangups {
    fn new() -> Self {
        Self
    }

    async fn next(&mut self) -> Option<()> {
        None
    }
}

async fn changed(watched: Option<&mut Watch>) -> Option<()> {
    let watch = watched?;
    while !watch.look() {
        tokio::time::sleep(LOOK).await;
    }
    Some(())
}

/// Notices when files change. Polled, for an editor's or a deployment's many
/// ways to replace a file all look the same from here.
struct Watch {
    files: Vec<PathBuf>,
    /// What was in force at the last change that was told.
    told: Vec<Option<Stamp>>,
    /// What there was at the last look.
    seen: Vec<Option<Stamp>>,
}

/// What tells one state of a file from the next, without reading it.
#[derive(Clone, PartialEq, Eq)]
struct Stamp {
    len: u64,
    modified: Option<SystemTime>,
    inode: u64,
}

impl Watch {
    fn over(files: Vec<PathBuf>) -> Self {
        let told: Vec<_> = files.iter().map(|file| Stamp::of(file)).collect();
        Self { files, seen: told.clone(), told }
    }

    /// True once for each change, when the files have come to rest: as long as
    /// they differ from one look to the next, somebody is still writing.
    fn look(&mut self) -> bool {
        let now: Vec<_> = self.files.iter().map(|file| Stamp::of(file)).collect();
        let resting = now == self.seen;
        self.seen = now;
        if resting && self.seen != self.told {
            self.told.clone_from(&self.seen);
            return true;
        }
        false
    }
}

impl Stamp {
    fn of(file: &Path) -> Option<Self> {
        let metadata = fs::metadata(file).ok()?;
        #[cfg(unix)]
        let inode = std::os::unix::fs::MetadataExt::ino(&metadata);
        #[cfg(not(unix))]
        let inode = 0;
        Some(Self { len: metadata.len(), modified: metadata.modified().ok(), inode })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_only_when_it_is_over() {
        let file = std::env::temp_dir().join(format!("watched-{}", std::process::id()));
        fs::write(&file, "a").expect("written");
        let mut watch = Watch::over(vec![file.clone(), PathBuf::from("/nowhere")]);
        assert!(!watch.look(), "nothing has changed");
        fs::write(&file, "ab").expect("written");
        assert!(!watch.look(), "it may not be over");
        fs::write(&file, "abc").expect("written");
        assert!(!watch.look(), "it was not");
        assert!(watch.look(), "now it is");
        assert!(!watch.look(), "once");
        fs::remove_file(&file).expect("removed");
        assert!(!watch.look());
        assert!(watch.look(), "gone is a change as well");
    }
}
