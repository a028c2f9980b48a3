//! Whether a URI fits a template (RFC 6570).

/// Whether `uri` may have come of `template`. An expression stands for any
/// text, so it may fit where an exact reader would say no; never the other way round.
pub(super) fn fits(template: &str, uri: &str) -> bool {
    let mut parts = Vec::new();
    let mut rest = template;
    while let Some((literal, after)) = rest.split_once('{') {
        parts.push(literal);
        // What is no template is no template for anything.
        let Some((_, after)) = after.split_once('}') else { return false };
        rest = after;
    }
    if parts.is_empty() {
        return template == uri;
    }
    // Between the first literal and the last, the others in their order, each
    // as early as it can be: that leaves the most to those after it.
    let Some(middle) = uri.strip_prefix(parts[0]) else { return false };
    let Some(mut middle) = middle.strip_suffix(rest) else { return false };
    for literal in &parts[1..] {
        let Some(at) = middle.find(literal) else { return false };
        middle = &middle[at + literal.len()..];
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_have_to_be_there_in_their_order_and_expressions_are_anything() {
        for (template, uri, expected) in [
            ("file:///{path}", "file:///a/b", true),
            ("file:///{path}", "http://a/b", false),
            ("db://{table}/rows/{id}", "db://users/rows/7", true),
            ("db://{table}/rows/{id}", "db://users/row/7", false),
            ("db://{table}/rows", "db://users/rows", true),
            ("db://{table}/rows", "db://users/rows/7", false),
            ("{+any}", "x:y", true),
            ("a{x}a", "a", false),
            ("a{x}a", "aa", true),
            ("plain:1", "plain:1", true),
            ("plain:1", "plain:2", false),
            ("broken:{x", "broken:y", false),
        ] {
            assert_eq!(fits(template, uri), expected, "{template} {uri}");
        }
    }
}
