//! A small CLAP host: loads the real plugin and drives it block by block, as a DAW does.

mod events;
mod rack;

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use clack_extensions::audio_ports_config::{AudioPortsConfigBuffer, PluginAudioPortsConfig};
use clack_extensions::latency::PluginLatency;
use clack_extensions::params::{ParamInfoBuffer, ParamInfoFlags, PluginParams};
use clack_extensions::track_info::{HostTrackInfo, HostTrackInfoImpl, PluginTrackInfo, TrackInfo, TrackInfoWriter};
use clack_host::prelude::*;
use clack_host::process::StartedPluginAudioProcessor;
use clack_host::utils::{ClapId, Color};

use crate::audio::Audio;
use crate::score::{Event, Score};
pub use rack::{Block, Rack};

/// The effect, by its identity in CLAP.
pub const EFFECT: &str = "io.send-learn.send";

/// The instrument for MIDI alone, likewise.
pub const INSTRUMENT: &str = "io.send-learn.midi";

/// How the host of one plugin calls itself, and its version: people see it in the demo.
pub const DEMO_HOST: (&str, &str) = ("Send Learn Demo", env!("CARGO_PKG_VERSION"));

/// How the host of many plugins calls itself.
pub const TEST_HOST: (&str, &str) = ("Send Learn Test Host", env!("CARGO_PKG_VERSION"));

/// The colour of each of its tracks.
pub const COLOUR: (u8, u8, u8) = (226, 122, 63);

/// What is played.
#[derive(Clone, Debug)]
pub struct Music {
    /// The sound; its rate is the host's.
    pub audio: Audio,
    /// MIDI and transport; without one the transport stands still.
    pub score: Option<Score>,
    /// Parameter values, in the order of time.
    pub automation: Vec<AutomationPoint>,
}

/// A parameter's value from a sample on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutomationPoint {
    /// From where it holds.
    pub sample: u64,
    /// The parameter's identity.
    pub parameter: u32,
    /// In the parameter's unit.
    pub value: f64,
}

/// How it is played.
#[derive(Clone, Copy, Debug)]
pub struct Manner {
    /// Frames per block, at least 1.
    pub block: usize,
    /// 1 is real time, 2 twice as fast; infinity waits for nothing.
    pub speed: f64,
}

/// What came out of the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// Its sound.
    pub audio: Audio,
    /// Its MIDI.
    pub events: Vec<Event>,
}

/// A parameter of the plugin.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Its identity.
    pub id: u32,
    /// Its name.
    pub name: String,
    /// The least and the greatest value, in its unit.
    pub range: (f64, f64),
    /// Whether it is the bypass.
    pub bypass: bool,
}

/// A loaded plugin.
pub struct Plugin {
    instance: PluginInstance<Handlers>,
    // The library must outlive its instance, so it stands behind it.
    _library: PluginEntry,
}

impl Plugin {
    /// Loads the plugin `id` of the bundle at `path` onto a track called `track`.
    ///
    /// # Errors
    /// When it cannot be loaded or holds no such plugin.
    pub fn load(path: &Path, id: &str, track: &str) -> Result<Self> {
        let library = load_library(path).with_context(|| format!("cannot load {}", path.display()))?;
        Ok(Self { instance: instantiate(&library, DEMO_HOST, id, track)?, _library: library })
    }

    /// Its parameters.
    pub fn parameters(&mut self) -> Vec<Parameter> {
        let handle = self.instance.plugin_handle();
        let Some(parameters) = handle.get_extension::<PluginParams>() else { return Vec::new() };
        let describe = |index| {
            let mut buffer = ParamInfoBuffer::new();
            let info = parameters.get_info(&handle, index, &mut buffer)?;
            Some(Parameter {
                id: info.id.get(),
                name: String::from_utf8_lossy(info.name).into_owned(),
                range: (info.min_value, info.max_value),
                bypass: info.flags.contains(ParamInfoFlags::IS_BYPASS),
            })
        };
        (0..parameters.count(&handle)).filter_map(describe).collect()
    }

