//! Pictures of known scenes, drawn off screen, compared with those in tests/golden. A chirp is not only compared: its ridge is looked
//! for at the place and time where it must be.
//!
//! `SEND_LEARN_GOLDEN=write` writes the pictures anew. Look at each of them before it is kept.

mod common;

use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use bevy::asset::RenderAssetUsages;
use bevy::image::{CompressedImageFormats, ImageSampler, ImageType};
use bevy::prelude::*;
use bevy::render::render_resource::PollType;
use bevy::render::renderer::RenderDevice;
use bevy::render::{Render, RenderApp};
use common::band::Player;
use common::picture::{Look, brightness};
use common::recording::{self, AutomationRow, MidiRow};
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::tap::{Arrival, FrameReader, Health};
use send_learn_protocol::units::{HostId, MachineId, SamplePosition, StreamId, TakeId};
use send_learn_visualizer::app::{has_driver, off_screen_with};
use send_learn_visualizer::camera::{Free, Orbit};
use send_learn_visualizer::choice::Choice;
use send_learn_visualizer::deck::Deck;
use send_learn_visualizer::hud::panel::Open;
use send_learn_visualizer::hud::timeline;
use send_learn_visualizer::lane;
use send_learn_visualizer::layout::TILE;
use send_learn_visualizer::moment::Moment;
use send_learn_visualizer::recovery::Recovery;
use send_learn_visualizer::shot::Shot;
use send_learn_visualizer::source::live::deliver;
use send_learn_visualizer::source::{Delivery, Event, Link, Mailbox, ReplaySource, StreamKey};
use send_learn_visualizer::spectrum::{ROWS, frequency_to_unit};
use send_learn_visualizer::theme::Kind;
use send_learn_visualizer::view::{ViewPlugin, ViewSystems};

const SIZE: UVec2 = UVec2::new(960, 540);
const RATE: f64 = 48_000.0;
/// How long the band plays.
const SECONDS: f64 = 11.0;
/// Seconds that a terrain spans.
const WINDOW: f32 = ROWS as f32 * 512.0 / 48_000.0;
/// The largest mean difference of a channel, and the largest share of pixels that differ by more than a tenth: what another version of
/// the driver may change in edges and texts.
const MEAN: f64 = 0.012;
const DIFFERENT: f64 = 0.02;

/// The same as [`golden_at`], where a pixel of the picture is one of texts.
fn golden(name: &str, view: ViewPlugin, prepare: impl FnOnce(&mut App)) -> Option<Image> {
    golden_at(1.0, name, view, prepare)
}

/// Draws `view` after `prepare` into a file of this folder. `None`: nothing can be drawn here.
fn draw(scale: f32, folder: &Path, view: ViewPlugin, prepare: impl FnOnce(&mut App)) -> Option<PathBuf> {
    if !has_driver(true) {
        println!("skipped: no Vulkan driver here (Debian: mesa-vulkan-drivers)");
        return None;
    }
    let path = folder.join("drawn.png");
    let round = Some(Duration::from_millis(100));
    off_screen_with(view, Shot { path: path.clone(), due: Instant::now(), size: SIZE, scale, round }, prepare).unwrap();
    Some(path)
}

/// Draws `view` after `prepare`, compares it with the picture `name`, and returns it. `None`: nothing can be drawn here.
fn golden_at(scale: f32, name: &str, view: ViewPlugin, prepare: impl FnOnce(&mut App)) -> Option<Image> {
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(scale, folder.path(), view, prepare)?;
    let kept = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("tests/golden/{name}.png"));
    if std::env::var("SEND_LEARN_GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::copy(&drawn, &kept).unwrap();
    }
    let (found, expected) = (load(&drawn), load(&kept));
    assert_eq!(found.size(), expected.size());
    let (found_bytes, expected_bytes) = (found.data.as_ref().unwrap(), expected.data.as_ref().unwrap());
    let mut sum = 0.0;
    let mut different = 0;
    for (one, other) in found_bytes.chunks_exact(4).zip(expected_bytes.chunks_exact(4)) {
        let apart = one.iter().zip(other).take(3).map(|(one, other)| f64::from(one.abs_diff(*other)) / 255.0);
        let most = apart.clone().fold(0.0, f64::max);
        sum += apart.sum::<f64>() / 3.0;
        different += usize::from(most > 0.1);
    }
    let pixels = f64::from(SIZE.x * SIZE.y);
    let (mean, share) = (sum / pixels, different as f64 / pixels);
    if mean > MEAN || share > DIFFERENT {
        let shown = std::env::temp_dir().join(format!("send-learn-golden-{name}.png"));
        std::fs::copy(&drawn, &shown).unwrap();
        panic!("{name}: mean difference {mean:.4}, {:.2} % of the pixels differ; drawn: {}", share * 100.0, shown.display());
    }
    Some(found)
}

