//! The Python environment in which independent programs read what the receiver wrote.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::cache::{self, Cache};
use crate::plan::{Guess, Plan};
use crate::shell;

/// Which packages are needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Readers of recordings, audio and MIDI.
    Readers,
    /// Also a host for VST3 plugins, the library that features are checked against, those that read datasets, and what benches run beside.
    All,
}

/// Adds the step that makes the environment.
pub(crate) fn add(plan: &mut Plan<'_>, cache: &Cache, set: Set) {
    let cache = cache.clone();
    let key = format!("readers-{set:?}").to_lowercase();
    plan.step("Python readers", &key, Guess { first: 120, again: 1 }, move || ensure(&cache, set));
}

fn ensure(cache: &Cache, set: Set) -> Result<()> {
    install(cache, "readers", Place::Environment)?;
    if set == Set::All {
        install(cache, "hosts", Place::Environment)?;
        install(cache, "analysis", Place::Environment)?;
        install(cache, "datasets", Place::Environment)?;
        // It needs another protobuf than TensorFlow.
        install(cache, "tfrecord", Place::Beside)?;
        install(cache, "benches", Place::Environment)?;
    }
    Ok(())
}

/// Where packages go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// Where every program of the environment finds them.
    Environment,
    /// Into a folder of their own, exactly those of the list, for programs that ask for it.
    Beside,
}

/// Installs what `tests/python/NAME.txt` lists, unless that very list was installed before.
fn install(cache: &Cache, name: &str, place: Place) -> Result<()> {
    let list = cache::source().join("tests/python").join(format!("{name}.txt"));
    let wanted = fs::read_to_string(&list).with_context(|| format!("cannot read {}", list.display()))?;
    let stamp: PathBuf = cache.venv().join(format!("installed-{name}.txt"));
    if cache.python().exists() && fs::read_to_string(&stamp).is_ok_and(|installed| installed == wanted) {
        println!("{name}: there since an earlier run");
        return Ok(());
    }
    if !cache.python().exists() {
        let python = if cfg!(windows) { "python" } else { "python3" };
        shell::run(shell::program(python).args(["-m", "venv"]).arg(cache.venv()))?;
    }
    println!("{name}: {}", wanted.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut pip = shell::program(cache.python());
    pip.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", "--prefer-binary"]);
    if place == Place::Beside {
        pip.args(["--no-deps", "--upgrade", "--target"]).arg(cache.venv().join(name));
    }
    shell::run(pip.arg("--requirement").arg(&list))?;
    fs::write(&stamp, wanted).with_context(|| format!("cannot write {}", stamp.display()))
}
