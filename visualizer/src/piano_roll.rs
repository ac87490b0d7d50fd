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
/// The most stretches that one bent note is drawn in, and the smallest bend that begins one, in semitones.
const MAX_PIECES: usize = 96;
const LEAST_BEND: f32 = 0.06;
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
pub struct NoteBodies {
    /// The first piece of each note.
    notes: Vec<Body>,
    /// What follows of notes that are bent.
    pieces: Vec<Body>,
}

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
    for (owner, stream, mut pool) in &mut streams {
        let NoteBodies { notes, pieces } = &mut *pool;
        notes.iter_mut().chain(pieces.iter_mut()).for_each(|body| body.in_use = false);
        let mut put = |bodies_of: &mut Vec<Body>, index: usize, place: Transform, material: &Handle<FlatMaterial>| {
            while bodies_of.len() <= index {
                let body = (NoteBody, ChildOf(owner), Mesh3d(assets.body.clone()), MeshMaterial3d(material.clone()), place);
                bodies_of.push(Body { entity: commands.spawn(body).id(), in_use: true });
            }
            bodies_of[index].in_use = true;
            // A body that was spawned in this very frame has its place.
            let Ok((mut transform, mut visibility, mut shown)) = bodies.get_mut(bodies_of[index].entity) else { return };
            *transform = place;
            visibility.set_if_neq(Visibility::Inherited);
            if shown.0 != *material {
                shown.0 = material.clone();
            }
        };
        let mut used = 0;
        for note in stream.notes.iter() {
            let material = &assets.shades[shade(note)];
            for (index, place) in pieces_of(stream, note).iter().filter_map(|piece| place(stream, note, piece)).enumerate() {
                if index == 0 {
                    put(notes, note.number as usize % MAX_DRAWN, place, material);
                } else if used < MAX_DRAWN {
                    put(pieces, used, place, material);
                    used += 1;
                }
            }
        }
        for body in notes.iter().chain(&*pieces).filter(|body| !body.in_use) {
            if let Ok((_, mut visibility, _)) = bodies.get_mut(body.entity) {
                visibility.set_if_neq(Visibility::Hidden);
            }
        }
    }
}

fn shade(note: &Note) -> usize {
    usize::from(note.channel) % HUES.len() * SHADES + usize::from(note.velocity) * SHADES / 128
}

/// A stretch of a note in which its pitch is one.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Piece {
    /// In samples; without an end it goes on.
    start: u64,
    end: Option<u64>,
    /// How far its pitch is from its key, in semitones.
    bend: f32,
}

/// The stretches of a note, in order: one, unless its channel's wheel moves meanwhile.
fn pieces_of(stream: &Stream, note: &Note) -> Vec<Piece> {
    let first = Piece { start: note.start, end: note.end, bend: stream.curves.bend(note.channel, note.start as f64) };
    let mut pieces = vec![first];
    let until = note.end.unwrap_or(stream.shown() as u64);
    for (at, bend) in stream.curves.bends(note.channel, note.start, until) {
        let last = pieces.len() - 1;
        if (bend - pieces[last].bend).abs() >= LEAST_BEND && pieces.len() < MAX_PIECES && at < until {
            pieces[last].end = Some(at);
            pieces.push(Piece { start: at, end: note.end, bend });
        }
    }
    pieces
}

/// Where a piece of a note stands; `None` when it is out of sight.
fn place(stream: &Stream, note: &Note, piece: &Piece) -> Option<Transform> {
    let unit = |key: f32| frequency_to_unit(440.0 * ((key - 69.0) / 12.0).exp2());
    let key = f32::from(note.key) + piece.bend;
    let across = unit(key);
    let width = (unit(key + 0.5) - unit(key - 0.5)) * TILE.x;
    let row = TILE.z / ROWS as f32;
    let oldest = stream.age_in_rows(piece.start).min(ROWS as f32 * 0.94);
    let newest = piece.end.map_or(0.0, |end| stream.age_in_rows(end)).max(0.0);
    if !(0.0..=1.0).contains(&across) || oldest <= newest {
        return None;
    }
    // A note that is repeated at once stays apart from the one before.
    let apart = if piece.end == note.end { 0.03 } else { 0.0 };
    let length = ((oldest - newest) * row - apart).max(0.02);
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
        let note = stream.notes.iter().next().unwrap();
        let [piece] = pieces_of(&stream, note)[..] else { panic!("nothing bends it") };
        let body = place(&stream, note, &piece).unwrap();
        assert!((body.translation.x - frequency_to_unit(440.0) * TILE.x).abs() < 1e-3);
        let second = 48_000.0 / 512.0 * TILE.z / ROWS as f32;
        assert!((body.translation.z + 0.75 * second).abs() < 0.01, "half a second, a quarter of which is its middle");
        assert!((body.scale.z - 0.5 * second).abs() < 0.05);
    }

    #[test]
    fn a_note_that_is_bent_is_seen_to_bend() {
        let mut stream = Stream::new(KEY, description("Lead"));
        let messages = [
            (0, [0x90, 69, 100]),
            (24_000, [0xE0, 127, 127]),
            (48_000, [0xE0, 0, 64]),
            (60_000, [0xE1, 0, 0]),
            (72_000, [0x80, 69, 0]),
        ];
        for (position, bytes) in messages {
            stream.push_midi(MidiMessage { position: SamplePosition(position), bytes });
        }
        stream.push_audio(0, 2, &vec![0.0; 2 * 96_000]);
        stream.advance(step(0.1), |_, _| ());
        let note = stream.notes.iter().next().unwrap();
        let pieces = pieces_of(&stream, note);
        let told: Vec<_> = pieces.iter().map(|piece| (piece.start, piece.end, piece.bend.round())).collect();
        assert_eq!(told, [(0, Some(24_000), 0.0), (24_000, Some(48_000), 2.0), (48_000, Some(72_000), 0.0)]);
        let across = |index: usize| place(&stream, note, &pieces[index]).unwrap().translation.x / TILE.x;
        assert!((across(1) - frequency_to_unit(493.88)).abs() < 1e-3, "two semitones higher");
        assert_eq!(across(0), across(2));
    }

    #[test]
    fn a_wheel_that_never_rests_makes_no_more_than_so_many_pieces() {
        let mut stream = Stream::new(KEY, description("Lead"));
        stream.push_midi(MidiMessage { position: SamplePosition(0), bytes: [0x90, 69, 100] });
        for step in 0..2_000 {
            let bytes = [0xE0, 0, if step % 2 == 0 { 0 } else { 127 }];
            stream.push_midi(MidiMessage { position: SamplePosition(step * 1_000), bytes });
        }
        stream.push_audio(0, 2, &vec![0.0; 2 * 480_000]);
        stream.advance(step(0.1), |_, _| ());
        assert_eq!(pieces_of(&stream, stream.notes.iter().next().unwrap()).len(), MAX_PIECES);
    }

    #[test]
    fn a_note_that_is_still_to_be_heard_is_not_seen() {
        let mut stream = Stream::new(KEY, description("Piano"));
        stream.push_midi(MidiMessage { position: SamplePosition(10_000), bytes: [0x90, 69, 100] });
        stream.push_audio(0, 2, &[0.0; 2 * 512]);
        stream.advance(step(0.1), |_, _| ());
        let seen = |note| pieces_of(&stream, note).iter().any(|piece| place(&stream, note, piece).is_some());
        assert!(!stream.notes.iter().any(seen));
    }
}
