//! Many instances in one process, driven one after another on one thread, as a DAW drives its tracks.

use std::io::Cursor;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clack_extensions::state::PluginState;
use clack_host::prelude::*;
use clack_host::process::StartedPluginAudioProcessor;

use super::{Handlers, TEST_HOST, instantiate, load_library};
use crate::score::Event;

/// Channels of each instance.
const CHANNELS: usize = 2;

/// What an instance plays in one go.
#[derive(Clone, Copy)]
pub struct Block<'a> {
    /// The host's sample counter at its begin.
    pub start: u64,
    /// Left and right.
    pub input: [&'a [f32]; CHANNELS],
    /// What happens within it.
    pub events: &'a EventBuffer,
}

/// A library and its instances.
pub struct Rack {
    // Dropped before the library.
    slots: Vec<Slot>,
    library: PluginEntry,
}

struct Slot {
    // Ended before its instance is dropped.
    processor: Option<StartedPluginAudioProcessor<Handlers>>,
    instance: PluginInstance<Handlers>,
    ports: (AudioPorts, AudioPorts),
    input: [Vec<f32>; CHANNELS],
    output: [Vec<f32>; CHANNELS],
    heard: Vec<Event>,
}

impl Rack {
    /// Loads the bundle at `path`; makes no instance yet.
    ///
    /// # Errors
    /// When it cannot be loaded.
    pub fn open(path: &Path) -> Result<Self> {
        let library = load_library(path).with_context(|| format!("cannot load {}", path.display()))?;
        Ok(Self { slots: Vec::new(), library })
    }

    /// Identities and names of the plugins in the bundle.
    pub fn plugins(&self) -> Vec<(String, String)> {
        let Some(factory) = self.library.get_plugin_factory() else { return Vec::new() };
        let text = |text: Option<&std::ffi::CStr>| text.map(|text| text.to_string_lossy().into_owned()).unwrap_or_default();
        factory.plugin_descriptors().map(|descriptor| (text(descriptor.id()), text(descriptor.name()))).collect()
    }

    /// Makes an instance of plugin `id` on a track called `track`. Gives its number.
    ///
    /// # Errors
    /// When the bundle holds no such plugin, or it cannot be made.
    pub fn add(&mut self, id: &str, track: &str) -> Result<usize> {
        self.slots.push(Slot {
            processor: None,
            instance: instantiate(&self.library, TEST_HOST, id, track)?,
            ports: (AudioPorts::with_capacity(CHANNELS, 1), AudioPorts::with_capacity(CHANNELS, 1)),
            input: Default::default(),
            output: Default::default(),
            heard: Vec::new(),
        });
        Ok(self.slots.len() - 1)
    }

    /// What a project would save of instance `slot`.
    ///
    /// # Errors
    /// When the plugin saves nothing.
    pub fn state(&mut self, slot: usize) -> Result<Vec<u8>> {
        let handle = self.slots[slot].instance.plugin_handle();
        let state = handle.get_extension::<PluginState>().context("the plugin has no state")?;
        let mut saved = Vec::new();
        state.save(&handle, &mut saved).context("the plugin saves no state")?;
        Ok(saved)
    }

    /// Gives instance `slot` what a project had saved.
    ///
    /// # Errors
    /// When the plugin does not take it.
    pub fn restore(&mut self, slot: usize, saved: &[u8]) -> Result<()> {
        let handle = self.slots[slot].instance.plugin_handle();
        let state = handle.get_extension::<PluginState>().context("the plugin has no state")?;
        state.load(&handle, &mut Cursor::new(saved)).context("the plugin does not take its state")
    }

    /// Activates instance `slot` in stereo, and starts it.
    ///
    /// # Errors
    /// When the plugin declines.
    pub fn activate(&mut self, slot: usize, rate: f64, block: usize) -> Result<()> {
        let slot = &mut self.slots[slot];
        let configuration = PluginAudioConfiguration { sample_rate: rate, min_frames_count: 1, max_frames_count: block as u32 };
        let stopped = slot.instance.activate(|_, _| (), configuration).context("the plugin does not activate")?;
        slot.processor = Some(stopped.start_processing().map_err(|_| anyhow!("the plugin does not start"))?);
        for channel in slot.input.iter_mut().chain(&mut slot.output) {
            channel.resize(block, 0.0);
        }
        Ok(())
    }

    /// Stops instance `slot`, if it runs.
    pub fn deactivate(&mut self, slot: usize) {
        let slot = &mut self.slots[slot];
        if let Some(processor) = slot.processor.take() {
            slot.instance.deactivate(processor.stop_processing());
        }
    }

    /// Plays a block through instance `slot`. Gives what came out: left and right, and MIDI by the block's own samples.
    ///
    /// # Errors
    /// When the instance does not run or the plugin refuses the block.
    pub fn play(&mut self, slot: usize, block: Block<'_>) -> Result<([&[f32]; CHANNELS], &[Event])> {
        let Slot { processor, ports, input, output, heard, .. } = &mut self.slots[slot];
        let Some(processor) = processor else { bail!("instance {slot} does not run") };
        let length = block.input[0].len();
        for (copy, original) in input.iter_mut().zip(block.input) {
            copy[..length].copy_from_slice(original);
        }
        // Whatever the plugin leaves unwritten is then not mistaken for its output.
        output.iter_mut().for_each(|channel| channel.fill(9.0));
        let inputs = ports.0.with_input_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_input_only(
                input.iter_mut().map(|channel| InputChannel::variable(&mut channel[..length])),
            ),
        }]);
        let mut outputs = ports.1.with_output_buffers([AudioPortBuffer {
            latency: 0,
            channels: AudioPortBufferType::f32_output_only(output.iter_mut().map(|channel| &mut channel[..length])),
        }]);
        heard.clear();
        let mut listener = super::events::Listener { start: 0, heard };
        processor.process(
            &inputs,
            &mut outputs,
            &InputEvents::from_buffer(block.events),
            &mut OutputEvents::from_buffer(&mut listener),
            Some(block.start),
            None,
        )?;
        let [left, right] = output;
        Ok(([&left[..length], &right[..length]], heard))
    }

    /// How many instances there are.
    pub fn len(&self) -> usize {
        self.slots.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.slots.is_empty()
    }

    /// Closes all instances.
    pub fn clear(&mut self) {
        (0..self.slots.len()).for_each(|slot| self.deactivate(slot));
        self.slots.clear();
    }
}

impl Drop for Rack {
    fn drop(&mut self) {
        self.clear();
    }
}
