//! Colours by role, and glyph sets (ux.md 2.5). No colour is named anywhere else.

/// How to draw.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Which glyphs.
    pub glyphs: Glyphs,
    /// How many colours.
    pub depth: Depth,
}

/// A glyph set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, strum::EnumString, strum::Display)]
#[strum(serialize_all = "lowercase")]
pub enum Glyphs {
    /// Box drawing and blocks.
    Unicode,
    /// `+-|` and `#=#`.
    Ascii,
}

/// Colour depth of the terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// 24 bit.
    True,
    /// 256 colours.
    Indexed,
    /// 16 named colours.
    Named,
    /// No colour: attributes and words only.
    None,
}