    /// Plays `music`: activates, processes all blocks, deactivates. `progress` is called after each block with the frames done.
    ///
    /// # Errors
    /// When the plugin refuses the layout, the rate or a block, or reports a latency.
    pub fn play(&mut self, music: &Music, manner: Manner, progress: &mut (dyn FnMut(usize) + Send)) -> Result<Outcome> {
        let hears = self.choose_layout(music.audio.channels)?;
        let configuration = PluginAudioConfiguration {
            sample_rate: f64::from(music.audio.rate),
            min_frames_count: 1,
            max_frames_count: manner.block as u32,
        };
        let stopped = self.instance.activate(|_, _| (), configuration).context("the plugin does not activate")?;
        let handle = self.instance.plugin_handle();
        let latency = handle.get_extension::<PluginLatency>().map_or(0, |latency| latency.get(&handle));
        let played = std::thread::scope(|scope| {
            let perform = || {
                let mut processor = stopped.start_processing().map_err(|_| anyhow!("the plugin does not start"))?;
                let outcome = play_blocks(&mut processor, (music, hears), manner, progress);
                anyhow::Ok((processor.stop_processing(), outcome))
            };
            let thread = std::thread::Builder::new().name("audio".to_owned()).spawn_scoped(scope, perform)?;
            thread.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        let (processor, outcome) = played?;
        self.instance.deactivate(processor);
        if latency != 0 {
            bail!("the plugin reports a latency of {latency} samples");
        }
        outcome
    }

    /// Chooses the layout of `channels`. Whether the plugin hears them: one for MIDI alone has no input.
    fn choose_layout(&mut self, channels: usize) -> Result<bool> {
        let handle = self.instance.plugin_handle();
        let layouts = handle.get_extension::<PluginAudioPortsConfig>().context("the plugin offers no layouts")?;
        for index in 0..layouts.count(&handle) {
            let mut buffer = AudioPortsConfigBuffer::new();
            let layout = layouts.get(&handle, index, &mut buffer).context("a layout without description")?;
            let count = |port: Option<u32>| port.is_none_or(|count| count == channels as u32);
            let (input, output) =
                (layout.main_input.map(|port| port.channel_count), layout.main_output.map(|port| port.channel_count));
            if count(input) && count(output) && output.is_some() {
                let id = layout.id;
                layouts.select(&handle, id).context("the plugin declines its own layout")?;
                return Ok(input.is_some());
            }
        }
        bail!("the plugin offers no layout of {channels} channels")
    }
}

/// An instance of the plugin `id` in a host of this name and version, on a track called `track`.
fn instantiate(library: &PluginEntry, (name, version): (&str, &str), id: &str, track: &str) -> Result<PluginInstance<Handlers>> {
    let host = HostInfo::new(name, "Send Learn", "https://send-learn.example", version)?;
    let factory = library.get_plugin_factory().context("it has no plugin factory")?;
    let known =
        factory.plugin_descriptors().any(|descriptor| descriptor.id().is_some_and(|known| known.to_bytes() == id.as_bytes()));
    if !known {
        bail!("the bundle holds no plugin {id}");
    }
    let name = track.as_bytes().to_vec();
    let id = std::ffi::CString::new(id)?;
    let mut instance = PluginInstance::<Handlers>::new(|()| Shared, |_| Track { name }, library, &id, &host)?;
    let handle = instance.plugin_handle();
    if let Some(track_info) = handle.get_extension::<PluginTrackInfo>() {
        track_info.changed(&handle);
    }
    Ok(instance)
}

#[allow(unsafe_code, reason = "loading a library runs its code")]
fn load_library(path: &Path) -> Result<PluginEntry> {
    // SAFETY: the bundle was built from this very repository; its initialisers are those of Rust's runtime and nice-plug.
    Ok(unsafe { PluginEntry::load(path) }?)
}

/// The audio thread: one call of `process` per block.
fn play_blocks(
    processor: &mut StartedPluginAudioProcessor<Handlers>,
    (music, hears): (&Music, bool),
    manner: Manner,
    progress: &mut (dyn FnMut(usize) + Send),
) -> Result<Outcome> {
    let Audio { rate, channels, .. } = music.audio;
    let frames = music.audio.frames();
    let (mut input_ports, mut output_ports) = (AudioPorts::with_capacity(channels, 1), AudioPorts::with_capacity(channels, 1));
    let mut input = vec![vec![0.0f32; manner.block]; channels];
    let mut output = vec![vec![0.0f32; manner.block]; channels];
    let mut heard = Outcome { audio: Audio { rate, channels, samples: Vec::with_capacity(frames * channels) }, events: Vec::new() };
    let begun = Instant::now();
    let mut start = 0;
    while start < frames {
        let length = manner.block.min(frames - start);
        for (frame, samples) in
            music.audio.samples[start * channels..(start + length) * channels].chunks_exact(channels).enumerate()
        {
            for (channel, sample) in samples.iter().enumerate() {
                input[channel][frame] = *sample;
            }
        }
        // Whatever the plugin leaves unwritten is then not mistaken for its output.
        output.iter_mut().for_each(|channel| channel.fill(9.0));

        let mut port = vec![AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(
                input.iter_mut().map(|channel| InputChannel::variable(&mut channel[..length])),
            ),
        }];
        port.truncate(usize::from(hears));
        let inputs = input_ports.with_input_buffers(port);
        let mut outputs = output_ports.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(output.iter_mut().map(|channel| &mut channel[..length])),
        }]);
        let incoming = events::of_block(music, start as u64..(start + length) as u64);
        let transport = music.score.as_ref().map(|score| events::transport(score, start as u64, 0));
        let mut listener = events::Listener { start: start as u64, heard: &mut heard.events };
        processor.process(
            &inputs,
            &mut outputs,
            &InputEvents::from_buffer(&incoming),
            &mut OutputEvents::from_buffer(&mut listener),
            Some(start as u64),
            transport.as_ref(),
        )?;
        heard.audio.samples.extend((0..length).flat_map(|frame| output.iter().map(move |channel| channel[frame])));
        start += length;
        progress(start);
        wait_until(begun, start as f64 / f64::from(rate) / manner.speed);
    }
    Ok(heard)
}

