//! Copying by OSC 52: the terminal is asked to take text, also over ssh. It never answers, so we say `sent`, never `copied`.
//! The clipboard is never read. The text is sanitised by the caller.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::text::human;

/// More bytes than this are refused by terminals and multiplexers, or cut without a word.
pub const MOST: usize = 74_994;

/// The sequence that hands `text` to the terminal's clipboard; `None` if it is too much. It is never truncated.
pub fn sequence(text: &str) -> Option<Vec<u8>> {
    if text.len() > MOST {
        return None;
    }
    Some(format!("\x1b]52;c;{}\x07", STANDARD.encode(text)).into_bytes())
}

/// What to tell the user about copying `text`: that it was sent, or why not.
pub fn verdict(text: &str) -> Result<String, String> {
    let size = human::bytes(text.len());
    if text.len() > MOST {
        let most = human::bytes(MOST);
        return Err(format!(
            "not copied: {size} is more than terminals take ({most})"
        ));
    }
    Ok(format!("sent to the terminal's clipboard ({size})"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_sent_as_base64() {
        let sequence = sequence("退款 42").unwrap();
        assert_eq!(sequence, b"\x1b]52;c;6YCA5qy+IDQy\x07");
        assert!(
            verdict("退款 42")
                .unwrap()
                .starts_with("sent to the terminal's clipboard")
        );
    }

    #[test]
    fn too_much_text_is_refused_and_not_cut() {
        let text = "x".repeat(MOST + 1);
        assert_eq!(sequence(&text), None);
        assert!(
            verdict(&text)
                .unwrap_err()
                .contains("more than terminals take")
        );
        assert!(sequence(&text[1..]).is_some());
    }
}
