//! The picture itself, drawn off screen: what is in it is measured.

mod common;

use std::time::Instant;

use bevy::asset::RenderAssetUsages;
use bevy::image::{CompressedImageFormats, ImageSampler, ImageType};
use bevy::prelude::*;
use send_learn_protocol::units::SamplePosition;
use send_learn_visualizer::app::{has_driver, off_screen};
use send_learn_visualizer::camera::{FIELD, Orbit};
use send_learn_visualizer::layout::{self, TILE};
use send_learn_visualizer::shot::Shot;
use send_learn_visualizer::source::{Event, Link, Mailbox, StreamKey};
use send_learn_visualizer::spectrum::{ROWS, frequency_to_unit};
use send_learn_visualizer::view::ViewPlugin;

const SIZE: UVec2 = UVec2::new(640, 360);
const RATE: f64 = 48_000.0;

/// A stream with a sine of 1 kHz that ended two seconds ago; silence since then.
fn sine(mailbox: &Mailbox) {
    let key = StreamKey { connection: 1, take: 1 };
    mailbox.push(Event::Link(Link::Connected));
    mailbox.push(Event::StreamUp { key, description: Box::new(common::description("Sine")) });
    let frames = (14.0 * RATE) as u64;
    let samples = |at: u64| {
        let ago = (frames - at) as f64 / RATE;
        let amplitude = if ago > 2.0 { 0.5 } else { 0.0 };
        let sample = (amplitude * (std::f64::consts::TAU * 1_000.0 * at as f64 / RATE).sin()) as f32;
        [sample, sample]
    };
    for start in (0..frames).step_by(4_096) {
        let samples = (start..(start + 4_096).min(frames)).flat_map(samples).collect();
        mailbox.push(Event::Audio { key, position: SamplePosition(start), channels: 2, samples });
    }
}

/// Where a place of the first terrain is in the picture, in pixels.
fn pixel(place: Vec3) -> Vec2 {
    let size = SIZE.as_vec2();
    let view = Orbit::overview(1).framing(layout::bounds(1), size.x / size.y).transform().to_matrix().inverse();
    let point = view.transform_point3(place);
    let scale = (FIELD / 2.0).tan() * -point.z;
    let unit = Vec2::new(point.x / scale * size.y / size.x, -point.y / scale);
    (unit * 0.5 + 0.5) * size
}

/// Brightness (0 to 1) of the picture around a pixel: the highest of a small square.
fn brightness(picture: &Image, at: Vec2) -> f32 {
    let reach = -2..=2_i32;
    let around = reach.clone().flat_map(|dx| reach.clone().map(move |dy| (at.x as i32 + dx, at.y as i32 + dy)));
    around
        .map(|(x, y)| picture.get_color_at(x as u32, y as u32).unwrap().to_srgba())
        .map(|colour| 0.3 * colour.red + 0.6 * colour.green + 0.1 * colour.blue)
        .fold(0.0, f32::max)
}

#[test]
fn a_sine_is_a_bright_ridge_at_its_frequency_for_as_long_as_it_sounds() {
    if !has_driver(true) {
        println!("skipped: no Vulkan driver here (Debian: mesa-vulkan-drivers)");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("sine.png");
    let mailbox = Mailbox::default();
    sine(&mailbox);
    let view = ViewPlugin { mailbox, address: "here".into() };
    let shot = Shot { path: path.clone(), due: Instant::now(), size: SIZE };
    assert_eq!(off_screen(view, shot).unwrap(), 1);

    let bytes = std::fs::read(&path).unwrap();
    let picture = Image::from_buffer(
        &bytes,
        ImageType::Extension("png"),
        CompressedImageFormats::NONE,
        true,
        ImageSampler::Default,
        RenderAssetUsages::MAIN_WORLD,
    )
    .unwrap();
    assert_eq!(picture.size(), SIZE);

    let window = ROWS as f32 * 512.0 / RATE as f32;
    // The crest of a sine at -6 dB, and the ground.
    let crest = (1.0 - 6.02 / 90.0_f32).powf(1.9) * TILE.y;
    let place = |frequency: f32, height: f32, ago: f32| {
        pixel(Vec3::new(frequency_to_unit(frequency) * TILE.x, height, -ago / window * TILE.z))
    };
    for ago in [2.4, 3.0, 4.0, 5.0, 7.0] {
        let ridge = brightness(&picture, place(1_000.0, crest, ago));
        let aside = brightness(&picture, place(4_000.0, 0.0, ago));
        assert!(ridge > 0.5, "{ago} s ago: the ridge has {ridge}");
        assert!(aside < 0.2, "{ago} s ago: beside the ridge there is {aside}");
    }
    for ago in [0.5, 1.0, 1.5] {
        let silence = brightness(&picture, place(1_000.0, 0.0, ago));
        assert!(silence < 0.2, "{ago} s ago nothing sounded, but there is {silence}");
    }
}
