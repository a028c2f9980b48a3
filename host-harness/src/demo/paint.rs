//! Colour, where a person sees it.

use std::{fmt, io::IsTerminal};

use crate::colour::colour_allowed;

/// Paints if stdout is a terminal and nobody asked for none.
#[derive(Debug, Clone, Copy)]
pub struct Paint(bool);

impl Paint {
    /// What fits our stdout.
    pub fn of_stdout() -> Self {
        Self(std::io::stdout().is_terminal() && colour_allowed())
    }

    pub fn bold(self, text: impl fmt::Display) -> String {
        self.with("1", text)
    }

    pub fn dim(self, text: impl fmt::Display) -> String {
        self.with("2", text)
    }

    pub fn good(self, text: impl fmt::Display) -> String {
        self.with("32", text)
    }

    pub fn bad(self, text: impl fmt::Display) -> String {
        self.with("31", text)
    }

    pub fn waiting(self, text: impl fmt::Display) -> String {
        self.with("33", text)
    }

    fn with(self, code: &str, text: impl fmt::Display) -> String {
        if self.0 { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_string() }
    }
}
