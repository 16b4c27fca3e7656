//! Colours by role, and glyph sets (ux.md 2.5). No colour is named anywhere else, and no terminal is asked for anything.
//!
//! [`Look`] is what was decided at start ([`detect`]); [`Theme`] is a look that can be drawn with.

pub mod detect;
pub mod glyphs;
pub mod palette;

use std::borrow::Cow;

use ratatui::style::Style;
use ratatui::text::Span;

pub use crate::cli::look::{ColorWish, Glyphs};
pub use detect::Environment;
pub use glyphs::GlyphSet;

/// How to draw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Look {
    /// Which glyphs.
    pub glyphs: Glyphs,
    /// How many colours.
    pub depth: Depth,
    /// On which background.
    pub tone: Tone,
}

/// Colour depth of the terminal.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumIter)]
pub enum Depth {
    /// 24 bit.
    #[default]
    True,
    /// 256 colours.
    Indexed,
    /// 16 named colours.
    Named,
    /// No colour: attributes and words only.
    None,
}

/// The background we draw on; it is the terminal's own, we never paint one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, strum::EnumIter)]
pub enum Tone {
    /// Light text on a dark background.
    #[default]
    Dark,
    /// Dark text on a light background.
    Light,
}

/// What a piece of text means. Styles belong to meanings, never to places.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, strum::EnumIter)]
pub enum Role {
    /// Text.
    #[default]
    Fg,
    /// Hints, stale, disabled.
    Dim,
    /// Focus frame, cursor row, keys in hints.
    Accent,
    /// OK, up.
    Ok,
    /// SEND, SENT, RECV, RUN.
    Run,
    /// TIMEOUT, RETRY, EXPIRED, REVOKED, BUSY, SILENT, GHOST?
    Warn,
    /// FAIL, UNSENT, NO TASK, LOST?, STUCK?, GONE, invalid field.
    Fail,
    /// LATE OK, LATE FAIL, unseen notice.
    Late,
    /// The row under the cursor.
    Select,
    /// Filter hits.
    Match,
    /// Header and dialog frame of a production target.
    EnvProd,
    /// Header of a staging target.
    EnvStaging,
    /// Header of a development target and of the demo.
    EnvDev,
    /// Header of a target of unknown kind.
    EnvUnknown,
    /// A key in a result.
    JsonKey,
    /// A string in a result.
    JsonStr,
    /// A number in a result.
    JsonNum,
    /// `true`, `false`, `null` in a result.
    JsonLit,
}

/// A look that can be drawn with. Cheap to copy.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Theme {
    look: Look,
}

impl Theme {
    /// The theme of `look`.
    pub fn new(look: Look) -> Self {
        Self { look }
    }

    /// The look it was made of.
    pub fn look(self) -> Look {
        self.look
    }

    /// How text of `role` is drawn. Without colours a role is an attribute or nothing: the words carry the meaning.
    pub fn style(self, role: Role) -> Style {
        palette::style(self.look.depth, self.look.tone, role)
    }

    /// `text` in the style of `role`.
    pub fn span<'a>(self, role: Role, text: impl Into<Cow<'a, str>>) -> Span<'a> {
        Span::styled(text, self.style(role))
    }

    /// The glyphs to draw with.
    pub fn glyphs(self) -> &'static GlyphSet {
        glyphs::of(self.look.glyphs)
    }
}
