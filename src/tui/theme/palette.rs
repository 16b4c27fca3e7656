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
        Role::EnvProd | Role::Fail if depth == Depth::Named => Modifier::BOLD,
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

#[cfg(test)]
mod tests {
    use strum::IntoEnumIterator;

    use super::*;

    type Linear = [f64; 3];

    const STATES: [Role; 5] = [Role::Ok, Role::Run, Role::Warn, Role::Fail, Role::Late];

    fn linear(color: Color) -> Linear {
        let Color::Rgb(r, g, b) = color else {
            panic!("{color:?} is not a true colour");
        };
        [r, g, b].map(|value| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 {
                value / 12.92
            } else {
                ((value + 0.055) / 1.055).powf(2.4)
            }
        })
    }

    fn of(tone: Tone, role: Role) -> Linear {
        linear(style(Depth::True, tone, role).fg.unwrap())
    }

    fn apply(matrix: [[f64; 3]; 3], color: Linear) -> Linear {
        matrix.map(|row| row.iter().zip(color).map(|(a, b)| a * b).sum())
    }

    fn lab(color: Linear) -> Linear {
        let color = color.map(|value| value.clamp(0.0, 1.0));
        let [x, y, z] = apply(
            [
                [0.412_456, 0.357_576, 0.180_437],
                [0.212_673, 0.715_152, 0.072_175],
                [0.019_334, 0.119_192, 0.950_304],
            ],
            color,
        );
        let root = |t: f64| {
            if t > 0.008_856 {
                t.cbrt()
            } else {
                7.787 * t + 16.0 / 116.0
            }
        };
        let (x, y, z) = (root(x / 0.950_47), root(y), root(z / 1.088_83));
        [116.0 * y - 16.0, 500.0 * (x - y), 200.0 * (y - z)]
    }

    /// Normal sight; protanopia and deuteranopia after Viénot 1999, tritanopia after Machado 2009.
    const SIGHTS: [[[f64; 3]; 3]; 4] = [
        [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]],
        [
            [0.112_38, 0.887_62, 0.0],
            [0.112_38, 0.887_62, 0.0],
            [0.004_01, -0.004_01, 1.0],
        ],
        [
            [0.292_75, 0.707_25, 0.0],
            [0.292_75, 0.707_25, 0.0],
            [-0.022_34, 0.022_34, 1.0],
        ],
        [
            [1.255_528, -0.076_749, -0.178_779],
            [-0.078_411, 0.930_809, 0.147_602],
            [0.004_733, 0.691_367, 0.303_900],
        ],
    ];

    fn distance(a: Linear, b: Linear) -> f64 {
        let squares = lab(a).into_iter().zip(lab(b)).map(|(a, b)| (a - b).powi(2));
        squares.sum::<f64>().sqrt()
    }

    fn contrast(a: Linear, b: Linear) -> f64 {
        let light = |c: Linear| 0.2126 * c[0] + 0.7152 * c[1] + 0.0722 * c[2] + 0.05;
        let (a, b) = (light(a), light(b));
        a.max(b) / a.min(b)
    }

    #[test]
    fn states_differ_for_colour_blind_eyes_too() {
        for (tone, least) in [(Tone::Dark, 24.0), (Tone::Light, 19.0)] {
            for sight in SIGHTS {
                for (index, a) in STATES.iter().enumerate() {
                    for b in &STATES[index + 1..] {
                        let far = distance(apply(sight, of(tone, *a)), apply(sight, of(tone, *b)));
                        assert!(far >= least, "{tone:?} {a:?} {b:?} {far:.1}");
                    }
                }
            }
        }
    }

    #[test]
    fn states_can_be_read_on_usual_backgrounds() {
        let dark = [0, 0x001e_1e2e, 0x0028_2c34].map(|value| (Tone::Dark, value));
        let light = [0x00ff_ffff, 0x00fd_f6e3].map(|value| (Tone::Light, value));
        for (tone, background) in dark.into_iter().chain(light) {
            for role in STATES.into_iter().chain([Role::Dim, Role::Accent]) {
                let ratio = contrast(of(tone, role), linear(rgb(background)));
                assert!(
                    ratio >= 4.6,
                    "{tone:?} {role:?} on {background:06x}: {ratio:.2}"
                );
            }
        }
    }

    #[test]
    fn without_colours_nothing_is_coloured() {
        for role in Role::iter() {
            for tone in Tone::iter() {
                let style = style(Depth::None, tone, role);
                assert_eq!((style.fg, style.bg), (None, None), "{role:?}");
            }
        }
    }

    #[test]
    fn only_environments_paint_a_background() {
        for role in Role::iter() {
            let painted = style(Depth::True, Tone::Dark, role).bg.is_some();
            assert_eq!(painted, banner(Depth::True, role).is_some(), "{role:?}");
        }
    }

    #[test]
    fn sixteen_colours_are_the_users_own() {
        for role in Role::iter() {
            let style = style(Depth::Named, Tone::Dark, role);
            for color in [style.fg, style.bg].into_iter().flatten() {
                assert!(
                    !matches!(color, Color::Rgb(..) | Color::Indexed(_)),
                    "{role:?}"
                );
            }
        }
    }
}
