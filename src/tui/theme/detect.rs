//! Which look fits the terminal, from flags and environment alone (ux.md 2.5). Pure: nothing is read here, no terminal is asked.

use super::{ColorWish, Depth, Glyphs, Look, Tone};

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
    let auto = || {
        let incapable = !tty || env.term() == "dumb";
        if filled(env.no_color.as_deref()) || (incapable && !forced(env)) {
            return Depth::None;
        }
        supported(env)
    };
    match color {
        ColorWish::Never => Depth::None,
        ColorWish::Always => supported(env),
        ColorWish::Auto => auto(),
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

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Environment {
        Environment::from_fn(|name| {
            let pair = pairs.iter().find(|(key, _)| *key == name);
            pair.map(|(_, value)| (*value).to_owned())
        })
    }

    #[rstest]
    #[case::never(ColorWish::Never, &[("COLORTERM", "truecolor")], true, Depth::None)]
    #[case::no_color(ColorWish::Auto, &[("NO_COLOR", "1"), ("COLORTERM", "truecolor")], true, Depth::None)]
    #[case::empty_no_color_is_none(ColorWish::Auto, &[("NO_COLOR", ""), ("COLORTERM", "truecolor")], true, Depth::True)]
    #[case::a_flag_beats_no_color(ColorWish::Always, &[("NO_COLOR", "1"), ("TERM", "xterm")], false, Depth::Named)]
    #[case::forced_into_a_pipe(ColorWish::Auto, &[("CLICOLOR_FORCE", "1"), ("TERM", "xterm-256color")], false, Depth::Indexed)]
    #[case::not_forced(ColorWish::Auto, &[("CLICOLOR_FORCE", "0"), ("TERM", "xterm")], false, Depth::None)]
    #[case::no_color_beats_force(ColorWish::Auto, &[("NO_COLOR", "1"), ("CLICOLOR_FORCE", "1")], true, Depth::None)]
    #[case::pipe(ColorWish::Auto, &[("COLORTERM", "truecolor")], false, Depth::None)]
    #[case::dumb(ColorWish::Auto, &[("TERM", "dumb")], true, Depth::None)]
    #[case::bits(ColorWish::Auto, &[("COLORTERM", "24bit"), ("TERM", "screen-256color"), ("TMUX", "/x")], true, Depth::True)]
    #[case::indexed(ColorWish::Auto, &[("TERM", "screen-256color")], true, Depth::Indexed)]
    #[case::console(ColorWish::Auto, &[("TERM", "linux")], true, Depth::Named)]
    fn depth_follows_flag_then_environment(
        #[case] wish: ColorWish,
        #[case] pairs: &[(&str, &str)],
        #[case] tty: bool,
        #[case] expected: Depth,
    ) {
        assert_eq!(depth(wish, &env(pairs), tty), expected);
    }

    #[rstest]
    #[case::utf8(&[("LANG", "zh_TW.UTF-8"), ("TERM", "xterm")], Glyphs::Unicode)]
    #[case::utf8_in_small(&[("LC_CTYPE", "C.utf8")], Glyphs::Unicode)]
    #[case::lc_all_wins(&[("LC_ALL", "C"), ("LANG", "en_US.UTF-8")], Glyphs::Ascii)]
    #[case::an_empty_lc_all_is_absent(&[("LC_ALL", ""), ("LANG", "en_US.UTF-8")], Glyphs::Unicode)]
    #[case::no_locale(&[], Glyphs::Ascii)]
    #[case::console(&[("LANG", "en_US.UTF-8"), ("TERM", "linux")], Glyphs::Ascii)]
    #[case::wide_ambiguous(&[("LANG", "zh_TW.UTF-8"), ("UMBEL_AMBIGUOUS", "2")], Glyphs::Ascii)]
    #[case::chosen(&[("LANG", "C"), ("UMBEL_GLYPHS", "unicode")], Glyphs::Unicode)]
    #[case::chosen_ascii(&[("LANG", "C.UTF-8"), ("UMBEL_GLYPHS", "ascii")], Glyphs::Ascii)]
    #[case::chosen_badly(&[("LANG", "C.UTF-8"), ("UMBEL_GLYPHS", "emoji")], Glyphs::Unicode)]
    fn glyphs_follow_the_locale_and_the_terminal(
        #[case] pairs: &[(&str, &str)],
        #[case] expected: Glyphs,
    ) {
        assert_eq!(glyph_set(&env(pairs)), expected);
    }

    #[rstest]
    #[case(&[("COLORFGBG", "0;15")], Tone::Light)]
    #[case(&[("COLORFGBG", "0;default;7")], Tone::Light)]
    #[case(&[("COLORFGBG", "15;0")], Tone::Dark)]
    #[case(&[("COLORFGBG", "garbage")], Tone::Dark)]
    #[case(&[], Tone::Dark)]
    fn the_background_is_dark_unless_it_is_said_otherwise(
        #[case] pairs: &[(&str, &str)],
        #[case] expected: Tone,
    ) {
        assert_eq!(tone(&env(pairs)), expected);
    }

    #[test]
    fn a_flag_decides_the_glyphs() {
        let env = env(&[("LANG", "C.UTF-8"), ("UMBEL_AMBIGUOUS", "2")]);
        let look = Look::detect(ColorWish::Never, Some(Glyphs::Unicode), &env, true);
        assert_eq!((look.glyphs, look.depth), (Glyphs::Unicode, Depth::None));
    }
}
