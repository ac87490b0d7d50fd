//! Writes `demo/piece.mid`.

use std::path::Path;

use anyhow::{Context, Result};
use send_learn_tests::piece;

fn main() -> Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/piece.mid");
    std::fs::write(&path, piece::file()?).with_context(|| format!("cannot write {}", path.display()))?;
    println!("{} written", path.display());
    Ok(())
}
