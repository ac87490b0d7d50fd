//! The plugin as hosts see it.

use std::sync::Arc;

use nice_plug::prelude::*;
use nice_plug_egui::EguiEditor;
use send_learn_protocol::record::EndReason;

use crate::capture::Captures;
use crate::clock;
use crate::editor::{self, Window};
use crate::instance::Instance;
use crate::midi::{self, RawMessage};
use crate::params::{ParameterWatch, SendParams};
use crate::transport::Observed;

/// Passes audio and MIDI through untouched, and captures both.
pub struct SendLearn {
    // Dropped first: the take ends before the stream that carries it is released.
    captures: Option<Captures>,
    watch: ParameterWatch,
    instance: Arc<Instance>,
}

impl Default for SendLearn {
    fn default() -> Self {
        let instance = Instance::new(Arc::new(SendParams::default()));
        Self { captures: None, watch: ParameterWatch::default(), instance }
    }
}

const fn layout(channels: u32, name: &'static str) -> AudioIOLayout {
    AudioIOLayout {
        main_input_channels: NonZeroU32::new(channels),
        main_output_channels: NonZeroU32::new(channels),
        names: PortNames { layout: Some(name), ..PortNames::const_default() },
        ..AudioIOLayout::const_default()
    }
}

impl Plugin for SendLearn {
    const NAME: &'static str = "Send Learn";
    const VENDOR: &'static str = "Send Learn";
    const URL: &'static str = "";
    const EMAIL: &'static str = "";
    const VERSION: &'static str = env!("CARGO_PKG_VERSION");
    // No sidechain: with one, VST3 hosts are refused mono and 5.1.
    const AUDIO_IO_LAYOUTS: &'static [AudioIOLayout] = &[layout(2, "Stereo"), layout(1, "Mono"), layout(6, "5.1")];
    const MIDI_INPUT: MidiConfig = MidiConfig::MidiCCs;
    // Hosts expect a plugin with MIDI output to send on what it gets.
    const MIDI_OUTPUT: MidiConfig = MidiConfig::MidiCCs;
    const SAMPLE_ACCURATE_AUTOMATION: bool = true;

    type Editor = EguiEditor<Window>;
    type SysExMessage = RawMessage;
    type BackgroundTask = ();

    fn params(&self) -> Arc<dyn Params> {
        self.instance.params.clone()
    }

    fn editor(&mut self, _executor: AsyncExecutor<Self>) -> Option<Self::Editor> {
        editor::create(self.instance.clone())
    }

    fn activate(&mut self, layout: &AudioIOLayout, buffer: &BufferConfig, context: &mut impl ActivateContext<Self>) -> bool {
        self.deactivate();
        context.set_latency_samples(0);
        // The first reading of the clock may ask the system where the vDSO is.
        let _ = clock::now();
        self.watch = ParameterWatch::default();
        self.captures = self.instance.activate(layout, buffer, context.plugin_api());
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
        let wanted = params.wanted(self.instance.withholds_private());
        capture.begin(buffer.samples() as u32, clock::now(), &Observed::from_host(context.transport()), wanted);
        if capture.is_open() {
            self.watch.capture(params, capture);
        }
        while let Some(event) = context.next_event() {
            midi::capture(capture, &event);
            let _ = context.try_send_event(event);
        }
        capture.end(buffer.as_slice_immutable());
        ProcessStatus::Normal
    }
}

impl ClapPlugin for SendLearn {
    const CLAP_ID: &'static str = "io.send-learn.send";
    const CLAP_DESCRIPTION: Option<&'static str> = Some("Sends what a track plays to a receiver that records it");
    const CLAP_MANUAL_URL: Option<&'static str> = None;
    const CLAP_SUPPORT_URL: Option<&'static str> = None;
    const CLAP_FEATURES: &'static [ClapFeature] = &[
        ClapFeature::AudioEffect,
        ClapFeature::NoteEffect,
        ClapFeature::Utility,
        ClapFeature::Analyzer,
        ClapFeature::Stereo,
        ClapFeature::Mono,
        ClapFeature::Surround,
    ];
}

impl Vst3Plugin for SendLearn {
    const VST3_CLASS_ID: [u8; 16] = *b"SendLearnSender1";
    const VST3_SUBCATEGORIES: &'static [Vst3SubCategory] = &[Vst3SubCategory::Fx, Vst3SubCategory::Tools];
}
