//! The picture as one plugin: everything but a window or an image to draw it into.

use bevy::prelude::*;

use crate::bars::{self, BarLines};
use crate::camera::{self, Free};
use crate::choice::{self, Choice, Typing};
use crate::deck::{self, Deck};
use crate::drawing::{Drawing, DrawingPlugin};
use crate::export::Recording;
use crate::flat::FlatPlugin;
use crate::health::bodies::{self, SparkBodies};
use crate::health::frame::{self, FramePlugin};
use crate::health::sign;
use crate::hud::details::{self, FrameTime};
use crate::hud::{Typeface, axes, card, header, help, machines, panel, timeline};
use crate::lane::{self, LanePlugin, LaneRows};
use crate::layout::Grid;
use crate::moment::Moment;
use crate::monitor::{self, Monitor};
use crate::piano_roll::{self, NoteBodies};
use crate::picking::{self, OverPanel};
use crate::settings::Keeper;
use crate::source::Mailbox;
use crate::stream::Stream;
use crate::streams::{self, Inbox, SourceState};
use crate::terrain::{self, TerrainPlugin};
use crate::theme::{self, Kind, Theme};
use crate::upload::UploadPlugin;
use crate::waveform::{self, WaveformPlugin};
use crate::{export, layout, settings, time_keys, typing};

/// Draws what comes into a mailbox.
#[derive(Debug)]
pub struct ViewPlugin {
    /// Where the events come from.
    pub mailbox: Mailbox,
    /// What a replay lies on.
    pub deck: Option<Deck>,
    /// The recording that is replayed, for exports.
    pub recording: Option<Recording>,
    /// Dark or light.
    pub theme: Kind,
    /// Keeps what the person chooses.
    pub keeper: Option<Keeper>,
    /// The name of the recording, if it is one, for the header.
    pub replay: Option<String>,
}

/// What happens in one frame, in this order.
#[derive(SystemSet, Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ViewSystems {
    /// Keys and mouse say what is wanted.
    Command,
    /// Events come in, time passes.
    Receive,
    /// Streams get their bodies and places.
    Build,
    /// The camera moves.
    Look,
    /// Texts and bars follow.
    Label,
}

impl ViewPlugin {
    /// Shows what comes into `mailbox`, in the dark, and keeps nothing.
    pub fn new(mailbox: Mailbox) -> Self {
        Self { mailbox, replay: None, deck: None, recording: None, theme: Kind::Dark, keeper: None }
    }
}

impl Plugin for ViewPlugin {
    fn build(&self, app: &mut App) {
        let state = SourceState { replay: self.replay.clone(), ..SourceState::default() };
        if let Some(deck) = &self.deck {
            app.insert_resource(deck.clone());
        }
        if let Some(recording) = &self.recording {
            app.insert_resource(recording.clone());
        }
        if let Some(keeper) = &self.keeper {
            app.insert_resource(keeper.clone());
        }
        app.add_plugins((UploadPlugin, DrawingPlugin, FlatPlugin, TerrainPlugin, WaveformPlugin, LanePlugin, FramePlugin))
            .insert_resource(Inbox(self.mailbox.clone()))
            .insert_resource(state)
            .insert_resource(Theme(self.theme))
            .init_resource::<Moment>()
            .init_resource::<timeline::Marked>()
            .init_resource::<timeline::Drag>()
            .init_resource::<Choice>()
            .init_resource::<Typing>()
            .init_resource::<Grid>()
            .init_resource::<Free>()
            .init_resource::<OverPanel>()
            .init_resource::<panel::Open>()
            .init_resource::<FrameTime>()
            .init_resource::<export::Saying>()
            .init_resource::<Monitor>()
            .init_resource::<ClearColor>()
            .register_required_components::<Stream, NoteBodies>()
            .register_required_components::<Stream, SparkBodies>()
            .register_required_components::<Stream, LaneRows>()
            .register_required_components::<Stream, BarLines>()
            .configure_sets(
                Update,
                (ViewSystems::Command, ViewSystems::Receive, ViewSystems::Build, ViewSystems::Look, ViewSystems::Label).chain(),
            )
            .add_systems(Startup, (piano_roll::prepare, bodies::prepare, bars::prepare, texts, settings::restore))
            .add_systems(
                Update,
                (
                    (
                        time_keys::steer,
                        timeline::mark,
                        choice::keys,
                        camera::fly,
                        help::keys,
                        panel::keys,
                        export::keys,
                        monitor::keys,
                    )
                        .run_if(choice::commands),
                    (typing::letters, typing::begin.run_if(choice::commands)).chain(),
                    panel::mouse,
                    timeline::drag,
                    picking::pick,
                    camera::steer,
                )
                    .chain()
                    .in_set(ViewSystems::Command),
            )
            .add_systems(Update, (deck::play, streams::receive, streams::advance).chain().in_set(ViewSystems::Receive))
            .add_systems(
                Update,
                (
                    terrain::raise,
                    waveform::lay,
                    lane::draw,
                    card::deal,
                    axes::mark,
                    sign::raise,
                    frame::lay,
                    layout::arrange,
                    piano_roll::fly,
                    bodies::fly,
                    bars::fly,
                )
                    .in_set(ViewSystems::Build),
            )
            .add_systems(Update, (panel::leave, camera::follow).chain().in_set(ViewSystems::Look))
            .add_systems(
                Update,
                (
                    card::discard,
                    card::place,
                    card::tell,
                    card::measure,
                    axes::place,
                    header::update,
                    header::make_room,
                    timeline::update,
                    sign::update,
                    frame::show,
                )
                    .in_set(ViewSystems::Label),
            )
            .add_systems(
                Update,
                (
                    panel::list,
                    panel::tell,
                    details::update,
                    export::update,
                    settings::keep,
                    bars::number,
                    machines::update,
                    measure,
                )
                    .in_set(ViewSystems::Label),
            )
            .add_systems(Update, monitor::play.before(header::update).in_set(ViewSystems::Label))
            .add_systems(
                Update,
                (
                    theme::paint,
                    (terrain::paint, waveform::paint, lane::paint, piano_roll::paint, bodies::paint, bars::paint)
                        .run_if(resource_changed::<Theme>),
                )
                    .after(ViewSystems::Label),
            );
    }
}

fn texts(mut commands: Commands<'_, '_>, mut fonts: ResMut<'_, Assets<Font>>) {
    let typeface = Typeface::load(&mut fonts);
    header::spawn(&mut commands, &typeface);
    help::spawn(&mut commands, &typeface);
    timeline::spawn(&mut commands, &typeface);
    panel::spawn(&mut commands, &typeface);
    export::spawn(&mut commands, &typeface);
    commands.insert_resource(typeface);
}

/// How long frames take until they are drawn.
fn measure(drawing: Res<'_, Drawing>, mut frame: ResMut<'_, FrameTime>) {
    frame.0 = drawing.milliseconds().unwrap_or(f32::NAN);
}
