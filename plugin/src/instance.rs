//! One plugin instance outside of the audio thread: its identity, its stream, and what its window shows and does.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Weak};

use nice_plug::prelude::{AudioIOLayout, BufferConfig, PluginApi, ProcessMode};
use parking_lot::Mutex;
use send_learn_discovery::Found;
use send_learn_protocol::packet::hello::{Description, PropertyKey};
use send_learn_protocol::secure::Key;
use send_learn_protocol::sender::SendMode;

use crate::address::{AUTOMATIC, LAST_RESORT};
use crate::capture::{Capture, CaptureConfig, Captures, Succession, capture};
use crate::identity::{self, Application, Claim, OFFLINE_VARIABLE};
use crate::params::SendParams;
use crate::report::{Report, Sought, Tested};
use crate::settings::{Privately, Settings, SettingsError, Statement};
use crate::uplink::{Fact, StreamHandle, TakeConfig, Uplink};

/// All of this process: what is said everywhere holds for each of them.
static INSTANCES: Mutex<Vec<Weak<Instance>>> = Mutex::new(Vec::new());

/// What an activation agreed on, and what was said when its newest take began.
struct Active {
    config: CaptureConfig,
    api: PluginApi,
    stated: Statement,
}

/// For what a statement holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every track on this computer that has none of its own.
    Everywhere,
    /// The track of this instance; the project keeps it.
    Track,
}

/// Shared by the audio thread's half, which only starts takes with it, and the window. Nothing here happens before the
/// host activates the plugin or a person presses a button.
pub struct Instance {
    /// What the project saves.
    pub params: Arc<SendParams>,
    stream: Mutex<Option<StreamHandle>>,
    claim: Mutex<Option<Claim>>,
    active: Mutex<Option<Active>>,
    succession: Succession,
    offline: AtomicBool,
    watched: AtomicBool,
    withhold_private: AtomicBool,
    trouble: Mutex<String>,
    /// The track's name, as the host told it; empty where it did not. A project's state may bring that of another track, of which
    /// this one is a duplicate.
    told: Mutex<String>,
    /// The track's colour, as `#rrggbb`; empty where the host tells none.
    colour: Mutex<String>,
}

impl Instance {
    /// An instance that has done nothing yet.
    pub fn new(params: Arc<SendParams>) -> Arc<Self> {
        let instance = Arc::new(Self {
            params,
            stream: Mutex::new(None),
            claim: Mutex::new(None),
            active: Mutex::new(None),
            succession: Succession::default(),
            offline: AtomicBool::new(false),
            watched: AtomicBool::new(false),
            withhold_private: AtomicBool::new(false),
            trouble: Mutex::new(String::new()),
            told: Mutex::new(String::new()),
            colour: Mutex::new(String::new()),
        });
        let mut instances = INSTANCES.lock();
        instances.retain(|instance| instance.strong_count() > 0);
        instances.push(Arc::downgrade(&instance));
        instance
    }

    /// The host activates the plugin: a new take, or none for an offline render that nobody asked to capture.
    pub fn activate(&self, layout: &AudioIOLayout, buffer: &BufferConfig, api: PluginApi) -> Option<Captures> {
        self.deactivate();
        let offline = buffer.process_mode == ProcessMode::Offline;
        // Some hosts render faster than time without saying so; whoever sets the variable says it for them.
        let told = std::env::var(OFFLINE_VARIABLE).is_ok_and(|on| on == "1");
        self.heed(Settings::load().unwrap_or_else(|_| Settings::cautious()).private);
        self.watched.store(api == PluginApi::Vst3 && !told, Ordering::Relaxed);
        let wanted = !offline || api == PluginApi::Vst3 || told || self.params.offline.value();
        let patient = told || (offline && self.params.offline.value());
        self.note_render(!wanted);
        if !wanted {
            return None;
        }
        let channels = layout.main_input_channels.map_or(0, |channels| channels.get() as u16);
        let config =
            CaptureConfig { sample_rate: f64::from(buffer.sample_rate), channels, max_block: buffer.max_buffer_size, patient };
        let stated = self.statement();
        let (captures, spent) = Captures::new(self.begin(&config, api, &stated)?);
        *self.active.lock() = Some(Active { config, api, stated });
        self.with_stream(|stream| stream.end_spent(spent)).map(|()| captures)
    }

