//! The window in each of its states, drawn without a display and compared with the stored pictures. Where they should look
//! different, `SEND_LEARN_PICTURES=write` stores them anew: look at each before you commit it.

mod raster;

use std::path::PathBuf;
use std::sync::LazyLock;

use egui::epaint::ClippedShape;
use egui::{Context, Event, Modifiers, MouseWheelSource, MouseWheelUnit, RawInput, Rect, Shape, TouchPhase, pos2, vec2};
use nice_plug::editor::dpi::LogicalSize;
use raster::{Canvas, Picture};
use send_learn_plugin::editor::stages::Stage;
use send_learn_plugin::editor::{SIZE, SMALLEST};

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
static PICTURES: LazyLock<Vec<Picture>> =
    LazyLock::new(|| Stage::ALL.into_iter().map(|stage| draw(stage, SIZE, 0.0).picture).collect());

/// The window after [`SECONDS`].
struct Drawn {
    picture: Picture,
    /// All texts of which nothing is cut off, and where they stand.
    texts: Vec<(String, Rect)>,
}

impl Drawn {
    fn shows(&self, words: &str) -> bool {
        self.texts.iter().any(|(text, _)| text == words)
    }
}

/// `turned`: by how much the wheel is turned with each frame, in points; upwards is positive.
fn draw(stage: Stage, size: LogicalSize<f32>, turned: f32) -> Drawn {
    let (width, height) = (size.width, size.height);
    let screen = Rect::from_min_max(pos2(0.0, 0.0), pos2(width, height));
    let (context, mut window) = (Context::default(), stage.window());
    window.open(&context);
    let mut canvas = Canvas::new(width as usize, height as usize);
    let mut texts = Vec::new();
    let frames = (SECONDS / FRAME) as u32;
    for frame in 0..=frames {
        let input = RawInput {
            screen_rect: Some(screen),
            time: Some(f64::from(frame) * FRAME),
            events: if turned == 0.0 { Vec::new() } else { wheel(screen, turned) },
            ..RawInput::default()
        };
        let mut output = context.run_ui(input, |ui| window.draw(ui));
        canvas.learn(&mut output.textures_delta);
        if frame == frames {
            texts = output.shapes.iter().filter_map(|shape| whole_text(shape, screen)).collect();
            let meshes = context.tessellate(output.shapes, output.pixels_per_point);
            canvas.paint(&meshes);
        }
    }
    Drawn { picture: canvas.picture(), texts }
}

fn wheel(screen: Rect, turned: f32) -> Vec<Event> {
    let turn = Event::MouseWheel {
        unit: MouseWheelUnit::Point,
        delta: vec2(0.0, turned),
        phase: TouchPhase::Move,
        source: MouseWheelSource::Unknown,
        modifiers: Modifiers::NONE,
    };
    vec![Event::PointerMoved(screen.center()), turn]
}

fn whole_text(shape: &ClippedShape, screen: Rect) -> Option<(String, Rect)> {
    let Shape::Text(text) = &shape.shape else { return None };
    let rect = text.visual_bounding_rect();
    (shape.clip_rect.intersect(screen).contains_rect(rect) && !text.galley.elided).then(|| (text.galley.text().to_owned(), rect))
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

#[test]
fn the_page_of_the_smallest_window_hides_nothing_for_good() {
    let (above, below) = (draw(Stage::Consent, SMALLEST, 0.0), draw(Stage::Consent, SMALLEST, -50.0));
    assert!(above.shows("What may be done with your music?"));
    for words in ["This holds for", "all my tracks", "What is private", "is not even sent"] {
        assert!(below.shows(words), "{words} cannot be reached: {:#?}", below.texts);
    }
    for button in ["Not now", "Keep this"] {
        assert!(above.shows(button) && below.shows(button), "{button} is not always there");
    }
}

#[test]
fn the_switches_of_the_narrowest_window_say_all_that_they_mean() {
    let narrow = LogicalSize { width: SMALLEST.width, ..SIZE };
    for (stage, meaning) in [
        (Stage::Live, "This track is recorded"),
        (Stage::Bypassed, "Not now: bypassed"),
        (Stage::OfflineRender, "Not now: offline render"),
        (Stage::CaptureOff, "What you play stays here"),
        (Stage::Live, "For what is yours alone"),
        (Stage::Private, "Recorded, in no dataset"),
    ] {
        let drawn = draw(stage, narrow, 0.0);
        assert!(drawn.shows(meaning), "{meaning}: {:#?}", drawn.texts);
    }
}
