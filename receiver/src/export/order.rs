//! Work on all cores, results in order, a bounded number of them waiting.

use std::io;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread;

/// Calls `work` for 0 to `count - 1` on `threads` threads, and `take` with the results in order, on this one. Each thread is at most
/// two results ahead. The first error of `take` ends it all.
///
/// # Errors
/// What `take` says; or, as its own kind of error, that no thread could be made.
pub(super) fn in_order<T: Send, E: From<io::Error>>(
    count: usize,
    threads: usize,
    work: impl Fn(usize) -> T + Sync,
    mut take: impl FnMut(usize, T) -> Result<(), E>,
) -> Result<(), E> {
    let threads = threads.clamp(1, count.max(1));
    thread::scope(|scope| {
        let mut lanes: Vec<Receiver<T>> = Vec::new();
        for lane in 0..threads {
            let (give, results) = sync_channel(1);
            let work = &work;
            let run = move || {
                for item in (lane..count).step_by(threads) {
                    // Nobody listens any more after an error.
                    if give.send(work(item)).is_err() {
                        break;
                    }
                }
            };
            thread::Builder::new().name(format!("export-{lane}")).spawn_scoped(scope, run)?;
            lanes.push(results);
        }
        for item in 0..count {
            // A thread that panicked has closed its lane; the scope passes the panic on.
            let Ok(result) = lanes[item % threads].recv() else { break };
            take(item, result)?;
        }
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[test]
    fn results_come_in_order_and_few_wait() {
        let (begun, mut taken) = (AtomicUsize::new(0), Vec::new());
        let work = |item: usize| {
            begun.fetch_add(1, Ordering::Relaxed);
            // Later ones are quicker.
            thread::sleep(std::time::Duration::from_micros(1000 - item as u64 * 10));
            item * item
        };
        let take = |item, square| {
            assert!(begun.load(Ordering::Relaxed) <= item + 3 * 4, "too far ahead at {item}");
            taken.push(square);
            Ok::<_, io::Error>(())
        };
        in_order(100, 4, work, take).expect("no error");
        assert!(taken.into_iter().eq((0..100).map(|item| item * item)));
    }

    #[test]
    fn the_first_error_ends_it() {
        let begun = AtomicUsize::new(0);
        let work = |_| begun.fetch_add(1, Ordering::Relaxed);
        let take = |item, _| if item == 5 { Err(io::Error::other("full")) } else { Ok(()) };
        assert_eq!(in_order(1000, 3, work, take).expect_err("an error").to_string(), "full");
        assert!(begun.into_inner() < 30);
    }
}
