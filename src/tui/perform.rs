//! Does what the state asks for: the only place of the screen that touches the handles of client and history, and the terminal's clipboard.

use super::archive::Archive;
use super::clipboard;
use super::effect::Effect;
use super::message::Message;
use super::runtime::Screen;
use crate::client::Client;

/// What came of performing effects.
#[derive(Debug, Default)]
pub struct Performed {
    /// The user leaves.
    pub quit: bool,
    /// What the state must be told.
    pub messages: Vec<Message>,
}

/// Performs `effects` in their order. Nothing here waits.
pub fn perform(
    effects: Vec<Effect>,
    client: Option<&Client>,
    archive: Option<&Archive>,
    screen: &mut impl Screen,
) -> Performed {
    let mut performed = Performed::default();
    for effect in effects {
        match effect {
            Effect::Client(command) => {
                let refused = match client {
                    Some(client) => client.try_send(command).err(),
                    None => Some(command),
                };
                let message = refused.map(|command| Message::CommandRefused(Box::new(command)));
                performed.messages.extend(message);
            }
            Effect::History(wish) => {
                if let Some(archive) = archive {
                    archive.ask(wish);
                }
            }
            Effect::Copy(text) => {
                if let Some(bytes) = clipboard::sequence(&text) {
                    screen.send(&bytes);
                }
            }
            Effect::Repaint => screen.repaint(),
            Effect::Quit => performed.quit = true,
        }
    }
    performed
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc;

    use super::*;
    use crate::client::Command;
    use crate::tui::runtime::testing::Recorder;

    #[test]
    fn a_command_the_client_does_not_take_comes_back() {
        let (sender, receiver) = mpsc::channel(1);
        let client = Client::new(sender);
        let mut screen = Recorder::new(80, 24);
        let twice = vec![
            Effect::Client(Command::Refresh),
            Effect::Client(Command::Close),
        ];
        let performed = perform(twice, Some(&client), None, &mut screen);
        assert!(matches!(
            performed.messages.as_slice(),
            [Message::CommandRefused(command)] if matches!(**command, Command::Close)
        ));
        drop(receiver);
    }

    #[test]
    fn without_a_client_every_command_comes_back() {
        let mut screen = Recorder::new(80, 24);
        let performed = perform(
            vec![Effect::Client(Command::Refresh)],
            None,
            None,
            &mut screen,
        );
        assert_eq!(performed.messages.len(), 1);
    }

    #[test]
    fn copying_sends_the_sequence_and_quitting_quits() {
        let mut screen = Recorder::new(80, 24);
        let effects = vec![Effect::Copy("a".to_owned()), Effect::Repaint, Effect::Quit];
        let performed = perform(effects, None, None, &mut screen);
        assert!(performed.quit);
        assert_eq!(screen.sent, b"\x1b]52;c;YQ==\x07");
        assert_eq!(screen.repaints, 1);
    }
}
