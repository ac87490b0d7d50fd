//! How long drawing takes: from the moment at which a frame takes events in until the driver has drawn it, all frames that are on their way
//! before it included. What the screen adds is not known here.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use bevy::prelude::*;
use bevy::render::renderer::RenderQueue;
use bevy::render::{ExtractSchedule, MainWorld, Render, RenderApp, RenderSystems};

/// Frames that began so soon after the first was drawn tell nothing: the driver still makes its shaders.
const SETTLE: Duration = Duration::from_secs(1);
/// The time told is the median of so many frames: one that was held up does not count.
const FRAMES: usize = 9;

/// The time that drawing takes. Where nothing is drawn there is none.
#[derive(Resource, Clone, Debug, Default)]
pub struct Drawing {
    drawn: Arc<Mutex<Drawn>>,
    /// When the frame began that is being made.
    began: Option<Instant>,
}

/// The frames that were drawn.
#[derive(Clone, Debug, Default)]
struct Drawn {
    /// When the first was.
    first: Option<Instant>,
    /// How long the last [`FRAMES`] took.
    took: VecDeque<Duration>,
}

impl Drawing {
    /// The time in milliseconds; `None` in the first second.
    pub fn milliseconds(&self) -> Option<f32> {
        let mut took = Vec::from(self.drawn.lock().unwrap_or_else(PoisonError::into_inner).took.clone());
        took.sort_unstable();
        took.get(took.len() / 2).map(|median| median.as_secs_f32() * 1_000.0)
    }

    /// When the first frame was drawn.
    pub fn first(&self) -> Option<Instant> {
        self.drawn.lock().unwrap_or_else(PoisonError::into_inner).first
    }

    fn note(&self, began: Instant, done: Instant) {
        let mut drawn = self.drawn.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *drawn.first.get_or_insert(done);
        if began < first + SETTLE {
            return;
        }
        if drawn.took.len() == FRAMES {
            drawn.took.pop_front();
        }
        drawn.took.push_back(done.saturating_duration_since(began));
    }
}

/// Measures it.
#[derive(Debug, Default)]
pub struct DrawingPlugin;

impl Plugin for DrawingPlugin {
    fn build(&self, app: &mut App) {
        app.init_resource::<Drawing>().add_systems(First, begin);
        if let Some(render_app) = app.get_sub_app_mut(RenderApp) {
            render_app
                .init_resource::<Drawing>()
                .add_systems(ExtractSchedule, extract)
                .add_systems(Render, watch.in_set(RenderSystems::Cleanup));
        }
    }
}

fn begin(mut drawing: ResMut<'_, Drawing>) {
    drawing.began = Some(Instant::now());
}

fn extract(main: Res<'_, MainWorld>, mut drawing: ResMut<'_, Drawing>) {
    if let Some(main) = main.get_resource::<Drawing>() {
        *drawing = main.clone();
    }
}

/// Asks to be told when all that was handed to the driver is drawn.
fn watch(queue: Res<'_, RenderQueue>, mut drawing: ResMut<'_, Drawing>) {
    if let Some(began) = drawing.began.take() {
        let drawing = drawing.clone();
        queue.on_submitted_work_done(move || drawing.note(began, Instant::now()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neither_the_first_shaders_nor_a_frame_that_was_held_up_count() {
        let (drawing, start) = (Drawing::default(), Instant::now());
        let draw = |at: u64, took: u64| {
            let began = start + Duration::from_millis(at);
            drawing.note(began, began + Duration::from_millis(took));
        };
        draw(0, 5_000);
        draw(5_900, 800);
        assert_eq!(drawing.milliseconds(), None);
        [(6_000, 20), (6_020, 900), (6_920, 30)].into_iter().for_each(|(at, took)| draw(at, took));
        assert_eq!(drawing.milliseconds(), Some(30.0));
        (0..FRAMES as u64).for_each(|frame| draw(7_000 + 40 * frame, 40));
        assert_eq!(drawing.milliseconds(), Some(40.0), "what was long ago is forgotten");
    }
}