fn load(path: &Path) -> Image {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let kind = ImageType::Extension("png");
    let usage = RenderAssetUsages::MAIN_WORLD;
    Image::from_buffer(&bytes, kind, CompressedImageFormats::NONE, true, ImageSampler::Default, usage).unwrap()
}

fn key(take: u32) -> StreamKey {
    StreamKey { receiver: 1, connection: 1, take }
}

/// A receiver to which the connection is so.
fn connect(mailbox: &Mailbox, link: Link) {
    mailbox.push(Event::Receiver { receiver: 1, name: "studio:8080".into(), is_last_resort: false });
    mailbox.push(Event::Link { receiver: 1, link });
}

/// The same identities each time, so that the picture is the same.
fn description(name: &str, number: u8) -> Description {
    Description { stream: StreamId([number; 16]), take: TakeId([number; 16]), ..common::description(name) }
}

/// An octave a second from 200 Hz on, for `seconds`, after `before` seconds of silence.
fn chirp(mailbox: &Mailbox, before: f64, seconds: f64) {
    connect(mailbox, Link::Connected);
    mailbox.push(Event::StreamUp { key: key(1), description: Box::new(description("Chirp", 1)) });
    let end = ((before + seconds) * RATE) as u64;
    for start in (0..end).step_by(4_096) {
        let samples = (start..(start + 4_096).min(end)).flat_map(|at| {
            let t = at as f64 / RATE - before;
            let phase = TAU * 200.0 * (t.exp2() - 1.0) / 2.0_f64.ln();
            let sample = if t < 0.0 { 0.0 } else { 0.7 * phase.sin() as f32 };
            [sample, sample]
        });
        let samples = samples.collect();
        mailbox.push(Event::Audio { key: key(1), position: SamplePosition(start), channels: 2, samples, delivery: common::live() });
    }
}

/// Four streams of the band.
fn band(mailbox: &Mailbox, health: impl Fn(u32) -> Health) {
    static PLAYED: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    let played = PLAYED.get_or_init(|| {
        let play = |part| {
            let mut player = Player::new(part);
            let mut bytes = common::greeting();
            player.stream_up(&mut bytes);
            (0..(SECONDS * RATE) as u64).step_by(512).for_each(|at| player.block(&mut bytes, at, 512));
            bytes
        };
        (0..4).map(play).collect()
    });
    connect(mailbox, Link::Connected);
    for (part, bytes) in (0..).zip(played) {
        let mut frames = FrameReader::default();
        frames.push(bytes);
        while let Some(frame) = frames.next_frame().unwrap() {
            deliver(frame, key(0), false, mailbox);
        }
        mailbox.push(Event::Health { key: key(part), health: health(part) });
    }
}

fn stages() -> Health {
    Health { host_ms: 10.7, uplink_ms: 2.8, network_ms: 0.4, level: 1.0, durable_lag: 0.3, ..Health::default() }
}

fn well() -> Health {
    Health { bits_per_second: 1.2e6, jitter_ms: 0.4, latency_ms: 3.2, ..stages() }
}

#[test]
fn an_empty_scene_says_what_it_waits_for() {
    let mailbox = Mailbox::default();
    connect(&mailbox, Link::Down { reason: "no receiver listens there".into() });
    golden("empty", ViewPlugin::new(mailbox), |_| ());
}

#[test]
fn on_small_pixels_everything_is_larger() {
    let mailbox = Mailbox::default();
    connect(&mailbox, Link::Down { reason: "no receiver listens there".into() });
    golden_at(2.0, "large", ViewPlugin::new(mailbox), |_| ());
}

/// Looks from above.
fn from_above(app: &mut App, look: Look) {
    let turn = move |mut orbit: Single<'_, '_, &mut Orbit>| {
        if !orbit.turned {
            **orbit = look.orbit;
        }
    };
    app.add_systems(Update, turn.in_set(ViewSystems::Command));
}

/// The ridge of the chirp that ended now must lie where it was played.
fn assert_ridge(picture: &Image, look: Look, seconds: &[f64]) {
    for ago in seconds {
        // A window of 2,048 samples shows the frequency in its middle.
        let frequency = 200.0 * (3.5 - ago - 1_024.0 / RATE).exp2();
        let (found, expected) = (look.ridge(picture, *ago as f32), look.place_of(frequency as f32, *ago as f32));
        // A fifth of an octave, which is a fifth of a second.
        assert!((found.x - expected.x).abs() < 0.02 * SIZE.x as f32, "{ago} s ago: {found}, expected {expected}");
        assert!(brightness(picture, found) > 0.5, "{ago} s ago");
    }
}

