//! The plugin as a program of its own: what an instrument plays is collected without a DAW, through JACK, ALSA, CoreAudio or WASAPI.
//! Devices, rate and block size are the framework's options.

use std::process::ExitCode;

use nice_plug::prelude::nice_export_standalone_with_args;
use send_learn_plugin::identity::{self, Application};
use send_learn_plugin::plugin::SendLearn;

const HELP: &str = "\
Collects what an instrument plays, without a DAW, and sends it to a Send Learn receiver. Audio passes through untouched.

    send-learn-standalone [--name NAME] [--to ADDRESS] [options below]

  --name NAME      the stream's name, as it is recorded [default: Standalone]
  --to ADDRESS     the receiver, as address:port [default: as in the plugin's settings]

It has the plugin's window; where there is no display, it records until Ctrl-C.
";

fn main() -> ExitCode {
    let (mut name, mut own) = ("Standalone".to_owned(), Vec::new());
    let mut to = String::new();
    let mut arguments = std::env::args();
    while let Some(argument) = arguments.next() {
        let target = match argument.as_str() {
            "--name" => &mut name,
            "--to" => &mut to,
            other => {
                if matches!(other, "-h" | "--help") {
                    println!("{HELP}");
                }
                own.push(argument);
                continue;
            }
        };
        let Some(value) = arguments.next() else {
            eprintln!("send-learn-standalone: {argument} needs a value");
            return ExitCode::FAILURE;
        };
        *target = value;
    }
    Application { name: "send-learn-standalone".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }.introduce();
    identity::set_defaults(&name, &to);
    if nice_export_standalone_with_args::<SendLearn, _>(own) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
