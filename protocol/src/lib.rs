#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod le;
pub mod packet;
pub mod record;
pub mod tap;
pub mod units;
