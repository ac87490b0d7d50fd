//! Texts over the picture: a header with the state of the connection, a card for each stream, scales, and help.

pub mod axes;
pub mod card;
pub mod details;
pub mod header;
pub mod help;
pub mod machines;
pub mod panel;
pub mod timeline;
pub mod words;

use bevy::prelude::*;

use crate::theme::{Ink, Tint};

/// The typeface of all texts.
#[derive(Resource, Debug, Clone)]
pub struct Typeface(Handle<Font>);

impl Typeface {
    /// Ubuntu Light, which has Latin, Greek and Cyrillic.
    pub fn load(fonts: &mut Assets<Font>) -> Self {
        Self(fonts.add(Font::from_bytes(epaint_default_fonts::UBUNTU_LIGHT.to_vec())))
    }

    /// A text in this typeface, `size` pixels high, that does not wrap.
    pub fn text(&self, text: &str, size: f32, tint: Tint) -> impl Bundle + use<> {
        let font = TextFont::from_font_size(size).with_font(self.0.clone());
        (Text::new(text), font, Ink(tint), TextLayout::no_wrap())
    }
}

/// Shows or hides a node.
pub(crate) fn show(node: &mut Mut<'_, Node>, visible: bool) {
    let display = if visible { Display::Flex } else { Display::None };
    if node.display != display {
        node.display = display;
    }
}

/// Changes a text if it is another one; a text that stays costs no layout.
pub(crate) fn set(text: &mut Mut<'_, Text>, new: &str) {
    if text.0 != new {
        new.clone_into(&mut text.0);
    }
}
