use std::path::Path;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use send_learn_protocol::units::{HostId, HostNanos, MachineId, StreamId};

use super::run::{Known, Status};
use super::*;

fn recorder(data: &Path, max_takes: usize) -> (Recorder, Receiver<Report>) {
    let (sender, reports) = sync_channel(16);
    let recorder = Recorder {
        disk: Watch::new(data),
        config: Config {
            data: data.to_owned(),
            tunable: Tunable { absence: Duration::ZERO, ..Tunable::default() },
            names: Names::default(),
            max_takes,
        },
        takes: HashMap::new(),
        archive: Queue::new(0),
        archive_thread: thread::Builder::new().spawn(|| {}).unwrap(),
        report: Box::new(move |report| sender.send(report).unwrap()),
        synced: Instant::now(),
        stopping: false,
    };
    (recorder, reports)
}

#[test]
fn a_sender_that_leaves_while_it_waits_for_the_archive_is_not_let_in_afterwards() {
    let folder = tempfile::tempdir().unwrap();
    let (mut recorder, reports) = recorder(folder.path(), 1);
    let take = TakeId([1; 16]);
    let status = Status::Closing(Some(SessionId(7)));
    recorder.takes.insert(take, Known { folder: folder.path().to_owned(), status });
    recorder.handle(Command::Left { take });
    assert!(matches!(recorder.takes[&take].status, Status::Closing(None)));
    assert!(reports.try_recv().is_err());
}

#[test]
fn a_stream_that_comes_waits_for_its_own_data_and_for_no_other_streams() {
    let folder = tempfile::tempdir().unwrap();
    let (mut recorder, reports) = recorder(folder.path(), 2);
    let described = |take: u8| Description {
        stream: StreamId([take; 16]),
        take: TakeId([take; 16]),
        host: HostId([1; 16]),
        machine: MachineId([1; 16]),
        sample_rate: 48_000.0,
        channels: 1,
        max_block: 512,
        started_unix_nanos: 0,
        started: HostNanos(0),
        properties: Vec::new(),
    };
    let open = |session, take| Command::Open { session: SessionId(session), description: Box::new(described(take)) };
    recorder.handle(open(1, 1));
    assert!(matches!(reports.try_recv(), Ok(Report::Accepted { session: SessionId(1), .. })));
    let entry = vec![0; 100].into();
    let (take, number) = (TakeId([1; 16]), SourceNumber(0));
    recorder.handle(Command::Entry { take, number, arrival: Arrival::Live, arrived: HostNanos(1), entry });
    recorder.handle(open(2, 2));
    assert!(
        matches!(reports.try_recv(), Ok(Report::Accepted { session: SessionId(2), .. })),
        "the first take is not synced for it"
    );
    // The first comes again: what the answer says it has is on disk.
    recorder.handle(open(3, 1));
    assert!(matches!(reports.try_recv(), Ok(Report::Durable { number: SourceNumber(1), .. })));
    let Ok(Report::Accepted { session: SessionId(3), held, .. }) = reports.try_recv() else { panic!("not accepted") };
    assert_eq!(held.complete, SourceNumber(1));
}
