//! The shape of the configuration file.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    num::{NonZeroU32, NonZeroU64, NonZeroUsize},
    path::PathBuf,
    time::Duration,
};

use serde::Deserialize;
use serde_json::{Map, Value};

use crate::{
    gateway,
    mcp::{ListLimits, front::http::FrontLimits, joined, too_long::MAX_MESSAGE_BYTES},
    otlp::Endpoint,
    rotating::Rotation,
    sandbox::{FailPolicy, Replacement},
};

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    #[serde(default, deserialize_with = "super::listen::deserialize")]
    pub(super) listen: Option<SocketAddr>,
    #[serde(default)]
    pub(super) allow_hosts: Vec<String>,
    #[serde(default)]
    pub(super) allow_origins: Vec<String>,
    #[serde(default)]
    pub(super) limits: Limits,
    #[serde(default = "yes")]
    pub(super) outcome_meta: bool,
    #[serde(default)]
    pub(super) exhausted_text: bool,
    pub(super) otlp: Option<Otlp>,
    pub(super) trace: Option<Tracing>,
    #[serde(default)]
    pub(super) upstreams: BTreeMap<String, UpstreamEntry>,
    #[serde(default)]
    pub(super) plugins: Vec<RawPlugin>,
}

const fn yes() -> bool {
    true
}

/// What belongs to no upstream and no plugin.
#[derive(Debug)]
pub struct General {
    /// Where to serve Streamable HTTP; stdin and stdout if not given.
    pub listen: Option<SocketAddr>,
    /// Hosts, without a port, under which clients may reach the gateway,
    /// beside `localhost` and loopback addresses; `*` for all.
    pub allow_hosts: Vec<String>,
    /// Origins whose pages may reach it, beside those of allowed hosts.
    pub allow_origins: Vec<String>,
    /// What the gateway allows at the most.
    pub limits: Limits,
    /// See [`RelayOptions::outcome_meta`](crate::mcp::RelayOptions::outcome_meta).
    pub outcome_meta: bool,
    /// See [`RelayOptions::exhausted_text`](crate::mcp::RelayOptions::exhausted_text).
    pub exhausted_text: bool,
    /// Whether spans are exported, and where to, if that is not for the
    /// environment to say.
    pub otlp: Option<Option<Endpoint>>,
    /// The file that gets a line for each call that ends, if there is one.
    pub trace: Option<(PathBuf, Rotation)>,
}

/// The log of calls.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Tracing {
    pub(super) file: PathBuf,
    max_bytes: Option<NonZeroU64>,
    files: Option<NonZeroU32>,
}

impl Tracing {
    pub(super) fn rotation(&self) -> Rotation {
        Rotation {
            max_bytes: self.max_bytes.unwrap_or(Rotation::MAX_BYTES),
            files: self.files.unwrap_or(Rotation::FILES),
        }
    }
}

/// That spans are exported.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Otlp {
    pub(super) endpoint: Option<String>,
}

/// What the gateway allows at the most. Times are in milliseconds.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    max_tool_retries: Option<u32>,
    attempt_timeout_ms: Option<NonZeroU64>,
    deadline_ms: Option<NonZeroU64>,
    max_wait_ms: Option<NonZeroU64>,
    cancel_wait_ms: Option<u64>,
    max_body_bytes: Option<NonZeroUsize>,
    max_header_bytes: Option<NonZeroUsize>,
    read_timeout_ms: Option<NonZeroU64>,
    write_timeout_ms: Option<NonZeroU64>,
    max_message_bytes: Option<NonZeroUsize>,
    max_listed: Option<NonZeroUsize>,
    max_listed_bytes: Option<NonZeroUsize>,
    max_unread_bytes: Option<NonZeroUsize>,
    max_connections: Option<NonZeroUsize>,
    max_requests: Option<NonZeroUsize>,
    max_sessions: Option<NonZeroUsize>,
    session_idle_ms: Option<NonZeroU64>,
    initialize_timeout_ms: Option<NonZeroU64>,
    drain_ms: Option<u64>,
    join_timeout_ms: Option<NonZeroU64>,
}

impl Limits {
    /// Of one call.
    #[must_use]
    pub fn of_calls(&self) -> gateway::Limits {
        let millis = |value: Option<NonZeroU64>| value.map(|ms| Duration::from_millis(ms.get()));
        let by_default = gateway::Limits::default();
        gateway::Limits {
            max_tool_retries: self.max_tool_retries.unwrap_or(by_default.max_tool_retries),
            attempt_timeout: millis(self.attempt_timeout_ms),
            deadline: millis(self.deadline_ms),
            max_wait: millis(self.max_wait_ms).unwrap_or(by_default.max_wait),
            cancel_wait: self.cancel_wait_ms.map_or(by_default.cancel_wait, Duration::from_millis),
        }
    }

    /// How long upstreams that are served as one may take to answer where all are asked.
    #[must_use]
    pub fn join_timeout(&self) -> Duration {
        let millis = |ms: NonZeroU64| Duration::from_millis(ms.get());
        self.join_timeout_ms.map_or(joined::PATIENCE, millis)
    }

    /// Of a server's message, and of a client's line, in bytes.
    #[must_use]
    pub fn of_messages(&self) -> usize {
        self.max_message_bytes.map_or(MAX_MESSAGE_BYTES, NonZeroUsize::get)
    }

