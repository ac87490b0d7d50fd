//! A graphics card that is lost (its driver is updated or hangs, the machine was asleep) is started again, and what it held is
//! uploaded anew. While there is none, the picture stands still and the view looks for one.

use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::render::error_handler::{ErrorType, RenderError, RenderErrorHandler, RenderErrorPolicy};
use bevy::render::settings::{RenderCreation, WgpuSettings};
use bevy::render::sync_world::{RenderEntity, SyncToRenderWorld};

use crate::app::has_driver;
use crate::export::Saying;
use crate::lane::LaneRows;
use crate::terrain::TerrainRows;
use crate::view::ViewSystems;
use crate::waveform::WaveformRows;

/// The pause between two attempts.
const PAUSE: Duration = Duration::from_secs(1);
/// A card that is lost more often than this at a stretch, each time within [`CALM`] after the last, is given up.
const MOST: u32 = 5;
const CALM: Duration = Duration::from_secs(60);

/// What was lost.
#[derive(Resource, Default)]
pub struct Recovery {
    /// With what the card was started.
    settings: WgpuSettings,
    off_screen: bool,
    last: Option<Instant>,
    tried: Option<Instant>,
    at_a_stretch: u32,
    /// Whether the card is a new one, which holds nothing.
    is_new: bool,
    /// How often it was started again.
    pub times: u32,
}

/// Starts a card that is lost again, in a window or off screen, with the same settings.
#[derive(Default)]
pub struct RecoveryPlugin {
    /// The settings.
    pub settings: WgpuSettings,
    /// Whether there is no window.
    pub off_screen: bool,
}

impl Plugin for RecoveryPlugin {
    fn build(&self, app: &mut App) {
        let recovery = Recovery { settings: self.settings.clone(), off_screen: self.off_screen, ..Recovery::default() };
        app.insert_resource(recovery)
            .insert_resource(RenderErrorHandler(handle))
            .add_systems(Update, renew.in_set(ViewSystems::Receive).before(crate::streams::advance));
    }
}

fn handle(error: &RenderError, main: &mut World, _: &mut World) -> RenderErrorPolicy {
    let now = Instant::now();
    let mut recovery = main.resource_mut::<Recovery>();
    if error.ty != ErrorType::DeviceLost || recovery.is_hopeless(now) {
        main.write_message(AppExit::error());
        return RenderErrorPolicy::StopRendering;
    }
    // This is asked in every frame until there is a card again.
    if recovery.tried.is_some_and(|tried| now < tried + PAUSE) {
        return RenderErrorPolicy::StopRendering;
    }
    recovery.tried = Some(now);
    if !has_driver(recovery.off_screen) {
        return RenderErrorPolicy::StopRendering;
    }
    recovery.note(now);
    let settings = recovery.settings.clone();
    main.resource_mut::<Saying>().say("the graphics card was lost, and is started again");
    RenderErrorPolicy::Recover(RenderCreation::Automatic(Box::new(settings)))
}

impl Recovery {
    /// Whether it was lost too often.
    fn is_hopeless(&self, now: Instant) -> bool {
        self.at_a_stretch >= MOST && self.last.is_some_and(|last| now < last + CALM)
    }

    /// It is started again.
    fn note(&mut self, now: Instant) {
        let calm = self.last.replace(now).is_none_or(|last| now >= last + CALM);
        self.at_a_stretch = if calm { 1 } else { self.at_a_stretch + 1 };
        self.times += 1;
        self.is_new = true;
    }
}

/// What textures held is gone with the card: all rows in sight are written again. What the engine keeps for a camera refers to the old
/// card (Bevy 0.19 lets go of all else), so that each camera becomes a new one to it.
fn renew(
    mut commands: Commands<'_, '_>,
    mut recovery: ResMut<'_, Recovery>,
    cameras: Query<'_, '_, Entity, With<Camera>>,
    mut streams: Query<'_, '_, (&mut TerrainRows, &mut WaveformRows, Option<&mut LaneRows>)>,
) {
    if !std::mem::take(&mut recovery.is_new) {
        return;
    }
    for camera in &cameras {
        commands.entity(camera).remove::<SyncToRenderWorld>().remove::<RenderEntity>().insert(SyncToRenderWorld);
    }
    for (mut terrain, mut waveform, lane) in &mut streams {
        terrain.clear();
        waveform.clear();
        if let Some(mut lane) = lane {
            lane.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_card_that_is_lost_again_and_again_is_given_up_and_one_that_is_lost_now_and_then_is_not() {
        let start = Instant::now();
        let lost = |every: u64| {
            let mut recovery = Recovery::default();
            (1..=20_u64).find(|time| {
                let now = start + Duration::from_secs(every * time);
                let hopeless = recovery.is_hopeless(now);
                recovery.note(now);
                hopeless
            })
        };
        assert_eq!(lost(2), Some(u64::from(MOST) + 1));
        assert_eq!(lost(600), None);
    }
}
