//! Whether anything may be coloured.

/// `NO_COLOR` (no-color.org): set to anything but nothing, it asks for none.
pub fn colour_allowed() -> bool {
    std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}
