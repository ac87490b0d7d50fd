//! Retention with a spool against a plain model.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;

/// A disk that keeps what it is told to, answers late, and may fail, lose entries and run full.
#[derive(Default)]
struct Disk {
    entries: BTreeMap<u64, Arc<[u8]>>,
    requests: VecDeque<SpoolRequest>,
}

impl Disk {
    /// Does the oldest request.
    fn answer(&mut self, fails: bool) -> Option<SpoolAnswer> {
        match self.requests.pop_front()? {
            SpoolRequest::Write(_) if fails => {
                // What was handed over after it does not count either.
                self.requests.retain(|request| !matches!(request, SpoolRequest::Write(_)));
                Some(SpoolAnswer::Failed)
            }
            SpoolRequest::Write(batch) => {
                self.entries.extend(batch.into_iter().map(|(number, entry)| (number.0, entry)));
                Some(SpoolAnswer::Written)
            }
            SpoolRequest::Read(range) => {
                let found = self.entries.range(range.first.0..range.end().0);
                let entries = found.map(|(number, entry)| (SourceNumber(*number), entry.clone())).collect();
                Some(SpoolAnswer::Read { range, entries })
            }
            SpoolRequest::Release(durable) => {
                self.entries = self.entries.split_off(&durable.0);
                None
            }
        }
    }
}

fn bytes(number: u64) -> Vec<u8> {
    vec![number as u8; 200 + (number * 37 % 800) as usize]
}

/// The entry, by memory or by the spool; `None` when it is gone.
fn fetch(retention: &mut Retention, disk: &mut Disk, now: HostNanos, number: u64) -> Option<Arc<[u8]>> {
    for _ in 0..50 {
        if let Some(kept) = retention.entry(SourceNumber(number)) {
            kept.sent = Some(now);
            return Some(kept.entry.clone());
        }
        retention.recall(SourceRange { first: SourceNumber(number), count: 1 });
        disk.requests.extend(std::iter::from_fn(|| retention.poll_spool(now)));
        while !disk.requests.is_empty() {
            if let Some(answer) = disk.answer(false) {
                retention.handle_spool(now, answer);
            }
        }
        let gone = retention.gone(SourceNumber(number));
        if gone.is_some_and(|(range, _)| range.first.0 <= number) {
            return None;
        }
    }
    panic!("entry {number} is neither kept nor gone");
}

proptest! {
    /// Whatever happens in whatever order: an entry that is not durable is given back with its own bytes, or is named as gone;
    /// it is gone only where memory overflowed while the spool failed, or the spool lost it; and memory keeps its limit.
    #[test]
    fn what_is_not_durable_is_kept_or_named(
        operations in prop::collection::vec((0_u8..12, 0_u64..40), 1..160),
        limit in 4_000_usize..60_000,
    ) {
        let mut retention = Retention::new(limit);
        retention.use_spool();
        let mut disk = Disk::default();
        let mut now = HostNanos(1_000_000_000);
        let (mut next, mut durable) = (0_u64, 0_u64);
        // What may be gone: the spool was given no chance to keep it, or lost it.
        let mut excused: BTreeSet<u64> = BTreeSet::new();
        let mut troubled = false;
        for (operation, amount) in operations {
            match operation {
                0..=3 => for _ in 0..=amount {
                    retention.push(now, bytes(next));
                    next += 1;
                    prop_assert!(retention.bytes() <= limit || retention.next().0 - retention.first().0 <= 1);
                },
                4 => now = now.after(Duration::from_millis(amount * 200)),
                5 | 6 => disk.requests.extend(std::iter::from_fn(|| retention.poll_spool(now))),
                7 => for _ in 0..amount {
                    if let Some(answer) = disk.answer(false) {
                        retention.handle_spool(now, answer);
                    }
                },
                8 => {
                    let writes = disk.requests.iter().any(|request| matches!(request, SpoolRequest::Write(_)));
                    troubled |= writes;
                    while writes && matches!(disk.requests.front(), Some(request) if !matches!(request, SpoolRequest::Write(_))) {
                        if let Some(answer) = disk.answer(false) {
                            retention.handle_spool(now, answer);
                        }
                    }
                    if let Some(answer) = disk.answer(true) {
                        retention.handle_spool(now, answer);
                    }
                }
                9 => {
                    durable = next.min(durable + amount);
                    retention.release(SourceNumber(durable));
                    excused = excused.split_off(&durable);
                }
                10 => if let Some(damaged) = disk.entries.keys().nth(amount as usize).copied() {
                    disk.entries.remove(&damaged);
                    excused.insert(damaged);
                },
                _ => if let Some(first) = disk.entries.keys().next().copied() {
                    let end = first + amount;
                    let kept = disk.entries.split_off(&end);
                    excused.extend(std::mem::replace(&mut disk.entries, kept).into_keys());
                    excused.extend(first..end);
                    // In the order of the spool's answers: nothing that was written before is still to be answered.
                    if disk.requests.is_empty() {
                        retention.handle_spool(now, SpoolAnswer::Dropped(SourceNumber(end.min(next))));
                    }
                },
            }
            // Memory overflowed before the spool was asked: nobody could keep it.
            let mut at = SourceNumber(0);
            while let Some((range, reason)) = retention.gone(at) {
                at = range.end();
                for number in range.first.0..range.end().0 {
                    prop_assert!(number >= durable || range.first.0 < durable, "{number} is durable");
                    prop_assert!(number < next);
                    let overflowed = reason == GoneReason::RetentionFull;
                    prop_assert!(overflowed || excused.contains(&number), "{number} is gone for {reason:?}; trouble: {troubled}");
                    excused.insert(number);
                }
            }
            prop_assert_eq!(retention.next().0, next);
            prop_assert!(retention.first_kept().0 >= durable);
        }
        for number in durable..next {
            match fetch(&mut retention, &mut disk, now, number) {
                Some(entry) => prop_assert_eq!(&entry[..], &bytes(number)[..]),
                None => prop_assert!(excused.contains(&number), "{} is gone without need", number),
            }
        }
        // All durable: nothing is left anywhere.
        retention.release(SourceNumber(next));
        disk.requests.extend(std::iter::from_fn(|| retention.poll_spool(now)));
        while !disk.requests.is_empty() {
            if let Some(answer) = disk.answer(false) {
                retention.handle_spool(now, answer);
            }
        }
        prop_assert_eq!((retention.bytes(), retention.gone(SourceNumber(0)), retention.spooled()), (0, None, 0));
        prop_assert!(disk.entries.is_empty());
    }

    /// A spool that is given time loses nothing, however small memory is.
    #[test]
    fn a_spool_in_time_loses_nothing(bursts in prop::collection::vec(1_u64..20, 1..60)) {
        let mut retention = Retention::new(40_000);
        retention.use_spool();
        let mut disk = Disk::default();
        let mut now = HostNanos(0);
        let mut next = 0;
        for burst in bursts {
            for _ in 0..burst {
                retention.push(now, bytes(next));
                next += 1;
            }
            now = now.after(Duration::from_millis(150));
            disk.requests.extend(std::iter::from_fn(|| retention.poll_spool(now)));
            while let Some(answer) = disk.answer(false) {
                retention.handle_spool(now, answer);
            }
        }
        prop_assert_eq!((retention.dropped(), retention.gone(SourceNumber(0))), (0, None));
        for number in 0..next {
            prop_assert_eq!(&fetch(&mut retention, &mut disk, now, number).unwrap()[..], &bytes(number)[..]);
        }
    }
}
