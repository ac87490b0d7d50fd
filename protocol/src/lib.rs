#![doc = include_str!("../README.md")]
#![forbid(unsafe_code)]

pub mod arrival;
pub mod clock;
pub mod consent;
pub mod cookie;
pub mod fec;
pub mod inquiry;
pub mod le;
pub mod packet;
pub mod quality;
pub mod receiver;
pub mod record;
pub mod replay;
pub mod retention;
pub mod secure;
pub mod sender;
pub mod tap;
pub mod tracker;
pub mod units;
