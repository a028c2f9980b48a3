//! The server that the gateway stands in front of, as the operator gave it.

use std::{env, path::PathBuf};

use anyhow::{Context, anyhow};
use host_harness::{config::filled, mcp::header_to_send, regular_file};
use http::{HeaderMap, HeaderName, HeaderValue};

/// The most that a file of headers may have.
const MAX_HEADERS_BYTES: usize = 64 << 10;

/// Headers of the command line, and of files after them. They are read here and
/// not by the parser of options, which shows what is wrong.
pub(super) fn headers(given: &[String], files: &[PathBuf]) -> anyhow::Result<HeaderMap> {
    let environment = |name: &str| env::var(name).ok();
    let mut headers = HeaderMap::new();
    for text in given {
        let found =
            read(text, &environment).map_err(|told| anyhow!("--upstream-header: {told}"))?;
        headers.extend([found]);
    }
    for file in files {
        let place = file.display();
        let text = regular_file::text(file, MAX_HEADERS_BYTES)
            .with_context(|| format!("{place}: cannot be read"))?;
        let found = in_lines(&text, &environment)
            .map_err(|(line, problem)| anyhow!("{place}:{line}: {problem}"))?;
        headers.extend(found);
    }
    Ok(headers)
}

type Environment<'a> = &'a dyn Fn(&str) -> Option<String>;

/// The headers of a file, or the number of a wrong line and what is wrong with it.
fn in_lines(
    text: &str,
    environment: Environment<'_>,
) -> Result<Vec<(HeaderName, HeaderValue)>, (usize, String)> {
    let lines = text.lines().map(str::trim).zip(1..);
    lines
        .filter(|(line, _)| !line.is_empty() && !line.starts_with('#'))
        .map(|(line, number)| read(line, environment).map_err(|problem| (number, problem)))
        .collect()
}

/// No message has the value in it: it may be a secret. What stands in the place
/// of a name may be one as well, if the name was forgotten.
fn read(text: &str, environment: Environment<'_>) -> Result<(HeaderName, HeaderValue), String> {
    let (name, value) =
        text.split_once(':').ok_or("there is no `:`; a header is written as `Name: value`")?;
    if name.trim().parse::<HeaderName>().is_err() {
        return Err("what stands before the `:` is not a name of a header".to_owned());
    }
    let name = header_to_send(name.trim())?;
    let value = filled(value.trim(), environment)?;
    let mut value: HeaderValue = value.parse().map_err(|_| {
        format!("the value of `{name}` holds what no header can, such as a line break")
    })?;
    value.set_sensitive(true);
    Ok((name, value))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn environment(name: &str) -> Option<String> {
        match name {
            "TOKEN" => Some("s3cret".to_owned()),
            "LINES" => Some("s3\ncret".to_owned()),
            _ => None,
        }
    }

    #[test]
    fn a_header_takes_its_secret_from_the_environment() {
        let (name, value) = read("Authorization: Bearer ${TOKEN}", &environment).expect("a header");
        assert_eq!((name.as_str(), value.as_bytes()), ("authorization", &b"Bearer s3cret"[..]));
        assert!(value.is_sensitive());
        assert!(!format!("{value:?}").contains("s3cret"));
    }

    #[test]
    fn a_wrong_header_is_refused_and_its_value_is_not_shown() {
        for (text, problem) in [
            ("s3cret", "there is no `:`"),
            ("s3cret key: v", "is not a name of a header"),
            ("a: ${NOBODY}", "there is no variable `NOBODY`"),
            ("a: s3cret ${TOKEN", "`${` has no `}`"),
            ("a: ${LINES}", "the value of `a` holds what no header can"),
        ] {
            let told = read(text, &environment).expect_err("wrong");
            assert!(told.contains(problem) && !told.contains("s3"), "{told}");
        }
    }

    #[test]
    fn a_file_has_a_header_a_line_and_a_wrong_line_is_named() {
        let text = "# of the search server\n\nX-One: 1\r\n  x-two:  ${TOKEN} \n";
        let headers = in_lines(text, &environment).expect("good lines");
        let told: Vec<_> =
            headers.iter().map(|(name, value)| (name.as_str(), value.as_bytes())).collect();
        assert_eq!(told, [("x-one", &b"1"[..]), ("x-two", &b"s3cret"[..])]);
        let (line, problem) = in_lines("a: b\n\nc\n", &environment).expect_err("wrong");
        assert_eq!((line, problem.contains("`:`")), (3, true));
    }
}