/// Sleeps until `seconds` after `begun`: what a sound card's clock does for a DAW.
fn wait_until(begun: Instant, seconds: f64) {
    let Some(left) = Duration::from_secs_f64(seconds).checked_sub(begun.elapsed()) else { return };
    if left > Duration::from_micros(500) {
        std::thread::sleep(left);
    }
}

struct Handlers;

impl HostHandlers for Handlers {
    type Shared<'a> = Shared;
    type MainThread<'a> = Track;
    type AudioProcessor<'a> = ();

    fn declare_extensions(extensions: &mut HostExtensions<'_, Self>, _: &Shared) {
        extensions.register::<HostTrackInfo>();
    }
}

struct Shared;

impl SharedHandler<'_> for Shared {
    fn request_restart(&self) {}
    fn request_process(&self) {}
    fn request_callback(&self) {}
}

struct Track {
    name: Vec<u8>,
}

impl MainThreadHandler<'_> for Track {}

impl HostTrackInfoImpl for Track {
    fn get<'a>(&'a self, writer: &mut TrackInfoWriter<'_, 'a>) {
        let (red, green, blue) = COLOUR;
        writer.set(&TrackInfo::new().with_name(Some(&self.name)).with_color(Some(Color { red, green, blue, alpha: 255 })));
    }
}

/// A parameter's identity as CLAP's type; `None` for the one that CLAP reserves.
fn clap_id(id: u32) -> Option<ClapId> {
    ClapId::from_raw(id)
}
