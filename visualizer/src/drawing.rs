//! How long drawing takes: from the moment at which a frame takes events in until the driver has drawn it, all frames that are on their way
//! before it included. What the screen adds is not known here.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use bevy::prelude::*;
use bevy::render::renderer::RenderQueue;
use bevy::render::{ExtractSchedule, MainWorld, Render, RenderApp, RenderSystems};

/// How much of a new measurement counts at once.
const SHARE: f64 = 0.3;

/// The time that drawing takes. Where nothing is drawn there is none.
#[derive(Resource, Clone, Debug, Default)]
pub struct Drawing {
    /// Nanoseconds, smoothed; 0: none was measured yet.
    took: Arc<AtomicU64>,
    /// When the frame began that is being made.
    began: Option<Instant>,
}

impl Drawing {
    /// The time in milliseconds; `None` before the first frame is drawn.
    pub fn milliseconds(&self) -> Option<f32> {
        match self.took.load(Ordering::Relaxed) {
            0 => None,
            nanos => Some(nanos as f32 / 1e6),
        }
    }

    fn note(&self, began: Instant) {
        let new = began.elapsed().as_nanos() as f64;
        let old = self.took.load(Ordering::Relaxed);
        let smoothed = if old == 0 { new } else { old as f64 + (new - old as f64) * SHARE };
        self.took.store((smoothed as u64).max(1), Ordering::Relaxed);
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
        queue.on_submitted_work_done(move || drawing.note(began));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_first_measurement_counts_at_once_and_later_ones_in_part() {
        let drawing = Drawing::default();
        assert_eq!(drawing.milliseconds(), None);
        let ago = |milliseconds| Instant::now().checked_sub(Duration::from_millis(milliseconds)).unwrap();
        drawing.note(ago(500));
        assert!((500.0..550.0).contains(&drawing.milliseconds().unwrap()));
        drawing.note(ago(1_500));
        assert!((800.0..850.0).contains(&drawing.milliseconds().unwrap()));
    }
}
