//! What ends the servers when the gateway itself is killed.
//!
//! A server usually ends when its input is closed, which it is when the gateway
//! dies; but what a launcher has started need not read that input. No signal
//! reaches a grandchild when its grandparent dies, so one small process, the
//! guardian, reads from a pipe which groups there are, and ends them when the
//! pipe ends. It is started with the first server.

use std::{
    io::{self, Write},
    process::{ChildStdin, Command, Stdio},
    sync::{Mutex, PoisonError},
};

use rustix::process::Pid;

/// Remembers groups (`+ 7`, `- 7`); at the end of its input sends SIGTERM to
/// those that are left, and SIGKILL 2 s later.
///
/// It is in the background of a shell that ends at once, so it is not one of the
/// gateway's own children, of which whoever counts them expects servers only.
const SCRIPT: &str = r#"
exec 3<&0
{
trap '' INT TERM HUP
groups=' '
while read -r change group; do
    case $change in
    +) groups="$groups$group " ;;
    -) groups="${groups%% $group *} ${groups#* $group }" ;;
    esac
done
left=
for group in $groups; do
    kill -s TERM -- "-$group" 2>/dev/null && left="$left $group"
done
test -n "$left" || exit 0
sleep 2
for group in $left; do
    kill -s KILL -- "-$group" 2>/dev/null
done
} <&3 3<&- &
"#;

enum Guardian {
    NotStarted,
    Running(ChildStdin),
    /// It could not be started, or has been killed.
    Missing,
}

static GUARDIAN: Mutex<Guardian> = Mutex::new(Guardian::NotStarted);

/// Ends this group when the gateway is gone.
pub(super) fn guard(group: Pid) {
    say('+', group);
}

/// This group has ended.
pub(super) fn release(group: Pid) {
    say('-', group);
}

fn say(change: char, group: Pid) {
    let mut guardian = GUARDIAN.lock().unwrap_or_else(PoisonError::into_inner);
    if matches!(*guardian, Guardian::NotStarted) {
        *guardian = start().map_or_else(
            |error| {
                tracing::warn!(%error, "servers may outlive the gateway if it is killed: no `sh` guards them");
                Guardian::Missing
            },
            Guardian::Running,
        );
    }
    if let Guardian::Running(input) = &mut *guardian {
        // A line is shorter than what a pipe takes at once, and it is always read.
        let line = format!("{change} {}\n", group.as_raw_nonzero());
        if input.write_all(line.as_bytes()).is_err() {
            tracing::warn!(
                "servers may outlive the gateway if it is killed: their guardian is gone"
            );
            *guardian = Guardian::Missing;
        }
    }
}

fn start() -> io::Result<ChildStdin> {
    use std::os::unix::process::CommandExt;
    let mut guardian = Command::new("/bin/sh");
    guardian.args(["-c", SCRIPT]).stdin(Stdio::piped());
    // Whoever reads what the gateway writes is not to wait for the guardian.
    guardian.stdout(Stdio::null()).stderr(Stdio::null());
    // Ctrl-C is the gateway's to hear.
    guardian.process_group(0);
    let mut guardian = guardian.spawn()?;
    let input = guardian.stdin.take();
    let status = guardian.wait()?;
    if !status.success() {
        return Err(io::Error::other(format!("it ended with {status}")));
    }
    input.ok_or_else(|| io::Error::other("its standard input is missing"))
}

#[cfg(test)]
mod tests {
    use std::{
        os::unix::process::CommandExt,
        time::{Duration, Instant},
    };

    use super::*;

    #[test]
    fn the_groups_that_are_left_end_with_the_pipe_and_those_that_were_released_do_not() {
        let mut guardian = Command::new("/bin/sh")
            .args(["-c", SCRIPT])
            .stdin(Stdio::piped())
            .spawn()
            .expect("a shell");
        let sleeper = || {
            // The second one ignores SIGTERM, as its child does then.
            let script = "trap '' TERM; sleep 60 & wait";
            Command::new("sh").args(["-c", script]).process_group(0).spawn().expect("a shell")
        };
        let mut processes = [sleeper(), sleeper(), sleeper()];
        let ids: Vec<_> = processes.iter().map(std::process::Child::id).collect();
        let mut input = guardian.stdin.take().expect("a pipe");
        writeln!(input, "+ {}\n+ {}\n+ {}\n- {}", ids[0], ids[1], ids[2], ids[1]).expect("read");
        drop(input);
        assert!(guardian.wait().expect("ours").code().is_some());
        for at in [0, 2] {
            let end = Instant::now() + Duration::from_secs(10);
            while processes[at].try_wait().expect("ours").is_none() {
                assert!(Instant::now() < end, "it lives");
                std::thread::sleep(Duration::from_millis(10));
            }
        }
        assert!(processes[1].try_wait().expect("ours").is_none(), "it was released");
        let group = Pid::from_raw(ids[1].cast_signed()).expect("not 0");
        rustix::process::kill_process_group(group, rustix::process::Signal::KILL).expect("ours");
        processes[1].wait().expect("ours");
    }
}
