//! The settings file: TOML, each setting a line.

use std::path::{Path, PathBuf};

use toml::de::{DeTable, DeValue};

use super::table::{TABLE, setting};

/// What a file says of a setting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Said {
    pub(super) name: &'static str,
    pub(super) value: String,
    /// From 1.
    pub(super) line: usize,
}

/// Where the file is when nobody says it: `send-learn/receiver.toml` in the user's folder for configuration.
pub(super) fn usual_place(variable: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let folder = |name: &str| variable(name).filter(|folder| !folder.is_empty()).map(PathBuf::from);
    let config = if cfg!(target_os = "macos") {
        folder("HOME")?.join("Library/Application Support")
    } else {
        folder("XDG_CONFIG_HOME").or_else(|| Some(folder("HOME")?.join(".config")))?
    };
    Some(config.join("send-learn").join("receiver.toml"))
}

/// Reads the text of the file at `path`. All that is wrong is named, each with its line and what is allowed.
pub(super) fn parse(path: &Path, text: &str) -> Result<Vec<Said>, Vec<String>> {
    let line_of = |at: usize| 1 + text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count();
    let (table, errors) = DeTable::parse_recoverable(text);
    let mut wrong: Vec<(usize, String)> =
        errors.iter().map(|error| (line_of(error.span().map_or(0, |span| span.start)), error.message().to_owned())).collect();
    let mut said = Vec::new();
    // Of what is no TOML the rest would only confuse.
    for (key, value) in table.get_ref().iter().filter(|_| errors.is_empty()) {
        let line = line_of(key.span().start);
        let name: &str = key.get_ref();
        let Some(setting) = setting(name) else {
            wrong.push((line, format!("there is no setting `{name}`{}", similar(name))));
            continue;
        };
        match scalar(value.get_ref()).map(|value| at_home_of(path, setting.kind.is_path(), value)) {
            Some(value) if setting.kind.accepts(&value) => said.push(Said { name: setting.name, value, line }),
            value => {
                let is = value.map_or_else(|| "none of a single value".to_owned(), |value| format!("`{value}`"));
                wrong.push((line, format!("`{name}` is {is}, and must be {}", setting.kind.allowed())));
            }
        }
    }
    if wrong.is_empty() {
        return Ok(said);
    }
    wrong.sort();
    Err(wrong.into_iter().map(|(line, what)| format!("{}, line {line}: {what}", path.display())).collect())
}

fn scalar(value: &DeValue<'_>) -> Option<String> {
    Some(match value {
        DeValue::String(text) => text.to_string(),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(switch) => switch.to_string(),
        _ => return None,
    })
}

/// A place that is not absolute lies beside the file.
fn at_home_of(path: &Path, is_path: bool, value: String) -> String {
    if !is_path || value.is_empty() || value.starts_with('~') || Path::new(&value).is_absolute() {
        return value;
    }
    path.parent().map_or(value.clone(), |folder| folder.join(&value).to_string_lossy().into_owned())
}

/// What may have been meant; else all names.
fn similar(name: &str) -> String {
    let plain = name.to_lowercase().replace('_', "-");
    let near = TABLE.iter().find(|setting| distance(setting.name, &plain) <= 2);
    near.map_or_else(
        || format!("; there are: {}", TABLE.iter().map(|setting| setting.name).collect::<Vec<_>>().join(", ")),
        |setting| format!(": is `{}` meant?", setting.name),
    )
}

/// Levenshtein's distance, in bytes.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut before = std::mem::replace(&mut row[0], i + 1);
        for (j, to) in b.bytes().enumerate() {
            let here = if from == to { before } else { 1 + before.min(row[j]).min(row[j + 1]) };
            before = std::mem::replace(&mut row[j + 1], here);
        }
    }
    row[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Vec<Said>, Vec<String>> {
        parse(Path::new("/etc/receiver.toml"), text)
    }

    #[test]
    fn each_setting_is_known_with_its_line() {
        let said =
            read("# the studio\nlisten = \"0.0.0.0:8080\"\n\nrotate = 5\nopen = true\ndata = \"takes\"\nkey-file = \"key\"\n")
                .unwrap();
        let found: Vec<(&str, &str, usize)> = said.iter().map(|said| (said.name, said.value.as_str(), said.line)).collect();
        let key = ("key-file", "/etc/key", 7);
        assert_eq!(found, [("data", "/etc/takes", 6), key, ("listen", "0.0.0.0:8080", 2), ("open", "true", 5), ("rotate", "5", 4)]);
    }

    #[test]
    fn all_that_is_wrong_is_named_with_its_line_and_what_is_allowed() {
        let wrong = read("rotat = 5\ncompression = 12\n\nrotate = [1]\nfrobnicate = 1\n").unwrap_err();
        assert_eq!(wrong.len(), 4, "{wrong:?}");
        assert_eq!(wrong[0], "/etc/receiver.toml, line 1: there is no setting `rotat`: is `rotate` meant?");
        assert_eq!(wrong[1], "/etc/receiver.toml, line 2: `compression` is `12`, and must be a whole number, a gzip level, 0 to 9");
        assert!(wrong[2].contains("line 4") && wrong[2].contains("0 to 1440"), "{wrong:?}");
        assert!(wrong[3].contains("line 5") && wrong[3].contains("listen, open, key-file, announce, data"), "{wrong:?}");
    }

    #[test]
    fn what_is_no_toml_is_named_with_its_line() {
        let wrong = read("rotate = 5\nlisten = 127.0.0.1:8080\n").unwrap_err();
        assert!(wrong[0].starts_with("/etc/receiver.toml, line 2: "), "{wrong:?}");
    }

    #[test]
    fn distances_are_those_of_levenshtein() {
        assert_eq!(
            [("rotate", "rotate"), ("rotate", "rotat"), ("kitten", "sitting"), ("", "ab")].map(|(a, b)| distance(a, b)),
            [0, 1, 3, 2]
        );
    }
}
