//! Where the time of frames goes that are drawn without a window, and what they bring to the graphics card.

use std::fmt;
use std::time::{Duration, Instant};

use bevy::prelude::*;

use crate::drawing::Drawing;
use crate::film::Reel;
use crate::upload::Uploads;
use crate::view::ViewSystems;

/// The stages of a frame, in their order.
const STAGES: [&str; 7] = [
    "keys and mouse",
    "events, spectra and time",
    "terrains, notes and places",
    "camera",
    "texts and bars",
    "layout",
    "handing to the driver, and waiting for it",
];

/// The time that each stage took in all frames, and what was uploaded.
#[derive(Resource, Debug, Default)]
pub struct Profile {
    begun: Option<Instant>,
    /// The end of the stage before.
    last: Option<Instant>,
    spent: [Duration; STAGES.len()],
    frames: u32,
    rows: u64,
    bytes: u64,
}

impl Profile {
    /// `stage` ends now.
    fn mark(&mut self, stage: usize) {
        let now = Instant::now();
        if let Some(last) = self.last.replace(now) {
            self.spent[stage] += now - last;
        }
    }
}

impl fmt::Display for Profile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let frames = f64::from(self.frames.max(1));
        let per_frame = |spent: &Duration| spent.as_secs_f64() * 1_000.0 / frames;
        let whole: f64 = self.spent.iter().map(per_frame).sum();
        writeln!(f, "a frame took {whole:.1} ms in the mean:")?;
        for (name, spent) in STAGES.iter().zip(&self.spent) {
            let spent = per_frame(spent);
            writeln!(f, "  {name:<42} {spent:>6.2} ms {:>3.0} %", spent / whole.max(1e-9) * 100.0)?;
        }
        let seconds = self.begun.map_or(0.0, |begun| begun.elapsed().as_secs_f64()).max(1e-3);
        let (rows, kilobytes) = (self.rows as f64 / seconds, self.bytes as f64 / seconds / 1_000.0);
        write!(f, "uploaded {kilobytes:.0} kB a second, {rows:.0} rows of spectra in it")
    }
}

/// Measures from the first frame of a film on.
#[derive(Debug, Default)]
pub struct ProfilePlugin;

impl Plugin for ProfilePlugin {
    fn build(&self, app: &mut App) {
        use ViewSystems::{Build, Command, Label, Look, Receive};
        app.init_resource::<Profile>()
            .add_systems(First, begin)
            .add_systems(
                Update,
                (
                    stage::<0>.after(Command).before(Receive),
                    stage::<1>.after(Receive).before(Build),
                    stage::<2>.after(Build).before(Look),
                    stage::<3>.after(Look).before(Label),
                    stage::<4>.after(Label),
                ),
            )
            .add_systems(Last, end);
    }
}

fn begin(mut profile: ResMut<'_, Profile>, reel: Res<'_, Reel>) {
    // The frames before are not part of the film: shaders are made in them.
    if reel.drawn > 0 && profile.begun.is_none() {
        profile.begun = Some(Instant::now());
        profile.last = profile.begun;
    } else if profile.begun.is_some() {
        profile.frames += 1;
        profile.mark(6);
    }
}

fn stage<const STAGE: usize>(mut profile: ResMut<'_, Profile>) {
    if profile.begun.is_some() {
        profile.mark(STAGE);
    }
}

fn end(mut profile: ResMut<'_, Profile>, uploads: Res<'_, Uploads>) {
    if profile.begun.is_none() {
        return;
    }
    profile.mark(5);
    for upload in &uploads.0 {
        profile.rows += u64::from(upload.texels.len() == crate::spectrum::BANDS);
        profile.bytes += size_of_val(&upload.texels[..]) as u64;
    }
}

/// What was measured, in words, of frames that took so long from their begin to their end on the card.
pub fn report(profile: &Profile, drawing: &Drawing, started: Instant) -> String {
    let first = drawing.first().map(|first| first.saturating_duration_since(started).as_secs_f64());
    let first = first.map_or_else(String::new, |first| format!("the first picture was drawn {first:.1} s after the start\n"));
    let drawn = drawing.milliseconds();
    let drawn =
        drawn.map_or_else(String::new, |drawn| format!("\nfrom a frame's begin until it was drawn: {drawn:.1} ms in the median"));
    format!("{first}{profile}{drawn}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_a_frame_add_up() {
        let mut profile = Profile { frames: 2, ..Profile::default() };
        profile.spent[1] = Duration::from_millis(10);
        profile.spent[6] = Duration::from_millis(30);
        let words = profile.to_string();
        assert!(words.starts_with("a frame took 20.0 ms"), "{words}");
        assert!(words.contains("5.00 ms  25 %") && words.contains("15.00 ms  75 %"), "{words}");
    }
}
