//! What leaves the view: a range of a recording, handed to `send-learn export --range`, and pictures. A line of words says what
//! became of it.

use std::ffi::OsString;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use bevy::prelude::*;
use bevy::render::view::screenshot::{Screenshot, ScreenshotCaptured};
use bevy::window::PrimaryWindow;

use crate::choice::Choice;
use crate::hud::timeline::Marked;
use crate::hud::{Typeface, set, show};
use crate::moment::Moment;
use crate::stream::Stream;
use crate::theme::{Fill, Stroke, Tint};

/// How long the words stay, in seconds.
const STAY: f32 = 8.0;
/// The most that is read of what the program says, in bytes.
const MAX_SAID: u64 = 4_096;

/// The recording that is replayed.
#[derive(Resource, Clone, Debug, PartialEq, Eq)]
pub struct Recording(pub PathBuf);

/// What is said at present, and for how much longer.
#[derive(Resource, Clone, Debug, Default, PartialEq)]
pub struct Saying {
    words: String,
    left: f32,
}

impl Saying {
    /// What is said.
    pub fn words(&self) -> &str {
        &self.words
    }

    /// Says something.
    pub fn say(&mut self, words: impl Into<String>) {
        *self = Self { words: words.into(), left: STAY };
    }
}

/// The line that says it.
#[derive(Component, Debug)]
pub struct SayingLine;

/// An export that runs.
#[derive(Resource, Debug)]
pub struct Running {
    child: Child,
    out: PathBuf,
}

/// The arguments with which `send-learn` exports `range` (seconds) of `recording` into `out`.
pub fn arguments(recording: &Path, range: (f64, f64), out: &Path) -> Vec<OsString> {
    // Rounded inwards, so that the range lies within the recording.
    let (from, to) = ((range.0 * 1_000.0).ceil() / 1_000.0, (range.1 * 1_000.0).floor() / 1_000.0);
    let range = format!("{from:.3}..{to:.3}");
    let words: [OsString; 8] = [
        "export".into(),
        "midi+audio".into(),
        recording.into(),
        "--audio".into(),
        "--range".into(),
        range.into(),
        "--out".into(),
        out.into(),
    ];
    words.into()
}

/// Brings up the line.
pub fn spawn(commands: &mut Commands<'_, '_>, typeface: &Typeface) {
    let board = Node {
        display: Display::None,
        position_type: PositionType::Absolute,
        bottom: px(52),
        right: px(24),
        padding: UiRect::axes(px(12), px(6)),
        border: UiRect::all(px(1)),
        border_radius: BorderRadius::all(px(6)),
        ..default()
    };
    commands.spawn((SayingLine, GlobalZIndex(3), board, Fill(Tint::Panel), Stroke(Tint::Line))).with_children(|board| {
        board.spawn(typeface.text("", 14.0, Tint::Text));
    });
}

/// `E` exports the marked range, `K` saves a picture.
pub fn keys(
    mut commands: Commands<'_, '_>,
    keys: Res<'_, ButtonInput<KeyCode>>,
    (marked, moment, choice): (Res<'_, Marked>, Res<'_, Moment>, Res<'_, Choice>),
    (recording, running): (Option<Res<'_, Recording>>, Option<Res<'_, Running>>),
    streams: Query<'_, '_, &Stream>,
    windows: Query<'_, '_, (), With<PrimaryWindow>>,
    mut saying: ResMut<'_, Saying>,
) {
    if keys.just_pressed(KeyCode::KeyK) && !windows.is_empty() {
        let path = PathBuf::from(format!("send-learn-{}.png", unix_seconds()));
        commands.spawn(Screenshot::primary_window()).observe(
            move |captured: On<'_, '_, ScreenshotCaptured>, mut saying: ResMut<'_, Saying>| {
                saying.say(match crate::shot::write(&captured.image, &path) {
                    Ok(()) => format!("saved {}", path.display()),
                    Err(why) => format!("the picture cannot be saved: {why}"),
                });
            },
        );
    }
    if !keys.just_pressed(KeyCode::KeyE) {
        return;
    }
    let Some(range) = marked.range() else {
        saying.say("nothing is marked: B marks the begin of a range, N its end");
        return;
    };
    let Some(recording) = recording else {
        saying.say(later(range, &moment, &choice, &streams));
        return;
    };
    if running.is_some() {
        saying.say("an export is running already");
        return;
    }
    let out = PathBuf::from(format!("send-learn-range-{}", unix_seconds()));
    match start(&recording.0, range, &out) {
        Ok(child) => {
            saying.say(format!("exporting {:.1} s to {}", range.1 - range.0, out.display()));
            commands.insert_resource(Running { child, out });
        }
        Err(why) => saying.say(format!("send-learn cannot be started: {why}")),
    }
}

/// What to do with a range of a take that is still being recorded.
fn later(range: (f64, f64), moment: &Moment, choice: &Choice, streams: &Query<'_, '_, &Stream>) -> String {
    let stream = streams.iter().find(|stream| choice.selected == Some(stream.identity())).or(streams.iter().next());
    let Some(stream) = stream else { return "there is no stream".into() };
    let shown = moment.now() - moment.behind();
    let rate = stream.description.sample_rate;
    let second = |at: f64| ((stream.shown() + (at - shown) * rate) / rate).max(0.0);
    let (from, to) = (second(range.0), second(range.1));
    format!("when the take is over:  send-learn export midi+audio TAKE --range {from:.3}..{to:.3}")
}

/// The program lies beside this one, or where the system looks for programs.
fn start(recording: &Path, range: (f64, f64), out: &Path) -> std::io::Result<Child> {
    let name = format!("send-learn{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(&name)).filter(|path| path.exists());
    Command::new(beside.unwrap_or_else(|| name.into()))
        .args(arguments(recording, range, out))
        // A person exports what they look at: their own.
        .arg("--own")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
}

/// Keeps the line true, and looks after an export that runs.
pub fn update(
    mut commands: Commands<'_, '_>,
    time: Res<'_, Time<Real>>,
    mut saying: ResMut<'_, Saying>,
    running: Option<ResMut<'_, Running>>,
    line: Single<'_, '_, (&mut Node, &Children), With<SayingLine>>,
    mut texts: Query<'_, '_, &mut Text>,
) {
    if let Some(mut running) = running
        && let Ok(Some(status)) = running.child.try_wait()
    {
        let mut said = String::new();
        if let Some(errors) = running.child.stderr.take() {
            // What it said is for a person; if it cannot be read, there is nothing to say.
            let _ = errors.take(MAX_SAID).read_to_string(&mut said);
        }
        saying.say(if status.success() {
            format!("exported to {}", running.out.display())
        } else {
            format!("the export failed: {}", said.lines().next_back().unwrap_or("it did not say why"))
        });
        commands.remove_resource::<Running>();
    }
    if saying.left > 0.0 {
        saying.left -= time.delta_secs();
    }
    let (mut node, children) = line.into_inner();
    show(&mut node, saying.left > 0.0);
    for child in children {
        if let Ok(mut text) = texts.get_mut(*child) {
            set(&mut text, &saying.words);
        }
    }
}

/// For names of files.
fn unix_seconds() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_range_is_handed_over_within_its_bounds() {
        let words = arguments(Path::new("day"), (1.23449, 20.00071), Path::new("out"));
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words.join(" "), "export midi+audio day --audio --range 1.235..20.000 --out out");
    }
}
