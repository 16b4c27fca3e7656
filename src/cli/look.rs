//! What a user can wish for about the drawing, by flag.

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

/// A glyph set.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumString, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Glyphs {
    /// Box drawing and blocks.
    #[default]
    Unicode,
    /// `+-|` and `#=#`.
    Ascii,
}
