//! The line that a person types: its history, and what Tab completes.

use ratatui::crossterm::event::{Event, KeyCode, KeyEvent, KeyModifiers};
use tui_input::Input;
use tui_input::backend::crossterm::EventHandler;

/// Lines that are remembered.
pub(super) const HISTORY: usize = 200;

/// What a key came to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Edit {
    /// The line may have changed.
    Typed,
    /// The line was sent.
    Entered(String),
    /// Several words fit: these.
    Choices(Vec<String>),
    /// The person wants to leave.
    Leave,
}

/// A line being typed, and those before it.
#[derive(Debug, Default)]
pub(super) struct Line {
    input: Input,
    history: Vec<String>,
    /// The line of the history that is shown, counted from the newest.
    shown: Option<usize>,
    /// What was typed before the history was looked at.
    draft: String,
}

impl Line {
    /// An empty line after these.
    pub(super) fn new(history: Vec<String>) -> Self {
        Self { history, ..Self::default() }
    }

    /// The lines before, oldest first.
    pub(super) fn history(&self) -> &[String] {
        &self.history
    }

    pub(super) fn text(&self) -> &str {
        self.input.value()
    }

    /// Columns before the cursor.
    pub(super) fn cursor(&self) -> usize {
        self.input.visual_cursor()
    }

    /// Takes a key. `words` gives what may stand after the words before the cursor.
    pub(super) fn key(&mut self, key: KeyEvent, words: impl Fn(&[&str]) -> Vec<String>) -> Edit {
        match (key.code, key.modifiers.contains(KeyModifiers::CONTROL)) {
            // What was typed while a program had the terminal ends with a line feed.
            (KeyCode::Enter, _) | (KeyCode::Char('j'), true) => return self.enter(),
            (KeyCode::Up, _) => self.look(1),
            (KeyCode::Down, _) => self.look(-1),
            (KeyCode::Tab, _) => return self.complete(&words),
            // As in a shell: an empty line is left, one with words is thrown away.
            (KeyCode::Char('c'), true) if self.text().is_empty() => return Edit::Leave,
            (KeyCode::Char('c'), true) => self.show(String::new()),
            (KeyCode::Char('d'), true) if self.text().is_empty() => return Edit::Leave,
            _ => {
                self.input.handle_event(&Event::Key(key));
                self.shown = None;
            }
        }
        Edit::Typed
    }

    /// Text from the clipboard, as if it were typed. Of several lines only the first is taken: nothing runs unseen.
    pub(super) fn paste(&mut self, text: &str) {
        let text = text.trim_start().lines().next().unwrap_or_default();
        let (before, after) = self.text().split_at(self.byte_of_cursor());
        let (value, cursor) = (format!("{before}{text}{after}"), before.chars().count() + text.chars().count());
        self.input = Input::new(value).with_cursor(cursor);
    }

    fn enter(&mut self) -> Edit {
        let line = self.text().trim().to_owned();
        self.show(String::new());
        self.shown = None;
        if !line.is_empty() && self.history.last() != Some(&line) {
            self.history.push(line.clone());
            self.history.drain(..self.history.len().saturating_sub(HISTORY));
        }
        Edit::Entered(line)
    }

    fn look(&mut self, further: isize) {
        let at = self.shown.map_or(-1, |shown| shown as isize) + further;
        if at >= self.history.len() as isize || at < -1 {
            return;
        }
        if self.shown.is_none() {
            self.draft = self.text().to_owned();
        }
        self.shown = usize::try_from(at).ok();
        let line = self.shown.map_or(self.draft.clone(), |shown| self.history[self.history.len() - 1 - shown].clone());
        self.show(line);
    }

    fn show(&mut self, line: String) {
        self.input = Input::new(line);
    }

    fn byte_of_cursor(&self) -> usize {
        let text = self.text();
        text.char_indices().nth(self.input.cursor()).map_or(text.len(), |(byte, _)| byte)
    }

