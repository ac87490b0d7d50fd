//! The picture as one plugin: everything but a window or an image to draw it into.

use bevy::prelude::*;

use crate::flat::FlatPlugin;
use crate::hud::{Typeface, axes, card, header, help};
use crate::piano_roll::{self, NoteBodies};
use crate::source::{Link, Mailbox};
use crate::stream::Stream;
use crate::streams::{self, Inbox, SourceState};
use crate::terrain::{self, TerrainPlugin};
use crate::upload::UploadPlugin;
use crate::waveform::{self, WaveformPlugin};
use crate::{camera, layout, theme};

/// Draws what comes into a mailbox.
#[derive(Debug)]
pub struct ViewPlugin {
    /// Where the events come from.
    pub mailbox: Mailbox,
    /// Where the source is, for the header.
    pub address: String,
}

/// What happens in one frame, in this order.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewSystems {
    /// Events come in, time passes.
    Receive,
    /// Streams get their bodies and places.
    Build,
    /// The camera moves.
    Look,
    /// Texts and bars follow.
    Label,
}

impl Plugin for ViewPlugin {
    fn build(&self, app: &mut App) {
        let state = SourceState { address: self.address.clone(), link: Link::Connecting, had_streams: false };
        app.add_plugins((UploadPlugin, FlatPlugin, TerrainPlugin, WaveformPlugin))
            .insert_resource(Inbox(self.mailbox.clone()))
            .insert_resource(state)
            .insert_resource(ClearColor(theme::BACKGROUND))
            .register_required_components::<Stream, NoteBodies>()
            .configure_sets(Update, (ViewSystems::Receive, ViewSystems::Build, ViewSystems::Look, ViewSystems::Label).chain())
            .add_systems(Startup, (piano_roll::prepare, texts))
            .add_systems(Update, (streams::receive, streams::advance).chain().in_set(ViewSystems::Receive))
            .add_systems(
                Update,
                (terrain::raise, waveform::lay, card::deal, axes::mark, layout::arrange, piano_roll::fly)
                    .in_set(ViewSystems::Build),
            )
            .add_systems(Update, (camera::steer, camera::follow).chain().in_set(ViewSystems::Look))
            .add_systems(
                Update,
                (card::discard, card::place, card::tell, card::measure, axes::place, header::update, help::keys)
                    .in_set(ViewSystems::Label),
            );
    }
}

fn texts(mut commands: Commands<'_, '_>, mut fonts: ResMut<'_, Assets<Font>>) {
    let typeface = Typeface::load(&mut fonts);
    header::spawn(&mut commands, &typeface);
    help::spawn(&mut commands, &typeface);
    commands.insert_resource(typeface);
}
