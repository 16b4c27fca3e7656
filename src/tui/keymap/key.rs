//! One key as the table spells it, as it is shown, and as the terminal sends it. Terminals differ: what they send for the same key is one key here.

use std::fmt;

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};

/// One key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Key {
    code: KeyCode,
    modifiers: KeyModifiers,
}

/// The key that types `char`.
pub const fn typed(char: char) -> Key {
    plain(KeyCode::Char(char))
}

/// A key by its code.
pub const fn plain(code: KeyCode) -> Key {
    Key {
        code,
        modifiers: KeyModifiers::NONE,
    }
}

/// Ctrl and a character.
pub const fn ctrl(char: char) -> Key {
    Key {
        code: KeyCode::Char(char),
        modifiers: KeyModifiers::CONTROL,
    }
}

/// Ctrl and a key.
pub const fn ctrl_code(code: KeyCode) -> Key {
    Key {
        code,
        modifiers: KeyModifiers::CONTROL,
    }
}

/// Alt and a key.
pub const fn alt(code: KeyCode) -> Key {
    Key {
        code,
        modifiers: KeyModifiers::ALT,
    }
}

impl Key {
    /// Whether the terminal sent this key.
    pub fn is(self, event: KeyEvent) -> bool {
        self == Self::from(event)
    }

    /// The event a terminal sends for this key.
    pub fn event(self) -> KeyEvent {
        KeyEvent::new(self.code, self.modifiers)
    }
}

/// What matters of an event: Shift is part of the character it makes, letters with Ctrl have no case, Shift-Tab is one key.
impl From<KeyEvent> for Key {
    fn from(event: KeyEvent) -> Self {
        let strong = KeyModifiers::CONTROL | KeyModifiers::ALT;
        let modifiers = event.modifiers & strong;
        let code = match event.code {
            KeyCode::Char(char) if modifiers.contains(KeyModifiers::CONTROL) => {
                KeyCode::Char(char.to_ascii_lowercase())
            }
            KeyCode::Tab if event.modifiers.contains(KeyModifiers::SHIFT) => KeyCode::BackTab,
            code => code,
        };
        Self { code, modifiers }
    }
}

/// Whether `event` is what a paste without brackets is made of: characters, Enter, and Tab.
pub fn is_typable(event: KeyEvent) -> bool {
    let key = Key::from(event);
    let typable = matches!(key.code, KeyCode::Char(_) | KeyCode::Enter | KeyCode::Tab);
    key.modifiers.is_empty() && typable
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let control = self.modifiers.contains(KeyModifiers::CONTROL);
        if self.modifiers.contains(KeyModifiers::ALT) {
            f.write_str("Alt-")?;
        }
        match self.code {
            KeyCode::Char(' ') => f.write_str("Space"),
            KeyCode::Char(char) if control => write!(f, "^{}", caret_name(char)),
            code if control => write!(f, "Ctrl-{}", name(code)),
            code => f.write_str(&name(code)),
        }
    }
}

/// Legacy terminals send these for keys with other names.
fn caret_name(char: char) -> char {
    match char {
        '7' => '_',
        '6' => '^',
        char => char.to_ascii_uppercase(),
    }
}

fn name(code: KeyCode) -> String {
    match code {
        KeyCode::BackTab => "S-Tab".to_owned(),
        KeyCode::PageDown => "PgDn".to_owned(),
        KeyCode::PageUp => "PgUp".to_owned(),
        KeyCode::Delete => "Del".to_owned(),
        KeyCode::Char(char) => char.to_string(),
        code => code.to_string(),
    }
}

/// Several keys of one entry, digits in a row drawn together: `j k Down Up`, `1..6`.
pub fn names(keys: &[Key]) -> String {
    let digits = keys
        .iter()
        .filter(|key| matches!(key.code, KeyCode::Char('0'..='9')))
        .count();
    match keys {
        [first, .., last] if digits == keys.len() => format!("{first}..{last}"),
        keys => {
            let names: Vec<String> = keys.iter().map(Key::to_string).collect();
            names.join(" ")
        }
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    #[rstest]
    #[case(typed('j'), "j")]
    #[case(typed(' '), "Space")]
    #[case(ctrl('c'), "^C")]
    #[case(ctrl('7'), "^_")]
    #[case(ctrl_code(KeyCode::Left), "Ctrl-Left")]
    #[case(alt(KeyCode::Enter), "Alt-Enter")]
    #[case(plain(KeyCode::F(5)), "F5")]
    #[case(plain(KeyCode::Esc), "Esc")]
    #[case(plain(KeyCode::BackTab), "S-Tab")]
    #[case(plain(KeyCode::PageDown), "PgDn")]
    #[case(plain(KeyCode::Delete), "Del")]
    fn keys_have_short_names(#[case] key: Key, #[case] name: &str) {
        assert_eq!(key.to_string(), name);
    }

    #[test]
    fn what_terminals_send_for_one_key_is_one_key() {
        let shifted = KeyEvent::new(KeyCode::Char('G'), KeyModifiers::SHIFT);
        assert!(typed('G').is(shifted));
        let capital = KeyEvent::new(
            KeyCode::Char('C'),
            KeyModifiers::CONTROL | KeyModifiers::SHIFT,
        );
        assert!(ctrl('c').is(capital));
        let tab = KeyEvent::new(KeyCode::Tab, KeyModifiers::SHIFT);
        assert!(plain(KeyCode::BackTab).is(tab));
        let back = KeyEvent::new(KeyCode::BackTab, KeyModifiers::SHIFT);
        assert!(plain(KeyCode::BackTab).is(back));
    }
}
