//! The `params` of a request or a notification, read once.

use std::sync::OnceLock;

use serde_json::value::RawValue;

use super::raw;
use crate::mcp::members::{Members, NoMembers};

/// An object of parameters. Edits are kept aside and written once, where the
/// message is.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    members: Members,
    meta: Option<Members>,
    /// As they came, or as they were written last; none since an edit.
    written: OnceLock<Box<RawValue>>,
}

impl Params {
    /// Reads them, and the `_meta` among them.
    pub(super) fn parse(raw: &RawValue) -> Result<Self, NoMembers> {
        let members = Members::parse(raw)?;
        let meta = match members.get("_meta").map(Members::parse) {
            Some(Ok(meta)) => Some(meta),
            Some(Err(NoMembers::TooMany)) => return Err(NoMembers::TooMany),
            Some(Err(NoMembers::NotAnObject)) | None => None,
        };
        Ok(Self { members, meta, written: raw.to_owned().into() })
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    pub(super) fn meta(&self) -> Option<&Members> {
        self.meta.as_ref()
    }

    /// As they are written.
    pub(super) fn raw(&self) -> &RawValue {
        self.written.get_or_init(|| raw(&self.members))
    }

    /// Sets a parameter.
    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        if name == "_meta" {
            self.meta = Members::parse(&value).ok();
        }
        self.members.set(name, value);
        self.written = OnceLock::new();
    }

    /// Sets a member of the `_meta`.
    pub(super) fn set_meta(&mut self, name: &str, value: Box<RawValue>) {
        let meta = self.meta.get_or_insert_default();
        meta.set(name, value);
        self.members.set("_meta", raw(meta));
        self.written = OnceLock::new();
    }

    /// Takes a member out of the `_meta`, if it is there.
    pub(super) fn remove_meta(&mut self, name: &str) {
        let Some(meta) = &mut self.meta else { return };
        if meta.remove(name) {
            self.members.set("_meta", raw(meta));
            self.written = OnceLock::new();
        }
    }
}