    /// The host deactivates the plugin.
    pub fn deactivate(&self) {
        *self.active.lock() = None;
        self.succession.withdraw();
    }

    /// Where the audio thread finds the capture of another take, between two blocks.
    pub fn succession(&self) -> &Succession {
        &self.succession
    }

    /// What the person says of this track: its own statement, or the one for all.
    pub fn statement(&self) -> Statement {
        let own = self.params.statement.read().clone();
        own.unwrap_or_else(|| Settings::load().unwrap_or_else(|_| Settings::cautious()).statement)
    }

    /// A person says what may be done with what is played, and what becomes of what is private, which holds everywhere. Where
    /// a take runs that was begun under other words, another take begins with the next block.
    ///
    /// # Errors
    /// [`SettingsError`] when it cannot be kept. Nothing has changed then.
    pub fn state(&self, statement: Statement, scope: Scope, private: Privately) -> Result<(), SettingsError> {
        let everywhere = (scope == Scope::Everywhere).then(|| statement.clone());
        Settings::change(|settings| {
            settings.asked = true;
            settings.private = private;
            if let Some(statement) = everywhere {
                settings.statement = statement;
            }
        })?;
        *self.params.statement.write() = (scope == Scope::Track).then_some(statement);
        self.restate();
        let others: Vec<Arc<Self>> = INSTANCES.lock().iter().filter_map(Weak::upgrade).collect();
        for instance in others {
            instance.heed(private);
            instance.restate();
        }
        Ok(())
    }

    fn heed(&self, private: Privately) {
        self.withhold_private.store(private == Privately::Withhold, Ordering::Relaxed);
    }

    /// Each recording says what held when it was played: when that changes, another take begins.
    fn restate(&self) {
        let mut active = self.active.lock();
        let Some(active) = active.as_mut() else { return };
        let statement = self.statement();
        if active.stated != statement
            && let Some(capture) = self.begin(&active.config, active.api, &statement)
        {
            self.succession.offer(Box::new(capture));
            active.stated = statement;
        }
    }

    fn begin(&self, config: &CaptureConfig, api: PluginApi, stated: &Statement) -> Option<Capture> {
        let (audio, captured) = capture(*config);
        let mut description = self.describe(config, api);
        stated.state(&mut description);
        let mode = if config.patient { SendMode::Fast } else { SendMode::Live };
        let take = TakeConfig { description, parameters: self.params.names(), mode };
        self.with_stream(|stream| stream.start(take, captured)).map(|()| audio)
    }

    /// The host told the track's name. Empty ones are ignored: some hosts send them over good ones.
    pub fn set_name(&self, name: &str) {
        if name.is_empty() {
            return;
        }
        let before = self.name();
        name.clone_into(&mut self.told.lock());
        name.clone_into(&mut self.params.name.write());
        if before != name {
            self.tell(Fact::Property(PropertyKey::NAME, name.to_owned()));
        }
    }

    /// The host told the track's colour.
    pub fn set_colour(&self, (red, green, blue): (u8, u8, u8)) {
        let colour = format!("#{red:02x}{green:02x}{blue:02x}");
        if std::mem::replace(&mut *self.colour.lock(), colour.clone()) != colour {
            self.tell(Fact::Property(PropertyKey::COLOUR, colour));
        }
    }

    /// The track's colour, as `#rrggbb`; empty where the host tells none.
    pub fn colour(&self) -> String {
        self.colour.lock().clone()
    }

    /// A person calls lane `lane`, which counts from 0, by another name.
    pub fn set_lane_name(&self, lane: usize, name: &str) {
        name.trim().clone_into(&mut self.params.lane_names.write()[lane]);
        self.tell(Fact::Parameter(SendParams::lane_number(lane), self.params.lane_name(lane)));
    }

