//! The two plugins as hosts see them: "Send Learn", an effect, and "Send Learn MIDI", an instrument without a sound for hosts that
//! give effects no MIDI. Both are the same code.

use std::marker::PhantomData;
use std::sync::Arc;

use nice_plug::prelude::*;
use nice_plug_egui::EguiEditor;
use send_learn_protocol::record::EndReason;

use crate::capture::{Captures, Pause, Wanted};
use crate::clock;
use crate::editor::{self, Window};
use crate::instance::Instance;
use crate::midi::{self, RawMessage};
use crate::pace::Pace;
use crate::params::{ParameterWatch, SendParams};
use crate::transport::Observed;

/// The audio effect: passes audio and MIDI through untouched, and captures both.
pub type SendLearn = Tap<Effect>;

/// The instrument and note effect: passes MIDI through untouched, captures it, and plays silence.
pub type SendLearnMidi = Tap<Instrument>;

/// What tells one plugin from the other.
pub trait Role: Send + 'static {
    /// As hosts list it.
    const NAME: &'static str;
    /// Audio in and out. A layout without input is one of MIDI alone.
    const LAYOUTS: &'static [AudioIOLayout];
    /// CLAP's identity.
    const CLAP_ID: &'static str;
    /// One line for CLAP hosts.
    const ABOUT: &'static str;
    /// Where CLAP hosts list it.
    const CLAP_FEATURES: &'static [ClapFeature];
    /// VST3's identity.
    const VST3_ID: [u8; 16];
    /// Where VST3 hosts list it.
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory];
}

/// [`SendLearn`]'s.
#[derive(Debug)]
pub struct Effect;

/// [`SendLearnMidi`]'s.
#[derive(Debug)]
pub struct Instrument;

const fn layout(channels: u32, name: &'static str) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: NonZeroU32::new(channels),
        main_output_channels: NonZeroU32::new(channels),
        names: PortNames { layout: Some(name), ..PortNames::const_default() },
        ..AudioIOLayout::const_default()
    }
}

const SILENT: AudioIOLayout = AudioIOLayout { main_input_channels: None, ..layout(2, "Silent stereo") };

impl Role for Effect {
    const NAME: &'static str = "Send Learn";
    // No sidechain: with one, VST3 hosts are refused mono and 5.1.
    const LAYOUTS: &'static [AudioIOLayout] = &[
        layout(2, "Stereo"),
        layout(1, "Mono"),
        layout(6, "5.1"),
        layout(3, "LCR"),
        layout(4, "Quad"),
        layout(5, "5.0"),
        layout(7, "7.0"),
        layout(8, "7.1"),
        layout(10, "7.1.2"),
        layout(12, "7.1.4"),
        layout(16, "Ambisonics of order 3"),
    ];
    const CLAP_ID: &'static str = "io.send-learn.send";
    const ABOUT: &'static str = "Sends what a track plays to a receiver that records it";
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::AudioEffect,
        ClapFeature::NoteEffect,
        ClapFeature::Utility,
        ClapFeature::Analyzer,
        ClapFeature::Stereo,
        ClapFeature::Mono,
        ClapFeature::Surround,
        ClapFeature::Ambisonic,
    ];
    const VST3_ID: [u8; 16] = *b"SendLearnSender1";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Fx, Vst3SubCategory::Tools];
}

impl Role for Instrument {
    const NAME: &'static str = "Send Learn MIDI";
    // Some hosts refuse plugins without an output.
    const LAYOUTS: &'static [AudioIOLayout] = &[SILENT];
    const CLAP_ID: &'static str = "io.send-learn.midi";
    const ABOUT: &'static str = "Sends the MIDI of a track to a receiver that records it; plays silence";
    const CLAP_FEATURES: &'static [ClapFeature] =
        &[ClapFeature::Instrument, ClapFeature::NoteEffect, ClapFeature::Utility, ClapFeature::Stereo];
    const VST3_ID: [u8; 16] = *b"SendLearnMidiIn1";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Instrument, Vst3SubCategory::Tools];
}

