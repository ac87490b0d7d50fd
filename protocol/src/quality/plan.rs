//! How much parity, over how many entries, and what is left to requests: chosen by deadline, round trip, loss and bursts
//! (spec/quality.md, section 3).

use std::time::Duration;

use super::{Config, Level, Situation};
use crate::fec::{MAX_PARITIES, MAX_SOURCES, Plan};
use crate::packet::feedback::Feedback;

/// The share of entries that may miss their deadline: one in 27 s of a stereo stream.
const TARGET: f64 = 1.0e-4;

/// Requests are never trusted more than on a way that loses this much.
const LEAST_LOSS: f64 = 0.02;

/// What a round of request and repeat takes besides the round trip: the receiver's margin, and the sender's.
const ROUND: Duration = Duration::from_millis(6);

/// An entry that is lost at a block's end is missed when the next block comes, or at the probe after this.
pub(crate) const TAIL_PROBE: Duration = Duration::from_millis(15);

/// The share of the deadline in which a group's sources are sent; the rest is for its parities.
const SOURCES_SHARE: f64 = 0.6;

/// The same for previews: where the network is narrow, parity has to be cheap.
const PREVIEWS_SHARE: f64 = 0.9;

/// The longest that groups wait for interleaving, where only parity helps against bursts: 2 groups of 16 of a stereo stream.
const LONGEST_SPAN: Duration = Duration::from_millis(100);

/// The fewest sources in a group: below, one parity costs much and a burst takes all.
const FEWEST_SOURCES: f64 = 4.0;

/// The most groups that are filled in turn.
const DEEPEST: u8 = 8;

/// Time between parities: at least a datagram's on a link of 10 Mbit/s, at most a block's.
const SPACING: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(12));

/// With requests, which repair bursts, parities follow one another at once.
const CLOSE_SPACING: Duration = Duration::from_millis(2);

/// Where the live path does without requests, the recording waits this long before it asks.
const UNHURRIED: Duration = Duration::from_millis(400);

/// What is decided about parity.
pub(super) struct Parity {
    pub(super) plan: Plan,
    pub(super) group_age: Duration,
    pub(super) spacing: Duration,
    pub(super) patience: Duration,
}

/// Before anything is known of the network: 2 parities for 8 sources.
pub(super) fn first(config: &Config) -> Parity {
    let parities = (8.0 * config.most_parity).floor().clamp(0.0, 2.0) as u8;
    let patience = first_patience(config, Duration::ZERO);
    Parity { plan: Plan { sources: 8, parities, depth: 1 }, group_age: config.deadline, spacing: CLOSE_SPACING, patience }
}

/// Patience before anything but perhaps a round trip is known.
pub(super) fn first_patience(config: &Config, round_trip: Duration) -> Duration {
    let situation = Situation { round_trip, block: TAIL_PROBE, ..Situation::default() };
    match request_rounds(config, Duration::ZERO, &situation) {
        _ if !config.live_requests => UNHURRIED,
        0 => config.deadline,
        _ => Duration::ZERO,
    }
}

pub(super) fn choose(config: &Config, loss: f64, feedback: &Feedback, situation: &Situation, level: Level) -> Parity {
    let jitter = Duration::from_micros(feedback.jitter_micros.into());
    let rounds = request_rounds(config, jitter, situation);
    // Previews are not asked for.
    let rounds = if level == Level::Full { rounds } else { 0 };
    let by_requests = requests_fail(loss, rounds);
    let burst = f64::from(feedback.longest_burst);
    let rate = situation.needs.at(level).datagrams.max(1.0);
    let share = if level == Level::Full { SOURCES_SHARE } else { PREVIEWS_SHARE };
    let sources = (rate * config.deadline.as_secs_f64() * share).clamp(FEWEST_SOURCES, MAX_SOURCES.into()) as u8;
    let mut plan = Plan { sources, parities: parities(config, sources, loss, by_requests), depth: 1 };
    if rounds == 0 {
        spread(config, &mut plan, loss, burst, rate);
    }
    let span = Duration::from_secs_f64(f64::from(plan.sources) * f64::from(plan.depth) / rate).min(LONGEST_SPAN * 2);
    let count = u32::from(plan.parities) * u32::from(plan.depth);
    let spacing = match rounds {
        0 => (span / (count + 1)).clamp(SPACING.0, SPACING.1),
        _ => CLOSE_SPACING,
    };
    let patience = match rounds {
        _ if !config.live_requests => UNHURRIED,
        // Parity has its chance: a request would come too late anyway.
        0 => span + spacing * count + jitter * 3,
        _ => Duration::ZERO,
    };
    Parity { plan, group_age: (span * 5 / 4).max(config.deadline * 2 / 3), spacing, patience }
}

/// How often an entry can be asked for and sent again within the deadline.
fn request_rounds(config: &Config, jitter: Duration, situation: &Situation) -> i32 {
    if !config.live_requests || situation.round_trip.is_zero() {
        return 0;
    }
    let noticed = situation.block.min(TAIL_PROBE) + jitter * 3;
    let left = config.deadline.saturating_sub(noticed);
    (left.as_secs_f64() / (situation.round_trip + ROUND).as_secs_f64()) as i32
}

