//! The entry points that hosts look for in the library.
#![allow(unsafe_code, missing_docs, unreachable_pub, reason = "written by nice-plug's macros")]

use nice_plug::prelude::{nice_export_clap, nice_export_vst3};

use crate::plugin::SendLearn;

nice_export_clap!(SendLearn);
nice_export_vst3!(SendLearn);
