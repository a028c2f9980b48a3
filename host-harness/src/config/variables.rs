//! Variables of the environment in texts, so that secrets need not stand in files or on command lines.

/// A text with the variables of the environment that it names as `${NAME}`.
///
/// # Errors
/// A variable is not there, or `${` has no `}`. The text itself is not in the
/// message: it may hold a secret.
pub fn filled(text: &str, environment: &dyn Fn(&str) -> Option<String>) -> Result<String, String> {
    let mut filled = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        let Some((name, after)) = after.split_once('}') else {
            return Err("`${` has no `}`".to_owned());
        };
        let value = environment(name)
            .ok_or_else(|| format!("there is no variable `{name}` in the environment"))?;
        filled.push_str(before);
        filled.push_str(&value);
        rest = after;
    }
    filled.push_str(rest);
    Ok(filled)
}
