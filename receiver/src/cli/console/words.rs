//! What can be typed at the prompt.

use clap::{Command, CommandFactory};

use crate::cli::Arguments;

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Asked {
    Nothing,
    Status,
    /// Which stream is which.
    Streams,
    /// A stream, and what it is to be called.
    Rename(String, String),
    Help,
    Quit,
    /// A command of this program, with what follows it.
    Run(Vec<String>),
    /// Something else: what to say of it.
    Unclear(String),
}

/// The commands that are run as programs of their own, beside the receiver.
const PROGRAMS: [&str; 6] = ["export", "quality", "report", "list", "info", "verify"];

/// The help that `help` shows.
pub(super) const HELP: &[[&str; 2]] = &[
    ["status", "every open stream: level, rate, loss, delay, what is owed"],
    ["streams", "which is which: number, machine, address, format, ids"],
    ["rename STREAM NAME", "call a stream (its number, or its name) something else, now and in all its takes to come"],
    ["export FORMAT", "make a dataset of what is recorded (Tab shows the formats)"],
    ["quality", "how good the recordings are"],
    ["report [--html]", "write training_report.json, and a page for people"],
    ["list, info, verify", "look into recordings"],
    ["help, COMMAND --help", "this; all options of a command"],
    ["quit", "close all recordings and end (Ctrl-C or Ctrl-D on an empty line, too)"],
];

pub(super) fn read(line: &str) -> Asked {
    let Some(words) = shlex::split(line) else {
        return Asked::Unclear("a quotation mark is open".to_owned());
    };
    match words.first().map(String::as_str) {
        None => Asked::Nothing,
        Some("status") => Asked::Status,
        Some("streams") => Asked::Streams,
        Some("rename") => match &words[1..] {
            [stream, name @ ..] if !name.is_empty() => Asked::Rename(stream.clone(), name.join(" ")),
            _ => Asked::Unclear("rename what? Its number or its name, then the new name: rename 2 'Lead vox'".to_owned()),
        },
        Some("help" | "?") => Asked::Help,
        Some("quit" | "exit") => Asked::Quit,
        Some(program) if PROGRAMS.contains(&program) => Asked::Run(words),
        Some("serve") => Asked::Unclear("this is the receiver, and it is running".to_owned()),
        Some(other) => Asked::Unclear(format!("there is no command `{other}`; try `help`")),
    }
}

/// What may stand after these words.
pub(super) fn following(before: &[&str]) -> Vec<String> {
    match before {
        [] => ["status", "streams", "rename", "help", "quit"].iter().chain(&PROGRAMS).map(ToString::to_string).collect(),
        [program, rest @ ..] => {
            let arguments = Arguments::command();
            arguments.find_subcommand(program).map_or(Vec::new(), |command| of_command(command, rest.is_empty()))
        }
    }
}

/// The values that the command's first argument may have, where it is the turn of that, and its options.
fn of_command(command: &Command, first: bool) -> Vec<String> {
    let argument = command.get_positionals().next().filter(|_| first);
    let values = argument.into_iter().flat_map(|argument| argument.get_possible_values());
    let values = values.map(|value| value.get_name().to_owned());
    let options = command.get_opts().filter_map(|option| option.get_long()).map(|long| format!("--{long}"));
    values.chain(options).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_read_as_a_shell_reads_them() {
        assert_eq!(read("  "), Asked::Nothing);
        assert_eq!(read("status"), Asked::Status);
        let words = ["export", "pytorch", "-o", "my set"].map(str::to_owned).to_vec();
        assert_eq!(read("export pytorch -o 'my set'"), Asked::Run(words));
        assert_eq!(read("rename 'Track 1' Lead vox"), Asked::Rename("Track 1".to_owned(), "Lead vox".to_owned()));
        assert!(matches!(read("rename 2"), Asked::Unclear(_)));
        assert!(matches!(read("export 'x"), Asked::Unclear(_)));
        assert!(matches!(read("rm -rf /"), Asked::Unclear(why) if why.contains("`rm`")));
        assert!(matches!(read("serve"), Asked::Unclear(_)));
    }

    #[test]
    fn what_follows_is_what_the_command_line_takes() {
        assert!(following(&[]).contains(&"export".to_owned()));
        let formats = following(&["export"]);
        assert!(formats.contains(&"pytorch".to_owned()) && formats.contains(&"--own".to_owned()), "{formats:?}");
        assert!(!following(&["export", "pytorch"]).contains(&"pytorch".to_owned()));
        assert!(following(&["report"]).contains(&"--html".to_owned()));
        assert!(following(&["no-such"]).is_empty());
    }

    #[test]
    fn every_program_is_a_command_of_the_command_line() {
        let arguments = Arguments::command();
        assert!(PROGRAMS.iter().all(|program| arguments.find_subcommand(program).is_some()));
    }
}
