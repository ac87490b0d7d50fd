//! Which tokens there are, and MidiTok's own description of the tokenizer.

use std::ops::RangeInclusive;

use serde_json::{Value, json};

/// Positions in a beat.
pub(super) const POSITIONS: u32 = 12;

/// Beats of a duration and steps to the beat: fine for short notes, coarse for long ones.
const DURATIONS: [(u32, u32, u32); 2] = [(0, 4, 12), (4, 16, 4)];

/// Tokens of velocity, evenly over 0 to 127.
const VELOCITIES: u32 = 32;

/// Quarter notes per minute.
const TEMPOS: RangeInclusive<u32> = 30..=300;

/// Meters by denominator, with the largest numerator; in the order of the denominators' names, because that is how they stand
/// in `tokenizer.json`, and MidiTok counts ids in that order.
const METERS: [(u8, u8); 4] = [(16, 16), (2, 4), (4, 12), (8, 16)];

/// The most beats in a bar.
const MAX_BEATS: u32 = 16;

/// The program of drums; all others are those of General MIDI, 0 to 127.
pub(super) const DRUMS: i16 = -1;

const SPECIAL: [&str; 4] = ["PAD_None", "BOS_None", "EOS_None", "MASK_None"];

/// A token, with its value as an index among those of its kind where that is not the value itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Token {
    Bar,
    Pitch(u8),
    /// Index in [`velocities`].
    Velocity(usize),
    /// Index in [`durations`].
    Duration(usize),
    Position(u32),
    /// Index in [`tempos`].
    Tempo(usize),
    Program(i16),
    Meter(u8, u8),
}

impl Token {
    /// Its number: special tokens first, then kind by kind in this order.
    pub(super) fn id(self) -> u16 {
        let bar = SPECIAL.len();
        let pitch = bar + 1;
        let velocity = pitch + 128;
        let duration = velocity + VELOCITIES as usize;
        let position = duration + durations().count();
        let tempo = position + (POSITIONS * MAX_BEATS) as usize;
        let program = tempo + TEMPOS.count();
        let meter = program + 129;
        let id = match self {
            Self::Bar => bar,
            Self::Pitch(key) => pitch + usize::from(key),
            Self::Velocity(index) => velocity + index,
            Self::Duration(index) => duration + index,
            Self::Position(index) => position + index as usize,
            Self::Tempo(index) => tempo + index,
            Self::Program(DRUMS) => program + 128,
            Self::Program(number) => program + number as usize,
            Self::Meter(numerator, denominator) => {
                meter + meters().position(|meter| meter == (numerator, denominator)).unwrap_or_default()
            }
        };
        id as u16
    }
}

/// The velocities that tokens stand for.
pub(super) fn velocities() -> impl Iterator<Item = u8> {
    (1..=VELOCITIES).map(|index| (127 * index / VELOCITIES) as u8)
}

/// The durations that tokens stand for: beats, steps, steps to the beat.
pub(super) fn durations() -> impl Iterator<Item = (u32, u32, u32)> {
    let [.., (_, end, steps)] = DURATIONS;
    let all = DURATIONS
        .into_iter()
        .flat_map(|(begin, end, steps)| (begin..end).flat_map(move |beat| (0..steps).map(move |step| (beat, step, steps))));
    all.chain([(end, 0, steps)]).skip(1)
}

/// The tempos that tokens stand for, in quarter notes per minute, the slowest first.
pub(super) fn tempos() -> impl DoubleEndedIterator<Item = u32> {
    TEMPOS
}

/// The meters that tokens stand for.
pub(super) fn meters() -> impl Iterator<Item = (u8, u8)> {
    METERS.into_iter().flat_map(|(denominator, most)| (1..=most).map(move |numerator| (numerator, denominator)))
}

/// All tokens as MidiTok writes them, in the order of their ids.
pub(super) fn names() -> Vec<String> {
    let mut tokens: Vec<String> = SPECIAL.map(String::from).into();
    tokens.push("Bar_None".into());
    tokens.extend((0..128).map(|key| format!("Pitch_{key}")));
    tokens.extend(velocities().map(|velocity| format!("Velocity_{velocity}")));
    tokens.extend(durations().map(|(beats, step, steps)| format!("Duration_{beats}.{step}.{steps}")));
    tokens.extend((0..POSITIONS * MAX_BEATS).map(|position| format!("Position_{position}")));
    tokens.extend(tempos().map(|tempo| format!("Tempo_{tempo}.0")));
    tokens.extend((0..128).chain([DRUMS]).map(|program| format!("Program_{program}")));
    tokens.extend(meters().map(|(numerator, denominator)| format!("TimeSig_{numerator}/{denominator}")));
    tokens
}

/// Settings for MidiTok: with them in `tokenizer.json`, `miditok.REMI(params="tokenizer.json")` makes the same ids.
pub(super) fn tokenizer() -> Value {
    let numbers = |last: u8| (1..=last).collect::<Vec<_>>();
    let meters: serde_json::Map<String, Value> =
        METERS.iter().map(|&(denominator, most)| (denominator.to_string(), json!(numbers(most)))).collect();
    let durations: serde_json::Map<String, Value> =
        DURATIONS.iter().map(|(begin, end, steps)| (format!("{begin}_{end}"), json!(steps))).collect();
    let programs: Vec<i16> = (0..128).chain([DRUMS]).collect();
    json!({
        "tokenization": "REMI",
        "miditok_version": "3.1.0",
        "config": {
            "pitch_range": [0, 127],
            "beat_res": durations,
            "num_velocities": VELOCITIES,
            "special_tokens": SPECIAL,
            "remove_duplicated_notes": true,
            "use_velocities": true,
            "use_note_duration_programs": programs,
            "use_chords": false,
            "use_rests": false,
            "use_tempos": true,
            "use_time_signatures": true,
            "use_key_signatures": false,
            "use_sustain_pedals": false,
            "use_pitch_bends": false,
            "use_control_changes": false,
            "use_programs": true,
            "use_pitch_intervals": false,
            "use_pitchdrum_tokens": false,
            "programs": programs,
            "one_token_stream_for_programs": true,
            "program_changes": false,
            "num_tempos": TEMPOS.count(),
            "tempo_range": [TEMPOS.start(), TEMPOS.end()],
            "log_tempos": false,
            "delete_equal_successive_tempo_changes": true,
            "time_signature_range": meters,
            "delete_equal_successive_time_sig_changes": true,
            "additional_params": { "max_bar_embedding": null, "use_bar_end_tokens": false, "add_trailing_bars": false },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_in_the_order_of_the_vocabulary() {
        let vocabulary = names();
        let named = [
            (Token::Bar, "Bar_None"),
            (Token::Pitch(127), "Pitch_127"),
            (Token::Velocity(31), "Velocity_127"),
            (Token::Duration(0), "Duration_0.1.12"),
            (Token::Duration(95), "Duration_16.0.4"),
            (Token::Position(191), "Position_191"),
            (Token::Tempo(90), "Tempo_120.0"),
            (Token::Program(5), "Program_5"),
            (Token::Program(DRUMS), "Program_-1"),
            (Token::Meter(6, 8), "TimeSig_6/8"),
            (Token::Meter(16, 16), "TimeSig_16/16"),
        ];
        for (token, name) in named {
            assert_eq!(vocabulary[usize::from(token.id())], name);
        }
        assert_eq!(vocabulary.len(), 901);
    }
}
