//! Notes fly over the terrain along the same time axis, each above the frequency of its key: bright ones were struck hard.

use bevy::prelude::*;

use crate::flat::FlatMaterial;
use crate::layout::TILE;
use crate::notes::Note;
use crate::spectrum::{ROWS, frequency_to_unit};
use crate::stream::Stream;
use crate::theme::{Kind, Theme};

/// The most notes that one stream draws.
const MAX_DRAWN: usize = 512;
/// How high above the ground notes fly, in parts of a terrain's height.
pub const ALTITUDE: f32 = 0.74;
/// Shades from the softest to the hardest note.
const SHADES: usize = 8;
/// Hues of the channels, in degrees of Oklch: cool ones, which the terrain has none of.
const HUES: [f32; 5] = [205.0, 155.0, 235.0, 180.0, 125.0];

/// What all notes share.
#[derive(Resource, Debug)]
pub struct NoteAssets {
    body: Handle<Mesh>,
    shades: Vec<Handle<FlatMaterial>>,
}

/// The bodies of one stream's notes: made when needed, hidden when not. A note keeps its body for as long as it is seen. Part
/// of the stream's entity.
#[derive(Component, Debug, Default)]
pub struct NoteBodies(Vec<Body>);

#[derive(Debug)]
struct Body {
    entity: Entity,
    in_use: bool,
}

/// One note's body.
#[derive(Component, Debug)]
pub struct NoteBody;

/// Prepares mesh and colours.
pub fn prepare(
    mut commands: Commands<'_, '_>,
    mut meshes: ResMut<'_, Assets<Mesh>>,
    mut materials: ResMut<'_, Assets<FlatMaterial>>,
    theme: Res<'_, Theme>,
) {
    let shades = (0..HUES.len() * SHADES).map(|shade| materials.add(FlatMaterial { colour: colour(shade, *theme) })).collect();
    commands.insert_resource(NoteAssets { body: meshes.add(Cuboid::from_length(1.0)), shades });
}

/// The colour of a shade: hard notes stand out from the ground.
fn colour(shade: usize, theme: Theme) -> LinearRgba {
    let strength = (shade % SHADES) as f32 / (SHADES - 1) as f32;
    let lightness = match theme.0 {
        Kind::Dark => 0.42 + 0.5 * strength,
        Kind::Light => 0.78 - 0.42 * strength,
    };
    Oklcha::new(lightness, 0.09 + 0.045 * strength, HUES[shade / SHADES], 1.0).into()
}

/// Paints the notes anew when the theme has changed.
pub fn paint(theme: Res<'_, Theme>, assets: Res<'_, NoteAssets>, mut materials: ResMut<'_, Assets<FlatMaterial>>) {
    for (shade, handle) in assets.shades.iter().enumerate() {
        if let Some(mut material) = materials.get_mut(handle) {
            material.colour = colour(shade, *theme);
        }
    }
}

/// Puts the bodies of all streams' notes in their places. With more than `MAX_DRAWN` notes, the oldest go.
pub fn fly(
    mut commands: Commands<'_, '_>,
    assets: Res<'_, NoteAssets>,
    mut streams: Query<'_, '_, (Entity, &Stream, &mut NoteBodies)>,
    mut bodies: Query<'_, '_, (&mut Transform, &mut Visibility, &mut MeshMaterial3d<FlatMaterial>), With<NoteBody>>,
) {
    for (stream_entity, stream, mut pool) in &mut streams {
        pool.0.iter_mut().for_each(|body| body.in_use = false);
        for (note, place) in stream.notes.iter().filter_map(|note| Some((note, place(stream, note)?))) {
            let material = &assets.shades[shade(note)];
            let index = note.number as usize % MAX_DRAWN;
            while pool.0.len() <= index {
                let body = (NoteBody, ChildOf(stream_entity), Mesh3d(assets.body.clone()), MeshMaterial3d(material.clone()), place);
                pool.0.push(Body { entity: commands.spawn(body).id(), in_use: true });
            }
            pool.0[index].in_use = true;
            // A body that was spawned in this very frame has its place.
            let Ok((mut transform, mut visibility, mut shown)) = bodies.get_mut(pool.0[index].entity) else { continue };
            *transform = place;
            visibility.set_if_neq(Visibility::Inherited);
            if shown.0 != *material {
                shown.0 = material.clone();
            }
        }
        for body in pool.0.iter().filter(|body| !body.in_use) {
            if let Ok((_, mut visibility, _)) = bodies.get_mut(body.entity) {
                visibility.set_if_neq(Visibility::Hidden);
            }
        }
    }
}

fn shade(note: &Note) -> usize {
    usize::from(note.channel) % HUES.len() * SHADES + usize::from(note.velocity) * SHADES / 128
}

/// Where a note's body stands; `None` when it is out of sight.
fn place(stream: &Stream, note: &Note) -> Option<Transform> {
    let unit = |key: f32| frequency_to_unit(440.0 * ((key - 69.0) / 12.0).exp2());
    let key = f32::from(note.key);
    let across = unit(key);
    let width = (unit(key + 0.5) - unit(key - 0.5)) * TILE.x;
    let row = TILE.z / ROWS as f32;
    let oldest = stream.age_in_rows(note.start).min(ROWS as f32 * 0.94);
    let newest = note.end.map_or(0.0, |end| stream.age_in_rows(end)).max(0.0);
    if !(0.0..=1.0).contains(&across) || oldest <= newest {
        return None;
    }
    // A note that is repeated at once stays apart from the one before.
    let length = ((oldest - newest) * row - 0.03).max(0.02);
    let middle = -(oldest + newest) / 2.0 * row;
    let thickness = 0.025 + 0.045 * f32::from(note.velocity) / 127.0;
    Some(Transform::from_xyz(across * TILE.x, ALTITUDE * TILE.y, middle).with_scale(Vec3::new(width * 0.8, thickness, length)))
}

#[cfg(test)]
mod tests {
    use send_learn_protocol::units::SamplePosition;

    use super::*;
    use crate::source::MidiMessage;
    use crate::stream::tests::{KEY, description, step};

    #[test]
    fn a_note_stands_over_its_frequency_for_as_long_as_it_lasts() {
        let mut stream = Stream::new(KEY, description("Piano"));
        for (position, bytes) in [(48_000, [0x90, 69, 100]), (72_000, [0x80, 69, 0])] {
            stream.push_midi(MidiMessage { position: SamplePosition(position), bytes });
        }
        stream.push_audio(0, 2, &vec![0.0; 2 * 96_000]);
        stream.advance(step(0.1), |_, _| ());
        let body = stream.notes.iter().find_map(|note| place(&stream, note)).unwrap();
        assert!((body.translation.x - frequency_to_unit(440.0) * TILE.x).abs() < 1e-3);
        let second = 48_000.0 / 512.0 * TILE.z / ROWS as f32;
        assert!((body.translation.z + 0.75 * second).abs() < 0.01, "half a second, a quarter of which is its middle");
        assert!((body.scale.z - 0.5 * second).abs() < 0.05);
    }

    #[test]
    fn a_note_that_is_still_to_be_heard_is_not_seen() {
        let mut stream = Stream::new(KEY, description("Piano"));
        stream.push_midi(MidiMessage { position: SamplePosition(10_000), bytes: [0x90, 69, 100] });
        stream.push_audio(0, 2, &[0.0; 2 * 512]);
        stream.advance(step(0.1), |_, _| ());
        assert!(stream.notes.iter().all(|note| place(&stream, note).is_none()));
    }
}
