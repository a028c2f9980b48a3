//! An event is one line, whatever its values hold.

use std::{error::Error, fmt};

use host_harness::escaped;
use tracing::field::{Field, Visit};
use tracing_subscriber::{
    field::RecordFields,
    fmt::{FormatFields, format::Writer},
};

/// The longest value that is written, in bytes; of a longer one the beginning.
const MOST_BYTES: usize = 4 * 1024;

/// Writes the message, then ` name=value` for every other field, each escaped and cut.
pub(super) struct OneLine;

impl<'w> FormatFields<'w> for OneLine {
    fn format_fields<R: RecordFields>(&self, writer: Writer<'w>, fields: R) -> fmt::Result {
        let mut line = Line { writer, is_empty: true, result: Ok(()) };
        fields.record(&mut line);
        line.result
    }
}

struct Line<'w> {
    writer: Writer<'w>,
    is_empty: bool,
    result: fmt::Result,
}

impl Line<'_> {
    fn put(&mut self, field: &Field, value: &str) {
        let value = escaped(&value[..value.floor_char_boundary(MOST_BYTES)]);
        let space = if std::mem::take(&mut self.is_empty) { "" } else { " " };
        if self.result.is_err() {
            return;
        }
        let name = field.name();
        self.result = if name == "message" {
            write!(self.writer, "{space}{value}")
        } else if self.writer.has_ansi_escapes() {
            write!(self.writer, "{space}\x1b[3m{name}\x1b[0m\x1b[2m=\x1b[0m{value}")
        } else {
            write!(self.writer, "{space}{name}={value}")
        };
    }
}

impl Visit for Line<'_> {
    fn record_error(&mut self, field: &Field, error: &(dyn Error + 'static)) {
        let mut text = error.to_string();
        let mut cause = error.source();
        while let Some(source) = cause {
            text.push_str(": ");
            text.push_str(&source.to_string());
            cause = source.source();
        }
        self.put(field, &text);
    }

    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.put(field, &format!("{value:?}"));
    }
}

#[cfg(test)]
mod tests {
    use std::{
        io,
        sync::{Arc, Mutex},
    };

    use tracing_subscriber::{fmt::MakeWriter, layer::SubscriberExt};

    use super::*;

    #[derive(Clone, Default)]
    struct Paper(Arc<Mutex<Vec<u8>>>);

    impl io::Write for Paper {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("no panic").write(bytes)
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    impl MakeWriter<'_> for Paper {
        type Writer = Self;

        fn make_writer(&self) -> Self {
            self.clone()
        }
    }

    #[test]
    fn no_value_begins_a_line_or_speaks_to_the_terminal() {
        let paper = Paper::default();
        let lines = tracing_subscriber::fmt::layer()
            .with_writer(paper.clone())
            .with_ansi(false)
            .fmt_fields(OneLine)
            .without_time()
            .with_target(false);
        let evil = "x\n ERROR forged \u{1b}[31m\r";
        let error = io::Error::other(evil);
        let error: &dyn Error = &error;
        tracing::subscriber::with_default(tracing_subscriber::registry().with(lines), || {
            tracing::warn!(tool = evil, shown = %evil, error, "`{evil}` is odd");
            tracing::warn!(long = "é".repeat(MOST_BYTES));
        });
        let written = String::from_utf8(paper.0.lock().expect("no panic").clone()).expect("text");
        let escaped = "x\\n ERROR forged \\u{1b}[31m\\r";
        let lines: Vec<_> = written.split('\n').collect();
        assert_eq!(lines.len(), 3, "{written}");
        assert_eq!(
            lines[0].trim_start(),
            format!("WARN `{escaped}` is odd tool=\"{escaped}\" shown={escaped} error={escaped}")
        );
        assert!(lines[1].len() < MOST_BYTES + 100);
        assert!(!written.contains(['\u{1b}', '\r']));
    }
}
