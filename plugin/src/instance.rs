//! One plugin instance outside of the audio thread: its identity, its stream, and what its window shows and does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nice_plug::prelude::{AudioIOLayout, BufferConfig, PluginApi, ProcessMode};
use parking_lot::Mutex;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::sender::SendMode;

use crate::capture::{Capture, CaptureConfig, capture};
use crate::identity::{self, Claim, OFFLINE_VARIABLE, Settings};
use crate::params::SendParams;
use crate::report::{Report, Tested};
use crate::uplink::{StreamHandle, TakeConfig, Uplink};

/// The name of a stream whose track has none.
const NAMELESS: &str = "Track";

/// Shared by the audio thread's half, which only starts takes with it, and the window. Nothing here happens before the
/// host activates the plugin or a person presses a button.
pub struct Instance {
    /// What the project saves.
    pub params: Arc<SendParams>,
    stream: Mutex<Option<StreamHandle>>,
    claim: Mutex<Option<Claim>>,
    offline: AtomicBool,
    withhold_private: AtomicBool,
    trouble: Mutex<String>,
}

impl Instance {
    /// An instance that has done nothing yet.
    pub fn new(params: Arc<SendParams>) -> Self {
        Self {
            params,
            stream: Mutex::new(None),
            claim: Mutex::new(None),
            offline: AtomicBool::new(false),
            withhold_private: AtomicBool::new(false),
            trouble: Mutex::new(String::new()),
        }
    }

    /// The host activates the plugin: a new take, or none for an offline render that nobody asked to capture.
    pub fn activate(&self, layout: &AudioIOLayout, buffer: &BufferConfig, api: PluginApi) -> Option<Capture> {
        let offline = buffer.process_mode == ProcessMode::Offline;
        // Some hosts render faster than time without saying so; whoever sets the variable says it for them.
        let told = std::env::var(OFFLINE_VARIABLE).is_ok_and(|on| on == "1");
        self.withhold_private.store(Settings::load().withhold_private, Ordering::Relaxed);
        let wanted = !offline || told || self.params.offline.value();
        let patient = offline || told;
        self.offline.store(offline && !wanted, Ordering::Relaxed);
        if !wanted {
            return None;
        }
        let channels = layout.main_input_channels.map_or(0, |channels| channels.get() as u16);
        let config =
            CaptureConfig { sample_rate: f64::from(buffer.sample_rate), channels, max_block: buffer.max_buffer_size, patient };
        let (audio, captured) = capture(config);
        let take = TakeConfig {
            description: self.describe(&config, api),
            parameters: self.params.names(),
            mode: if patient { SendMode::Fast } else { SendMode::Live },
        };
        self.with_stream(|stream| stream.start(take, captured)).map(|()| audio)
    }

    /// The host told the track's name. Empty ones are ignored: some hosts send them over good ones.
    pub fn set_name(&self, name: &str) {
        if name.is_empty() || *self.params.name.read() == name {
            return;
        }
        name.clone_into(&mut self.params.name.write());
        if let Some(stream) = self.stream.lock().as_ref() {
            stream.rename(name);
        }
    }

    /// The stream's name.
    pub fn name(&self) -> String {
        let name = self.params.name.read().clone();
        if name.is_empty() { NAMELESS.to_owned() } else { name }
    }

    /// The receiver's address.
    pub fn server(&self) -> String {
        identity::server(&self.params.server.read())
    }

    /// A person typed an address: it is for this instance, and for new ones.
    pub fn set_server(&self, address: &str) {
        let address = address.trim();
        address.clone_into(&mut self.params.server.write());
        Settings { server: address.to_owned(), ..Settings::load() }.save();
        if let Some(stream) = self.stream.lock().as_ref() {
            stream.set_address(&self.server());
        }
    }

    /// Asks for a new session at once. The address is looked up again.
    pub fn reconnect(&self) {
        if let Some(stream) = self.stream.lock().as_ref() {
            stream.set_address(&self.server());
        }
    }

    /// Asks whether a receiver answers at `address`.
    pub fn test(&self, address: &str) -> Option<Arc<Mutex<Tested>>> {
        self.with_stream(|stream| stream.uplink().test(address))
    }

    /// State and counters of the stream; `None` before the first activation.
    pub fn report(&self) -> Option<Report> {
        self.stream.lock().as_ref().map(StreamHandle::report)
    }

    /// Whether an offline render is going on that is not captured.
    pub fn skips_offline(&self) -> bool {
        self.offline.load(Ordering::Relaxed)
    }

    /// Whether what is private does not leave this machine. The audio thread may ask.
    pub fn withholds_private(&self) -> bool {
        self.withhold_private.load(Ordering::Relaxed)
    }

    /// Why there is no uplink; empty when there is one or none was needed.
    pub fn trouble(&self) -> String {
        self.trouble.lock().clone()
    }

    fn with_stream<T>(&self, work: impl FnOnce(&StreamHandle) -> T) -> Option<T> {
        let mut stream = self.stream.lock();
        if stream.is_none() {
            match Uplink::acquire() {
                Ok(uplink) => *stream = Some(uplink.open(&self.server())),
                Err(error) => *self.trouble.lock() = format!("the system grants no thread or socket: {error}"),
            }
        }
        stream.as_ref().map(work)
    }

    fn describe(&self, config: &CaptureConfig, api: PluginApi) -> Description {
        let stream = {
            let mut claim = self.claim.lock();
            let saved = self.params.stream.read().clone();
            // A project that was just restored may have brought another identity.
            if claim.as_ref().is_none_or(|claim| claim.id().to_string() != saved) {
                *claim = None;
                *claim = Some(Claim::new(&saved));
            }
            claim.as_ref().map(Claim::id).unwrap_or_default()
        };
        *self.params.stream.write() = stream.to_string();
        let mut description = identity::new_take(stream, config);
        description.set_property(PropertyKey::NAME, &self.name());
        description.set_property(PropertyKey::HOST, &identity::program());
        description.set_property(PropertyKey::FORMAT, &api.to_string());
        description.set_property(PropertyKey::SENDER_VERSION, env!("CARGO_PKG_VERSION"));
        description.set_property(PropertyKey::MACHINE, &identity::machine_name());
        Settings::load().state(&mut description);
        description
    }
}