    /// How much of each upstream's lists is remembered.
    #[must_use]
    pub fn of_lists(&self) -> ListLimits {
        let by_default = ListLimits::default();
        ListLimits {
            max_listed: self.max_listed.map_or(by_default.max_listed, NonZeroUsize::get),
            max_listed_bytes: self
                .max_listed_bytes
                .map_or(by_default.max_listed_bytes, NonZeroUsize::get),
        }
    }

    /// Of the front on HTTP.
    #[must_use]
    pub fn of_the_front(&self) -> FrontLimits {
        let by_default = FrontLimits::default();
        let millis = |value: Option<NonZeroU64>, by_default| {
            value.map_or(by_default, |ms| Duration::from_millis(ms.get()))
        };
        let count =
            |value: Option<NonZeroUsize>, by_default| value.map_or(by_default, NonZeroUsize::get);
        FrontLimits {
            max_body_bytes: count(self.max_body_bytes, by_default.max_body_bytes),
            max_header_bytes: count(self.max_header_bytes, by_default.max_header_bytes),
            read_timeout: millis(self.read_timeout_ms, by_default.read_timeout),
            write_timeout: millis(self.write_timeout_ms, by_default.write_timeout),
            max_connections: count(self.max_connections, by_default.max_connections),
            max_unread_bytes: count(self.max_unread_bytes, by_default.max_unread_bytes),
            max_requests: count(self.max_requests, by_default.max_requests),
            max_sessions: self.max_sessions.map(NonZeroUsize::get),
            session_idle: millis(self.session_idle_ms, by_default.session_idle),
            initialize_timeout: millis(self.initialize_timeout_ms, by_default.initialize_timeout),
            drain: self.drain_ms.map_or(by_default.drain, Duration::from_millis),
            join_timeout: self.join_timeout(),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UpstreamEntry {
    pub(super) url: Option<String>,
    #[serde(default)]
    pub(super) headers: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) pass_headers: Vec<String>,
    #[serde(default)]
    pub(super) command: Vec<String>,
    #[serde(default)]
    pub(super) env: BTreeMap<String, String>,
    pub(super) cwd: Option<PathBuf>,
    pub(super) trust: Option<bool>,
    #[serde(default)]
    pub(super) idempotency_keys: Vec<String>,
    pub(super) tool_prefix: Option<String>,
    pub(super) prompt_prefix: Option<String>,
}

/// An entry of `plugins`, as ContextForge has it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlugin {
    pub(super) name: String,
    pub(super) kind: String,
    pub(super) hooks: Option<Vec<String>>,
    #[serde(default)]
    pub(super) mode: Mode,
    #[serde(default)]
    pub(super) on_error: OnError,
    pub(super) priority: Option<i64>,
    #[serde(default)]
    pub(super) conditions: Vec<RawCondition>,
    pub(super) config: Option<Map<String, Value>>,
    // For people.
    #[serde(rename = "description")]
    _description: Option<String>,
    #[serde(rename = "version")]
    _version: Option<String>,
    #[serde(rename = "author")]
    _author: Option<String>,
    #[serde(default, rename = "tags")]
    _tags: Vec<String>,
}

/// How the original framework treats a plugin, by its present and by its former
/// names. A hook that can only ask for a delay has nothing to enforce and
/// nothing to change, so all that are waited for are the same here.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Mode {
    #[default]
    #[serde(
        alias = "enforce",
        alias = "enforce_ignore_error",
        alias = "permissive",
        alias = "transform",
        alias = "audit",
        alias = "concurrent"
    )]
    Sequential,
    FireAndForget,
    Disabled,
}

/// What becomes of a call whose plugin breaks or answers outside of the
/// contract. The words but the last are the original's.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnError {
    /// The plugin is left out; the call ends with the upstream's own result at
    /// the worst. (The original fails it by default. Here no result is lost to
    /// a plugin unless the operator says so.)
    #[default]
    Ignore,
    /// The call fails with an error that carries the upstream's own result.
    Fail,
    /// As `ignore`, and the plugin is set aside at its first failure, for an hour.
    Disable,
    /// A fresh instance is asked once; then as `ignore`.
    Reload,
}

impl OnError {
    /// What becomes of the call.
    #[must_use]
    pub fn fail_policy(self) -> FailPolicy {
        match self {
            Self::Ignore | Self::Disable => FailPolicy::Open,
            Self::Fail => FailPolicy::Closed,
            Self::Reload => FailPolicy::Reload,
        }
    }

    /// What becomes of the plugin.
    #[must_use]
    pub fn replacement(self) -> Replacement {
        let by_default = Replacement::default();
        match self {
            Self::Disable => Replacement { strikes: 1, cool_down: HOUR, ..by_default },
            Self::Ignore | Self::Fail | Self::Reload => by_default,
        }
    }
}

const HOUR: Duration = Duration::from_secs(60 * 60);

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RawCondition {
    pub(super) server_ids: Vec<String>,
    pub(super) tools: Vec<String>,
    pub(super) resources: Vec<String>,
    pub(super) tenant_ids: Vec<String>,
    pub(super) user_patterns: Vec<String>,
    pub(super) content_types: Vec<String>,
    // Of hooks that no retry plugin has.
    #[serde(rename = "prompts")]
    _prompts: Vec<String>,
    #[serde(rename = "agents")]
    _agents: Vec<String>,
}
