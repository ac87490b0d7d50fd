use super::*;

fn filled(limit: usize, count: usize) -> Retention {
    let mut retention = Retention::new(limit);
    (0..count).for_each(|n| retention.push(HostNanos(n as u64), vec![0; 1_000]));
    retention
}

#[test]
fn entries_stay_until_they_are_durable() {
    let mut retention = filled(1 << 20, 10);
    retention.release(SourceNumber(4));
    assert!(retention.entry(SourceNumber(3)).is_none() && retention.entry(SourceNumber(4)).is_some());
    assert_eq!((retention.first().0, retention.next().0, retention.gone(SourceNumber(0))), (4, 10, None));
}

#[test]
fn at_the_limit_the_oldest_go_and_are_named() {
    let mut retention = filled(5_500, 10);
    assert!(retention.bytes() <= 5_500);
    let (gone, reason) = retention.gone(SourceNumber(0)).unwrap();
    assert_eq!(reason, GoneReason::RetentionFull);
    assert_eq!((gone.first.0, gone.count), (0, retention.dropped()));
    assert_eq!(gone.end(), retention.first());
    retention.release(gone.end());
    assert_eq!(retention.gone(SourceNumber(0)), None);
}

#[test]
fn a_watermark_beyond_the_log_is_ignored() {
    let mut retention = filled(1 << 20, 3);
    retention.release(SourceNumber(4));
    assert_eq!(retention.first().0, 0);
}
