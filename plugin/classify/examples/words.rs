//! What texts say: read from standard input, with a NUL byte behind each, and
//! answered one a line, as JSON.
//!
//! ```sh
//! printf '429 Too Many Requests. Retry after 3s.' | cargo run -p failure-words --example words
//! ```

use std::io::{self, Read as _};

use failure_words::Text;

fn main() -> io::Result<()> {
    let mut texts = String::new();
    io::stdin().read_to_string(&mut texts)?;
    for text in texts.strip_suffix('\0').unwrap_or(&texts).split('\0') {
        let read = Text::read(text);
        let words = read.words();
        let number = |number: Option<u64>| number.map_or("null".to_owned(), |n| n.to_string());
        let class = words.class.map_or("null".to_owned(), |class| format!("\"{class:?}\""));
        println!(
            r#"{{"class":{class},"status":{},"strong":{},"wait_ms":{},"is_failure":{},"says_success":{}}}"#,
            number(words.status.map(u64::from)),
            words.strong,
            number(words.wait_ms),
            read.is_failure(),
            read.says_success(),
        );
    }
    Ok(())
}