    /// Completes the word before the cursor as far as all that fit agree.
    fn complete(&mut self, words: impl Fn(&[&str]) -> Vec<String>) -> Edit {
        let (before, after) = self.text().split_at(self.byte_of_cursor());
        let begin = before.rfind(' ').map_or(0, |space| space + 1);
        let (earlier, begun) = before.split_at(begin);
        let earlier_words: Vec<&str> = earlier.split_whitespace().collect();
        let fitting: Vec<String> = words(&earlier_words).into_iter().filter(|word| word.starts_with(begun)).collect();
        let Some(common) = common_begin(&fitting) else { return Edit::Typed };
        let end = if fitting.len() == 1 { " " } else { "" };
        if fitting.len() > 1 && common == begun {
            return Edit::Choices(fitting);
        }
        let cursor = earlier.chars().count() + common.chars().count() + end.len();
        let line = format!("{earlier}{common}{end}{}", after.trim_start());
        self.input = Input::new(line).with_cursor(cursor);
        Edit::Typed
    }
}

/// The longest text that all begin with; `None` of nothing.
fn common_begin(words: &[String]) -> Option<String> {
    let (first, rest) = words.split_first()?;
    let agree = |other: &String| first.chars().zip(other.chars()).take_while(|(a, b)| a == b).count();
    let length = rest.iter().map(agree).min().unwrap_or(first.chars().count());
    Some(first.chars().take(length).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(before: &[&str]) -> Vec<String> {
        let words: &[&str] = match before {
            [] => &["export", "quality", "quit"],
            ["export"] => &["pytorch", "parquet"],
            _ => &[],
        };
        words.iter().map(ToString::to_string).collect()
    }

    fn press(line: &mut Line, code: KeyCode) -> Edit {
        line.key(KeyEvent::from(code), words)
    }

    fn type_text(line: &mut Line, text: &str) {
        text.chars().for_each(|character| assert_eq!(press(line, KeyCode::Char(character)), Edit::Typed));
    }

    #[test]
    fn tab_completes_as_far_as_words_agree_and_then_shows_them() {
        let mut line = Line::default();
        type_text(&mut line, "ex");
        press(&mut line, KeyCode::Tab);
        assert_eq!(line.text(), "export ");
        type_text(&mut line, "p");
        assert_eq!(press(&mut line, KeyCode::Tab), Edit::Choices(vec!["pytorch".into(), "parquet".into()]));
        type_text(&mut line, "y");
        press(&mut line, KeyCode::Tab);
        assert_eq!((line.text(), line.cursor()), ("export pytorch ", 15));
        assert_eq!(press(&mut line, KeyCode::Tab), Edit::Typed);
        assert_eq!(press(&mut line, KeyCode::Enter), Edit::Entered("export pytorch".into()));
        type_text(&mut line, "q");
        press(&mut line, KeyCode::Tab);
        assert_eq!(line.text(), "qu");
    }

    #[test]
    fn the_history_is_walked_and_the_draft_comes_back() {
        let mut line = Line::default();
        for text in ["first", "second", "second"] {
            type_text(&mut line, text);
            press(&mut line, KeyCode::Enter);
        }
        type_text(&mut line, "draft");
        let seen = [KeyCode::Up, KeyCode::Up, KeyCode::Up, KeyCode::Down, KeyCode::Down, KeyCode::Down].map(|code| {
            press(&mut line, code);
            line.text().to_owned()
        });
        assert_eq!(seen, ["second", "first", "first", "second", "draft", "draft"]);
    }

    #[test]
    fn ctrl_c_throws_a_line_away_and_leaves_an_empty_one() {
        let mut line = Line::default();
        let ctrl_c = KeyEvent::new(KeyCode::Char('c'), KeyModifiers::CONTROL);
        type_text(&mut line, "stat");
        assert_eq!((line.key(ctrl_c, words), line.text()), (Edit::Typed, ""));
        assert_eq!(line.key(ctrl_c, words), Edit::Leave);
    }

    #[test]
    fn of_a_paste_the_first_line_is_taken_at_the_cursor() {
        let mut line = Line::default();
        type_text(&mut line, "ä report");
        (0..6).for_each(|_| assert_eq!(press(&mut line, KeyCode::Left), Edit::Typed));
        line.paste("export x\nquit\n");
        assert_eq!((line.text(), line.cursor()), ("ä export xreport", 10));
    }
}
