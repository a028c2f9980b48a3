//! Checks on what a plugin says of itself.

use super::{Violation, text};
use crate::contract::Manifest;

/// The longest name, version, or name of a hook, in bytes.
const MOST_NAME_BYTES: usize = 64;
/// The longest description, in bytes.
const MOST_DESCRIPTION_BYTES: usize = 1_024;
/// The most hooks that are listed.
const MOST_HOOKS: usize = 16;

/// What an operator expects a plugin to say of itself. What is left out may be anything.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expected {
    /// Its name.
    pub name: Option<String>,
    /// Its version, as it is written.
    pub version: Option<String>,
    /// Hooks that it must list; it may list more.
    pub hooks: Vec<String>,
}

/// Checks that a manifest is well-formed and the expected one.
pub(in crate::sandbox) fn check(manifest: &Manifest, expected: &Expected) -> Result<(), Violation> {
    let wrong = |member, problem| Err(Violation::WrongManifest { member, problem });
    let Manifest { name, version, description, hooks } = manifest;
    if !is_name(name, |c| matches!(c, 'a'..='z' | '0'..='9' | '-' | '_' | '.')) {
        return wrong("name", "must be 1 to 64 lower case letters, digits, `-`, `_` and `.`");
    }
    if !is_semantic_version(version) {
        return wrong("version", "must be a semantic version such as 1.2.3");
    }
    if description.len() > MOST_DESCRIPTION_BYTES || description.chars().any(text::is_active) {
        return wrong("description", "must be one line of at most 1024 bytes");
    }
    let is_hook = |hook: &String| is_name(hook, |c| matches!(c, 'a'..='z' | '0'..='9' | '_'));
    if hooks.len() > MOST_HOOKS || !hooks.iter().all(is_hook) {
        return wrong("hooks", "must be at most 16 names of lower case letters, digits and `_`");
    }
    let other = |member, told: &str, expected: &str| {
        let (told, expected) = (told.to_owned(), expected.to_owned());
        Err(Violation::OtherManifest { member, told, expected })
    };
    if let Some(expected) = expected.name.as_ref().filter(|expected| *expected != name) {
        return other("name", name, expected);
    }
    if let Some(expected) = expected.version.as_ref().filter(|expected| *expected != version) {
        return other("version", version, expected);
    }
    match expected.hooks.iter().find(|hook| !hooks.contains(hook)) {
        Some(missing) => other("hooks", &hooks.join(" "), missing),
        None => Ok(()),
    }
}

fn is_name(text: &str, allowed: impl Fn(char) -> bool) -> bool {
    (1..=MOST_NAME_BYTES).contains(&text.len()) && text.chars().all(allowed)
}

/// Three numbers, and perhaps a pre-release and a build, as semver.org writes
/// them; the order of versions is of no interest here.
fn is_semantic_version(version: &str) -> bool {
    if version.len() > MOST_NAME_BYTES {
        return false;
    }
    let (version, build) = split(version, '+');
    let (core, pre_release) = split(version, '-');
    let is_number = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|byte| byte.is_ascii_digit())
            && (part == "0" || !part.starts_with('0'))
    };
    let is_dotted = |text: &str| {
        text.split('.').all(|part| {
            !part.is_empty()
                && part.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        })
    };
    let numbers: Vec<_> = core.split('.').collect();
    numbers.len() == 3
        && numbers.into_iter().all(is_number)
        && [pre_release, build].into_iter().flatten().all(is_dotted)
}

/// What is before a separator, and what is after it if it is there.
fn split(text: &str, separator: char) -> (&str, Option<&str>) {
    text.split_once(separator).map_or((text, None), |(before, after)| (before, Some(after)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manifest() -> Manifest {
        Manifest {
            name: "retry-with-backoff".to_owned(),
            version: "0.1.0".to_owned(),
            description: "Retries.".to_owned(),
            hooks: vec!["tool_post_invoke".to_owned()],
        }
    }

    fn wrong(change: impl FnOnce(&mut Manifest)) -> &'static str {
        let mut manifest = manifest();
        change(&mut manifest);
        match check(&manifest, &Expected::default()) {
            Err(Violation::WrongManifest { member, .. }) => member,
            other => panic!("{manifest:?}: {other:?}"),
        }
    }

    #[test]
    fn every_member_has_its_form() {
        assert_eq!(check(&manifest(), &Expected::default()), Ok(()));
        assert_eq!(wrong(|manifest| manifest.name.clear()), "name");
        assert_eq!(wrong(|manifest| manifest.name = "a\u{1b}b".to_owned()), "name");
        assert_eq!(wrong(|manifest| manifest.name = "a".repeat(65)), "name");
        assert_eq!(wrong(|manifest| manifest.description = "two\nlines".to_owned()), "description");
        assert_eq!(wrong(|manifest| manifest.description = "x".repeat(1_025)), "description");
        assert_eq!(wrong(|manifest| manifest.hooks.push("Tool".to_owned())), "hooks");
        assert_eq!(wrong(|manifest| manifest.hooks = vec!["a".to_owned(); 17]), "hooks");
    }

    #[test]
    fn versions_are_semantic() {
        for good in ["0.0.0", "1.2.3", "10.20.30-rc.1+build.5", "1.0.0-x-y", "1.0.0+a-b"] {
            assert!(is_semantic_version(good), "{good}");
        }
        for bad in ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.x", "1.2.3-", "1.2.3+", "v1.2.3"] {
            assert!(!is_semantic_version(bad), "{bad}");
        }
    }

    #[test]
    fn what_the_operator_expects_is_compared_with_what_the_plugin_says() {
        let other = |expected: Expected| match check(&manifest(), &expected) {
            Ok(()) => None,
            Err(Violation::OtherManifest { member, .. }) => Some(member),
            Err(other) => panic!("{other}"),
        };
        let some = |text: &str| Some(text.to_owned());
        let hooks = |hook: &str| vec![hook.to_owned()];
        assert_eq!(
            other(Expected { name: some("retry-with-backoff"), ..Expected::default() }),
            None
        );
        assert_eq!(other(Expected { name: some("retry"), ..Expected::default() }), Some("name"));
        assert_eq!(
            other(Expected { version: some("0.1.1"), ..Expected::default() }),
            Some("version")
        );
        let listed = Expected { hooks: hooks("tool_post_invoke"), ..Expected::default() };
        assert_eq!(other(listed), None);
        let missing = Expected { hooks: hooks("resource_post_fetch"), ..Expected::default() };
        assert_eq!(other(missing), Some("hooks"));
    }
}
