//! One body in the hands of libFuzzer: the one that `SEND_LEARN_FUZZ` names. `cargo xtask fuzz` builds and starts this.

#![no_main]
#![allow(unsafe_code, reason = "the macro exports the function that the engine calls")]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use send_learn_fuzz::Target;

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    let name = std::env::var("SEND_LEARN_FUZZ").unwrap_or_default();
    send_learn_fuzz::target(&name).unwrap_or_else(|| panic!("SEND_LEARN_FUZZ names no target: {name:?}"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.body)(bytes));
