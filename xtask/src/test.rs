//! `cargo xtask test`: every test, on what a person would run.

use std::process::Command;

use anyhow::Result;

use crate::cache::Cache;
use crate::plan::{Guess, Plan};
use crate::products::{self, RECORDING_HALF, Variant};
use crate::{bundle, readers, shell, system};

/// The Python that has Debian's PyTorch: that of PyPI is some gigabytes.
const TORCH_PYTHON: &str = "/usr/bin/python3";

/// How many seeds play each network of the grid in a long run.
const LONG_SEEDS: &str = "4";

/// Adds the steps of all tests, or of those whose name contains one of the words in `options`.
///
/// # Errors
/// When an option is unknown.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, options: &[String]) -> Result<()> {
    let (flags, names): (Vec<_>, Vec<_>) = options.iter().cloned().partition(|option| option.starts_with('-'));
    let view = !flags.iter().any(|flag| flag == "--no-view");
    let long = flags.iter().any(|flag| flag == "--long");
    let ardour = flags.iter().any(|flag| flag == "--ardour");
    let known = ["--no-view", "--long", "--ardour"];
    crate::none_left(&flags.into_iter().filter(|flag| !known.contains(&flag.as_str())).collect::<Vec<_>>())?;

    system::add(plan, if ardour { system::Purpose::Ardour } else { system::Purpose::Test });
    readers::add(plan, cache, readers::Set::All);
    products::add_recording_half(plan, cache);
    products::add_checked_plugins(plan, cache);
    products::add_standalone(plan, cache);
    let (here, filter) = (cache.clone(), names.clone());
    // A run of some tests says nothing about how long all take.
    let key = |name: &str| match (long, names.is_empty()) {
        (true, _) => format!("{name}-long"),
        (false, true) => name.to_owned(),
        (false, false) => format!("{name}-some"),
    };
    let (recording_key, viewer_key) = (key("test"), key("test-viewer"));
    plan.step("Tests of the recording half", &recording_key, Guess { first: 10 * 60, again: 5 * 60 }, move || {
        let mut test = products::cargo(&here, "test");
        // A test that is left out prints why, and cargo shows that only when asked to.
        test.args(RECORDING_HALF).args(["--no-fail-fast", "--", "--show-output"]).args(filter);
        if long {
            test.env("SEND_LEARN_LONG", "1").env("SEND_LEARN_GRID_SEEDS", LONG_SEEDS);
        }
        if ardour {
            test.env("SEND_LEARN_ARDOUR", "1");
        }
        shell::run(with_products(&mut test, &here))
    });
    if view {
        products::add_viewer(plan, cache);
        let here = cache.clone();
        plan.step("Tests of the viewer", &viewer_key, Guess { first: 3 * 60, again: 60 }, move || {
            let mut test = products::viewer_cargo(&here, "test");
            test.args(["--package", "send-learn-visualizer", "--", "--show-output"]).args(names);
            if long {
                test.env("SEND_LEARN_LONG", "1");
            }
            shell::run(with_products(&mut test, &here))
        });
    }
    Ok(())
}

/// Tells the tests where the programs, the bundles and the readers are.
fn with_products<'a>(test: &'a mut Command, cache: &Cache) -> &'a mut Command {
    let clap = |variant: Variant| variant.folder(cache).join(format!("{}.clap", bundle::NAME));
    let vst3 = |variant: Variant| variant.folder(cache).join(format!("{}.vst3", bundle::NAME));
    test.env("SEND_LEARN_BIN_DIR", products::programs(cache))
        .env("SEND_LEARN_CLAP", clap(Variant::Checked))
        .env("SEND_LEARN_CLAP_FAULTY", clap(Variant::Faulty))
        .env("SEND_LEARN_VST3", vst3(Variant::Checked))
        .env("SEND_LEARN_VST3_BASIC", vst3(Variant::BasicMidi))
        .env("SEND_LEARN_PYTHON", cache.python())
        .env("SEND_LEARN_TORCH_PYTHON", TORCH_PYTHON)
        .env("SEND_LEARN_RENDERS", cache.file("renders"))
        // Nothing is sent to the network that the machine is in: tests that look for receivers make a network of their own.
        .env("SEND_LEARN_DISCOVERY", "off")
        // A failed test says what it found; where in the tests' own code that was helps nobody.
        .env("RUST_LIB_BACKTRACE", "0")
}