    fn tell(&self, fact: Fact) {
        if let Some(stream) = self.stream.lock().as_ref() {
            stream.tell(fact);
        }
    }

    /// The stream's name.
    pub fn name(&self) -> String {
        let told = self.told.lock().clone();
        let name = if told.is_empty() { self.params.name.read().clone() } else { told };
        if name.is_empty() { identity::default_name() } else { name }
    }

    /// The receiver's address.
    pub fn server(&self) -> String {
        identity::server(&self.params.server.read())
    }

    /// The receivers of this network. They are searched for from the first call of this on: a person wants to see them.
    pub fn look(&self) -> Sought {
        self.with_stream(|stream| stream.uplink().look()).unwrap_or_default()
    }

    /// A person chose a receiver that was found: it is for all instances without an address of their own, and for new ones.
    pub fn choose(&self, found: &Found) {
        AUTOMATIC.clone_into(&mut self.params.server.write());
        // Where it cannot be kept for new instances, it holds as long as this process.
        let _ = Settings::change(|settings| {
            settings.server.clear();
            settings.receiver = found.receiver.to_string();
        });
        self.with_stream(|stream| {
            stream.set_address(AUTOMATIC);
            stream.uplink().prefer(found.receiver);
        });
    }

    /// A person typed an address: it is for this instance, and for new ones. Without one, a receiver is searched for.
    pub fn set_server(&self, address: &str) {
        let address = address.trim();
        address.clone_into(&mut self.params.server.write());
        // Where it cannot be kept for new instances, the project still has it.
        let _ = Settings::change(|settings| address.clone_into(&mut settings.server));
        if let Some(stream) = self.stream.lock().as_ref() {
            stream.set_address(&self.server());
        }
    }

    /// A person entered the key of the studio: it is for all programs of this machine.
    ///
    /// # Errors
    /// In words, why it is not kept. Nothing has changed then.
    pub fn set_key(&self, text: &str) -> Result<(), String> {
        let key = text.parse::<Key>().map_err(|error| error.to_string())?;
        send_learn_key::file().and_then(|file| send_learn_key::save(&file, &key)).map_err(|error| error.to_string())?;
        self.reconnect();
        Ok(())
    }

    /// Asks for a new session at once. The address is looked up again, and so is the key.
    pub fn reconnect(&self) {
        if let Some(stream) = self.stream.lock().as_ref() {
            stream.uplink().set_key(send_learn_key::machine());
            stream.set_address(&self.server());
        }
    }

    /// Asks whether a receiver answers at `address`; without one, where the stream goes now.
    pub fn test(&self, address: &str) -> Option<Arc<Mutex<Tested>>> {
        let now = || self.report().and_then(|report| report.address).unwrap_or(LAST_RESORT).to_string();
        let address = if address.trim().is_empty() { &now() } else { address };
        self.with_stream(|stream| stream.uplink().test(address))
    }

    /// State and counters of the stream; `None` before the first activation.
    pub fn report(&self) -> Option<Report> {
        self.stream.lock().as_ref().map(StreamHandle::report)
    }

    /// Whether the pace of the host's blocks says if it renders: see [`Pace`](crate::pace::Pace).
    pub fn is_watched(&self) -> bool {
        self.watched.load(Ordering::Relaxed)
    }

    /// An offline render that is not captured is going on, or not. The audio thread may say so.
    pub fn note_render(&self, goes_on: bool) {
        self.offline.store(goes_on, Ordering::Relaxed);
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
        let host = Application::current();
        description.set_property(PropertyKey::HOST, &host.name);
        if !host.version.is_empty() {
            description.set_property(PropertyKey::HOST_VERSION, &host.version);
        }
        let colour = self.colour();
        if !colour.is_empty() {
            description.set_property(PropertyKey::COLOUR, &colour);
        }
        description.set_property(PropertyKey::FORMAT, &api.to_string());
        description.set_property(PropertyKey::SENDER_VERSION, env!("CARGO_PKG_VERSION"));
        description.set_property(PropertyKey::MACHINE, &identity::machine_name());
        description
    }
}
