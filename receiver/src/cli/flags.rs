//! The flags of the settings, made of their table.

use std::path::PathBuf;

use clap::builder::ValueParser;
use clap::{Arg, ArgAction, ArgMatches, Args, Command, FromArgMatches};
use send_learn::settings::{FILE_VARIABLE, Flags, Kind, Setting, TABLE};

/// All settings as flags, and the file that holds the rest.
#[derive(Clone, Debug, Default)]
pub(super) struct SettingFlags(pub(super) Flags);

impl Args for SettingFlags {
    fn augment_args(command: Command) -> Command {
        let file = Arg::new("config").long("config").value_name("FILE").value_parser(clap::value_parser!(PathBuf)).help(format!(
            "The file with settings [env: {FILE_VARIABLE}; default: send-learn/receiver.toml in the folder for configuration]"
        ));
        TABLE.iter().fold(command.arg(file), |command, setting| command.args(flags_of(setting)))
    }

    fn augment_args_for_update(command: Command) -> Command {
        Self::augment_args(command)
    }
}

/// The flag of a setting; of a switch two, of which the usage shows the one that changes something.
fn flags_of(setting: &'static Setting) -> Vec<Arg> {
    let help = |default: &str| {
        let default = if default.is_empty() { String::new() } else { format!("; default: {default}") };
        format!("{} [env: {}{default}]", setting.about, setting.variable())
    };
    let Kind::Switch(no) = setting.kind else {
        let flag = Arg::new(setting.name).long(setting.name).value_name(setting.kind.placeholder());
        return vec![flag.value_parser(parser(setting.kind)).help(help(setting.default))];
    };
    let on = setting.default == "true";
    let about = help("").replacen(setting.about, &format!("Not: {}", lower(setting.about)), 1);
    let switch = |name: &'static str| Arg::new(name).long(name).action(ArgAction::SetTrue);
    vec![
        switch(setting.name).overrides_with(no).help(help("")).hide(on),
        switch(no).overrides_with(setting.name).help(about).hide(!on),
    ]
}

fn lower(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_lowercase().chain(letters).collect())
}

fn parser(kind: Kind) -> ValueParser {
    ValueParser::new(
        move |text: &str| if kind.accepts(text) { Ok(text.to_owned()) } else { Err(format!("it must be {}", kind.allowed())) },
    )
}

impl FromArgMatches for SettingFlags {
    fn from_arg_matches(matches: &ArgMatches) -> Result<Self, clap::Error> {
        let mut flags = Flags { config: matches.get_one::<PathBuf>("config").cloned(), values: Vec::new() };
        for setting in TABLE {
            let value = match setting.kind {
                Kind::Switch(_) if matches.get_flag(setting.name) => Some("true".to_owned()),
                Kind::Switch(no) => matches.get_flag(no).then(|| "false".to_owned()),
                _ => matches.get_one::<String>(setting.name).cloned(),
            };
            flags.values.extend(value.map(|value| (setting.name, value)));
        }
        Ok(Self(flags))
    }

    fn update_from_arg_matches(&mut self, matches: &ArgMatches) -> Result<(), clap::Error> {
        *self = Self::from_arg_matches(matches)?;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Only {
        #[command(flatten)]
        flags: SettingFlags,
    }

    fn values(arguments: &[&str]) -> Result<Vec<(&'static str, String)>, String> {
        let arguments = std::iter::once("serve").chain(arguments.iter().copied());
        Only::try_parse_from(arguments).map(|only| only.flags.0.values).map_err(|error| error.to_string())
    }

    #[test]
    fn every_setting_is_a_flag_and_what_is_not_said_is_not_there() {
        assert_eq!(values(&[]).unwrap(), []);
        let said = values(&["--rotate", "0.5", "--no-features", "--open", "--no-open", "--metrics=off"]).unwrap();
        let said: Vec<(&str, &str)> = said.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(said, [("open", "false"), ("rotate", "0.5"), ("features", "false"), ("metrics", "off")]);
    }

    #[test]
    fn a_bad_value_is_named_with_what_is_allowed() {
        let error = values(&["--compression", "11"]).unwrap_err();
        assert!(error.contains("--compression") && error.contains("0 to 9"), "{error}");
    }
}
