//! The specification is enough to read what is sent: a script that knows nothing else reads every golden vector.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use send_learn_tests::rig::said;
use send_learn_tests::{products, python};

#[test]
fn the_golden_vectors_are_read_by_the_tables_of_the_specification_alone() -> Result<()> {
    let mut script = Command::new(products::path("SEND_LEARN_PYTHON")?);
    script.arg(python::script("spec_vectors.py")).arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("../spec"));
    let output = script.stdin(Stdio::null()).output()?;
    println!("{}", said(&output));
    ensure!(output.status.success(), "{}", said(&output));
    Ok(())
}
