//! Colours and sizes of everything that is drawn.

use bevy::color::{Color, Srgba};

const fn rgb(red: f32, green: f32, blue: f32) -> Srgba {
    Srgba::new(red, green, blue, 1.0)
}

/// Behind everything.
pub const BACKGROUND: Color = Color::Srgba(rgb(0.027, 0.031, 0.047));
/// The plate under a terrain.
pub const PLATE: Color = Color::Srgba(rgb(0.050, 0.056, 0.080));
/// Lines and scales.
pub const LINE: Color = Color::Srgba(rgb(0.17, 0.19, 0.26));
/// Names and figures.
pub const TEXT: Color = Color::Srgba(rgb(0.93, 0.94, 0.97));
/// What explains a figure.
pub const DIM: Color = Color::Srgba(rgb(0.58, 0.61, 0.70));
/// All is well.
pub const GOOD: Color = Color::Srgba(rgb(0.36, 0.84, 0.72));
/// Worth a look.
pub const WARN: Color = Color::Srgba(rgb(0.98, 0.78, 0.36));
/// Something is lost.
pub const BAD: Color = Color::Srgba(rgb(1.00, 0.44, 0.42));
/// The waveform.
pub const WAVE: Color = Color::Srgba(rgb(0.42, 0.84, 0.98));
/// Behind texts that stand over the picture.
pub const PANEL: Color = Color::Srgba(Srgba::new(0.035, 0.040, 0.060, 0.82));
