//! `cargo xtask lint`: formatting, clippy, documentation, licences and advisories.

use anyhow::Result;

use crate::cache::Cache;
use crate::plan::{Guess, Plan};
use crate::products::{self, RECORDING_HALF};
use crate::{shell, system};

/// Adds the steps. The viewer's clippy needs a check of all of Bevy, so `--no-view` leaves it out.
///
/// # Errors
/// When an option is unknown.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, options: &[String]) -> Result<()> {
    let view = !options.iter().any(|option| option == "--no-view");
    crate::none_left(&options.iter().filter(|option| *option != "--no-view").cloned().collect::<Vec<_>>())?;

    system::add(plan, if view { system::Purpose::View } else { system::Purpose::Build });
    plan.step("Formatting", "fmt", Guess { first: 5, again: 5 }, || {
        shell::run(shell::cargo().args(["fmt", "--all", "--", "--check"]))
    });
    let here = cache.clone();
    plan.step("Clippy and documentation", "clippy", Guess { first: 4 * 60, again: 20 }, move || {
        let deny = ["--all-targets", "--", "--deny", "warnings"];
        shell::run(products::cargo(&here, "clippy").args(RECORDING_HALF).args(deny))?;
        shell::run(products::cargo(&here, "doc").args(RECORDING_HALF).arg("--no-deps").env("RUSTDOCFLAGS", "--deny warnings"))
    });
    if view {
        let here = cache.clone();
        plan.step("Clippy and documentation of the viewer", "clippy-viewer", Guess { first: 10 * 60, again: 20 }, move || {
            let arguments = ["--package", "send-learn-visualizer", "--all-targets", "--", "--deny", "warnings"];
            shell::run(products::viewer_cargo(&here, "clippy").args(arguments))?;
            let mut doc = products::viewer_cargo(&here, "doc");
            shell::run(doc.args(["--package", "send-learn-visualizer", "--no-deps"]).env("RUSTDOCFLAGS", "--deny warnings"))
        });
    }
    let first = if view { 10 * 60 } else { 10 };
    plan.step("Licences and advisories", "deny", Guess { first, again: 10 }, move || deny(view));
    Ok(())
}

/// Checks licences and sources of all crates, and advisories where their list can be had. `install` gets cargo-deny where it is
/// missing, which takes minutes.
fn deny(install: bool) -> Result<()> {
    if !shell::exists("cargo-deny") {
        if !install {
            println!("left out: cargo-deny is not installed; `cargo xtask lint` without --no-view installs it");
            return Ok(());
        }
        shell::run(shell::cargo().args(["install", "cargo-deny", "--locked"]))?;
    }
    shell::run(shell::cargo().args(["deny", "check", "bans", "licenses", "sources"]))?;
    if shell::output(shell::cargo().args(["deny", "fetch", "db"])).is_none() {
        println!("left out: the list of advisories cannot be fetched");
        return Ok(());
    }
    shell::run(shell::cargo().args(["deny", "check", "advisories"]))
}
