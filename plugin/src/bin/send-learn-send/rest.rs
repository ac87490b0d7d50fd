//! Sends what earlier programs could not.

use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use send_learn_plugin::uplink::Uplink;

use super::{Options, watch_interrupts};
use std::sync::atomic::Ordering;

/// How often the state is looked at, and how often it is said.
const STEP: Duration = Duration::from_millis(20);
const LINE: Duration = Duration::from_secs(5);

/// True when nothing is left, false when a person stopped it.
pub(crate) fn send(options: &Options) -> Result<bool> {
    let interrupts = watch_interrupts()?;
    let uplink = Uplink::acquire().context("the system grants no thread or socket")?;
    // Where a person named a receiver, all goes there.
    let stream = options.to.as_deref().map(|to| uplink.open(to));
    if let Some(stream) = &stream {
        stream.take_rest();
    }
    let (mut sent, mut first) = (0, None);
    let (mut said, mut progress) = (Instant::now(), Instant::now());
    loop {
        let rest = uplink.rest();
        if rest.known && rest.takes == 0 {
            match first {
                None => println!("nothing is left to send"),
                Some(_) => println!("{sent} takes are on the receiver's disk now"),
            }
            return Ok(true);
        }
        if rest.known && first.is_none() {
            eprintln!("{} takes to finish, {} datagrams", rest.takes, rest.entries);
        }
        if first.is_some_and(|before| before != (rest.takes, rest.entries)) {
            progress = Instant::now();
        }
        sent = sent.max(rest.takes);
        if rest.known {
            first = Some((rest.takes, rest.entries));
        }
        if interrupts.load(Ordering::Relaxed) > 0 {
            return Ok(false);
        }
        if options.timeout > 0.0 && progress.elapsed().as_secs_f64() >= options.timeout {
            bail!(
                "no receiver takes the rest: {} takes, {} datagrams are still kept here. Is one running?",
                rest.takes,
                rest.entries
            );
        }
        if said.elapsed() >= LINE {
            said = Instant::now();
            eprintln!("{} takes to finish, {} datagrams", rest.takes, rest.entries);
        }
        std::thread::sleep(STEP);
    }
}
