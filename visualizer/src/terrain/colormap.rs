//! The colour maps: on dark ground from near-black indigo over magenta and orange to pale yellow, on light ground from paper over
//! apricot and magenta to deep indigo. Lightness only rises, or only falls, so they read in any kind of colour vision and in
//! grey; equal steps of level are equal steps in Oklab, so no step looks larger than it is.

use bevy::asset::RenderAssetUsages;
use bevy::color::{ColorToPacked, Oklaba, Oklcha, Srgba};
use bevy::image::{Image, ImageSampler};
use bevy::math::ops;
use bevy::render::render_resource::{Extent3d, TextureDimension, TextureFormat};

use crate::theme::Kind;

/// Colours of the map.
pub const COLOURS: usize = 256;

/// Stations of a map: lightness, chroma and hue (degrees).
type Path = [(f32, f32, f32); 7];

/// The map on dark ground.
const DARK: Path = [
    (0.155, 0.030, 268.0),
    (0.270, 0.110, 285.0),
    (0.410, 0.165, 315.0),
    (0.560, 0.190, 357.0),
    (0.690, 0.180, 398.0),
    (0.830, 0.145, 434.0),
    (0.970, 0.070, 465.0),
];

/// The map on light ground.
const LIGHT: Path = [
    (0.955, 0.006, 95.0),
    (0.895, 0.055, 75.0),
    (0.800, 0.110, 55.0),
    (0.680, 0.150, 25.0),
    (0.540, 0.175, -5.0),
    (0.400, 0.160, -45.0),
    (0.240, 0.110, -80.0),
];

/// The colours of a theme's map, for level 0 to 1.
pub fn colours(theme: Kind) -> Vec<Srgba> {
    const STEPS: usize = 4_096;
    let path = match theme {
        Kind::Dark => DARK,
        Kind::Light => LIGHT,
    };
    let fine: Vec<Oklaba> = (0..=STEPS).map(|step| along(&path, step as f32 / STEPS as f32)).collect();
    let mut length = 0.0;
    let lengths: Vec<f32> = std::iter::once(0.0)
        .chain(fine.windows(2).map(|pair| {
            length += distance(pair[0], pair[1]);
            length
        }))
        .collect();
    (0..COLOURS)
        .map(|index| {
            let wanted = length * index as f32 / (COLOURS - 1) as f32;
            let at = lengths.partition_point(|reached| *reached < wanted).min(STEPS);
            clamped(Srgba::from(fine[at]))
        })
        .collect()
}

/// A theme's map as a texture, one row.
pub fn texture(theme: Kind) -> Image {
    let data = colours(theme).into_iter().flat_map(|colour| colour.to_u8_array()).collect();
    let size = Extent3d { width: COLOURS as u32, height: 1, depth_or_array_layers: 1 };
    let mut image = Image::new(size, TextureDimension::D2, data, TextureFormat::Rgba8UnormSrgb, RenderAssetUsages::default());
    image.sampler = ImageSampler::linear();
    image
}

/// The point at `unit` (0 to 1) of the path: a Catmull-Rom spline through its stations.
fn along(path: &Path, unit: f32) -> Oklaba {
    let last = path.len() - 1;
    let at = unit * last as f32;
    let from = (at as usize).min(last - 1);
    let t = at - from as f32;
    let station = |index: usize| path[index.min(last)];
    let (p0, p1, p2, p3) = (station(from.saturating_sub(1)), station(from), station(from + 1), station(from + 2));
    let blend = |a: f32, b: f32, c: f32, d: f32| {
        b + 0.5 * t * (c - a + t * (2.0 * a - 5.0 * b + 4.0 * c - d + t * (3.0 * (b - c) + d - a)))
    };
    let lightness = blend(p0.0, p1.0, p2.0, p3.0);
    let chroma = blend(p0.1, p1.1, p2.1, p3.1);
    let hue = blend(p0.2, p1.2, p2.2, p3.2);
    Oklaba::from(Oklcha::new(lightness, chroma, hue.rem_euclid(360.0), 1.0))
}

fn distance(a: Oklaba, b: Oklaba) -> f32 {
    ops::sqrt((a.lightness - b.lightness).powi(2) + (a.a - b.a).powi(2) + (a.b - b.b).powi(2))
}

fn clamped(colour: Srgba) -> Srgba {
    Srgba::new(colour.red.clamp(0.0, 1.0), colour.green.clamp(0.0, 1.0), colour.blue.clamp(0.0, 1.0), 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lightness_only_rises_on_dark_ground_and_only_falls_on_light_ground() {
        let lightness = |theme| colours(theme).into_iter().map(|colour| Oklaba::from(colour).lightness).collect::<Vec<_>>();
        let (dark, light) = (lightness(Kind::Dark), lightness(Kind::Light));
        assert!(dark.windows(2).all(|pair| pair[0] < pair[1]), "{dark:?}");
        assert!(light.windows(2).all(|pair| pair[0] > pair[1]), "{light:?}");
    }

    #[test]
    fn equal_steps_of_level_are_equal_steps_to_the_eye() {
        for theme in [Kind::Dark, Kind::Light] {
            let colours: Vec<Oklaba> = colours(theme).into_iter().map(Oklaba::from).collect();
            let steps: Vec<f32> = colours.windows(2).map(|pair| distance(pair[0], pair[1])).collect();
            let mean = steps.iter().sum::<f32>() / steps.len() as f32;
            for (index, step) in steps.iter().enumerate() {
                assert!((step / mean - 1.0).abs() < 0.35, "{theme:?}: step {index} is {} times the mean", step / mean);
            }
        }
    }
}
