//! Which look fits the terminal, from flags and environment alone (ux.md 2.5). Pure: nothing is read here, no terminal is asked.

use super::{Depth, Glyphs, Look, Tone};

/// What `--color` says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum ColorWish {
    /// Decide by the environment.
    #[default]
    Auto,
    /// Colours, whatever the environment says.
    Always,
    /// No colour.
    Never,
}

/// The variables that decide, as they were at start. An empty variable counts as absent where that is the convention.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Environment {
    /// `NO_COLOR`.
    pub no_color: Option<String>,
    /// `CLICOLOR_FORCE`.
    pub clicolor_force: Option<String>,
    /// `COLORTERM`.
    pub colorterm: Option<String>,
    /// `COLORFGBG`.
    pub colorfgbg: Option<String>,
    /// `TERM`.
    pub term: Option<String>,
    /// The first of `LC_ALL`, `LC_CTYPE`, `LANG` that is set and not empty.
    pub locale: Option<String>,
    /// `UMBEL_GLYPHS`.
    pub glyphs: Option<String>,
    /// `UMBEL_AMBIGUOUS`.
    pub ambiguous: Option<String>,
}

impl Environment {
    /// Picks the variables out of `get`, such as `|name| std::env::var(name).ok()`.
    pub fn from_fn(get: impl Fn(&str) -> Option<String>) -> Self {
        let locale = ["LC_ALL", "LC_CTYPE", "LANG"]
            .into_iter()
            .filter_map(&get)
            .find(|value| !value.is_empty());
        Self {
            no_color: get("NO_COLOR"),
            clicolor_force: get("CLICOLOR_FORCE"),
            colorterm: get("COLORTERM"),
            colorfgbg: get("COLORFGBG"),
            term: get("TERM"),
            locale,
            glyphs: get("UMBEL_GLYPHS"),
            ambiguous: get("UMBEL_AMBIGUOUS"),
        }
    }

    fn term(&self) -> &str {
        self.term.as_deref().unwrap_or_default()
    }
}

impl Look {
    /// The look for a terminal: flags first, then the environment.
    pub fn detect(color: ColorWish, glyphs: Option<Glyphs>, env: &Environment, tty: bool) -> Self {
        Self {
            glyphs: glyphs.unwrap_or_else(|| glyph_set(env)),
            depth: depth(color, env, tty),
            tone: tone(env),
        }
    }
}

/// The colour depth. `$TMUX` is not looked at: `COLORTERM` says what the terminal can do.
pub fn depth(color: ColorWish, env: &Environment, tty: bool) -> Depth {
    let unwanted = filled(env.no_color.as_deref());
    let forced = forced(env);
    match color {
        ColorWish::Never => Depth::None,
        ColorWish::Always => supported(env),
        ColorWish::Auto if unwanted => Depth::None,
        ColorWish::Auto if forced => supported(env),
        ColorWish::Auto if !tty || env.term() == "dumb" => Depth::None,
        ColorWish::Auto => supported(env),
    }
}

fn filled(value: Option<&str>) -> bool {
    value.is_some_and(|value| !value.is_empty())
}

fn forced(env: &Environment) -> bool {
    filled(env.clicolor_force.as_deref()) && env.clicolor_force.as_deref() != Some("0")
}

fn supported(env: &Environment) -> Depth {
    match env.colorterm.as_deref() {
        Some("truecolor" | "24bit") => Depth::True,
        _ if env.term().contains("256color") => Depth::Indexed,
        _ => Depth::Named,
    }
}

/// The glyph set: `UMBEL_GLYPHS` if it names one; ASCII where Unicode would break frames.
pub fn glyph_set(env: &Environment) -> Glyphs {
    if let Some(chosen) = env.glyphs.as_deref().and_then(|name| name.parse().ok()) {
        return chosen;
    }
    let wide = env.ambiguous.as_deref() == Some("2");
    let console = matches!(env.term(), "linux" | "dumb");
    if wide || console || !is_utf8(env.locale.as_deref()) {
        Glyphs::Ascii
    } else {
        Glyphs::Unicode
    }
}

fn is_utf8(locale: Option<&str>) -> bool {
    locale.is_some_and(|locale| {
        let locale = locale.to_ascii_lowercase();
        locale.contains("utf-8") || locale.contains("utf8")
    })
}

/// Light or dark: the background in `COLORFGBG` (`fg;bg` or `fg;default;bg`); dark if it does not say.
pub fn tone(env: &Environment) -> Tone {
    let background = env
        .colorfgbg
        .as_deref()
        .and_then(|value| value.rsplit(';').next())
        .and_then(|value| value.parse::<u8>().ok());
    match background {
        Some(7 | 15) => Tone::Light,
        _ => Tone::Dark,
    }
}
