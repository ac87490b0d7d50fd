//! What a statement of consent says: `spec/dataset.md`, "Consent".

/// Words of refusal, in small letters without apostrophes. One that means something else in another language is refusal too: to leave
/// out too much can be mended, to give away too much cannot.
const REFUSALS: [&str; 72] = [
    // English
    "n",
    "na",
    "no",
    "nope",
    "none",
    "not",
    "never",
    "nothing",
    "nobody",
    "without",
    "dont",
    "cannot",
    "refuse",
    "refused",
    "refuses",
    "refusal",
    "decline",
    "declined",
    "declines",
    "deny",
    "denied",
    "denies",
    "forbid",
    "forbidden",
    "prohibited",
    "disallowed",
    "disagree",
    "reject",
    "rejected",
    "withdrawn",
    "revoked",
    "withheld",
    "false",
    // German, Dutch, Scandinavian
    "nein",
    "nee",
    "nej",
    "nei",
    "kein",
    "keine",
    "keinen",
    "keinerlei",
    "nicht",
    "nichts",
    "niemals",
    "niemand",
    "verweigert",
    "abgelehnt",
    "verboten",
    "widerrufen",
    "niet",
    "geen",
    "inte",
    "ikke",
    "ingen",
    // French, Spanish, Portuguese, Italian
    "non",
    "ne",
    "pas",
    "aucun",
    "aucune",
    "jamais",
    "ninguno",
    "ninguna",
    "nunca",
    "nenhum",
    "não",
    "nao",
    "nessuno",
    "nessuna",
    // Slavic, Finnish
    "nie",
    "нет",
    "не",
    "ні",
];

/// Beginnings of refusals where words are not divided by spaces: Japanese, Chinese, Korean.
const BEGINNINGS: [&str; 6] = ["いいえ", "不", "否", "拒", "아니", "거부"];

/// A refusal is one of the first words: "no", "I do not agree", "Consent: refused".
const WORDS_LOOKED_AT: usize = 3;

/// What a statement of consent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consent {
    /// Something is allowed, in words for people.
    Given,
    /// Nothing is stated: there is not one letter.
    Unstated,
    /// It is refused, in whatever words.
    Refused,
}

impl Consent {
    /// Reads a statement, of any length.
    pub fn read(statement: &str) -> Self {
        let statement = statement.to_lowercase();
        let words = statement.split(|letter: char| !(letter.is_alphabetic() || ['\'', '’'].contains(&letter)));
        let words = words.map(|word| word.replace(['\'', '’'], "")).filter(|word| !word.is_empty());
        let words: Vec<String> = words.take(WORDS_LOOKED_AT).collect();
        let begins = |word: &String| BEGINNINGS.iter().any(|beginning| word.starts_with(beginning));
        let refuses = |word: &String| REFUSALS.contains(&word.as_str());
        match words.first() {
            None => Self::Unstated,
            Some(first) if begins(first) || words.iter().any(refuses) => Self::Refused,
            Some(_) => Self::Given,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_in_whatever_words() {
        for refusal in [
            "no",
            " NO ",
            "No.",
            "no!",
            "\"no\"",
            "no thanks",
            "n/a",
            "None",
            "refused",
            "Consent: refused",
            "not given",
            "May not be used.",
            "I do not agree",
            "I don't agree",
            "I don’t agree",
            "Nein",
            "nein, danke",
            "keine Einwilligung",
            "Ich stimme nicht zu",
            "Non.",
            "não",
            "НЕТ",
            "いいえ、だめです",
            "不同意",
        ] {
            assert_eq!(Consent::read(refusal), Consent::Refused, "{refusal}");
        }
    }

    #[test]
    fn consent_in_words_is_consent_and_what_has_no_letter_states_nothing() {
        for given in ["yes", "May be used to train models.", "Darf verwendet werden.", "Oui", "Notes may be used", "はい"] {
            assert_eq!(Consent::read(given), Consent::Given, "{given}");
        }
        for nothing in ["", "  ", "-", "?", "0", "''", "\u{0}"] {
            assert_eq!(Consent::read(nothing), Consent::Unstated, "{nothing:?}");
        }
    }
}
