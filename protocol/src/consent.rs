//! What a statement of consent says: `spec/dataset.md`, "Consent".

mod words;

use words::{HARMLESS, PARTS, PHRASES, REFUSALS, STEMS, UNDECIDED};

/// What a statement of consent says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Consent {
    /// Something is allowed, in words for people.
    Given,
    /// Nothing is stated: there is not one letter, or the answer is left open.
    Unstated,
    /// It is refused, in whatever words.
    Refused,
}

impl Consent {
    /// Reads a statement, of any length.
    pub fn read(statement: &str) -> Self {
        let statement = statement.to_lowercase().replace(['\'', '’'], "");
        let clauses = statement.split(|letter: char| !(letter.is_alphabetic() || letter.is_whitespace() || letter == '-'));
        let clauses: Vec<Vec<&str>> = clauses.map(words_of).filter(|words| !words.is_empty()).collect();
        match clauses.first() {
            None => Self::Unstated,
            Some(_) if PARTS.iter().any(|part| statement.contains(part)) || clauses.iter().any(|words| refuses(words)) => {
                Self::Refused
            }
            Some(words) if UNDECIDED.contains(&words[0]) && words.len() == 1 => Self::Unstated,
            Some(_) => Self::Given,
        }
    }
}

fn words_of(clause: &str) -> Vec<&str> {
    clause.split(|letter: char| !letter.is_alphabetic()).filter(|word| !word.is_empty()).collect()
}

/// Whether a clause refuses anything, what is harmless left aside.
fn refuses(mut words: &[&str]) -> bool {
    let begins_with = |words: &[&str], phrase: &&str| phrase.split(' ').eq(words.iter().copied().take(phrase.split(' ').count()));
    while let [word, rest @ ..] = words {
        if let Some(harmless) = HARMLESS.iter().find(|phrase| begins_with(words, phrase)) {
            words = &words[harmless.split(' ').count()..];
            continue;
        }
        if REFUSALS.contains(word) || STEMS.iter().any(|stem| word.starts_with(stem)) {
            return true;
        }
        if PHRASES.iter().any(|phrase| begins_with(words, phrase)) {
            return true;
        }
        words = rest;
    }
    false
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
            "\"no\"",
            "no thanks",
            "None",
            "refused",
            "Consent: refused",
            "consent=false",
            "not given",
            "May not be used.",
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

    /// What people write into such fields. The word of refusal may come late.
    #[test]
    fn a_refusal_is_one_wherever_its_word_stands() {
        for refusal in [
            "I would rather not",
            "I'd prefer that you don't use it",
            "This recording may not be used",
            "My music must not be used for AI",
            "Yes to listening, but do not train on it",
            "For my own use only",
            "private",
            "Keep this confidential, please",
            "All rights reserved",
            "Opt-out",
            "I opted out",
            "I object",
            "Ask me first",
            "Only with my written permission",
            "Ich möchte das nicht",
            "Nur privat",
            "Nutzung untersagt",
            "Ich widerspreche",
            "Alle Rechte vorbehalten",
            "Ja nicht verwenden!",
            "Cette musique ne doit pas être utilisée",
            "Refusé",
            "Interdit",
            "Tous droits réservés",
            "Prohibido su uso",
            "Esta música no se puede usar",
            "Uso proibido",
            "È vietato",
            "Rifiuto",
            "Nie zgadzam się",
            "Zabronione",
            "Nesouhlasím",
            "Ez a felvétel nem használható",
            "Nu sunt de acord",
            "Kabul etmiyorum",
            "Tätä ei saa käyttää",
            "En suostu",
            "Det får inte användas",
            "Запрещено",
            "Я против",
            "Δεν συμφωνώ",
            "لا أوافق",
            "לא",
            "नहीं",
            "同意しません",
            "使用禁止",
            "동의하지 않습니다",
            "Không đồng ý",
            "Tidak boleh",
            "ไม่อนุญาต",
        ] {
            assert_eq!(Consent::read(refusal), Consent::Refused, "{refusal}");
        }
    }

    #[test]
    fn consent_in_words_is_consent() {
        for given in [
            "yes",
            "OK",
            "I agree",
            "May be used to train models.",
            "Darf verwendet werden.",
            "Oui",
            "Notes may be used",
            "はい",
            "used at no cost",
            "Free of charge, no strings attached",
            "Yes, no problem",
            "No restrictions",
            "I do not object",
            "I have no objections",
            "Non-commercial training only",
            "Yes, but not commercially",
            "CC BY-NC 4.0",
            "For non-profit research",
            "Keine Einwände",
            "Na klar",
            "Pas de problème",
            "N'hésitez pas",
            "Nie ma problemu",
            "同意",
            "네",
            "Later versions may be used too",
        ] {
            assert_eq!(Consent::read(given), Consent::Given, "{given}");
        }
    }

    #[test]
    fn what_is_harmless_hides_no_refusal_beside_it() {
        for refusal in ["No. Cost: 0", "no problem with listening, no training", "no charge, but not for AI", "No limits? No."] {
            assert_eq!(Consent::read(refusal), Consent::Refused, "{refusal}");
        }
    }

    #[test]
    fn what_has_no_letter_or_leaves_the_answer_open_states_nothing() {
        for nothing in ["", "  ", "-", "?", "0", "''", "\u{0}", "n/a", "TBD", "unknown", "Maybe."] {
            assert_eq!(Consent::read(nothing), Consent::Unstated, "{nothing:?}");
        }
    }
}
