//! Receiver, sender and view as processes: a click that is sent as audio is seen in the frame that the latency figure claims.

mod common;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use bevy::asset::RenderAssetUsages;
use bevy::image::{CompressedImageFormats, ImageSampler, ImageType};
use bevy::prelude::*;
use common::studio::{self, Studio};
use send_learn_visualizer::app::has_driver;

const SIZE: UVec2 = UVec2::new(320, 180);
const RATE: f64 = 48_000.0;
/// When the sound begins, in seconds of the file, and how long the file is.
const CLICK: f64 = 3.0;
const LENGTH: f64 = 5.0;

/// A line of frames.tsv.
struct Told {
    nanos: f64,
    latency_ms: f64,
}

/// Silence, a click, and noise from there on: frames on a busy machine are far apart, and the click alone would pass between them.
fn click(path: &Path) {
    let mut state = 1_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 17) as i16
    };
    let begin = (CLICK * RATE) as usize;
    let samples = (0..(LENGTH * RATE) as usize).flat_map(|at| {
        let sample = if at >= begin { noise() } else { 0 };
        [sample, sample]
    });
    studio::write_wav(path, &samples.collect::<Vec<_>>());
}

fn told(path: &Path) -> BTreeMap<u32, Told> {
    let text = fs::read_to_string(path).unwrap();
    let lines = text.lines().skip(1).map(|line| line.split('\t').collect::<Vec<_>>());
    lines
        .map(|line| {
            let number = |index: usize| line[index].parse::<f64>().unwrap();
            (number(0) as u32, Told { nanos: number(1), latency_ms: number(4) })
        })
        .collect()
}

/// Whether a terrain stands in the picture: nothing else in it is of the warm colours of what is loud.
fn is_lit(path: &Path) -> bool {
    let bytes = fs::read(path).unwrap();
    let (kind, usage) = (ImageType::Extension("png"), RenderAssetUsages::MAIN_WORLD);
    let picture = Image::from_buffer(&bytes, kind, CompressedImageFormats::NONE, true, ImageSampler::Default, usage).unwrap();
    let pixels = (0..SIZE.x).flat_map(|x| (0..SIZE.y).map(move |y| (x, y)));
    let colours = pixels.map(|(x, y)| picture.get_color_at(x, y).unwrap().to_srgba());
    colours.filter(|colour| colour.red > 0.5 && colour.red > 1.5 * colour.blue).count() >= 200
}

/// The studio machine's clock when the host handed over the block with sample `at`.
fn handed_over(recording: &Path, at: u64) -> f64 {
    #[derive(hdf5::H5Type, Clone, Copy)]
    #[repr(C)]
    struct Block {
        sample: u64,
        host_nanos: u64,
    }
    let file = hdf5::File::open(recording).unwrap();
    let blocks: Vec<Block> = file.dataset("blocks").unwrap().read_raw().unwrap();
    blocks[blocks.partition_point(|block| block.sample <= at) - 1].host_nanos as f64
}

#[test]
fn a_click_is_seen_in_the_frame_that_the_latency_claims() {
    let Some(programs) = studio::programs() else { return };
    if !has_driver(true) {
        println!("skipped: no Vulkan driver here (Debian: mesa-vulkan-drivers)");
        return;
    }
    let studio = Studio::start(&programs);
    let (wav, film) = (studio.file("click.wav"), studio.file("film"));
    click(&wav);
    let mut view = Command::new(env!("CARGO_BIN_EXE_send-learn-visualizer"))
        .args(["--connect", &studio.address, "--size", "320x180", "--for", "12", "--frames"])
        .arg(&film)
        .env("XDG_CONFIG_HOME", studio.file("view"))
        .stdout(Stdio::null())
        .spawn()
        .unwrap();
    // The driver makes its shaders first.
    let until = Instant::now() + Duration::from_secs(60);
    while !film.join("frame-000000.png").exists() {
        assert!(Instant::now() < until, "nothing is drawn");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(studio.sender().arg("--wav").arg(&wav).status().unwrap().success());
    assert!(view.wait().unwrap().success());
    studio.wait_until_closed();

    let told = told(&film.join("frames.tsv"));
    let frames: Vec<(&Told, bool)> =
        told.iter().map(|(number, told)| (told, is_lit(&film.join(format!("frame-{number:06}.png"))))).collect();
    assert!(frames.len() > 5, "only {} frames", frames.len());
    assert!(!frames[0].1, "it is seen before it is heard");
    let lit = frames.iter().position(|(_, lit)| *lit).expect("the click is not seen");
    let click = handed_over(&studio.recorded(".h5")[0], (CLICK * RATE) as u64);
    // The frame whose time, less the delay that the view claims, is the first after the click.
    let claimed = frames.iter().position(|(told, _)| told.nanos - told.latency_ms * 1e6 >= click).expect("no frame is late enough");
    let (seen, claim) = (frames[lit].0, frames[claimed].0);
    println!(
        "seen {:.0} ms after the host had it, in frame {lit}; the view claims {:.0} ms, which is frame {claimed}; a frame takes {:.0} ms",
        (seen.nanos - click) / 1e6,
        seen.latency_ms,
        (frames[frames.len() - 1].0.nanos - frames[0].0.nanos) / 1e6 / (frames.len() - 1) as f64
    );
    assert!(seen.latency_ms.is_finite() && claim.latency_ms < 2_000.0);
    assert!(lit.abs_diff(claimed) <= 1, "seen in frame {lit}, and the view claims {claimed}");
}
