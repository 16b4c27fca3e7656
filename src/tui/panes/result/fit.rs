//! What Result says of a call in the room that there is: blank lines give way first; what is left out then is marked, and can be scrolled to where
//! nothing else scrolls.

use ratatui::text::{Line, Span};

use super::lines::Pen;
use crate::text::width::cut;
use crate::tui::keymap::{Action, Context};
use crate::tui::panes::key;
use crate::tui::theme::Role;

impl Pen<'_> {
    /// In at most `most` lines: blank ones give way first, the lower before the upper; what is cut then is marked.
    pub(super) fn squeezed(
        &self,
        mut lines: Vec<Line<'static>>,
        most: usize,
    ) -> Vec<Line<'static>> {
        without_blanks(&mut lines, most);
        if lines.len() > most {
            lines.truncate(most);
            if let Some(last) = lines.pop() {
                let style = last.spans.last().map(|span| span.style).unwrap_or_default();
                let ellipsis = self.theme.glyphs().ellipsis;
                let text = cut(&format!("{last} {ellipsis}"), self.width, ellipsis);
                lines.push(Line::from(Span::styled(text, style)));
            }
        }
        lines
    }

    /// The same, but the title stays, of the rest `skip` lines are passed over, and the last line says where that is. Also returns how
    /// many lines can be passed over.
    pub(super) fn scrolled(
        &self,
        mut lines: Vec<Line<'static>>,
        most: usize,
        skip: usize,
    ) -> (Vec<Line<'static>>, usize) {
        without_blanks(&mut lines, most);
        let room = most.saturating_sub(2);
        if lines.len() <= most || room == 0 {
            return (self.squeezed(lines, most), 0);
        }
        let rest = lines.split_off(1);
        let beyond = rest.len() - room;
        let from = skip.min(beyond);
        let [down, up] = [Action::Down, Action::Up].map(|action| key(Context::Running, action));
        let mark = format!(
            "{} lines {}-{} of {}, {down} {up}",
            self.theme.glyphs().ellipsis,
            from + 1,
            from + room,
            rest.len()
        );
        lines.extend(rest.into_iter().skip(from).take(room));
        lines.push(self.cut(Role::Accent, &mark));
        (lines, beyond)
    }
}

fn without_blanks(lines: &mut Vec<Line<'static>>, most: usize) {
    while lines.len() > most
        && let Some(blank) = lines.iter().rposition(|line| line.width() == 0)
    {
        lines.remove(blank);
    }
}
