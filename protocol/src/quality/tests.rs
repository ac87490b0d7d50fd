use super::*;
use crate::units::PacketNumber;

const STEP: Duration = Duration::from_millis(50);
const NEED: f64 = 430_000.0;

fn need(bytes: f64, datagrams: f64) -> Need {
    Need { bytes, datagrams }
}

/// What the network does to the live path in one step.
#[derive(Clone, Copy, Default)]
struct Step {
    /// Share of datagrams lost.
    loss: f64,
    /// Share of live datagrams that never come.
    unrepaired: f64,
    queue_millis: u32,
    /// Bytes per second that come through.
    delivered: f64,
}

struct Bench {
    controller: Controller,
    now: HostNanos,
    feedback: Feedback,
    situation: Situation,
    /// Each change of the level, and when.
    changes: Vec<(f64, Level)>,
}

impl Bench {
    fn new(round_trip: u64) -> Self {
        let situation = Situation {
            round_trip: Duration::from_millis(round_trip),
            block: Duration::from_micros(10_667),
            needs: Needs { full: need(NEED, 375.0), reduced: need(NEED * 0.4, 188.0), coarse: need(NEED * 0.2, 94.0) },
            ..Situation::default()
        };
        Self {
            controller: Controller::new(Config::default()),
            now: HostNanos(0),
            feedback: Feedback::default(),
            situation,
            changes: Vec::new(),
        }
    }

    fn run(&mut self, seconds: f64, step: Step) -> Decision {
        for _ in 0..(seconds / STEP.as_secs_f64()) as u32 {
            self.now = self.now.after(STEP);
            let feedback = &mut self.feedback;
            feedback.sent_at = self.now;
            // 1,000 datagrams in a step make shares exact.
            feedback.datagrams += 1_000 - (1_000.0 * step.loss) as u64;
            feedback.lost += (1_000.0 * step.loss) as u64;
            feedback.bytes += (step.delivered * STEP.as_secs_f64()) as u64;
            feedback.delivered += 1_000 - (1_000.0 * step.unrepaired) as u64;
            feedback.queue_micros = step.queue_millis * 1_000;
            feedback.highest_packet = PacketNumber(feedback.datagrams + feedback.lost);
            self.situation.live_sent += 1_000;
            let before = self.controller.decision().level;
            self.controller.on_feedback(self.now, &self.feedback, &self.situation);
            let level = self.controller.decision().level;
            if level != before {
                self.changes.push((self.now.0 as f64 / 1e9, level));
            }
        }
        self.controller.decision()
    }
}

const FINE: Step = Step { loss: 0.0, unrepaired: 0.0, queue_millis: 0, delivered: NEED };

#[test]
fn random_loss_raises_parity_and_not_the_level() {
    let mut bench = Bench::new(200);
    let before = bench.run(5.0, FINE);
    let during = bench.run(20.0, Step { loss: 0.1, ..FINE });
    assert_eq!((before.plan.parities, during.level), (1, Level::Full));
    assert!(during.plan.parities >= 6, "{:?}", during.plan);
    let after = bench.run(20.0, FINE);
    assert_eq!(after.plan.parities, 1);
}

#[test]
fn a_queue_lowers_the_level_and_not_parity() {
    let mut bench = Bench::new(200);
    let before = bench.run(5.0, FINE);
    let during = bench.run(2.0, Step { loss: 0.1, queue_millis: 80, delivered: NEED * 0.6, ..FINE });
    assert_eq!(during.level, Level::Reduced);
    assert_eq!(during.plan.parities, before.plan.parities);
    assert!(during.rate < NEED * 0.6);
}

#[test]
fn a_network_that_takes_a_quarter_leaves_the_coarse_level() {
    let mut bench = Bench::new(2);
    bench.run(5.0, FINE);
    let during = bench.run(1.0, Step { queue_millis: 90, delivered: NEED * 0.25, ..FINE });
    assert_eq!(during.level, Level::Coarse);
}

#[test]
fn what_does_not_arrive_lowers_the_level_by_its_share() {
    for (unrepaired, level) in [(0.04, Level::Full), (0.06, Level::Reduced), (0.19, Level::Reduced), (0.21, Level::Coarse)] {
        let mut bench = Bench::new(2);
        bench.run(5.0, FINE);
        let during = bench.run(4.0, Step { unrepaired, ..FINE });
        assert_eq!(during.level, level, "{unrepaired} do not arrive");
    }
}

#[test]
fn late_is_not_lost() {
    let mut bench = Bench::new(2);
    bench.run(5.0, FINE);
    for _ in 0..100 {
        // A third comes only on request.
        bench.feedback.resent += 333;
        bench.run(0.05, Step { unrepaired: 0.333, loss: 0.05, ..FINE });
    }
    assert_eq!(bench.controller.decision().level, Level::Full);
}

#[test]
fn the_level_never_changes_twice_in_2_s_and_is_whole_10_s_after_the_network() {
    let mut bench = Bench::new(2);
    bench.run(5.0, FINE);
    for _ in 0..30 {
        bench.run(1.3, Step { unrepaired: 0.5, ..FINE });
        bench.run(3.1, FINE);
    }
    assert!(bench.changes.len() > 2);
    let gaps: Vec<f64> = bench.changes.windows(2).map(|pair| pair[1].0 - pair[0].0).collect();
    assert!(gaps.iter().all(|gap| *gap >= 2.0 - 1e-9), "{gaps:?}");
    bench.run(10.0, FINE);
    assert_eq!(bench.controller.decision().level, Level::Full);
}

#[test]
fn the_pace_grows_only_while_back_fill_waits_and_falls_below_what_is_delivered() {
    let mut bench = Bench::new(2);
    let idle = bench.run(5.0, FINE);
    bench.situation.back_fill_waited = true;
    let busy = bench.run(1.0, FINE);
    assert!(busy.rate > idle.rate * 10.0, "{} {}", idle.rate, busy.rate);
    let queued = bench.run(0.2, Step { queue_millis: 20, delivered: 1.0e6, ..FINE });
    assert!(queued.rate < 1.0e6);
}

#[test]
fn a_flood_of_feedback_that_says_anything_costs_no_memory() {
    let mut bench = Bench::new(2);
    for n in 0..10_000_u64 {
        let word = n.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let feedback = Feedback {
            highest_packet: PacketNumber(word),
            datagrams: word >> 7,
            bytes: u64::MAX - (word >> 3),
            lost: word >> 1,
            delivered: u64::MAX,
            resent: word,
            backfilled: word >> 2,
            sent_at: HostNanos(word >> 32),
            jitter_micros: word as u32,
            queue_micros: (word >> 16) as u32,
            longest_burst: word as u16,
            ..Feedback::default()
        };
        bench.controller.on_feedback(HostNanos(n), &feedback, &bench.situation);
    }
    assert!(bench.controller.live.len() <= MAX_SAMPLES + 1 && bench.controller.delivery.len() <= MAX_SAMPLES + 1);
    let decision = bench.controller.decision();
    assert!(decision.rate.is_finite() && decision.plan.sources >= 1);
}
