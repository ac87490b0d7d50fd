//! The console's place on the terminal: the last lines, redrawn in place, with everything else scrolling by above them.

use std::io::{self, Stdout};

use ratatui::backend::CrosstermBackend;
use ratatui::crossterm::event::{DisableBracketedPaste, EnableBracketedPaste};
use ratatui::crossterm::{execute, terminal};
use ratatui::layout::{Constraint, Layout, Rect};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Row, Span};
use ratatui::widgets::{Paragraph, Widget};
use ratatui::{Frame, Terminal, TerminalOptions, Viewport};
use send_learn::disk::DiskState;
use send_learn::status::Status;
use unicode_width::UnicodeWidthChar;

use super::line::Line;
use crate::cli::streams;

/// Lines of the console besides those of the streams: the head, the table's head, the prompt.
const FIXED: u16 = 3;

/// The terminal in raw mode, with the console on its last lines. Dropped, it is as it was.
pub(super) struct Screen {
    terminal: Terminal<CrosstermBackend<Stdout>>,
    rows: u16,
}

impl Screen {
    /// Takes the terminal, with room for `streams` streams.
    pub(super) fn open(streams: usize) -> io::Result<Self> {
        terminal::enable_raw_mode()?;
        let opened = Self::with_room(streams);
        if opened.is_err() {
            let _ = terminal::disable_raw_mode();
        }
        opened
    }

    fn with_room(streams: usize) -> io::Result<Self> {
        let rows = rows_for(streams, terminal::size()?.1);
        let options = TerminalOptions { viewport: Viewport::Inline(rows + FIXED) };
        let mut terminal = Terminal::with_options(CrosstermBackend::new(io::stdout()), options)?;
        // Terminals that do not know it pass over it.
        let _ = execute!(terminal.backend_mut(), EnableBracketedPaste);
        Ok(Self { terminal, rows })
    }

    /// Whether another height would be right by now.
    pub(super) fn is_outgrown(&self, streams: usize) -> bool {
        terminal::size().is_ok_and(|(_, height)| rows_for(streams, height) != self.rows)
    }

    /// Prints lines above the console.
    pub(super) fn print(&mut self, lines: &[String]) -> io::Result<()> {
        let width = self.terminal.size()?.width.max(1);
        let rows: Vec<Row<'_>> = lines.iter().flat_map(|line| wrap(line, width.into())).collect();
        // No more at once than a buffer can hold.
        for rows in rows.chunks(100) {
            let text = Paragraph::new(rows.to_vec());
            self.terminal.insert_before(rows.len() as u16, |buffer| text.render(buffer.area, buffer))?;
        }
        Ok(())
    }

    /// Draws the console anew.
    pub(super) fn draw(&mut self, head: &str, status: &Status, line: &Line) -> io::Result<()> {
        self.terminal.draw(|frame| draw(frame, head, status, line))?;
        Ok(())
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        // The terminal may be gone already. What is printed next begins where the console did.
        let begin = self.terminal.get_frame().area().as_position();
        let _ = self.terminal.clear();
        let _ = self.terminal.set_cursor_position(begin);
        let _ = execute!(self.terminal.backend_mut(), DisableBracketedPaste);
        let _ = terminal::disable_raw_mode();
        let _ = self.terminal.show_cursor();
    }
}

/// Rows of the table: all streams, if they leave half of the terminal to the rest.
fn rows_for(streams: usize, height: u16) -> u16 {
    let most = (height / 2).saturating_sub(FIXED).max(1);
    u16::try_from(streams).unwrap_or(u16::MAX).clamp(1, most)
}

fn draw(frame: &mut Frame<'_>, head: &str, status: &Status, line: &Line) {
    let [top, middle, bottom] =
        Layout::vertical([Constraint::Length(1), Constraint::Min(0), Constraint::Length(1)]).areas(frame.area());
    let bold = Style::new().add_modifier(Modifier::BOLD);
    let style = match status.disk.state {
        DiskState::Good => Style::new(),
        DiskState::Low => Style::new().fg(Color::Yellow),
        DiskState::Paused => Style::new().fg(Color::Red),
    };
    frame.render_widget(Paragraph::new(head).style(style.add_modifier(Modifier::REVERSED)), top);
    draw_streams(frame, middle, status, bold);
    let prompt = Row::from(vec![Span::styled("> ", bold), Span::raw(line.text())]);
    let column = 2 + line.cursor() as u16;
    // A line that is too long shows its end.
    let scroll = (column + 1).saturating_sub(bottom.width);
    frame.render_widget(Paragraph::new(prompt).scroll((0, scroll)), bottom);
    frame.set_cursor_position((bottom.x + column - scroll, bottom.y));
}

fn draw_streams(frame: &mut Frame<'_>, area: Rect, status: &Status, bold: Style) {
    if status.streams.is_empty() {
        let dim = Style::new().add_modifier(Modifier::DIM);
        frame.render_widget(Paragraph::new(streams::NO_STREAM).style(dim), area);
        return;
    }
    let rows = usize::from(area.height.saturating_sub(1));
    let hidden = status.streams.len().saturating_sub(rows);
    let lines = streams::lines(&status.streams);
    let (title, rows_of) = lines.split_first().map_or((String::new(), &[][..]), |(title, rows)| (title.clone(), rows));
    let more = if hidden > 0 { format!("   (and {hidden} more: status)") } else { String::new() };
    let mut text = vec![Row::styled(title + &more, bold)];
    for (line, stream) in rows_of.iter().zip(&status.streams).take(rows) {
        let style = if streams::is_well(stream) { Style::new() } else { Style::new().fg(Color::Yellow) };
        text.push(Row::styled(line.clone(), style));
    }
    frame.render_widget(Paragraph::new(text), area);
}

/// The line as rows of at most `width` columns. What warns stands out.
fn wrap(line: &str, width: usize) -> Vec<Row<'static>> {
    let style = match line {
        line if line.contains(" ERROR ") => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
        line if line.contains(" WARN ") => Style::new().fg(Color::Yellow),
        _ => Style::new(),
    };
    let mut rows = Vec::new();
    let (mut row, mut used) = (String::new(), 0);
    for character in line.chars().filter(|character| !character.is_control()) {
        let columns = character.width().unwrap_or(0);
        if used + columns > width {
            rows.push(Row::styled(std::mem::take(&mut row), style));
            used = 0;
        }
        row.push(character);
        used += columns;
    }
    rows.push(Row::styled(row, style));
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_grows_with_the_streams_up_to_half_of_the_terminal() {
        assert_eq!([0, 1, 5, 64].map(|streams| rows_for(streams, 40)), [1, 1, 5, 17]);
        assert_eq!(rows_for(64, 3), 1);
    }

    #[test]
    fn long_lines_go_on_in_the_next_row() {
        let rows: Vec<String> = wrap("ab 日本 c\u{7}d", 4).iter().map(ToString::to_string).collect();
        assert_eq!(rows, ["ab ", "日本", " cd"]);
        assert_eq!(wrap("", 4).len(), 1);
    }
}