/// A plugin: what it hears passes through untouched, and is captured.
pub struct Tap<R> {
    // Dropped first: the take ends before the stream that carries it is released.
    captures: Option<Captures>,
    watch: ParameterWatch,
    pace: Option<Pace>,
    instance: Arc<Instance>,
    role: PhantomData<R>,
}

impl<R> Default for Tap<R> {
    fn default() -> Self {
        let instance = Instance::new(Arc::new(SendParams::default()));
        Self { captures: None, watch: ParameterWatch::default(), pace: None, instance, role: PhantomData }
    }
}

impl<R: Role> Plugin for Tap<R> {
    const NAME: &'static str = R::NAME;
    const VENDOR: &'static str = "Send Learn";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = R::LAYOUTS;
    // Controllers come over VST3 through 2,080 hidden parameters, which some hosts need a minute to load.
    const MIDI_INPUT: MidiConfig = if cfg!(feature = "basic-midi") { MidiConfig::Basic } else { MidiConfig::MidiCCs };
    // Hosts expect a plugin with MIDI output to send on what it gets.
    const MIDI_OUTPUT: MidiConfig = Self::MIDI_INPUT;
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = EguiEditor<Window>;
    type SysExMessage = RawMessage;
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.instance.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::create(self.instance.clone(), R::NAME)
    }

    fn activate(&mut self, layout: &AudioIOLayout, buffer: &BufferConfig, context: &mut impl ActivateContext<Self>) -> bool {
        self.deactivate();
        context.set_latency_samples(0);
        // The first reading of the clock may ask the system where the vDSO is.
        let _ = clock::now();
        self.watch = ParameterWatch::default();
        self.captures = self.instance.activate(layout, buffer, context.plugin_api());
        self.pace = self.instance.is_watched().then(|| Pace::new(f64::from(buffer.sample_rate)));
        true
    }

    fn deactivate(&mut self) {
        self.instance.deactivate();
        if let Some(captures) = self.captures.take() {
            captures.finish(EndReason::Deactivated);
        }
    }

    fn process(
        &mut self,
        buffer: &mut Buffer<'_>,
        _aux: &mut AuxiliaryBuffers<'_>,
        context: &mut impl ProcessContext<Self>,
    ) -> ProcessStatus {
        #[cfg(feature = "deliberate-allocation")]
        std::hint::black_box(Vec::<u8>::with_capacity(buffer.samples()));
        let hears = R::LAYOUTS[0].main_input_channels.is_some();
        if !hears {
            // What an instrument finds in its output is anything.
            buffer.as_slice().iter_mut().for_each(|channel| channel.fill(0.0));
        }
        let Some(captures) = &mut self.captures else {
            while let Some(event) = context.next_event() {
                let _ = context.try_send_event(event);
            }
            return ProcessStatus::Normal;
        };
        if captures.follow(self.instance.succession()) {
            self.watch = ParameterWatch::default();
        }
        let capture = captures.current();
        let params = &self.instance.params;
        let (frames, now) = (buffer.samples() as u32, clock::now());
        let mut wanted = params.wanted(self.instance.withholds_private());
        if let Some(pace) = &mut self.pace {
            let skips = pace.note(now, frames) && !params.offline.value();
            self.instance.note_render(skips);
            wanted = if skips { Wanted::Skipped(Pause::Offline) } else { wanted };
        }
        capture.begin(frames, now, &Observed::from_host(context.transport()), wanted);
        if capture.is_open() {
            self.watch.capture(params, capture);
        }
        while let Some(event) = context.next_event() {
            midi::capture(capture, &event);
            let _ = context.try_send_event(event);
        }
        match hears {
            true => capture.end(buffer.as_slice_immutable()),
            false => capture.end::<&[f32]>(&[]),
        }
        ProcessStatus::Normal
    }
}

impl<R: Role> ClapPlugin for Tap<R> {
    const CLAP_ID: &'static str = R::CLAP_ID;
    const CLAP_DESCRIPTION: Option<&'static str> = Some(R::ABOUT);
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = R::CLAP_FEATURES;
}

impl<R: Role> Vst3Plugin for Tap<R> {
    const VST3_CLASS_ID: [u8; 16] = R::VST3_ID;
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = R::VST3_SUBCATEGORIES;
}