#[test]
fn the_ridge_of_a_chirp_lies_at_its_place_and_time() {
    let mailbox = Mailbox::default();
    chirp(&mailbox, 8.0, 3.5);
    mailbox.push(Event::Health { key: key(1), health: well() });
    let look = Look::above(SIZE, Free::default());
    let picture = golden("chirp", ViewPlugin::new(mailbox), |app| from_above(app, look));
    let Some(picture) = picture else { return };
    assert_ridge(&picture, look, &[0.5, 1.0, 1.5, 2.0, 2.5]);
    for ago in [4.0, 5.0, 6.0] {
        for frequency in [400.0, 1_500.0, 8_000.0] {
            let place = look.pixel(Vec3::new(frequency_to_unit(frequency) * TILE.x, 0.0, -ago / WINDOW * TILE.z));
            assert!(brightness(&picture, place) < 0.2, "{ago} s ago nothing sounded");
        }
    }
}

/// Loses the graphics card when some frames are drawn, and lets the picture be taken when it is there again.
fn lose_the_card(app: &mut App) {
    let mut frame = 0;
    app.sub_app_mut(RenderApp).add_systems(Render, move |device: Res<'_, RenderDevice>| {
        frame += 1;
        if frame == 5 {
            device.wgpu_device().destroy();
            device.poll(PollType::wait_indefinitely()).unwrap();
        }
    });
    app.world_mut().resource_mut::<Shot>().due = Instant::now() + Duration::from_secs(3_600);
    let mut is_back = false;
    app.add_systems(Last, move |recovery: Res<'_, Recovery>, mut shot: ResMut<'_, Shot>| {
        if recovery.times == 1 && !std::mem::replace(&mut is_back, true) {
            shot.due = Instant::now() + Duration::from_secs(1);
        }
    });
}

#[test]
fn a_graphics_card_that_is_lost_comes_back_with_all_that_was_in_the_picture() {
    let mailbox = Mailbox::default();
    chirp(&mailbox, 8.0, 3.5);
    mailbox.push(Event::Health { key: key(1), health: well() });
    let look = Look::above(SIZE, Free::default());
    let folder = tempfile::tempdir().unwrap();
    let drawn = draw(1.0, folder.path(), ViewPlugin::new(mailbox), |app| {
        from_above(app, look);
        lose_the_card(app);
    });
    let Some(drawn) = drawn else { return };
    assert_ridge(&load(&drawn), look, &[0.5, 1.0, 1.5, 2.0, 2.5]);
}

#[test]
fn four_streams_stand_side_by_side() {
    let mailbox = Mailbox::default();
    band(&mailbox, |_| well());
    golden("four", ViewPlugin::new(mailbox), |_| ());
}

#[test]
fn four_streams_by_daylight_with_the_panel() {
    let mailbox = Mailbox::default();
    band(&mailbox, |_| well());
    let view = ViewPlugin { theme: Kind::Light, ..ViewPlugin::new(mailbox) };
    golden("light", view, |app| {
        app.insert_resource(Open(true)).add_systems(
            Update,
            |mut choice: ResMut<'_, Choice>, streams: Query<'_, '_, &send_learn_visualizer::stream::Stream>| {
                choice.selected =
                    streams.iter().find(|stream| stream.name() == "Bass").map(send_learn_visualizer::stream::Stream::identity);
            },
        );
    });
}

#[test]
fn a_stream_in_trouble_is_seen_from_across_the_room() {
    let mailbox = Mailbox::default();
    let trouble = Health { loss: 0.18, residual_loss: 0.06, owed: 320, repaired: 410, resent: 96, ..well() };
    band(&mailbox, |part| match part {
        1 => trouble,
        2 => Health { level: 0.3, ..well() },
        _ => well(),
    });
    let audio = |at: f64, arrival| Event::Audio {
        key: key(1),
        position: SamplePosition((at * RATE) as u64),
        channels: 2,
        samples: vec![0.0; 2_048],
        delivery: Delivery { arrival, tap: None, read: Instant::now() },
    };
    for at in [2.0, 3.1, 3.6, 4.4, 5.2, 6.0, 6.3, 7.7, 8.1, 9.9] {
        mailbox.push(audio(at, Arrival::Repaired));
    }
    [3.3, 6.6, 8.4, 8.9].into_iter().for_each(|at| assert!(mailbox.push(audio(at, Arrival::Resent))));
    mailbox.push(Event::Gap { key: key(1), position: SamplePosition((7.0 * RATE) as u64), frames: 12_000 });
    golden("trouble", ViewPlugin::new(mailbox), |_| ());
}

