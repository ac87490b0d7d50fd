//! What the benches share: nothing but this text yet. `benches/` has one file per question a user would ask.
