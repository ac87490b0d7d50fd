//! Recordings, sessions and archives are made of types that every reader takes, MATLAB too: a script that knows only HDF5 looks at each
//! dataset and attribute.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Result, ensure};
use send_learn_tests::audio::Audio;
use send_learn_tests::process::{recordings, wait_for};
use send_learn_tests::rig::{DELIVERY, Rig, said};
use send_learn_tests::tunes::cut_piece;
use send_learn_tests::{products, python};

/// Depths of the sources, which are stored as floats of 18, 26 and 32 bits.
const BITS: [i32; 3] = [16, 24, 32];

/// Two seconds in steps of so many bits.
fn sound(bits: i32) -> Audio {
    let scale = 2_f64.powi(bits - 1);
    let sample = |frame: usize| ((frame as f64 * 0.031).sin() * 0.7 * scale).round() / scale;
    Audio { rate: 48_000, channels: 2, samples: (0..2 * 96_000).map(|at| sample(at / 2) as f32).collect() }
}

#[test]
fn no_dataset_is_opaque_or_of_variable_length() -> Result<()> {
    let rig = Rig::new()?;
    for bits in BITS {
        let (wav, midi) = (rig.file(&format!("{bits}-bits.wav")), rig.file("notes.mid"));
        sound(bits).save(&wav)?;
        cut_piece(&midi, 2)?;
        let mut sender = rig.sender(rig.receiver().address())?;
        let output = sender.arg("--fast").arg("--wav").arg(&wav).arg("--midi").arg(&midi).output()?;
        ensure!(output.status.success(), "{}", said(&output));
    }
    let mut files = rig.receiver().finished(BITS.len(), DELIVERY)?;
    let take = files[0].clone();
    for profile in ["exact", "flac24", "opus"] {
        let out = rig.file(profile);
        let output = rig.tool([
            "archive".as_ref(),
            take.as_os_str(),
            "-o".as_ref(),
            out.as_os_str(),
            "--profile".as_ref(),
            profile.as_ref(),
        ])?;
        ensure!(output.status.success(), "{}", said(&output));
        files.extend(recordings(&out).0);
    }
    ensure!(files.len() == BITS.len() + 3, "{files:?}");
    // The receiver writes the sessions' indices when it has a moment.
    let day = take.ancestors().nth(2).map(PathBuf::from).unwrap_or_default();
    let sessions = || -> Option<Vec<PathBuf>> {
        let items = fs::read_dir(&day).ok()?.filter_map(|item| Some(item.ok()?.path()));
        let found: Vec<PathBuf> = items.filter(|path| path.extension().is_some_and(|end| end == "hdf5")).collect();
        (!found.is_empty()).then_some(found)
    };
    files.extend(wait_for(DELIVERY, sessions).unwrap_or_default());
    ensure!(files.len() > BITS.len() + 3, "there is no session in {}", day.display());

    let output = Command::new(products::path("SEND_LEARN_PYTHON")?).arg(python::script("plain_types.py")).args(&files).output()?;
    println!("{}", said(&output));
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}
