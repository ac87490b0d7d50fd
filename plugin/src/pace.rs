//! Whether a host renders faster than time, seen from how fast its blocks come.
//!
//! VST3 hosts say so when they set a plugin up, but nice-plug 0.4.2 passes on what they said at the setup before: a render would be
//! taken for playing, and what is played after it for a render. CLAP hosts are believed.

use std::time::Duration;

use send_learn_protocol::units::HostNanos;

/// Playing becomes a render where so much audio has come in less than half of its time. Hosts that work ahead of the ear, or fill
/// their buffers at the start, are ahead by less.
const RENDERED: Duration = Duration::from_secs(2);

/// A render becomes playing where less than twice as much audio as time has passed in this span.
const PLAYED: Duration = Duration::from_millis(250);

/// Watches the blocks of one activation. For the audio thread.
#[derive(Debug)]
pub struct Pace {
    sample_rate: f64,
    since: HostNanos,
    frames: u64,
    renders: bool,
}

impl Pace {
    /// Nothing has come yet: that is called playing.
    pub fn new(sample_rate: f64) -> Self {
        Self { sample_rate, since: HostNanos(0), frames: 0, renders: false }
    }

    /// A block of `frames` comes at `now`. Whether the host renders.
    pub fn note(&mut self, now: HostNanos, frames: u32) -> bool {
        let passed = now.since(self.since);
        let audio = self.frames as f64 / self.sample_rate;
        let full = if self.renders { passed >= PLAYED } else { audio >= RENDERED.as_secs_f64() };
        if full {
            self.renders = audio >= 2.0 * passed.as_secs_f64();
        }
        if full || self.frames == 0 {
            (self.since, self.frames) = (now, 0);
        }
        self.frames += u64::from(frames);
        self.renders
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 48_000.0;
    const BLOCK: u32 = 480;

    /// Blocks of 10 ms at this speed, 1 is real time: at which of them it began to be, or ceased to be, a render.
    fn turns(pace: &mut Pace, now: &mut HostNanos, blocks: usize, speed: f64) -> Vec<usize> {
        let mut before = pace.renders;
        let mut turned = |index| {
            *now = now.after(Duration::from_secs_f64(0.01 / speed));
            let renders = pace.note(*now, BLOCK);
            (std::mem::replace(&mut before, renders) != renders).then_some(index)
        };
        (0..blocks).filter_map(&mut turned).collect()
    }

    #[test]
    fn a_render_is_known_after_two_seconds_of_it_and_playing_at_once_after_it() {
        let (mut pace, mut now) = (Pace::new(RATE), HostNanos(1));
        assert_eq!(turns(&mut pace, &mut now, 6_000, 1.0), [0; 0], "a minute of playing");
        let render = turns(&mut pace, &mut now, 6_000, 40.0);
        assert!(render.len() == 1 && render[0] <= 400, "{render:?}");
        let played = turns(&mut pace, &mut now, 6_000, 1.0);
        assert!(played.len() == 1 && played[0] <= 60, "{played:?}");
    }

    #[test]
    fn a_host_that_fills_its_buffers_or_stands_still_does_not_render() {
        let (mut pace, mut now) = (Pace::new(RATE), HostNanos(1));
        for _ in 0..20 {
            assert_eq!(turns(&mut pace, &mut now, 100, 1_000.0), [0; 0], "a second ahead");
            now = now.after(Duration::from_secs(2));
            assert_eq!(turns(&mut pace, &mut now, 300, 1.02), [0; 0]);
        }
    }
}
