use super::run::{Known, Status};
use std::time::Duration;

use super::*;

#[test]
fn a_sender_that_leaves_while_it_waits_for_the_archive_is_not_let_in_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let take = TakeId([1; 16]);
    let status = Status::Closing(Some(SessionId(7)));
    let mut recorder = Recorder {
        disk: Watch::new(folder.path()),
        config: Config {
            data: folder.path().to_owned(),
            tunable: Tunable { absence: Duration::ZERO, ..Tunable::default() },
            names: Names::default(),
            max_takes: 1,
        },
        takes: HashMap::from([(take, Known { folder: folder.path().to_owned(), status })]),
        archive: Queue::new(0),
        archive_thread: thread::Builder::new().spawn(|| {}).unwrap(),
        report: Box::new(|report| panic!("{report:?}")),
        synced: Instant::now(),
        stopping: false,
    };
    recorder.handle(Command::Left { take });
    assert!(matches!(recorder.takes[&take].status, Status::Closing(None)));
}
