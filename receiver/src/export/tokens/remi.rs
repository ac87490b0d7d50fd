//! REMI: notes as pitch, velocity and duration, time as bars and positions in them.
//!
//! Y.-S. Huang and Y.-H. Yang, Pop Music Transformer, ACM Multimedia 2020; with programs and meters after D. von Rütte et al.,
//! FIGARO, ICLR 2023, in the order of MidiTok 3.

use super::music::{Meter, Quantized};
use super::vocabulary::{POSITIONS, Token};

/// Something that happens at a tick.
enum Event {
    Meter(Meter),
    Tempo(usize),
    Note { program: i16, pitch: u8, velocity: u8, duration: u32 },
}

/// The token ids of `music`.
pub(super) fn tokens(music: &Quantized) -> Vec<u16> {
    let mut time = Time::new(music);
    for (tick, event) in events(music) {
        time.go_to(tick, &event);
        match event {
            Event::Meter(meter) => time.change(meter),
            Event::Tempo(tempo) => time.put(Token::Tempo(tempo)),
            Event::Note { program, pitch, velocity, duration } => {
                time.put(Token::Program(program));
                time.put(Token::Pitch(pitch));
                time.put(Token::Velocity(velocity.into()));
                time.put(Token::Duration(duration as usize));
            }
        }
    }
    time.tokens
}

/// All events in order of ticks; on the same tick meters, then tempos, then part by part.
fn events(music: &Quantized) -> Vec<(u32, Event)> {
    let meters = music.meters.iter().map(|&meter| (meter.tick, Event::Meter(meter)));
    let tempos = music.tempos.iter().map(|&(tick, tempo)| (tick, Event::Tempo(tempo)));
    let notes = music.parts.iter().flat_map(|part| {
        part.notes.iter().map(|note| {
            let (pitch, velocity, duration) = (note.pitch, note.velocity, note.duration);
            (note.tick, Event::Note { program: part.program, pitch, velocity, duration })
        })
    });
    let mut events: Vec<_> = meters.chain(tempos).chain(notes).collect();
    events.sort_by_key(|event| event.0);
    events
}

/// Where the tokens stand in time.
struct Time {
    tokens: Vec<u16>,
    per_quarter: u32,
    meter: Meter,
    /// Bars that have begun, and those that had when the meter did.
    bars: u32,
    bars_before_meter: u32,
    /// The tick that the last position token stated.
    stated: Option<u32>,
}

impl Time {
    fn new(music: &Quantized) -> Self {
        let (per_quarter, meter) = (music.per_quarter, music.meters[0]);
        Self { tokens: Vec::new(), per_quarter, meter, bars: 0, bars_before_meter: 0, stated: None }
    }

    fn put(&mut self, token: Token) {
        self.tokens.push(token.id());
    }

    /// States bars and position up to `tick`, unless they are.
    fn go_to(&mut self, tick: u32, event: &Event) {
        if self.stated == Some(tick) {
            return;
        }
        let is_meter = matches!(event, Event::Meter(_));
        let bar = self.meter.ticks_per_bar(self.per_quarter);
        let begun = self.bars_before_meter + (tick - self.meter.tick) / bar + 1;
        while self.bars < begun {
            self.bars += 1;
            self.put(Token::Bar);
            // A change of meter states its own.
            if !(is_meter && self.bars == begun) {
                self.put(Token::Meter(self.meter.numerator, self.meter.denominator));
            }
        }
        if !is_meter {
            let step = self.meter.ticks_per_beat(self.per_quarter) / POSITIONS;
            self.put(Token::Position((tick - self.meter.tick) % bar / step));
        }
        self.stated = Some(tick);
    }

    fn change(&mut self, meter: Meter) {
        self.bars_before_meter = self.bars - 1;
        self.meter = meter;
        self.put(Token::Meter(meter.numerator, meter.denominator));
        // What follows on the same tick states its position.
        self.stated = None;
    }
}
