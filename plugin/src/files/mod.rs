//! WAV and MIDI files, and sound from a pipe, played into a capture as a host would.

pub mod performance;
pub mod pipe;
pub mod smf;
pub mod tempo;
pub mod wav;

pub use performance::Performance;
pub use pipe::{Form, Pipe, PipeError};
pub use smf::{Song, SongError};
pub use wav::{Wav, WavError};
