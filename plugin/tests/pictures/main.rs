//! The window in each of its states, drawn without a display and compared with the stored pictures. Where they should look
//! different, `SEND_LEARN_PICTURES=write` stores them anew: look at each before you commit it.

mod raster;

use std::path::PathBuf;
use std::sync::LazyLock;

use egui::{Context, RawInput, Rect, pos2};
use raster::{Canvas, Picture};
use send_learn_plugin::editor::SIZE;
use send_learn_plugin::editor::stages::Stage;

/// Seconds that are played before the picture is taken, and between two frames.
const SECONDS: f64 = 9.4;
const FRAME: f64 = 0.1;

/// A colour that differs by more than this, of 255, is another.
const TOLERANCE: u8 = 24;

/// The share of the pixels that may differ: what rounding does to edges on another processor.
const SHARE: f64 = 0.002;

fn stored(stage: Stage) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("../docs/images/plugin-{}.png", stage.name()))
}

/// Of each state, in the order of [`Stage::ALL`].
static PICTURES: LazyLock<Vec<Picture>> = LazyLock::new(|| Stage::ALL.into_iter().map(draw).collect());

fn draw(stage: Stage) -> Picture {
    let (width, height) = (SIZE.width, SIZE.height);
    let (context, mut window) = (Context::default(), stage.window());
    window.open(&context);
    let mut canvas = Canvas::new(width as usize, height as usize);
    let frames = (SECONDS / FRAME) as u32;
    for frame in 0..=frames {
        let input = RawInput {
            screen_rect: Some(Rect::from_min_max(pos2(0.0, 0.0), pos2(width, height))),
            time: Some(f64::from(frame) * FRAME),
            ..RawInput::default()
        };
        let mut output = context.run_ui(input, |ui| window.draw(ui));
        canvas.learn(&mut output.textures_delta);
        if frame == frames {
            let meshes = context.tessellate(output.shapes, output.pixels_per_point);
            canvas.paint(&meshes);
        }
    }
    canvas.picture()
}

#[test]
fn every_state_looks_as_its_stored_picture() {
    let write = std::env::var("SEND_LEARN_PICTURES").is_ok_and(|value| value == "write");
    let mut wrong = Vec::new();
    for (stage, picture) in Stage::ALL.into_iter().zip(PICTURES.iter()) {
        if write {
            picture.save(&stored(stage)).unwrap();
            continue;
        }
        let differing = Picture::open(&stored(stage)).map(|other| picture.difference(&other, TOLERANCE));
        match differing {
            Ok(share) if share <= SHARE => {}
            Ok(share) => wrong.push(format!("{}: {:.2} % of the pixels differ", stage.name(), share * 100.0)),
            Err(error) => wrong.push(format!("{}: {error}", stage.name())),
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn no_two_states_look_alike_even_without_colour() {
    let grey: Vec<Picture> = PICTURES.iter().map(Picture::grey).collect();
    for (index, one) in grey.iter().enumerate() {
        for (other, picture) in grey.iter().enumerate().skip(index + 1) {
            let share = one.difference(picture, TOLERANCE);
            assert!(share > 0.002, "{} and {}: {share}", Stage::ALL[index].name(), Stage::ALL[other].name());
        }
    }
}
