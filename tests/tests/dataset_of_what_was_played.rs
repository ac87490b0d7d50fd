//! The promise of the README, from end to end: the plugin plays in a host, the receiver records, `send-learn export pytorch`
//! makes a dataset, and torch loads it by the README's lines. It holds what was played, and nobody's music without consent.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use anyhow::{Result, bail, ensure};
use send_learn_tests::products;
use send_learn_tests::python::script;
use send_learn_tests::rig::{Rig, said};
use send_learn_tests::tunes::{Tune, tune};
use serde_json::{Value, json};

/// The exit status by which the script says that there is no torch.
const NO_TORCH: i32 = 77;

/// A tune of 70 s, in which two sequences of 30 s fit, and what was stated when it was played.
struct Performance {
    rig: Rig,
    tune: Tune,
    out: PathBuf,
}

impl Performance {
    fn play(stated: &Value) -> Result<Self> {
        let rig = Rig::new()?;
        let fields = stated.as_object().into_iter().flatten().map(|(key, text)| format!("{key} = {text}\n"));
        rig.settings(&format!("[statement]\n{}", fields.collect::<String>()))?;
        let tune = tune("coconut_run2", 10_000, 48_000)?;
        let mut host = rig.host(&products::path("SEND_LEARN_CLAP")?)?;
        host.arg("--wav").arg(&tune.wav).arg("--midi").arg(&tune.midi);
        // As fast as it goes; then the plugin must wait for room, as in a render.
        host.args(["--speed", "inf", "--track", "Coconut"]).env("SEND_LEARN_CAPTURE_OFFLINE", "1");
        rig.record(&mut host)?;
        let out = rig.file("dataset");
        Ok(Self { rig, tune, out })
    }

    fn export(&self, own: bool) -> Result<Output> {
        let arguments = ["export", "pytorch", "--audio", "--json"].into_iter().chain(own.then_some("--own")).chain(["-o"]);
        let arguments = arguments.map(AsRef::as_ref).chain([self.out.as_os_str(), self.rig.receiver().data().as_os_str()]);
        self.rig.tool(arguments)
    }

    /// Nothing may be exported, and the refusal counts why.
    fn refuses(&self, own: bool, reason: &str) -> Result<()> {
        let output = self.export(own)?;
        let words = said(&output);
        ensure!(!output.status.success(), "it was exported: {words}");
        ensure!(words.contains(&format!("2 left out: {reason}")), "the reason is not counted: {words}");
        ensure!(!holds_files(&self.out), "something was written to {}", self.out.display());
        Ok(())
    }

    /// All is exported, under what was stated; and what torch loads is what was played.
    fn is_exported(&self, own: bool, stated: &Value) -> Result<()> {
        let output = self.export(own)?;
        ensure!(output.status.success(), "send-learn export ended with {}: {}", output.status, said(&output));
        let manifest: Value = serde_json::from_slice(&output.stdout)?;
        ensure!(manifest["left_out"].as_object().is_some_and(|reasons| reasons.is_empty()), "left out: {}", manifest["left_out"]);
        let card = fs::read_to_string(self.out.join("README.md"))?;
        for text in stated.as_object().into_iter().flat_map(|fields| fields.values()).filter_map(Value::as_str) {
            ensure!(card.contains(text), "the card does not say {text:?}:\n{card}");
        }
        let loaded = self.rig.file("loaded");
        fs::create_dir_all(&loaded)?;
        let mut torch = Command::new(products::path("SEND_LEARN_TORCH_PYTHON")?);
        let output = torch.arg(script("readme_lines.py")).arg(&loaded).current_dir(&self.out).output()?;
        if output.status.code() == Some(NO_TORCH) {
            println!("skipped: {}", said(&output));
            return Ok(());
        }
        ensure!(output.status.success(), "torch does not load it: {}", said(&output));
        let mut compare = Command::new(products::path("SEND_LEARN_PYTHON")?);
        compare.arg(script("compare_dataset.py")).arg(&loaded).arg(self.rig.file("played.wav")).arg(&self.tune.midi);
        let output = compare.arg(stated.to_string()).output()?;
        println!("{}", said(&output));
        if !output.status.success() {
            bail!("the dataset is not what was played: {}", said(&output));
        }
        Ok(())
    }
}

fn holds_files(folder: &Path) -> bool {
    fs::read_dir(folder).is_ok_and(|mut entries| entries.next().is_some())
}

#[test]
fn without_consent_it_is_exported_only_as_ones_own_and_is_what_was_played() -> Result<()> {
    let performance = Performance::play(&json!({}))?;
    performance.refuses(false, "no consent stated")?;
    performance.is_exported(true, &json!({ "contributor": "", "licence": "", "consent": "" }))
}

#[test]
fn consent_stated_in_the_plugin_goes_with_every_sequence() -> Result<()> {
    let stated = json!({ "contributor": "Anna Ny", "licence": "CC-BY-4.0", "consent": "May train music models." });
    Performance::play(&stated)?.is_exported(false, &stated)
}

#[test]
fn consent_refused_in_the_plugin_forbids_every_export() -> Result<()> {
    let performance = Performance::play(&json!({ "contributor": "Anna Ny", "consent": "no" }))?;
    performance.refuses(false, "consent was refused")?;
    performance.refuses(true, "consent was refused")
}
