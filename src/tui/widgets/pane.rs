//! The frame of a pane: title or tabs in its top border, a word at the right, hints in its bottom border. Heavy with the focus, light without.

use std::borrow::Cow;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::text::width::{cells, cut};
use crate::tui::theme::{Role, Theme};

/// A frame to be drawn. Build it, then [`Pane::render`] it.
#[derive(Clone, Debug, Default)]
pub struct Pane<'a> {
    tabs: Vec<Tab<'a>>,
    right: Option<(Role, Cow<'a, str>)>,
    hint: Option<Cow<'a, str>>,
    focused: bool,
    role: Option<Role>,
}

/// A title, or one of several.
#[derive(Clone, Debug)]
struct Tab<'a> {
    text: Cow<'a, str>,
    chosen: bool,
}

impl<'a> Pane<'a> {
    /// A frame with one title: `┌─ 1 Tasks ───┐`.
    pub fn titled(title: impl Into<Cow<'a, str>>) -> Self {
        let tab = Tab {
            text: title.into(),
            chosen: false,
        };
        Self {
            tabs: vec![tab],
            ..Self::default()
        }
    }

    /// A frame with tabs, of which the one at `chosen` is in brackets: `┌─ 2 Call │ [3 Result] │ 4 History ───┐`.
    pub fn tabbed<T: Into<Cow<'a, str>>>(
        titles: impl IntoIterator<Item = T>,
        chosen: usize,
    ) -> Self {
        let tabs = titles.into_iter().enumerate().map(|(index, title)| Tab {
            text: title.into(),
            chosen: index == chosen,
        });
        Self {
            tabs: tabs.collect(),
            ..Self::default()
        }
    }

    /// A word at the right of the top border: a count, `valid`, a spinner.
    #[must_use]
    pub fn right(mut self, role: Role, text: impl Into<Cow<'a, str>>) -> Self {
        self.right = Some((role, text.into()));
        self
    }

    /// Hints at the left of the bottom border.
    #[must_use]
    pub fn hint(mut self, text: impl Into<Cow<'a, str>>) -> Self {
        self.hint = Some(text.into());
        self
    }

    /// Whether it has the focus.
    #[must_use]
    pub fn focused(mut self, focused: bool) -> Self {
        self.focused = focused;
        self
    }

    /// Draws the frame in the style of `role` instead of the usual one (dialogs).
    #[must_use]
    pub fn role(mut self, role: Role) -> Self {
        self.role = Some(role);
        self
    }

    /// Draws the frame and returns the room inside it. An area too small for a frame has no room inside.
    pub fn render(&self, area: Rect, buf: &mut Buffer, theme: Theme) -> Rect {
        let area = area.intersection(buf.area);
        if area.width < 2 || area.height < 2 {
            return Rect::new(area.x, area.y, 0, 0);
        }
        self.borders(area, buf, theme);
        self.top(area, buf, theme);
        self.bottom(area, buf, theme);
        Rect::new(area.x + 1, area.y + 1, area.width - 2, area.height - 2)
    }

    fn frame_style(&self, theme: Theme) -> Style {
        let usual = if self.focused {
            Role::Accent
        } else {
            Role::Dim
        };
        theme.style(self.role.unwrap_or(usual))
    }

    fn borders(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let glyphs = theme.glyphs();
        let frame = if self.focused {
            &glyphs.heavy
        } else {
            &glyphs.light
        };
        let style = self.frame_style(theme);
        let (right, bottom) = (area.right() - 1, area.bottom() - 1);
        let mut put = |x, y, symbol| {
            buf[(x, y)].set_symbol(symbol).set_style(style);
        };
        for x in area.x + 1..right {
            put(x, area.y, frame.horizontal);
            put(x, bottom, frame.horizontal);
        }
        for y in area.y + 1..bottom {
            put(area.x, y, frame.vertical);
            put(right, y, frame.vertical);
        }
        put(area.x, area.y, frame.top_left);
        put(right, area.y, frame.top_right);
        put(area.x, bottom, frame.bottom_left);
        put(right, bottom, frame.bottom_right);
    }

    /// Both titles; the right one only if the left one leaves room for it.
    fn top(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let room = usize::from(area.width.saturating_sub(4));
        let title = self.title(theme);
        let used = title.width().min(room);
        if used > 2 {
            write(buf, area.x + 2, area.y, &fitted(title, room, theme));
        }
        let Some((role, text)) = &self.right else {
            return;
        };
        let wide = cells(text) + 2;
        if wide > 2 && used + wide < room {
            let line = Line::from(theme.span(*role, format!(" {text} ")));
            let x = area.right() - 2 - u16::try_from(wide).unwrap_or(u16::MAX);
            write(buf, x, area.y, &line);
        }
    }

    fn title(&self, theme: Theme) -> Line<'static> {
        let strong = theme.style(if self.focused { Role::Accent } else { Role::Fg });
        let between = format!(" {} ", theme.glyphs().bar);
        let mut spans = vec![Span::raw(" ")];
        for (index, tab) in self.tabs.iter().enumerate() {
            if index > 0 {
                spans.push(theme.span(Role::Dim, between.clone()));
            }
            spans.push(match (tab.chosen, self.tabs.len()) {
                (true, _) => Span::styled(format!("[{}]", tab.text), strong),
                (false, 1) => Span::styled(tab.text.to_string(), strong),
                (false, _) => Span::raw(tab.text.to_string()),
            });
        }
        spans.push(Span::raw(" "));
        Line::from(spans)
    }

    fn bottom(&self, area: Rect, buf: &mut Buffer, theme: Theme) {
        let room = usize::from(area.width.saturating_sub(4));
        if let Some(hint) = self.hint.as_ref().filter(|hint| !hint.is_empty()) {
            let line = Line::from(theme.span(Role::Dim, format!(" {hint} ")));
            if room > 2 {
                write(
                    buf,
                    area.x + 2,
                    area.bottom() - 1,
                    &fitted(line, room, theme),
                );
            }
        }
    }
}

