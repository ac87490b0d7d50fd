//! Where things are in a picture of one stream.

use bevy::prelude::*;
use send_learn_visualizer::camera::{FIELD, Free, Orbit};
use send_learn_visualizer::layout::{Grid, TILE};
use send_learn_visualizer::spectrum::{ROWS, frequency_to_unit};

/// How a picture is taken.
#[derive(Clone, Copy, Debug)]
pub struct Look {
    /// Width and height, in pixels.
    pub size: UVec2,
    /// From where.
    pub orbit: Orbit,
    /// The part in which the terrain stands.
    pub free: Free,
    /// How far the terrain reaches to the right with its lane, in world units.
    pub reach: f32,
}

impl Look {
    /// As one stream is shown.
    pub fn usual(size: UVec2) -> Self {
        Self { size, orbit: Orbit::overview(1), free: Free::default(), reach: TILE.x }
    }

    /// From above: nothing stands before anything else.
    pub fn above(size: UVec2, free: Free) -> Self {
        Self { size, orbit: Orbit { yaw: 0.0, pitch: 1.45, turned: true, ..Orbit::default() }, free, reach: TILE.x }
    }

    /// Where a place of the only terrain is in the picture, in pixels.
    pub fn pixel(&self, place: Vec3) -> Vec2 {
        let size = self.size.as_vec2();
        let (low, high) = Grid::of(&[1]).bounds;
        let orbit = self.orbit.framing((low, high.with_x(self.reach)), size.x / size.y, self.free.0);
        let point = orbit.transform().to_matrix().inverse().transform_point3(place);
        let scale = (FIELD / 2.0).tan() * -point.z;
        let unit = Vec2::new(point.x / scale * size.y / size.x, -point.y / scale);
        (unit * 0.5 + 0.5) * size
    }

    /// Where the crest of a loud tone of `frequency` (Hz), `ago` seconds ago, is in the picture, in pixels.
    pub fn place_of(&self, frequency: f32, ago: f32) -> Vec2 {
        self.crest(frequency_to_unit(frequency), ago)
    }

    /// Where the ridge is, `ago` seconds ago: the middle of all that is about as bright as the brightest.
    pub fn ridge(&self, picture: &Image, ago: f32) -> Vec2 {
        let places: Vec<Vec2> = (0..=800).map(|step| self.crest(step as f32 / 800.0, ago)).collect();
        let most = places.iter().map(|place| brightness(picture, *place)).fold(0.0, f32::max);
        let bright: Vec<Vec2> = places.into_iter().filter(|place| brightness(picture, *place) > most * 0.93).collect();
        bright.iter().sum::<Vec2>() / bright.len().max(1) as f32
    }

    /// A place at the height of a crest at -5 dB: that of a sine at -3 dB that rises an octave a second.
    fn crest(&self, unit: f32, ago: f32) -> Vec2 {
        let window = ROWS as f32 * 512.0 / 48_000.0;
        let height = (1.0 - 5.0 / 90.0_f32).powf(1.9) * TILE.y;
        self.pixel(Vec3::new(unit * TILE.x, height, -ago / window * TILE.z))
    }
}

/// Brightness (0 to 1) of the picture around a pixel: the highest of a small square.
pub fn brightness(picture: &Image, at: Vec2) -> f32 {
    let reach = -1..=1_i32;
    let around = reach.clone().flat_map(|dx| reach.clone().map(move |dy| (at.x as i32 + dx, at.y as i32 + dy)));
    around
        .filter_map(|(x, y)| picture.get_color_at(x as u32, y as u32).ok())
        .map(|colour| colour.to_srgba())
        .map(|colour| 0.3 * colour.red + 0.6 * colour.green + 0.1 * colour.blue)
        .fold(0.0, f32::max)
}
