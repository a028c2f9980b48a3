//! A server in a child process that does what a test says, and remembers what it was asked.

use std::{
    ffi::OsString,
    fs,
    path::{Path, PathBuf},
};

/// A shell that plays a server of 2025-11-25, notes every line that it reads, and does `to_a_call`
/// with each call; `$CALLS` is how many there have been, over all its lives. It
/// can `answer`, or `respond` with a member of its own.
pub struct ChildServer {
    notes: PathBuf,
    script: String,
}

impl ChildServer {
    pub fn new(name: &str, to_a_call: &str) -> Self {
        // Two runs at a time do not share it.
        let name = format!("{name}-{}", std::process::id());
        let notes = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        // A run before this one may have left it.
        let _ = fs::remove_file(&notes);
        let script = format!(
            r#"
respond() {{
    id=$(printf '%s' "$line" | sed 's/.*"id":\("[^"]*"\|[0-9]*\).*/\1/')
    printf '{{"jsonrpc":"2.0","id":%s,%s}}\n' "$id" "$1"
}}
answer() {{ respond '"result":{{"protocolVersion":"2025-11-25"}}'; }}
while read -r line; do
    printf '%s\n' "$line" >> '{notes}'
    case "$line" in
    *tools/call*) CALLS=$(grep -c tools/call '{notes}'); {to_a_call} ;;
    *server/discover*) respond '"error":{{"code":-32601,"message":"Method not found"}}' ;;
    *'"id"'*) answer ;;
    esac
done
"#,
            notes = notes.display()
        );
        Self { notes, script }
    }

    /// Starts it.
    pub fn command(&self) -> Vec<OsString> {
        ["sh", "-c", &self.script].map(Into::into).into()
    }

    /// The methods of what it read, in their order.
    pub fn read(&self) -> Vec<String> {
        let notes = fs::read_to_string(&self.notes).expect("notes");
        let method = |line: &str| {
            let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
            line["method"].as_str().expect("a method").to_owned()
        };
        notes.lines().map(method).collect()
    }
}

impl Drop for ChildServer {
    fn drop(&mut self) {
        // Nobody was started, or nothing was said to it.
        let _ = fs::remove_file(&self.notes);
    }
}
