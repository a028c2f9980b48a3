//! The processes that a server consists of: a launcher such as `npx` or `sh -c`
//! starts others, which do not end with it.

#[cfg(unix)]
pub(super) use unix::ProcessGroup;

#[cfg(unix)]
mod unix {
    use std::time::Duration;

    use rustix::process::{
        Pid, Signal, WaitOptions, kill_process_group, test_kill_process_group, waitpgid,
    };
    use tokio::{process::Child, time::sleep};

    use crate::mcp::guardian;

    /// How often it is looked whether a group has come to its end.
    const LOOK: Duration = Duration::from_millis(20);

    /// A group of processes that does not outlive this value, nor the gateway.
    #[derive(Debug)]
    pub(in crate::mcp) struct ProcessGroup(Option<Pid>);

    impl ProcessGroup {
        /// The group that a child was started as the leader of.
        pub(in crate::mcp) fn led_by(child: &Child) -> Self {
            let leader = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
            if let Some(group) = leader {
                guardian::guard(group);
            }
            Self(leader)
        }

        /// Whether nobody is left. The number of a group is not given to
        /// another one while there is.
        pub(in crate::mcp) fn is_empty(&self) -> bool {
            self.0.is_none_or(|group| test_kill_process_group(group).is_err())
        }

        /// Waits until nobody is left; the leader's end has been taken note of.
        pub(in crate::mcp) async fn emptied(&self) {
            while !self.is_empty() {
                self.bury();
                sleep(LOOK).await;
            }
        }

        /// Where the gateway is the first process of a container, orphans are its children.
        fn bury(&self) {
            if let Some(group) = self.0 {
                while let Ok(Some(_)) = waitpgid(group, WaitOptions::NOHANG) {}
            }
        }

        /// Asks all of it to end.
        pub(in crate::mcp) fn terminate(&self) {
            self.send(Signal::TERM);
        }

        /// Ends all of it.
        pub(in crate::mcp) fn kill(&self) {
            self.send(Signal::KILL);
        }

        fn send(&self, signal: Signal) {
            if let Some(group) = self.0 {
                // It may have ended since; then there is nobody to ask.
                let _ = kill_process_group(group, signal);
            }
        }
    }

    impl Drop for ProcessGroup {
        fn drop(&mut self) {
            let Some(group) = self.0 else { return };
            if !self.is_empty() {
                self.kill();
            }
            guardian::release(group);
        }
    }
}

#[cfg(not(unix))]
pub(super) use elsewhere::ProcessGroup;

#[cfg(not(unix))]
mod elsewhere {
    use tokio::process::Child;

    /// There are no groups here: the child is all that is known of a server.
    #[derive(Debug)]
    pub(in crate::mcp) struct ProcessGroup;

    impl ProcessGroup {
        pub(in crate::mcp) fn led_by(_: &Child) -> Self {
            Self
        }

        pub(in crate::mcp) fn is_empty(&self) -> bool {
            false
        }

        pub(in crate::mcp) async fn emptied(&self) {}

        pub(in crate::mcp) fn terminate(&self) {}

        pub(in crate::mcp) fn kill(&self) {}
    }
}
