//! The key of this machine, as the uplink uses it.

use send_learn_protocol::secure::{Keyed, Psk, Random};

/// What is sent with, or why nothing is sent.
#[derive(Debug, Default)]
pub(super) struct Secret {
    /// With a key: the secret, and random bytes from which each sender gets its own.
    keyed: Option<Keyed>,
    given: u64,
    /// Why the key cannot be used; empty when it can, or there is none. Until it can, nothing is sent: least of all in clear.
    trouble: String,
}

impl Secret {
    /// What the machine's key is; or, in words, why it cannot be used.
    pub(super) fn new(key: Result<Option<Psk>, String>) -> Self {
        let keyed = key.and_then(|psk| {
            let random = psk.map(|_| send_learn_key::random()).transpose();
            let random = random.map_err(|error| format!("the system gives no random bytes: {error}"))?;
            Ok(psk.zip(random).map(|(psk, random)| Keyed { psk, random: Random::new(random) }))
        });
        match keyed {
            Ok(keyed) => Self { keyed, given: 0, trouble: String::new() },
            Err(trouble) => Self { keyed: None, given: 0, trouble },
        }
    }

    /// What a sender needs; other random bytes each time.
    pub(super) fn keyed(&mut self) -> Option<Keyed> {
        self.given += 1;
        let Keyed { psk, random } = self.keyed?;
        Some(Keyed { psk, random: Random::new(random.number(self.given)) })
    }

    /// The secret itself, if there is a key.
    pub(super) fn psk(&self) -> Option<&Psk> {
        self.keyed.as_ref().map(|keyed| &keyed.psk)
    }

    /// Why nothing is sent; empty when all is well.
    pub(super) fn trouble(&self) -> &str {
        &self.trouble
    }
}
