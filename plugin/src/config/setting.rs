//! How a key of the configuration is read, and what the schema says of it.

use alloc::{format, string::String, vec::Vec};

use super::{
    Issue,
    issue::{MOST_LISTED, member, shown},
    json::{Members, Value, joined},
    suggest::closest,
};

/// A value that the configuration may set.
pub(super) trait Setting {
    /// Takes over what `value` says. What is wrong with it goes into `issues`,
    /// and then `self` stays as it is.
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>);

    /// What the JSON Schema says of the values that are right: its members,
    /// without the braces.
    fn schema(&self) -> String;

    /// The value as JSON; none for a group of keys.
    fn written(&self) -> Option<String>;

    /// The keys, if it is a group of them.
    fn group(&self) -> Option<&dyn Group> {
        None
    }
}

/// A key of a group: its name, what it is for, and what it holds.
pub(super) type Key<'a> = (&'static str, &'static str, &'a dyn Setting);

/// A group of keys, declared by [`settings!`].
pub(super) trait Group {
    /// The keys, in the order of their description.
    fn keys(&self) -> Vec<Key<'_>>;

    /// What the keys hold.
    fn values(&mut self) -> Vec<(&'static str, &mut dyn Setting)>;
}

/// Takes over the keys of a group that are there.
#[inline(never)]
pub(super) fn apply_members(
    group: &mut dyn Group,
    members: &Members,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    for (key, setting) in group.values() {
        if let Some(value) = members.get(key) {
            setting.apply(value, &member(path, key), issues);
        }
    }
}

/// The names of the keys of a group.
pub(super) fn names(group: &dyn Group) -> Vec<&'static str> {
    group.keys().into_iter().map(|(name, _, _)| name).collect()
}

/// Complains of a value that is not what it `must` be.
#[inline(never)]
pub(super) fn refuse(value: &Value, must: &str, path: &str, issues: &mut Vec<Issue>) {
    let message = format!("must be {must}, not {}", shown(value));
    issues.push(Issue { path: path.into(), message });
}

/// Complains of every key that is not among the `known` ones.
#[inline(never)]
pub(super) fn refuse_unknown(
    members: &Members,
    path: &str,
    known: &[&str],
    issues: &mut Vec<Issue>,
) {
    for key in members.iter().map(|(key, _)| key).filter(|key| !known.contains(key)) {
        if issues.len() >= MOST_LISTED {
            // Only counted: to look for what each of thousands may have meant takes long.
            issues.push(Issue { path: String::new(), message: String::new() });
            continue;
        }
        let message = match closest(key, known) {
            Some(close) => format!("unknown key; did you mean `{close}`?"),
            None => format!("unknown key; allowed here are: {}", joined(known, ", ")),
        };
        issues.push(Issue { path: member(path, key), message });
    }
}

/// How a group reads an object.
pub(super) fn apply_group(
    group: &mut dyn Group,
    value: &Value,
    path: &str,
    issues: &mut Vec<Issue>,
) {
    match value {
        Value::Object(members) => {
            refuse_unknown(members, path, &names(group), issues);
            apply_members(group, members, path, issues);
        }
        other => refuse(other, "an object", path, issues),
    }
}

/// Declares a group of keys: the Rust type, how it is read, its defaults, its
/// keys and its schema, all from one list, so that they cannot drift apart.
macro_rules! settings {
    (
        $(#[doc = $about:literal])*
        $vis:vis struct $name:ident {
            $( $(#[doc = $doc:literal])* $key:ident: $kind:ty = $default:expr, )*
        }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone)]
        $vis struct $name {
            $( $(#[doc = $doc])* pub(super) $key: $kind, )*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $( $key: $default, )* }
            }
        }

        impl Group for $name {
            fn keys(&self) -> Vec<Key<'_>> {
                alloc::vec![$( (stringify!($key), concat!($( $doc ),*), &self.$key) ),*]
            }

            fn values(&mut self) -> Vec<(&'static str, &mut dyn Setting)> {
                alloc::vec![$( (stringify!($key), &mut self.$key) ),*]
            }
        }

        impl Setting for $name {
            fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
                apply_group(self, value, path, issues);
            }

            fn schema(&self) -> String {
                group_schema(self)
            }

            fn written(&self) -> Option<String> {
                None
            }

            fn group(&self) -> Option<&dyn Group> {
                Some(self)
            }
        }
    };
}

/// Declares a value that is one of a few words.
macro_rules! choice {
    (
        $(#[doc = $about:literal])*
        $vis:vis enum $name:ident { $( $(#[doc = $doc:literal])* $case:ident = $word:literal, )* }
    ) => {
        $(#[doc = $about])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        $vis enum $name { $( $(#[doc = $doc])* $case, )* }

        impl $name {
            pub(crate) const WORDS: &'static [&'static str] = &[$( $word ),*];
            const CASES: &'static [Self] = &[$( Self::$case ),*];
        }

        impl crate::config::setting::Choice for $name {
            fn from_word(word: &str) -> Option<Self> {
                Self::WORDS.iter().position(|known| *known == word).map(|at| Self::CASES[at])
            }

            fn words() -> &'static [&'static str] {
                Self::WORDS
            }

            fn word(self) -> &'static str {
                Self::WORDS[self as usize]
            }
        }
    };
}

pub(crate) use choice;
pub(super) use settings;

/// One of a few words; see [`choice!`].
pub(crate) trait Choice: Copy {
    /// The case that this word names.
    fn from_word(word: &str) -> Option<Self>;
    /// All words.
    fn words() -> &'static [&'static str];
    /// The word of this case.
    fn word(self) -> &'static str;
}

impl<T: Choice> Setting for T {
    fn apply(&mut self, value: &Value, path: &str, issues: &mut Vec<Issue>) {
        match value.as_str().and_then(Self::from_word) {
            Some(case) => *self = case,
            None => refuse(value, &one_of(Self::words()), path, issues),
        }
    }

    fn schema(&self) -> String {
        format!(r#""enum":["{}"]"#, joined(Self::words(), "\",\""))
    }

    fn written(&self) -> Option<String> {
        Some(format!("\"{}\"", self.word()))
    }
}

/// The words as a sentence wants them.
#[inline(never)]
pub(super) fn one_of(words: &[&str]) -> String {
    format!("one of \"{}\"", joined(words, "\", \""))
}
