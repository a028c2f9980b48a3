//! What there are lists of.

use std::borrow::Cow;

use crate::mcp::{
    methods::{TOOLS_CHANGED, TOOLS_LIST},
    options::Prefixes,
};
use crate::{
    gateway::{Hook, shown::shown},
    mcp::listing::{MOST_NAME_BYTES, MOST_URI_BYTES},
};

/// What there are lists of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum Listed {
    Tools,
    Prompts,
    Resources,
    Templates,
    Tasks,
}

impl Listed {
    /// None if the method lists nothing.
    pub(super) fn of(method: &str) -> Option<Self> {
        [Self::Tools, Self::Prompts, Self::Resources, Self::Templates, Self::Tasks]
            .into_iter()
            .find(|kind| kind.method() == method)
    }

    pub(super) const fn method(self) -> &'static str {
        match self {
            Self::Tools => TOOLS_LIST,
            Self::Prompts => "prompts/list",
            Self::Resources => "resources/list",
            Self::Templates => "resources/templates/list",
            Self::Tasks => "tasks/list",
        }
    }

    /// The member of the result.
    pub(super) const fn member(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources => "resources",
            Self::Templates => "resourceTemplates",
            Self::Tasks => "tasks",
        }
    }

    /// What a server that has such a list says that it can do.
    pub(super) const fn capability(self) -> &'static str {
        match self {
            Self::Tools => "tools",
            Self::Prompts => "prompts",
            Self::Resources | Self::Templates => "resources",
            Self::Tasks => "tasks",
        }
    }

    /// What tells one entry from another.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Tools | Self::Prompts => "name",
            Self::Resources => "uri",
            Self::Templates => "uriTemplate",
            Self::Tasks => "taskId",
        }
    }

    /// The longest name of an entry that the gateway keeps, in bytes.
    pub(super) const fn longest_name(self) -> usize {
        match self {
            Self::Tools | Self::Prompts => MOST_NAME_BYTES,
            Self::Resources | Self::Templates | Self::Tasks => MOST_URI_BYTES,
        }
    }

    /// A name as logs tell it.
    pub(super) fn shown(self, name: &str) -> Cow<'_, str> {
        match self {
            Self::Resources | Self::Templates => shown(Hook::ResourcePostFetch, name),
            Self::Tools | Self::Prompts | Self::Tasks => shown(Hook::ToolPostInvoke, name),
        }
    }

    /// What a server says when such a list has changed; none if it cannot.
    pub(super) fn of_change(method: &str) -> &'static [Self] {
        match method {
            TOOLS_CHANGED => &[Self::Tools],
            "notifications/prompts/list_changed" => &[Self::Prompts],
            "notifications/resources/list_changed" => &[Self::Resources, Self::Templates],
            _ => &[],
        }
    }

    /// What the client finds before an upstream's names.
    pub(super) fn prefix(self, prefixes: &Prefixes) -> Option<&str> {
        match self {
            Self::Tools => prefixes.tools.as_deref(),
            Self::Prompts => prefixes.prompts.as_deref(),
            Self::Resources | Self::Templates | Self::Tasks => None,
        }
    }

    /// The key that would tell two of the same name apart.
    pub(super) const fn key(self) -> Option<&'static str> {
        match self {
            Self::Tools => Some("tool_prefix"),
            Self::Prompts => Some("prompt_prefix"),
            Self::Resources | Self::Templates | Self::Tasks => None,
        }
    }
}
