//! The plugin's window without a host, fed with a tone in real time: to look at the layout.
//!
//!     cargo run -p send-learn-plugin --example window [-- idle]

use std::f32::consts::TAU;
use std::sync::Arc;
use std::time::{Duration, Instant};

use nice_plug::context::gui::GuiContext;
use nice_plug::editor::EditorHandle;
use nice_plug::prelude::*;
use nice_plug_egui::EguiEditorHandle;
use send_learn_plugin::capture::{Capture, Wanted};
use send_learn_plugin::instance::Instance;
use send_learn_plugin::params::SendParams;
use send_learn_plugin::plugin::SendLearn;
use send_learn_plugin::transport::Observed;
use send_learn_plugin::{clock, editor};
use send_learn_protocol::record::MidiKind;

const RATE: f32 = 48_000.0;
const BLOCK: u32 = 480;

/// A host that takes no automation.
struct NoHost;

#[allow(unsafe_code, reason = "the trait's methods are unsafe; these do nothing")]
impl GuiContextInner for NoHost {
    fn plugin_api(&self) -> PluginApi {
        PluginApi::Standalone
    }

    unsafe fn raw_begin_set_parameter(&self, _: ParamPtr) {}

    unsafe fn raw_set_parameter_normalized(&self, _: ParamPtr, _: f32) {}

    unsafe fn raw_end_set_parameter(&self, _: ParamPtr) {}

    fn get_state(&self) -> PluginState {
        PluginState { version: String::new(), params: Default::default(), fields: Default::default() }
    }

    fn set_state(&self, _: PluginState) {}

    fn request_restart(&self) {}
}

fn main() -> anyhow::Result<()> {
    let instance = Arc::new(Instance::new(Arc::new(SendParams::default())));
    instance.set_name("Lead Guitar");
    if std::env::args().nth(1).as_deref() != Some("idle") {
        let buffer =
            BufferConfig { sample_rate: RATE, min_buffer_size: None, max_buffer_size: BLOCK, process_mode: ProcessMode::Realtime };
        let capture = instance.activate(&SendLearn::AUDIO_IO_LAYOUTS[0], &buffer, PluginApi::Standalone);
        let capture = capture.ok_or_else(|| anyhow::anyhow!("{}", instance.trouble()))?;
        std::thread::Builder::new().name("tone".to_owned()).spawn(move || play(capture))?;
    }
    let editor = editor::create(instance).ok_or_else(|| anyhow::anyhow!("no editor"))?;
    let window = editor.spawn(None, false, None, GuiContext::new(Arc::new(NoHost)), None);
    let window = window.map_err(|error| anyhow::anyhow!("no window: {error}"))?.window;
    EguiEditorHandle::run_until_closed(window).map_err(|error| anyhow::anyhow!("the window failed: {error}"))
}

fn play(mut capture: Capture) {
    let start = Instant::now();
    loop {
        let position = capture.position().0;
        let due = start + Duration::from_secs_f64(position as f64 / f64::from(RATE));
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let tone = |n: u64, hertz: f32| 0.4 * (TAU * hertz * (n % 48_000) as f32 / RATE).sin();
        let channel = |hertz: f32| (position..position + u64::from(BLOCK)).map(|n| tone(n, hertz)).collect::<Vec<f32>>();
        capture.begin(BLOCK, clock::now(), &Observed::default(), Wanted::Captured);
        if position.is_multiple_of(12_000) {
            capture.midi(0, MidiKind::Message, [0x90, 60, 100], -1, 0.0);
        }
        capture.end(&[channel(220.0), channel(331.0)]);
    }
}
