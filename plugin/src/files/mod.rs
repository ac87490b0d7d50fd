//! WAV and MIDI files, played into a capture as a host would.

pub mod performance;
pub mod smf;
pub mod tempo;
pub mod wav;

pub use performance::Performance;
pub use smf::{Song, SongError};
pub use wav::{Wav, WavError};
