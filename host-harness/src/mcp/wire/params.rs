//! The `params` of a request or a notification, read once.

use std::{io, sync::OnceLock};

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::raw;
use crate::mcp::members::{Members, NoMembers};

/// An object of parameters. Edits are kept aside and written once, where the
/// message is.
#[derive(Debug, Clone, Default)]
pub(super) struct Params {
    members: Members,
    meta: Option<Members>,
    /// As they came, unless they would be written so anyway; none since an edit.
    came: Option<Held>,
    /// As they are written.
    written: OnceLock<Box<RawValue>>,
}

type Held = std::sync::Arc<Box<RawValue>>;

impl Serialize for Params {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.came {
            Some(came) => came.serialize(serializer),
            None => self.members.serialize(serializer),
        }
    }
}

/// Whether an object that was read from `text` would be written so.
fn is_written_so(members: &Members, text: &str) -> bool {
    // Whatever stands between the members makes it longer.
    let mut left = Left(text.as_bytes());
    serde_json::to_writer(&mut left, members).is_ok() && left.0.is_empty()
}

/// Takes only what comes next.
struct Left<'a>(&'a [u8]);

impl io::Write for Left<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.0.strip_prefix(bytes) {
            Some(left) => self.0 = left,
            None => return Err(io::ErrorKind::InvalidData.into()),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
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
        let came = (!is_written_so(&members, raw.get())).then(|| Held::new(raw.to_owned()));
        Ok(Self { members, meta, came, written: OnceLock::new() })
    }

    pub(super) fn members(&self) -> &Members {
        &self.members
    }

    pub(super) fn meta(&self) -> Option<&Members> {
        self.meta.as_ref()
    }

    /// As they are written.
    pub(super) fn raw(&self) -> &RawValue {
        match &self.came {
            Some(came) => came,
            None => self.written.get_or_init(|| raw(&self.members)),
        }
    }

    /// Sets a parameter.
    pub(super) fn set(&mut self, name: &str, value: Box<RawValue>) {
        if name == "_meta" {
            self.meta = Members::parse(&value).ok();
        }
        self.members.set(name, value);
        self.edited();
    }

    /// Sets a member of the `_meta`.
    pub(super) fn set_meta(&mut self, name: &str, value: Box<RawValue>) {
        let meta = self.meta.get_or_insert_default();
        meta.set(name, value);
        self.members.set("_meta", raw(meta));
        self.edited();
    }

    fn edited(&mut self) {
        self.came = None;
        self.written = OnceLock::new();
    }

    /// Takes a member out of the `_meta`, if it is there.
    pub(super) fn remove_meta(&mut self, name: &str) {
        let Some(meta) = &mut self.meta else { return };
        if meta.remove(name) {
            self.members.set("_meta", raw(meta));
            self.edited();
        }
    }
}
