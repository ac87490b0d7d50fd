//! The receiver's settings: what they are (the table), what was said of them (flags, variables, the file), and what holds.
//!
//! A flag wins over a variable, a variable over the file, the file over what is usual.

mod file;
mod table;
mod typed;

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

pub use table::{Kind, Setting, TABLE, documentation, setting};
pub use typed::{Settings, Tunable};

/// The variable that names the settings file.
pub const FILE_VARIABLE: &str = "SEND_LEARN_CONFIG";

/// Who said what a setting is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody: it is what is usual.
    Default,
    /// The file, in this line.
    File {
        /// The file.
        path: PathBuf,
        /// The line, from 1.
        line: usize,
    },
    /// A variable of the environment.
    Variable(String),
    /// A flag of the command line.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => write!(f, "default"),
            Self::File { path, line } => write!(f, "{}, line {line}", path.display()),
            Self::Variable(name) => write!(f, "{name}"),
            Self::Flag(name) => write!(f, "{name}"),
        }
    }
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SettingsError {
    /// The file cannot be read.
    #[error("cannot read the settings in {path}: {source}. Mend its rights, or name another file with --config.", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The file says what cannot be.
    #[error("{}", .0.join("\n"))]
    File(Vec<String>),
    /// A variable or a flag says what cannot be.
    #[error("{origin} is `{value}`, and must be {allowed}")]
    Value {
        /// Which.
        origin: Origin,
        /// What it says.
        value: String,
        /// What it may be, in words.
        allowed: String,
    },
    /// There is no home folder.
    #[error("there is no home folder (HOME is not set): say where recordings go with --data")]
    NoHome,
}

/// What a setting is, and who said so.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The setting.
    pub name: &'static str,
    /// Its value, as it would be written.
    pub value: String,
    /// Who said so.
    pub origin: Origin,
}

/// What was said on the command line.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    /// The settings file, if one was named.
    pub config: Option<PathBuf>,
    /// Names of settings, and their values.
    pub values: Vec<(&'static str, String)>,
}

/// All settings as they hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Effective {
    /// The file that was read, if there was one.
    pub file: Option<PathBuf>,
    /// Each setting of the table, in its order.
    pub held: Vec<Held>,
}

