//! What the system must have: found out, and installed on Debian and Ubuntu; elsewhere the command is printed.

use std::io::{IsTerminal, stdin};
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, bail};

use crate::plan::{Guess, Plan};
use crate::shell;

/// What the machine is set up for. Each includes those before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Purpose {
    /// Building the plugin, the receiver and the tests.
    Build,
    /// Playing and comparing the demo's piece.
    Record,
    /// The viewer.
    View,
    /// All tests.
    Test,
    /// The test in a whole DAW too.
    Ardour,
}

/// Debian packages, and what they are for.
const DEBIAN: [(Purpose, &[&str]); 5] = [
    (
        Purpose::Build,
        &[
            "gcc",
            // The fuzzer's engine.
            "g++",
            "libc6-dev",
            "pkg-config",
            "libhdf5-dev",
            // libopus, which a crate brings along.
            "cmake",
            // The plugin's window.
            "libx11-dev",
            "libx11-xcb-dev",
            "libxcb1-dev",
            "libxcb-dri2-0-dev",
            "libxcb-icccm4-dev",
            "libxcursor-dev",
            "libxkbcommon-dev",
            "libxkbcommon-x11-dev",
            "libgl1-mesa-dev",
            // The standalone's sound.
            "libasound2-dev",
            "libjack-jackd2-dev",
        ],
    ),
    (Purpose::Record, &["python3", "python3-venv", "timgm6mb-soundfont"]),
    (Purpose::View, &["libwayland-dev", "libvulkan1", "mesa-vulkan-drivers"]),
    (
        Purpose::Test,
        &[
            "fluidsynth",
            "openttd-openmsx",
            "hdf5-tools",
            // A sound server without a sound card.
            "jackd2",
            // Networks and disks with faults, and a reader of datagrams.
            "iproute2",
            "iptables",
            "tshark",
            // A display for the plugin's window, drawn by the processor.
            "xvfb",
            "libgl1-mesa-dri",
            // Readers of datasets and of the report's page.
            "python3-torch",
            "python3-numpy",
            "chromium",
        ],
    ),
    (Purpose::Ardour, &["ardour"]),
];

/// The libraries as pkg-config knows them, for systems whose packages this does not know.
const LIBRARIES: [(Purpose, &[&str]); 2] = [
    (
        Purpose::Build,
        &["hdf5", "x11", "x11-xcb", "xcb", "xcb-icccm", "xcb-dri2", "xcursor", "xkbcommon", "xkbcommon-x11", "gl", "alsa", "jack"],
    ),
    (Purpose::View, &["wayland-client", "vulkan"]),
];

/// Where General MIDI SoundFonts are, for the same systems, a place a line.
const SOUNDFONTS: &str = include_str!("../../tests/soundfonts.txt");

// By the lists of these systems; only what is for Debian has been tried. A SoundFont comes with Homebrew's fluid-synth.
const BREW: &str = "brew install cmake pkg-config hdf5 python fluid-synth";
const DNF: &str = "sudo dnf install gcc cmake pkgconf hdf5-devel libX11-devel libxcb-devel xcb-util-wm-devel libXcursor-devel libxkbcommon-devel \
                   libxkbcommon-x11-devel mesa-libGL-devel alsa-lib-devel pipewire-jack-audio-connection-kit-devel python3 wayland-devel vulkan-loader-devel mesa-vulkan-drivers fluidsynth fluid-soundfont-gm hdf5";
const PACMAN: &str = "sudo pacman -S --needed base-devel cmake pkgconf hdf5 libx11 libxcb xcb-util-wm libxcursor libxkbcommon libxkbcommon-x11 \
                      mesa alsa-lib jack2 python wayland vulkan-icd-loader vulkan-swrast fluidsynth soundfont-fluid";

/// Adds the step that makes sure of everything `purpose` needs.
pub(crate) fn add(plan: &mut Plan<'_>, purpose: Purpose) {
    let key = format!("system-{purpose:?}").to_lowercase();
    plan.step("System packages", &key, Guess { first: 90, again: 1 }, move || ensure(purpose));
}

