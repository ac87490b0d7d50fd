//! A running receiver computes features as it records: they stand in the file while it grows, and are those of its samples.

mod common;

use std::path::Path;
use std::time::Instant;

use common::*;
use send_learn::features::{Live, Plans};
use send_learn::store::Recording;
use send_learn::store::layout::FeatureRow;

/// The features of frames `from` to `to` of what was played, by the analysis itself.
fn expected(from: u64, to: u64) -> Vec<FeatureRow> {
    let mut rows = Vec::new();
    let mut live = Live::new(Plans::default().get(48_000.0).unwrap(), 2, from);
    let samples: Vec<f32> = (from..to).flat_map(|frame| [sample(0, frame), sample(1, frame)]).collect();
    live.push(&samples, |sample, row| rows.push(FeatureRow::new(sample, row)));
    live.finish(|sample, row| rows.push(FeatureRow::new(sample, row)));
    rows
}

fn rows(path: &Path) -> Vec<FeatureRow> {
    Recording::open(path).unwrap().table().unwrap()
}

#[test]
fn features_are_there_while_it_records_and_equal_those_of_the_samples() {
    let data = tempfile::tempdir().unwrap();
    let server = Server::start(data.path(), "127.0.0.1:0");
    let address = server.address;
    let mut player = Player::new(address, "Keys", 2);
    player.play(300);
    player.turn_until_durable();

    let growing = send_learn::take::folders(data.path()).unwrap()[0].join("Keys-0001.h5.part");
    let deadline = Instant::now() + PATIENCE;
    let seen = loop {
        // The file is begun when the first block is on its way into it.
        let seen: Vec<FeatureRow> = Recording::open(&growing).and_then(|recording| recording.table()).unwrap_or_default();
        // All frames but those that reach beyond the last sample.
        if seen.len() == 300 - 1 {
            break seen;
        }
        assert!(Instant::now() < deadline, "{} rows of features", seen.len());
        std::thread::sleep(std::time::Duration::from_millis(50));
    };
    let first = expected(0, 300 * 512);
    assert_eq!(first.len(), 301);
    assert_eq!(seen, first[..299]);

    server.stop();
    let _server = Server::start(data.path(), &address.to_string());
    player.play(100);
    player.finish();
    let parts = complete_parts(data.path());
    assert_eq!(rows(&parts[0]), first);
    assert_eq!(rows(&parts[1]), expected(300 * 512, 400 * 512));
}
