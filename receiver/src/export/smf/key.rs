//! Key signatures.

/// Sharps of the key `name` (`C major`, `F# minor`, `Bb major`), flats below 0, and whether it is minor. A key that would
/// have more than seven is spelled the other way round.
pub(super) fn signature(name: &str) -> Option<(i8, bool)> {
    let (tonic, mode) = name.split_once(' ')?;
    let minor = match mode {
        "major" => false,
        "minor" => true,
        _ => return None,
    };
    let mut letters = tonic.chars();
    let natural = "FCGDAEB".find(letters.next()?)? as i8 - 1;
    let accidental = match letters.as_str() {
        "" => 0,
        "#" | "♯" => 7,
        "b" | "♭" => -7,
        _ => return None,
    };
    let sharps = natural + accidental - if minor { 3 } else { 0 };
    Some((
        if sharps > 7 {
            sharps - 12
        } else if sharps < -7 {
            sharps + 12
        } else {
            sharps
        },
        minor,
    ))
}

#[cfg(test)]
mod tests {
    use super::signature;

    #[test]
    fn keys_have_the_signatures_of_the_circle_of_fifths() {
        let expected = [("C major", 0), ("G major", 1), ("F major", -1), ("A minor", 0), ("C# minor", 4), ("Bb major", -2)];
        for (name, sharps) in expected {
            assert_eq!(signature(name), Some((sharps, name.ends_with("minor"))), "{name}");
        }
        assert_eq!(signature("G# major"), Some((-4, false)), "eight sharps are spelled as four flats");
        assert_eq!(signature("unknown"), None);
    }
}
