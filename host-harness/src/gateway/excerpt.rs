//! A part of an answer, cut to a size.

/// No excerpt is longer, in bytes, whatever is asked for.
pub(crate) const MOST_BYTES: usize = 8 << 10;

/// What stands where something was left out.
const LEFT_OUT: &str = "\n…\n";

/// These texts, each on a line of its own: whole if they fit `most` bytes, else
/// their first two thirds and their end. Reads no more of them than that.
/// None if there are none.
#[must_use]
pub fn excerpt_of_texts<'a>(
    texts: impl DoubleEndedIterator<Item = &'a str> + Clone,
    most: usize,
) -> Option<String> {
    let most = most.min(MOST_BYTES);
    texts.clone().next()?;
    let (mut whole, mut complete) = (String::new(), true);
    for (index, text) in texts.clone().enumerate() {
        if index > 0 {
            whole.push('\n');
        }
        let room = most.saturating_sub(whole.len());
        whole.push_str(&text[..text.floor_char_boundary(room)]);
        complete &= text.len() <= room;
        if !complete {
            break;
        }
    }
    if complete && whole.len() <= most {
        return Some(whole);
    }
    // The end, from the last text backwards.
    let mut room = most.saturating_sub(LEFT_OUT.len()) / 3;
    let mut ends = Vec::new();
    for text in texts.rev() {
        let start = text.ceil_char_boundary(text.len().saturating_sub(room));
        ends.push(&text[start..]);
        room = room.saturating_sub(text.len() - start + 1);
        // What stands before a text that was cut is not its neighbour any more.
        if start > 0 || room == 0 {
            break;
        }
    }
    ends.reverse();
    whole.truncate(whole.floor_char_boundary(most.saturating_sub(LEFT_OUT.len()) * 2 / 3));
    whole.push_str(LEFT_OUT);
    whole.push_str(&ends.join("\n"));
    Some(whole)
}

/// The start of a JSON value as it is written; of a text the text itself.
#[must_use]
pub fn excerpt_of_json(value: &serde_json::Value, most: usize) -> Option<String> {
    let most = most.min(MOST_BYTES);
    match value {
        serde_json::Value::Null => None,
        serde_json::Value::String(text) => Some(text[..text.floor_char_boundary(most)].to_owned()),
        value => {
            let mut start = Start { bytes: Vec::new(), most };
            // An error is only the end of the room.
            let _ = serde_json::to_writer(&mut start, value);
            let valid = match str::from_utf8(&start.bytes) {
                Ok(_) => start.bytes.len(),
                Err(error) => error.valid_up_to(),
            };
            start.bytes.truncate(valid);
            String::from_utf8(start.bytes).ok()
        }
    }
}

/// Takes so many bytes, and then no more.
struct Start {
    bytes: Vec<u8>,
    most: usize,
}

impl std::io::Write for Start {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let taken = bytes.len().min(self.most - self.bytes.len());
        self.bytes.extend_from_slice(&bytes[..taken]);
        Ok(taken)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    proptest! {
        #[test]
        fn an_excerpt_fits_and_holds_the_start_and_the_end(
            texts in prop::collection::vec("[a-zé€]{0,40}", 1..6), most in 16_usize..80,
        ) {
            let whole = texts.join("\n");
            let cut = excerpt_of_texts(texts.iter().map(String::as_str), most).expect("some");
            prop_assert!(cut.len() <= most);
            if whole.len() <= most {
                prop_assert_eq!(cut, whole);
            } else {
                let (start, end) = cut.split_once(LEFT_OUT).expect("a cut");
                prop_assert!(whole.starts_with(start) && whole.ends_with(end));
            }
        }
    }

    #[test]
    fn json_is_cut_at_a_character() {
        assert_eq!(excerpt_of_json(&json!({"a": "é"}), 100).as_deref(), Some(r#"{"a":"é"}"#));
        assert_eq!(excerpt_of_json(&json!({"a": "é"}), 7).as_deref(), Some(r#"{"a":""#));
        assert_eq!(excerpt_of_json(&json!("text"), 2).as_deref(), Some("te"));
        assert_eq!(excerpt_of_json(&json!(null), 9), None);
    }
}
