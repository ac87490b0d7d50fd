//! What a person chose, kept from one start to the next: in `visualizer.toml` in the folder of settings.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

use bevy::prelude::*;
use serde::{Deserialize, Serialize};

use crate::choice::Choice;
use crate::hud::panel::Open;
use crate::theme::{Kind, Theme};

/// The file's name in the folder of settings.
const NAME: &str = "visualizer.toml";
/// Longer files are none of ours.
const MAX_FILE: u64 = 1 << 20;
/// How long changes are waited for before they are written, in seconds.
const PAUSE: f32 = 1.0;

/// What is kept.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Dark or light.
    pub theme: Kind,
    /// Whether the panel is open.
    pub panel: bool,
    /// What streams are called in this view, by their identities.
    pub names: BTreeMap<String, String>,
}

/// Why settings cannot be read or kept.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The system refused.
    #[error("cannot use the settings in {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What it said.
        source: io::Error,
    },
    /// They cannot be understood.
    #[error("the settings in {} cannot be read, the defaults hold: {why}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// Where the settings are kept, if the system has a place for them.
pub fn file() -> Option<PathBuf> {
    send_learn_key::folder().map(|folder| folder.join(NAME))
}

impl Settings {
    /// Reads them; the defaults where there is no file.
    ///
    /// # Errors
    /// [`SettingsError`] says why the defaults hold.
    pub fn load(path: &Path) -> Result<Self, SettingsError> {
        let error = |source| SettingsError::Io { path: path.to_owned(), source };
        let malformed = |why: String| SettingsError::Malformed { path: path.to_owned(), why };
        match fs::metadata(path) {
            Err(missing) if missing.kind() == ErrorKind::NotFound => return Ok(Self::default()),
            Err(other) => return Err(error(other)),
            Ok(found) if found.len() > MAX_FILE => return Err(malformed("it is too long".into())),
            Ok(_) => {}
        }
        let text = fs::read_to_string(path).map_err(error)?;
        toml::from_str(&text).map_err(|why| malformed(why.message().to_owned()))
    }

    /// Keeps them: whole, or as they were before.
    ///
    /// # Errors
    /// [`SettingsError::Io`].
    pub fn save(&self, path: &Path) -> Result<(), SettingsError> {
        let error = |source| SettingsError::Io { path: path.to_owned(), source };
        let text = toml::to_string(self).map_err(|why| error(io::Error::other(why)))?;
        let fresh = path.with_extension("toml.new");
        let write = || {
            path.parent().map_or(Ok(()), fs::create_dir_all)?;
            fs::write(&fresh, text)?;
            fs::rename(&fresh, path)
        };
        write().map_err(error)
    }
}

/// Keeps what is chosen in a file.
#[derive(Resource, Clone, Debug)]
pub struct Keeper {
    path: PathBuf,
    kept: Settings,
    waiting: Option<f32>,
}

impl Keeper {
    /// Keeps changes of `kept` at `path`.
    pub fn new(path: PathBuf, kept: Settings) -> Self {
        Self { path, kept, waiting: None }
    }
}

/// Puts into the view what was kept.
pub fn restore(keeper: Option<Res<'_, Keeper>>, mut choice: ResMut<'_, Choice>, mut open: ResMut<'_, Open>) {
    let Some(keeper) = keeper else { return };
    open.0 = keeper.kept.panel;
    for (id, name) in &keeper.kept.names {
        if let Ok(id) = id.parse() {
            choice.rename(id, name);
        }
    }
}

/// Writes what has changed, a moment after.
pub fn keep(
    keeper: Option<ResMut<'_, Keeper>>,
    time: Res<'_, Time<Real>>,
    (choice, open, theme): (Res<'_, Choice>, Res<'_, Open>, Res<'_, Theme>),
) {
    let Some(mut keeper) = keeper else { return };
    if choice.is_changed() || open.is_changed() || theme.is_changed() {
        keeper.waiting = Some(0.0);
    }
    let Some(waited) = keeper.waiting else { return };
    if waited < PAUSE {
        keeper.waiting = Some(waited + time.delta_secs());
        return;
    }
    keeper.waiting = None;
    let names = choice.names.iter().map(|(id, name)| (id.to_string(), name.clone())).collect();
    let now = Settings { theme: theme.0, panel: open.0, names };
    if now != keeper.kept {
        if let Err(why) = now.save(&keeper.path) {
            warn!("{why}");
        }
        keeper.kept = now;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bevy::time::TimeUpdateStrategy;
    use send_learn_protocol::units::StreamId;

    use super::*;

    #[test]
    fn what_is_chosen_is_there_again_at_the_next_start() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("config").join(NAME);
        let start = || {
            let mut app = App::new();
            app.add_plugins(MinimalPlugins)
                .insert_resource(TimeUpdateStrategy::ManualDuration(Duration::from_millis(250)))
                .init_resource::<Choice>()
                .init_resource::<Open>()
                .init_resource::<Theme>()
                .insert_resource(Keeper::new(path.clone(), Settings::load(&path).unwrap()))
                .add_systems(Startup, restore)
                .add_systems(Update, keep);
            app.update();
            app
        };
        let mut app = start();
        let id = StreamId::random();
        app.world_mut().resource_mut::<Choice>().rename(id, "Low \"end\"");
        app.world_mut().resource_mut::<Open>().0 = true;
        app.world_mut().resource_mut::<Theme>().0 = Kind::Light;
        (0..10).for_each(|_| app.update());
        let again = start();
        assert_eq!(again.world().resource::<Choice>().names[&id], "Low \"end\"");
        assert!(again.world().resource::<Open>().0);
        assert_eq!(Settings::load(&path).unwrap().theme, Kind::Light);
    }

    #[test]
    fn a_damaged_file_is_named_and_one_from_a_newer_version_is_read() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(NAME);
        assert_eq!(Settings::load(&path).unwrap(), Settings::default());
        fs::write(&path, "theme = \"purple\"").unwrap();
        assert!(Settings::load(&path).unwrap_err().to_string().contains(NAME));
        fs::write(&path, "theme = \"light\"\nsmell = \"roses\"").unwrap();
        assert_eq!(Settings::load(&path).unwrap().theme, Kind::Light);
    }
}