/// `line` in at most `room` cells; cut text ends in a space, so that it does not touch the border.
fn fitted(line: Line<'static>, room: usize, theme: Theme) -> Line<'static> {
    if line.width() <= room {
        return line;
    }
    let mut left = room.saturating_sub(1);
    let mut spans = Vec::new();
    for span in line.spans {
        let wide = cells(&span.content);
        if wide <= left {
            left -= wide;
            spans.push(span);
            continue;
        }
        let text = cut(&span.content, left, theme.glyphs().ellipsis);
        spans.push(Span::styled(text, span.style));
        break;
    }
    spans.push(Span::raw(" "));
    Line::from(spans)
}

fn write(buf: &mut Buffer, x: u16, y: u16, line: &Line<'_>) {
    let room = buf.area.right().saturating_sub(x);
    buf.set_line(x, y, line, room);
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{TEXTS, blank, rows};
    use super::*;
    use crate::tui::theme::{Depth, Glyphs, Look};

    fn drawn(pane: &Pane<'_>, width: u16, theme: Theme) -> Vec<String> {
        let mut buffer = blank(width, 3);
        pane.render(buffer.area, &mut buffer, theme);
        rows(&buffer)
    }

    fn ascii() -> Theme {
        Theme::new(Look {
            glyphs: Glyphs::Ascii,
            depth: Depth::None,
            ..Look::default()
        })
    }

    #[test]
    fn a_pane_is_framed_as_in_the_mock_up() {
        let pane = Pane::titled("1 Tasks")
            .right(Role::Dim, "4/42")
            .hint("/ filter  ` flat");
        let rows = drawn(&pane, 27, Theme::default());
        assert_eq!(rows[0], "┌─ 1 Tasks ──────── 4/42 ─┐");
        assert_eq!(rows[1], "│                         │");
        assert_eq!(rows[2], "└─ / filter  ` flat ──────┘");
    }

    #[test]
    fn the_focus_is_a_heavy_frame_and_the_chosen_tab_is_in_brackets() {
        let tabs = ["2 Call", "3 Result", "4 History"];
        let pane = Pane::tabbed(tabs, 1).right(Role::Ok, "valid").focused(true);
        let rows = drawn(&pane, 53, Theme::default());
        assert_eq!(
            rows[0],
            "┏━ 2 Call │ [3 Result] │ 4 History ━━━━━━━━━ valid ━┓"
        );
        let rows = drawn(&pane, 53, ascii());
        assert_eq!(
            rows[0],
            "#= 2 Call | [3 Result] | 4 History ========= valid =#"
        );
        assert_eq!(rows[1].chars().next(), Some('#'));
    }

    #[test]
    fn a_title_that_does_not_fit_is_cut_and_the_right_word_goes_first() {
        let pane = Pane::titled("a long title of a pane").right(Role::Dim, "valid");
        assert_eq!(
            drawn(&pane, 20, Theme::default())[0],
            "┌─ a long title … ─┐"
        );
    }

    proptest! {
        #[test]
        fn every_size_is_drawn_exactly(
            width in 0u16..300, height in 0u16..120, text in 0usize..8, other in 0usize..8, focused: bool,
        ) {
            let mut buffer = blank(width, height);
            let pane = Pane::tabbed([TEXTS[text], TEXTS[other]], 0)
                .right(Role::Ok, TEXTS[other])
                .hint(TEXTS[text])
                .focused(focused);
            let inner = pane.render(buffer.area, &mut buffer, Theme::default());
            rows(&buffer);
            prop_assert!(inner.width <= width.saturating_sub(2) && inner.height <= height.saturating_sub(2));
        }
    }
}
