//! The key as people write it: 20 symbols that can be read out over the phone.

use std::fmt;
use std::str::FromStr;

use super::{Psk, mac_32};

/// Symbols that are random; the last one checks them. 19 symbols of 5 bits: an attacker who has recorded a handshake and tries
/// 10^12 keys per second needs 600 million years for half of them.
const RANDOM: usize = 19;

/// All symbols.
const SYMBOLS: usize = RANDOM + 1;

/// Symbols between two hyphens.
const GROUP: usize = 4;

/// Crockford's base 32: no I, L, O, U.
const ALPHABET: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// The key of a studio, as it is typed: `7KQ2-M9TX-4HVC-W0RD-8JNB`.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; SYMBOLS]);

/// Why a text is no key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum KeyError {
    /// Symbols are missing, or too many.
    #[error("a key has {SYMBOLS} letters and digits, like 7KQ2-M9TX-4HVC-W0RD-8JNB; these are {count}")]
    Length {
        /// Symbols that were given.
        count: usize,
    },
    /// A symbol that no key has.
    #[error("no key has the sign {symbol:?}")]
    Symbol {
        /// The symbol.
        symbol: char,
    },
    /// The last symbol does not fit the others.
    #[error("this is no key: a sign is wrong, or two have changed places")]
    Check,
}

impl Key {
    /// A key from random bytes.
    pub fn new(random: [u8; 32]) -> Self {
        let mut symbols = [0; SYMBOLS];
        symbols.iter_mut().zip(random).take(RANDOM).for_each(|(symbol, byte)| *symbol = byte & 31);
        symbols[RANDOM] = check(&symbols[..RANDOM]);
        Self(symbols)
    }

    /// The secret that machines use. Only who has the whole key can compute it.
    pub fn psk(&self) -> Psk {
        Psk(mac_32(b"Send Learn pre-shared key, v. 1.", &[self.to_string().as_bytes()]))
    }
}

/// The remainder of the symbols, as a polynomial over GF(32), after its highest symbol: any one wrong symbol changes it, and any two
/// neighbours that change places. GF(32) is that of x^5 + x^2 + 1, and the point is x.
fn check(symbols: &[u8]) -> u8 {
    symbols.iter().fold(0, |sum, symbol| {
        let sum = sum ^ symbol;
        if sum & 16 == 0 { sum << 1 } else { (sum << 1) ^ 0b10_0101 }
    })
}

impl fmt::Display for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, group) in self.0.chunks(GROUP).enumerate() {
            let text: String = group.iter().map(|symbol| char::from(ALPHABET[usize::from(*symbol)])).collect();
            write!(formatter, "{}{text}", if index > 0 { "-" } else { "" })?;
        }
        Ok(())
    }
}

/// Keys do not end up in logs.
impl fmt::Debug for Key {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Key")
    }
}

impl FromStr for Key {
    type Err = KeyError;

    /// Case, blanks and hyphens do not matter; O is 0, I and L are 1.
    fn from_str(text: &str) -> Result<Self, KeyError> {
        let signs = || text.chars().filter(|sign| !sign.is_whitespace() && !matches!(sign, '-' | '\u{2010}'..='\u{2015}'));
        let mut symbols = [0; SYMBOLS];
        for (index, sign) in signs().enumerate() {
            let upper = match sign.to_ascii_uppercase() {
                'O' => '0',
                'I' | 'L' => '1',
                other => other,
            };
            let value = ALPHABET.iter().position(|symbol| char::from(*symbol) == upper);
            let value = value.ok_or(KeyError::Symbol { symbol: sign })? as u8;
            *symbols.get_mut(index).ok_or(KeyError::Length { count: signs().count() })? = value;
        }
        match signs().count() {
            SYMBOLS if check(&symbols[..RANDOM]) == symbols[RANDOM] => Ok(Self(symbols)),
            SYMBOLS => Err(KeyError::Check),
            count => Err(KeyError::Length { count }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_people_make_of_a_key_is_the_key() {
        let key = Key::new(std::array::from_fn(|n| n as u8 * 7 + 1));
        let text = key.to_string();
        assert_eq!((text.len(), text.matches('-').count()), (24, 4));
        for written in
            [text.to_lowercase(), text.replace('-', ""), format!("  {}\r\n", text.replace('-', " ")), text.replace('-', "\u{2013}")]
        {
            assert_eq!(written.parse(), Ok(key), "{written:?}");
        }
        let zeros = Key::new([0; 32]);
        assert_eq!("oOo0-0000-0000-0000-0000".parse(), Ok(zeros));
        let ones = Key::new([1; 32]).to_string();
        assert_eq!(ones.replace('1', "l").parse::<Key>(), ones.parse());
        assert_eq!(ones.replace('1', "I").parse::<Key>(), ones.parse());
    }

    #[test]
    fn what_is_no_key_is_said() {
        assert_eq!("".parse::<Key>(), Err(KeyError::Length { count: 0 }));
        assert_eq!("0".repeat(21).parse::<Key>(), Err(KeyError::Length { count: 21 }));
        assert_eq!("0000-0000-0000-0000-000U".parse::<Key>(), Err(KeyError::Symbol { symbol: 'U' }));
        assert_eq!("0000-0000-0000-0000-00\u{1F600}0".parse::<Key>(), Err(KeyError::Symbol { symbol: '\u{1F600}' }));
    }

    #[test]
    fn another_key_is_another_secret() {
        let (a, b) = (Key::new([1; 32]), Key::new([2; 32]));
        assert!(a.psk() != b.psk() && a.psk() == a.to_string().parse::<Key>().unwrap().psk());
    }

    proptest! {
        #[test]
        fn every_wrong_sign_and_every_swap_of_neighbours_is_noticed(random: [u8; 32], at in 0_usize..20, change in 1_u8..32) {
            let key = Key::new(random);
            let mut wrong = key;
            wrong.0[at] ^= change;
            prop_assert_eq!(wrong.to_string().parse::<Key>(), Err(KeyError::Check));
            let mut swapped = key;
            swapped.0.swap(at.min(18), at.min(18) + 1);
            let expected = if swapped == key { Ok(key) } else { Err(KeyError::Check) };
            prop_assert_eq!(swapped.to_string().parse::<Key>(), expected);
        }
    }
}
