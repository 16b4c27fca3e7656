//! Pieces of a screen: frames, lists, tables, trees, text, editors, bars. They know nothing of Celery, read no clock and never fail:
//! every size of area is drawn, also none at all.
//!
//! Text given to them was sanitised by the caller; only [`field`] and [`editor`] hold text exactly as typed and make it visible themselves.
//! Widgets draw on a [`ratatui::buffer::Buffer`] (`frame.buffer_mut()`); those that have a caret return where it is.

pub mod bar;
pub mod columns;
pub mod edit;
pub mod editor;
pub mod field;
pub mod json_view;
pub mod list;
pub mod overlay;
pub mod pane;
pub mod scroll;
pub mod spark;
pub mod text_view;

pub use bar::bar;
pub use columns::{Align, Cell, Column, Columns, Width};
pub use edit::{Edit, Edited};
pub use editor::Editor;
pub use field::Field;
pub use json_view::{Node, Tree};
pub use list::List;
pub use overlay::{center, overlay};
pub use pane::Pane;
pub use scroll::{Followed, Picked, Scroll, Step};
pub use spark::{spark, spinner};
pub use text_view::{TextLine, TextView};