impl Effective {
    /// What holds, by these flags, the environment and the file.
    ///
    /// # Errors
    /// [`SettingsError`] names all that is wrong, and what is allowed.
    pub fn resolve(flags: &Flags) -> Result<Self, SettingsError> {
        Self::resolve_in(flags, |name| std::env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    fn resolve_in(flags: &Flags, variable: impl Fn(&str) -> Option<String>) -> Result<Self, SettingsError> {
        let filled = |name: &str| variable(name).filter(|value| !value.is_empty());
        let named = flags.config.clone().or_else(|| filled(FILE_VARIABLE).map(PathBuf::from));
        let (file, in_file) = read(named, file::usual_place(&variable))?;
        let mut held = Vec::new();
        for setting in TABLE {
            let by_flag = flags.values.iter().rev().find(|(name, _)| *name == setting.name);
            let by_flag = by_flag.map(|(name, value)| (value.clone(), Origin::Flag(format!("--{name}"))));
            let by_variable = || filled(&setting.variable()).map(|value| (value, Origin::Variable(setting.variable())));
            let by_file = || {
                let said = in_file.iter().find(|said| said.name == setting.name)?;
                Some((said.value.clone(), Origin::File { path: file.clone()?, line: said.line }))
            };
            let said = by_flag.or_else(by_variable).or_else(by_file);
            let (value, origin) = said.unwrap_or_else(|| (setting.default.to_owned(), Origin::Default));
            if !setting.kind.accepts(&value) {
                return Err(SettingsError::Value { origin, value, allowed: setting.kind.allowed() });
            }
            let value = if setting.kind.is_path() { at_home(value, filled("HOME"))? } else { value };
            held.push(Held { name: setting.name, value, origin });
        }
        Ok(Self { file, held })
    }

    /// The value of the setting `name`.
    pub fn value(&self, name: &str) -> &str {
        let held = self.held.iter().find(|held| held.name == name);
        held.map_or_else(|| unreachable!("the table has no setting {name}"), |held| &held.value)
    }

    /// What is another than in `self`: before, after.
    pub fn changes<'a>(&'a self, after: &'a Self) -> Vec<(&'a Held, &'a Held)> {
        self.held.iter().zip(&after.held).filter(|(before, after)| before.value != after.value).collect()
    }
}

/// Reads the file that was named, or the one at the usual place, if it is there.
fn read(named: Option<PathBuf>, usual: Option<PathBuf>) -> Result<(Option<PathBuf>, Vec<file::Said>), SettingsError> {
    let Some(path) = named.clone().or(usual) else { return Ok((None, Vec::new())) };
    match std::fs::read_to_string(&path) {
        Ok(text) => {
            let said = file::parse(&path, &text).map_err(SettingsError::File)?;
            Ok((Some(path), said))
        }
        Err(error) if named.is_none() && error.kind() == io::ErrorKind::NotFound => Ok((None, Vec::new())),
        Err(source) => Err(SettingsError::Unreadable { path, source }),
    }
}

/// The path with `~` as the home folder.
fn at_home(path: String, home: Option<String>) -> Result<String, SettingsError> {
    let Some(rest) = path.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with('/')) else { return Ok(path) };
    let home = home.or_else(|| Some(std::env::home_dir()?.to_string_lossy().into_owned())).ok_or(SettingsError::NoHome)?;
    Ok(Path::new(&home).join(rest.trim_start_matches('/')).to_string_lossy().into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_wins_over_a_variable_and_a_variable_over_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("receiver.toml");
        std::fs::write(&path, "rotate = 1\nabsence = 1\nlow-space = 1\n").unwrap();
        let flags = Flags { config: Some(path.clone()), values: vec![("rotate", "3".to_owned())] };
        let variables = |name: &str| match name {
            "SEND_LEARN_ROTATE" | "SEND_LEARN_ABSENCE" => Some("2".to_owned()),
            "SEND_LEARN_LISTEN" => Some(String::new()),
            "HOME" => Some("/home/ada".to_owned()),
            _ => None,
        };
        let effective = Effective::resolve_in(&flags, variables).unwrap();
        let held = |name: &str| effective.held.iter().find(|held| held.name == name).unwrap().clone();
        assert_eq!((held("rotate").value.as_str(), held("rotate").origin), ("3", Origin::Flag("--rotate".to_owned())));
        assert_eq!(
            (held("absence").value.as_str(), held("absence").origin),
            ("2", Origin::Variable("SEND_LEARN_ABSENCE".to_owned()))
        );
        assert_eq!((held("low-space").value.as_str(), held("low-space").origin), ("1", Origin::File { path, line: 3 }));
        assert_eq!((held("data").value.as_str(), held("data").origin), ("/home/ada/SendLearn", Origin::Default));
        assert_eq!(held("listen").origin, Origin::Default, "an empty variable says nothing");
    }

    #[test]
    fn a_file_is_looked_for_at_the_usual_place_and_must_be_there_only_if_it_was_named() {
        let folder = tempfile::tempdir().unwrap();
        let home = folder.path().to_str().unwrap().to_owned();
        let variables = |name: &str| (name == "XDG_CONFIG_HOME" || name == "HOME").then(|| home.clone());
        assert_eq!(Effective::resolve_in(&Flags::default(), variables).unwrap().file, None);
        let path = file::usual_place(&variables).unwrap();
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, "features = false").unwrap();
        let effective = Effective::resolve_in(&Flags::default(), variables).unwrap();
        assert_eq!((effective.value("features"), effective.file.as_deref()), ("false", Some(path.as_path())));
        let flags = Flags { config: Some(folder.path().join("none")), ..Flags::default() };
        assert!(matches!(Effective::resolve_in(&flags, variables), Err(SettingsError::Unreadable { .. })));
    }

    #[test]
    fn a_bad_variable_is_named_with_what_is_allowed() {
        let variables = |name: &str| (name == "SEND_LEARN_COMPRESSION" || name == "HOME").then(|| "much".to_owned());
        let error = Effective::resolve_in(&Flags::default(), variables).unwrap_err().to_string();
        assert_eq!(error, "SEND_LEARN_COMPRESSION is `much`, and must be a whole number, a gzip level, 0 to 9");
    }
}
