//! The one table of colours: role x depth x tone (ux.md 2.5). Contrast and distance for colour-blind people are checked by its tests.

use ratatui::style::{Color, Modifier, Style};

use super::{Depth, Role, Tone};

/// A foreground in all depths: true colour dark and light, 256 dark and light, one of 16.
struct Ink {
    dark: u32,
    light: u32,
    indexed_dark: u8,
    indexed_light: u8,
    named: Option<Color>,
}

/// The style of `role`.
pub fn style(depth: Depth, tone: Tone, role: Role) -> Style {
    let style = attributes(depth, role);
    if depth == Depth::None {
        return style;
    }
    if let Some((fg, bg)) = banner(depth, role) {
        return style.fg(fg).bg(bg);
    }
    match ink(role).and_then(|ink| ink.color(depth, tone)) {
        Some(color) => style.fg(color),
        None => style,
    }
}

impl Ink {
    fn color(&self, depth: Depth, tone: Tone) -> Option<Color> {
        match (depth, tone) {
            (Depth::True, Tone::Dark) => Some(rgb(self.dark)),
            (Depth::True, Tone::Light) => Some(rgb(self.light)),
            (Depth::Indexed, Tone::Dark) => Some(Color::Indexed(self.indexed_dark)),
            (Depth::Indexed, Tone::Light) => Some(Color::Indexed(self.indexed_light)),
            (Depth::Named, _) => self.named,
            (Depth::None, _) => None,
        }
    }
}

fn rgb(value: u32) -> Color {
    let [_, r, g, b] = value.to_be_bytes();
    Color::Rgb(r, g, b)
}

/// The inks of the roles that have one.
fn ink(role: Role) -> Option<Ink> {
    let (dark, light, indexed_dark, indexed_light, named) = match role {
        Role::Dim => (0x008f_97a5, 0x005b_6472, 245, 241, Some(Color::DarkGray)),
        Role::Accent | Role::JsonKey => (0x008a_b4ff, 0x0025_49b8, 111, 26, Some(Color::Cyan)),
        Role::Ok => (0x0045_dca0, 0x001d_7a66, 79, 29, Some(Color::Green)),
        Role::Run => (0x00a9_c7ea, 0x0010_357a, 152, 18, Some(Color::LightBlue)),
        Role::JsonNum => (0x00a9_c7ea, 0x0010_357a, 152, 18, None),
        Role::Warn | Role::JsonLit => (0x00ff_d23f, 0x007d_6f1c, 221, 94, Some(Color::Yellow)),
        Role::Fail => (0x00f2_764a, 0x007a_1a08, 209, 88, Some(Color::Red)),
        Role::Late => (0x00d8_73ee, 0x00a3_1cc2, 177, 128, Some(Color::Magenta)),
        Role::Match => (0x008a_b4ff, 0x0025_49b8, 111, 26, None),
        Role::Fg
        | Role::Select
        | Role::JsonStr
        | Role::EnvProd
        | Role::EnvStaging
        | Role::EnvDev
        | Role::EnvUnknown => return None,
    };
    Some(Ink {
        dark,
        light,
        indexed_dark,
        indexed_light,
        named,
    })
}

/// Foreground and background of the roles that name an environment.
fn banner(depth: Depth, role: Role) -> Option<(Color, Color)> {
    let (fg, bg, indexed, named) = match role {
        Role::EnvProd => (
            0x00ff_ffff,
            0x00b3_261e,
            (231, 124),
            (Color::White, Color::Red),
        ),
        Role::EnvStaging => (0, 0x00e0_a100, (16, 178), (Color::Black, Color::Yellow)),
        Role::EnvDev => (
            0x00ff_ffff,
            0x001f_6f50,
            (231, 29),
            (Color::Black, Color::Green),
        ),
        Role::EnvUnknown => (
            0x00ff_ffff,
            0x007a_2d8f,
            (231, 90),
            (Color::White, Color::Magenta),
        ),
        _ => return None,
    };
    Some(match depth {
        Depth::Indexed => (Color::Indexed(indexed.0), Color::Indexed(indexed.1)),
        Depth::Named => named,
        Depth::True | Depth::None => (rgb(fg), rgb(bg)),
    })
}

/// What tells a role apart beside its colour.
fn attributes(depth: Depth, role: Role) -> Style {
    let plain = depth == Depth::None;
    let modifier = match role {
        Role::Select => Modifier::REVERSED,
        Role::Match => Modifier::UNDERLINED,
        Role::EnvProd if depth == Depth::Named => Modifier::BOLD,
        Role::Fail if depth == Depth::Named => Modifier::BOLD,
        Role::Dim if plain => Modifier::DIM,
        Role::Accent | Role::Warn | Role::Fail if plain => Modifier::BOLD,
        Role::Late if plain => Modifier::UNDERLINED,
        Role::EnvProd | Role::EnvStaging | Role::EnvDev | Role::EnvUnknown if plain => {
            Modifier::REVERSED
        }
        _ => Modifier::empty(),
    };
    Style::new().add_modifier(modifier)
}