/// Makes sure that there is a SoundFont for the synthesizer, or will be.
///
/// # Errors
/// Where there is none, and this installs no packages; the message says what does.
pub(crate) fn check_soundfont() -> Result<()> {
    if is_debian() || SOUNDFONTS.lines().any(|place| Path::new(place).exists()) {
        return Ok(());
    }
    match command() {
        Some(command) => bail!(
            "this system lacks a General MIDI SoundFont. Run this, then try again:\n\n    {command}\n\nOr name one with --soundfont FILE.sf2"
        ),
        None => bail!("no General MIDI SoundFont was found: name one with --soundfont FILE.sf2"),
    }
}

fn is_debian() -> bool {
    shell::exists("dpkg-query") && shell::exists("apt-get")
}

fn ensure(purpose: Purpose) -> Result<()> {
    if is_debian() {
        return install_on_debian(&wanted(&DEBIAN, purpose));
    }
    if cfg!(windows) {
        return Ok(()); // Libraries come with the crates; a missing one is named by the build.
    }
    let missing = missing_libraries(purpose);
    if missing.is_empty() {
        println!("all libraries are there");
        return Ok(());
    }
    match command() {
        Some(command) => bail!("this system lacks {}. Run this, then try again:\n\n    {command}\n", missing.join(", ")),
        None => bail!("this system lacks these libraries (with headers), by the names of pkg-config: {}", missing.join(", ")),
    }
}

/// What installs all that is needed, on systems whose packages are known; the person runs it.
fn command() -> Option<&'static str> {
    let known = [("brew", BREW), ("dnf", DNF), ("pacman", PACMAN)];
    known.into_iter().find(|(tool, _)| shell::exists(tool)).map(|(_, command)| command)
}

fn wanted(table: &[(Purpose, &[&'static str])], purpose: Purpose) -> Vec<&'static str> {
    table.iter().filter(|(needed_for, _)| *needed_for <= purpose).flat_map(|(_, names)| names.iter().copied()).collect()
}

fn missing_libraries(purpose: Purpose) -> Vec<&'static str> {
    if !shell::exists("pkg-config") {
        return vec!["pkg-config"];
    }
    let mut libraries = wanted(&LIBRARIES, purpose);
    if cfg!(target_os = "macos") {
        libraries.retain(|name| *name == "hdf5"); // Windows and graphics are part of the system.
    }
    libraries.retain(|name| !shell::program("pkg-config").args(["--exists", name]).status().is_ok_and(|status| status.success()));
    libraries
}

fn install_on_debian(packages: &[&'static str]) -> Result<()> {
    let missing = missing_packages(packages);
    if missing.is_empty() {
        println!("all packages are there");
        return Ok(());
    }
    println!("installing {}", missing.join(" "));
    let install = [&["install", "--yes", "--no-install-recommends"], missing.as_slice()].concat();
    if shell::run(apt()?.args(["update", "--quiet"])).is_err() {
        eprintln!("the package lists could not be brought up to date; trying with those that are there");
    }
    shell::run(apt()?.args(install))
}

fn missing_packages(packages: &[&'static str]) -> Vec<&'static str> {
    let mut query = shell::program("dpkg-query");
    query.args(["--show", "--showformat", "${Package} ${db:Status-Status}\n"]).args(packages).stderr(Stdio::null());
    // The status is not 0 as soon as one package is unknown, so only the text counts.
    let listed = query.output().map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default();
    let installed = |package: &str| listed.lines().any(|line| line.split_once(' ') == Some((package, "installed")));
    packages.iter().copied().filter(|package| !installed(package)).collect()
}

/// apt-get with the rights to install. It never asks; sudo may ask for a password, on a terminal only.
fn apt() -> Result<Command> {
    let root = shell::output(shell::program("id").arg("-u")).is_some_and(|id| id.trim() == "0");
    let mut command = if root {
        shell::program("env")
    } else if shell::exists("sudo") {
        let mut sudo = shell::program("sudo");
        if stdin().is_terminal() {
            sudo.stdin(Stdio::inherit());
        } else {
            sudo.arg("--non-interactive");
        }
        sudo.arg("env");
        sudo
    } else {
        bail!("packages must be installed as root, and there is no sudo: run `cargo xtask setup` once as root");
    };
    command.args(["DEBIAN_FRONTEND=noninteractive", "apt-get"]);
    Ok(command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_purpose_includes_those_before_it() {
        let build = wanted(&DEBIAN, Purpose::Build);
        let all = wanted(&DEBIAN, Purpose::Test);
        assert!(build.iter().all(|package| all.contains(package)));
        assert!(all.contains(&"fluidsynth") && !build.contains(&"fluidsynth"));
    }
}
