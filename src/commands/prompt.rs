//! Asks a person for what is not kept and must not be seen: nothing of it is shown, logged or remembered.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crossterm::event::{Event, KeyCode, KeyEvent, KeyEventKind, KeyModifiers, poll, read};
use crossterm::terminal::{disable_raw_mode, enable_raw_mode};
use secrecy::SecretString;

use super::output::Output;
use crate::error::{Error, Kind, Result};

/// How often it is looked whether somebody stops it.
const LOOK: Duration = Duration::from_millis(50);
/// Characters that are read.
const LONGEST: usize = 1 << 16;

/// The terminal hands over every key and shows none, until this is dropped.
struct Unseen;

impl Unseen {
    fn begin() -> std::io::Result<Self> {
        enable_raw_mode()?;
        Ok(Self)
    }
}

impl Drop for Unseen {
    fn drop(&mut self) {
        // It is the terminal that has gone.
        let _ = disable_raw_mode();
    }
}

/// What a key means for the text that is typed.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    More,
    Done,
    Stopped,
}

/// Asks on stderr for one secret; an empty text is no answer. `stop` resolves with an exit code when somebody wants to leave.
///
/// # Errors
/// The user stopped it, or the terminal cannot be read.
pub async fn secret(
    output: Output,
    question: &str,
    stop: impl Future<Output = u8>,
) -> Result<SecretString> {
    let unseen = Unseen::begin().map_err(|error| unreadable(&error))?;
    output.question(question);
    let over = Arc::new(AtomicBool::new(false));
    let flag = Arc::clone(&over);
    let typing = tokio::task::spawn_blocking(move || typed(&flag));
    tokio::pin!(typing);
    let typed = tokio::select! {
        typed = &mut typing => typed,
        _ = stop => {
            over.store(true, Ordering::Relaxed);
            (&mut typing).await
        }
    };
    drop(unseen);
    output.note("");
    match typed {
        Ok(Ok(Some(text))) => Ok(SecretString::from(text)),
        Ok(Ok(None)) => Err(Error::new(Kind::Interrupted, "stopped: nothing was sent")),
        Ok(Err(error)) => Err(unreadable(&error)),
        Err(error) => Err(Error::new(Kind::Internal, error.to_string())),
    }
}

fn unreadable(error: &std::io::Error) -> Error {
    Error::new(
        Kind::InvalidArguments,
        format!("the terminal cannot be asked: {error}"),
    )
}

/// Reads keys until Enter; `None`: stopped.
fn typed(over: &AtomicBool) -> std::io::Result<Option<String>> {
    let mut text = String::new();
    while !over.load(Ordering::Relaxed) {
        if !poll(LOOK)? {
            continue;
        }
        let Event::Key(key) = read()? else { continue };
        match press(&mut text, key) {
            Step::More => {}
            Step::Done => return Ok(Some(text)),
            Step::Stopped => return Ok(None),
        }
    }
    Ok(None)
}

fn press(text: &mut String, key: KeyEvent) -> Step {
    if key.kind == KeyEventKind::Release {
        return Step::More;
    }
    let control = key.modifiers.contains(KeyModifiers::CONTROL);
    match key.code {
        KeyCode::Enter => return Step::Done,
        // Ctrl-J is a pasted line's end.
        KeyCode::Char('j') if control => return Step::Done,
        KeyCode::Char('c' | 'd') if control => return Step::Stopped,
        KeyCode::Char('u') if control => text.clear(),
        KeyCode::Char(_) if control => {}
        KeyCode::Char(c) if text.len() < LONGEST => text.push(c),
        KeyCode::Backspace => {
            text.pop();
        }
        _ => {}
    }
    Step::More
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(keys: &[(KeyCode, KeyModifiers)]) -> (String, Step) {
        let mut text = String::new();
        let mut step = Step::More;
        for (code, modifiers) in keys {
            step = press(&mut text, KeyEvent::new(*code, *modifiers));
        }
        (text, step)
    }

    #[test]
    fn what_is_typed_can_be_mended_and_ends_with_enter() {
        let plain = |c| (KeyCode::Char(c), KeyModifiers::NONE);
        let control = |c| (KeyCode::Char(c), KeyModifiers::CONTROL);
        let back = (KeyCode::Backspace, KeyModifiers::NONE);
        let enter = (KeyCode::Enter, KeyModifiers::NONE);
        let up = (KeyCode::Up, KeyModifiers::NONE);
        let (text, step) = after(&[
            plain('x'),
            control('u'),
            plain('密'),
            plain('b'),
            back,
            up,
            enter,
        ]);
        assert_eq!((text.as_str(), step), ("密", Step::Done));
        assert_eq!(after(&[plain('a'), control('c')]).1, Step::Stopped);
        assert_eq!(after(&[back]).1, Step::More);
    }
}