#[test]
fn a_paused_picture_shows_what_was_while_more_comes() {
    let mailbox = Mailbox::default();
    chirp(&mailbox, 6.0, 3.5);
    mailbox.push(Event::Health { key: key(1), health: well() });
    let late = mailbox.clone();
    // The time line takes its part of the picture.
    let look = Look::above(SIZE, Free::beside(0.0, timeline::TAKES / SIZE.y as f32));
    let picture = golden("paused", ViewPlugin::new(mailbox), |app| {
        from_above(app, look);
        let mut frame = 0;
        app.add_systems(
            Update,
            (move |mut moment: ResMut<'_, Moment>| {
                frame += 1;
                if frame == 2 {
                    moment.toggle();
                    // Four seconds of a loud sine.
                    let samples = (0..192_000).flat_map(|n| [0.9 * (n as f32 * 0.5).sin(); 2]).collect();
                    let position = SamplePosition((9.5 * RATE) as u64);
                    late.push(Event::Audio { key: key(1), position, channels: 2, samples, delivery: common::live() });
                }
            })
            .in_set(ViewSystems::Command),
        );
    });
    let Some(picture) = picture else { return };
    assert_ridge(&picture, look, &[1.0, 2.0]);
}

#[test]
fn a_replay_shows_the_moment_that_is_asked_for_with_its_notes_and_curves() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("take.h5");
    // Silence, a chirp of 3.5 s that ends at 7.5 s, and a loud second after it, which must not be seen.
    let samples = (0..(8.5 * RATE) as u64).flat_map(|at| {
        let t = at as f64 / RATE - 4.0;
        let phase = TAU * 200.0 * (t.exp2() - 1.0) / 2.0_f64.ln();
        let sample = if (0.0..3.5).contains(&t) { 0.7 * phase.sin() as f32 } else { 0.0 };
        let later = if t >= 3.5 { 0.9 * (at as f32 * 0.5).sin() } else { 0.0 };
        [sample + later; 2]
    });
    let row =
        |seconds: f64, [status, data1, data2]: [u8; 3]| MidiRow { sample: (seconds * RATE) as u64, status, data1, data2, kind: 0 };
    let mut midi: Vec<MidiRow> = vec![row(1.0, [0x90, 69, 110]), row(1.0, [0xE0, 0, 64])];
    midi.extend((0..=60).map(|step| {
        let turn = TAU * f64::from(step) / 30.0;
        row(2.0 + f64::from(step) / 20.0, [0xE0, 0, (64.0 + 60.0 * turn.sin()) as u8])
    }));
    midi.push(row(4.9, [0x80, 69, 0]));
    let value = |seconds: f64, normalized: f64| AutomationRow { sample: (seconds * RATE) as u64, parameter: 5, normalized };
    let automation: Vec<AutomationRow> = (0..=85).map(|step| value(f64::from(step) / 10.0, f64::from(step % 30) / 30.0)).collect();
    recording::write(&path, "Lead", &samples.collect::<Vec<_>>(), &midi, &automation, 5.0);
    let mailbox = Mailbox::default();
    let source = ReplaySource::start(&path, mailbox.clone()).unwrap();
    let deck = Deck::new(source.control(), false).standing_at(7.5);
    let look = Look::above(SIZE, Free::beside(0.0, timeline::TAKES / SIZE.y as f32));
    let look = Look { reach: TILE.x + lane::ASIDE + lane::WIDTH, ..look };
    let view = ViewPlugin { deck: Some(deck), replay: Some("take.h5".into()), ..ViewPlugin::new(mailbox) };
    let Some(picture) = golden("replay", view, |app| from_above(app, look)) else { return };
    assert_ridge(&picture, look, &[0.5, 1.0, 2.0]);
}

#[test]
fn machines_stand_apart() {
    let mailbox = Mailbox::default();
    connect(&mailbox, Link::Connected);
    for number in 0..7_u8 {
        let machine = if number % 3 == 0 { "studio" } else { "laptop" };
        let mut description =
            description(["Kick", "Bass", "Keys", "Vox", "Strings", "Pad", "Lead"][usize::from(number)], number + 1);
        description.machine = MachineId([number % 3; 16]);
        description.host = HostId([number % 3; 16]);
        description.set_property(PropertyKey::MACHINE, machine);
        let key = key(u32::from(number));
        mailbox.push(Event::StreamUp { key, description: Box::new(description) });
        let tone = 110.0 * f64::from(number + 1);
        let samples = (0..480_000).flat_map(|at| {
            let t = f64::from(at) / RATE;
            let sample = (0.4 * (TAU * tone * t).sin() * (TAU * 0.8 * t).sin().abs()) as f32;
            [sample, sample]
        });
        let samples = samples.collect();
        mailbox.push(Event::Audio { key, position: SamplePosition(0), channels: 2, samples, delivery: common::live() });
    }
    golden("machines", ViewPlugin::new(mailbox), |_| ());
}
