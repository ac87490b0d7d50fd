//! How a stream's line fares, where one looks: sparks along the time axis say what happened to the audio on the way, a frame around
//! the terrain and a sign before it say from across the room that something is wrong. None of them by colour alone: sparks differ in
//! shape, frames in pattern, signs in words.

pub mod bodies;
pub mod frame;
pub mod sign;
pub mod sparks;
pub mod verdict;
