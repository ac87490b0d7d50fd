//! The plugin's window without a host: fed with a tone in real time, or in one of its states, made up.
//!
//!     cargo run -p send-learn-plugin --example window [-- idle] [capture-is-off] [is-private]
//!     cargo run -p send-learn-plugin --example window -- live          (or another name of `Stage`)

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::EditorHandle;
use nice_plug::prelude::*;
use nice_plug_egui::EguiEditorHandle;
use send_learn_plugin::capture::Captures;
use send_learn_plugin::editor::Window;
use send_learn_plugin::editor::stages::Stage;
use send_learn_plugin::instance::Instance;
use send_learn_plugin::params::SendParams;
use send_learn_plugin::plugin::SendLearn;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::{clock, editor};
use send_learn_protocol::record::MidiKind;

const RATE: f32 = 48_000.0;
const BLOCK: u32 = 480;

/// A host that does what the window asks, and no more.
struct NoHost;

#[allow(unsafe_code, reason = "the trait's methods are unsafe")]
impl GuiContextInner for NoHost {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Standalone
    }

    unsafe fn raw_begin_set_parameter(&self, _: ParamPtr) {}

    unsafe fn raw_set_parameter_normalized(&self, param: ParamPtr, value: f32) {
        // SAFETY: the parameters live as long as the instance, which outlives its window.
        unsafe { param._internal_set_normalized_value(value) };
    }

    unsafe fn raw_end_set_parameter(&self, _: ParamPtr) {}

    fn get_state(&self) -> PluginState {
        PluginState { version: String::new(), params: Default::default(), fields: Default::default() }
    }

    fn set_state(&self, _: PluginState) {}

    fn request_restart(&self) {}
}

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let asked = |word: &str| arguments.iter().any(|argument| argument == word);
    let host = GuiContext::new(Arc::new(NoHost));
    if let Some(stage) = Stage::ALL.into_iter().find(|stage| asked(stage.name())) {
        return show(stage.window(), host);
    }
    let instance = Instance::new(Arc::new(SendParams::default()));
    instance.set_name("Lead Guitar");
    for (word, param, on) in [("capture-is-off", &instance.params.capture, false), ("is-private", &instance.params.private, true)] {
        if asked(word) {
            host.param_setter().set_parameter(param, on);
        }
    }
    if !asked("idle") {
        let buffer =
            BufferConfig { sample_rate: RATE, min_buffer_size: None, max_buffer_size: BLOCK, process_mode: ProcessMode::Realtime };
        let captures = instance.activate(&SendLearn::AUDIO_IO_LAYOUTS[0], &buffer, PluginApi::Standalone);
        let captures = captures.ok_or_else(|| anyhow::anyhow!("{}", instance.trouble()))?;
        let playing = instance.clone();
        std::thread::Builder::new().name("tone".to_owned()).spawn(move || play(&playing, captures))?;
    }
    show(Window::new(instance, SendLearn::NAME), host)
}

fn show(window: Window, host: GuiContext) -> anyhow::Result<()> {
    let editor = editor::create_with(window).ok_or_else(|| anyhow::anyhow!("no editor"))?;
    let window = editor.spawn(None, false, None, host, None);
    let window = window.map_err(|error| anyhow::anyhow!("no window: {error}"))?.window;
    EguiEditorHandle::run_until_closed(window).map_err(|error| anyhow::anyhow!("the window failed: {error}"))
}

fn play(instance: &Instance, mut captures: Captures) {
    let start = Instant::now();
    for position in (0..).step_by(BLOCK as usize) {
        captures.follow(instance.succession());
        let capture = captures.current();
        let due = start + Duration::from_secs_f64(position as f64 / f64::from(RATE));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let tone = |n: u64, hertz: f32| 0.4 * (TAU * hertz * (n % 48_000) as f32 / RATE).sin();
        let channel = |hertz: f32| (position..position + u64::from(BLOCK)).map(|n| tone(n, hertz)).collect::<Vec<f32>>();
        capture.begin(BLOCK, clock::now(), &Observed::default(), instance.params.wanted(instance.withholds_private()));
        if position.is_multiple_of(12_000) {
            capture.midi(0, MidiKind::Message, [0x90, 60, 100], -1, 0.0);
        }
        capture.end(&[channel(220.0), channel(331.0)]);
    }
}