/// The probability that none of `rounds` requests brings an entry: each needs the request and the repeat to arrive.
fn requests_fail(loss: f64, rounds: i32) -> f64 {
    let arrives = 1.0 - loss.max(LEAST_LOSS);
    (1.0 - arrives * arrives).powi(rounds)
}

/// The least parity with which few enough entries miss their deadline; at least 1, which also shows that a block's end is lost.
fn parities(config: &Config, sources: u8, loss: f64, requests_fail: f64) -> u8 {
    let most = most(config, sources);
    (1..=most).find(|parities| unrepaired(sources, *parities, loss) * requests_fail <= TARGET).unwrap_or(most)
}

fn most(config: &Config, sources: u8) -> u8 {
    (f64::from(sources) * config.most_parity).floor().clamp(0.0, MAX_PARITIES.into()) as u8
}

/// Where a burst takes more of a group than its parities, groups become longer and several are filled in turn.
fn spread(config: &Config, plan: &mut Plan, loss: f64, burst: f64, rate: f64) {
    let sources_lost = |plan: &Plan| burst * f64::from(plan.sources) / f64::from(plan.sources + plan.parities);
    if sources_lost(plan) <= f64::from(plan.parities) {
        return;
    }
    let room = rate * LONGEST_SPAN.as_secs_f64();
    plan.sources = room.clamp(FEWEST_SOURCES, MAX_SOURCES.into()) as u8;
    plan.parities = parities(config, plan.sources, loss, 1.0);
    let deepest = (room / f64::from(plan.sources)).clamp(1.0, DEEPEST.into()) as u8;
    let most = most(config, plan.sources);
    while sources_lost(plan) > f64::from(plan.parities) * f64::from(plan.depth) {
        match () {
            () if plan.depth < deepest => plan.depth += 1,
            () if plan.parities < most => plan.parities += 1,
            () => break,
        }
    }
}

/// The share of sources that are lost and not rebuilt, with independent losses: of n = k + m datagrams j are lost with the
/// binomial probability; above m of them, j / n of the sources stay lost.
pub(super) fn unrepaired(sources: u8, parities: u8, loss: f64) -> f64 {
    let n = i32::from(sources) + i32::from(parities);
    let mut ways = 1.0;
    let mut share = 0.0;
    for lost in 1..=n {
        ways *= f64::from(n - lost + 1) / f64::from(lost);
        if lost > i32::from(parities) {
            share += ways * loss.powi(lost) * (1.0 - loss).powi(n - lost) * f64::from(lost) / f64::from(n);
        }
    }
    share
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::quality::{Need, Needs};

    fn situation(round_trip: u64) -> Situation {
        let needs = Needs { full: Need { datagrams: 375.0, ..Need::default() }, ..Needs::default() };
        Situation {
            needs,
            block: Duration::from_micros(10_667),
            round_trip: Duration::from_millis(round_trip),
            ..Situation::default()
        }
    }

    fn chosen(config: Config, loss: f64, round_trip: u64, longest_burst: u16) -> Parity {
        choose(&config, loss, &Feedback { longest_burst, ..Feedback::default() }, &situation(round_trip), Level::Full)
    }

    #[test]
    fn without_parity_the_loss_stays_and_the_bound_is_the_binomial_one() {
        assert!((unrepaired(8, 0, 0.05) - 0.05).abs() < 1e-12);
        // 1 of 2: both are lost with probability p^2, and then the source is.
        assert!((unrepaired(1, 1, 0.1) - 0.01).abs() < 1e-12);
        assert!(unrepaired(16, 4, 0.05) < unrepaired(16, 3, 0.05));
    }

    #[test]
    fn where_requests_fit_parity_is_cheap() {
        for loss in [0.0, 0.01, 0.05, 0.1] {
            let parity = chosen(Config::default(), loss, 2, 2);
            assert_eq!((parity.plan.parities, parity.patience), (1, Duration::ZERO), "loss {loss}");
            assert!(parity.plan.sources >= 12);
        }
    }

    #[test]
    fn on_a_long_way_parity_follows_loss() {
        let at = |loss| chosen(Config::default(), loss, 200, 1);
        let counts: Vec<u8> = [0.0, 0.001, 0.01, 0.05, 0.2].map(|loss| at(loss).plan.parities).to_vec();
        assert!(counts.is_sorted() && counts[0] == 1 && counts[4] >= 6, "{counts:?}");
        assert!(at(0.05).patience > Duration::from_millis(30));
    }

    #[test]
    fn without_requests_a_burst_is_met_by_interleaving_within_the_parity_allowed() {
        let config = Config { live_requests: false, most_parity: 0.25, ..Config::default() };
        let random = chosen(config, 0.05, 2, 2).plan;
        assert_eq!((random.parities, random.depth), (3, 1));
        let burst = chosen(config, 0.01, 2, 10).plan;
        assert_eq!(burst, Plan { sources: 16, parities: 4, depth: 2 });
    }
}
