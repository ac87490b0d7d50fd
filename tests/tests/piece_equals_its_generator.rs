//! The demo's piece in the repository is what its generator writes.

use std::fs;
use std::path::Path;

use anyhow::{Result, ensure};
use send_learn_tests::piece;

#[test]
fn the_committed_piece_is_what_the_generator_writes() -> Result<()> {
    let committed = fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("../demo/piece.mid"))?;
    ensure!(committed == piece::file()?, "run `cargo run --package send-learn-tests --bin write-demo-piece`");
    Ok(())
}
