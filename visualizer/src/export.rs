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
use send_learn_protocol::units::StreamId;

use crate::choice::Choice;
use crate::hud::timeline::Marked;
use crate::hud::{Typeface, set, show};
use crate::moment::Moment;
use crate::source::replay::Recorded;
use crate::stream::Stream;
use crate::theme::{Fill, Stroke, Tint};

/// How long the words stay, in seconds.
const STAY: f32 = 8.0;
/// The most that is read of what the program says, in bytes.
const MAX_SAID: u64 = 4_096;

/// The recording that is replayed.
#[derive(Resource, Clone, Debug, PartialEq)]
pub struct Recording {
    /// Where it lies.
    pub path: PathBuf,
    /// Its takes.
    pub takes: Vec<Recorded>,
}

impl Recording {
    /// The take of `stream` that has the most of a range, and the range in its own seconds.
    fn take_of(&self, stream: StreamId, (from, to): (f64, f64)) -> Option<(&Path, (f64, f64))> {
        let within = |take: &Recorded| (from.max(take.span.start), to.min(take.span.end));
        let length = |take: &Recorded| within(take).1 - within(take).0;
        let its = self.takes.iter().filter(|take| take.stream == stream && length(take) > 0.0);
        let take = its.max_by(|one, other| length(one).total_cmp(&length(other)))?;
        let (from, to) = within(take);
        Some((&take.path, (from - take.span.start, to - take.span.start)))
    }
}

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

/// A range in words, rounded inwards, so that it lies within the recording.
fn bounds(range: (f64, f64)) -> [String; 2] {
    let (from, to) = ((range.0 * 1_000.0).ceil() / 1_000.0, (range.1 * 1_000.0).floor() / 1_000.0);
    [format!("{from:.3}"), format!("{to:.3}")]
}

/// The arguments with which `send-learn` exports `range` (seconds) of `recording` into `out`.
pub fn arguments(recording: &Path, range: (f64, f64), out: &Path) -> Vec<OsString> {
    let range = bounds(range).join("..");
    let words: [OsString; 9] = [
        "export".into(),
        "midi+audio".into(),
        recording.into(),
        "--audio".into(),
        "--range".into(),
        range.into(),
        "--out".into(),
        out.into(),
        // A person exports what they look at: their own.
        "--own".into(),
    ];
    words.into()
}

/// The arguments with which `send-learn` draws `range` (seconds) of a take into `out`.
pub fn picture_arguments(take: &Path, range: (f64, f64), out: &Path) -> Vec<OsString> {
    let [from, to] = bounds(range);
    let words: [OsString; 8] =
        ["plot".into(), take.into(), "--from".into(), from.into(), "--to".into(), to.into(), "--output".into(), out.into()];
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

/// `E` exports the marked range, `G` draws it for one stream, `K` saves a picture of what is shown.
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
    let draws = keys.just_pressed(KeyCode::KeyG);
    if !draws && !keys.just_pressed(KeyCode::KeyE) {
        return;
    }
    let Some(range) = marked.range() else {
        saying.say("nothing is marked: B marks the begin of a range, N its end");
        return;
    };
    let stream = streams.iter().find(|stream| choice.selected == Some(stream.identity()));
    let stream = stream.or_else(|| streams.iter().next().filter(|_| streams.iter().len() == 1));
    let Some(recording) = recording else {
        saying.say(later(range, &moment, stream.or(streams.iter().next()), draws));
        return;
    };
    if running.is_some() {
        saying.say("an export is running already");
        return;
    }
    let (arguments, out) = if draws {
        let Some(stream) = stream else {
            saying.say("no stream is selected: Tab selects one, and G draws its range");
            return;
        };
        let Some((take, range)) = recording.take_of(stream.description.stream, range) else {
            saying.say(format!("{} has nothing in this range", choice.name(stream)));
            return;
        };
        let out = PathBuf::from(format!("send-learn-range-{}.png", unix_seconds()));
        (picture_arguments(take, range, &out), out)
    } else {
        let out = PathBuf::from(format!("send-learn-range-{}", unix_seconds()));
        (arguments(&recording.path, range, &out), out)
    };
    match start(&arguments) {
        Ok(child) => {
            saying.say(format!("exporting {:.1} s to {}", range.1 - range.0, out.display()));
            commands.insert_resource(Running { child, out });
        }
        Err(why) => saying.say(format!("send-learn cannot be started: {why}")),
    }
}

/// What to do with a range of a take that is still being recorded.
fn later(range: (f64, f64), moment: &Moment, stream: Option<&Stream>, draws: bool) -> String {
    let Some(stream) = stream else { return "there is no stream".into() };
    let shown = moment.now() - moment.behind();
    let rate = stream.description.sample_rate;
    let second = |at: f64| ((stream.shown() + (at - shown) * rate) / rate).max(0.0);
    let (from, to) = (second(range.0), second(range.1));
    match draws {
        true => format!("when the take is over:  send-learn plot TAKE --from {from:.3} --to {to:.3} -o take.png"),
        false => format!("when the take is over:  send-learn export midi+audio TAKE --range {from:.3}..{to:.3}"),
    }
}

/// The program lies beside this one, or where the system looks for programs.
fn start(arguments: &[OsString]) -> std::io::Result<Child> {
    let name = format!("send-learn{}", std::env::consts::EXE_SUFFIX);
    let beside = std::env::current_exe().ok().map(|own| own.with_file_name(&name)).filter(|path| path.exists());
    Command::new(beside.unwrap_or_else(|| name.into()))
        .args(arguments)
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
    fn a_range_is_drawn_of_the_take_that_has_the_most_of_it() {
        let (bass, drums) = (StreamId([1; 16]), StreamId([2; 16]));
        let take = |stream, path: &str, span| Recorded { stream, path: path.into(), span };
        let takes = vec![take(bass, "one", 0.0..10.0), take(bass, "two", 11.5..20.0), take(drums, "three", 0.0..20.0)];
        let recording = Recording { path: "day".into(), takes };
        assert_eq!(recording.take_of(bass, (9.0, 14.5)), Some((Path::new("two"), (0.0, 3.0))));
        assert_eq!(recording.take_of(bass, (10.5, 11.0)), None);
        let words = picture_arguments(Path::new("two"), (0.0, 3.0), Path::new("out.png"));
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words.join(" "), "plot two --from 0.000 --to 3.000 --output out.png");
    }

    #[test]
    fn a_range_is_handed_over_within_its_bounds() {
        let words = arguments(Path::new("day"), (1.23449, 20.00071), Path::new("out"));
        let words: Vec<_> = words.iter().map(|word| word.to_string_lossy().into_owned()).collect();
        assert_eq!(words.join(" "), "export midi+audio day --audio --range 1.235..20.000 --out out --own");
    }
}
