//! Sends what earlier programs could not.

use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use send_learn_plugin::address::AUTOMATIC;
use send_learn_plugin::uplink::Rest;

use super::{Options, key, watch_interrupts};

/// How often the state is looked at, and how often it is said.
const STEP: Duration = Duration::from_millis(20);
const LINE: Duration = Duration::from_secs(5);

/// True when nothing is left, false when a person stopped it.
pub(crate) fn send(options: &Options) -> Result<bool> {
    let interrupts = watch_interrupts()?;
    let uplink = key::uplink(options)?;
    // Where a person named a receiver, all goes there.
    let named = options.to.as_deref().filter(|to| !to.eq_ignore_ascii_case(AUTOMATIC));
    let stream = named.map(|to| uplink.open(to));
    if let Some(stream) = &stream {
        stream.take_rest();
    }
    let (mut last, mut found) = (Rest::default(), 0);
    let (mut moved, mut said) = (Instant::now(), None::<Instant>);
    while interrupts.load(Ordering::Relaxed) == 0 {
        let rest = uplink.rest();
        found = found.max(rest.takes);
        if rest.known && rest.takes == 0 {
            match found {
                0 => println!("nothing is left to send"),
                _ => println!("all of it is on the receiver's disk now (takes: {found})"),
            }
            return Ok(true);
        }
        if rest != last {
            (last, moved) = (rest, Instant::now());
        }
        let left = format!("takes: {}, datagrams: {}", rest.takes, rest.entries);
        if rest.known && said.is_none_or(|said| said.elapsed() >= LINE) {
            said = Some(Instant::now());
            eprintln!("left to send: {left}");
        }
        if options.timeout > 0.0 && moved.elapsed().as_secs_f64() >= options.timeout {
            bail!("no receiver takes the rest, which is still kept here ({left}). Is one running?");
        }
        std::thread::sleep(STEP);
    }
    Ok(false)
}
