//! What goes to standard output: tables for people, JSON for programs, no colour into a pipe.

use crate::failure::Failure;
use std::io::{IsTerminal, Write};

/// Standard output.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Out {
    json: bool,
    terminal: bool,
}

impl Out {
    /// For people, or as JSON.
    pub(crate) fn new(json: bool) -> Self {
        Self {
            json,
            terminal: std::io::stdout().is_terminal(),
        }
    }

    /// JSON was asked for.
    pub(crate) fn is_json(self) -> bool {
        self.json
    }

    /// Writes text and a line break.
    ///
    /// # Errors
    /// Standard output is closed or full.
    pub(crate) fn line(self, text: &str) -> Result<(), Failure> {
        self.bytes(format!("{text}\n").as_bytes())
    }

    /// Writes bytes as they are.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub(crate) fn bytes(self, bytes: &[u8]) -> Result<(), Failure> {
        let mut out = std::io::stdout().lock();
        out.write_all(bytes)
            .and_then(|()| out.flush())
            .map_err(|error| Failure::output(&error))
    }

    /// Writes a JSON text, indented.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub(crate) fn json(self, text: &str) -> Result<(), Failure> {
        self.line(&indented(text))
    }

    /// Writes a table: a head and rows, in columns.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub(crate) fn table(self, head: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        self.bytes(table(head, rows, self.terminal).as_bytes())
    }

    /// Writes names and values, one pair a line.
    ///
    /// # Errors
    /// As [`Out::line`].
    pub(crate) fn pairs(self, pairs: &[(&str, String)]) -> Result<(), Failure> {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        let mut text = String::new();
        for (name, value) in pairs {
            let value = printable(value);
            text.push_str(format!("{name:width$}  {value}").trim_end());
            text.push('\n');
        }
        self.bytes(text.as_bytes())
    }
}

/// The columns of a table, two blanks apart; the head is bold on a terminal.
fn table(head: &[&str], rows: &[Vec<String>], terminal: bool) -> String {
    let rows: Vec<Vec<String>> = rows
        .iter()
        .map(|row| row.iter().map(|cell| printable(cell)).collect())
        .collect();
    let width = |column: usize| {
        let cells = rows.iter().filter_map(|row| row.get(column));
        let widest = cells.map(|cell| cell.chars().count()).max().unwrap_or(0);
        widest.max(head.get(column).map_or(0, |cell| cell.chars().count()))
    };
    let widths: Vec<usize> = (0..head.len()).map(width).collect();
    let line = |cells: &mut dyn Iterator<Item = &str>| {
        let mut text = String::new();
        for (cell, width) in cells.zip(&widths) {
            text.push_str(&format!("{cell:width$}  "));
        }
        text.trim_end().to_owned()
    };
    let mut text = line(&mut head.iter().copied());
    if terminal {
        text = format!("\u{1b}[1m{text}\u{1b}[0m");
    }
    text.push('\n');
    for row in &rows {
        text.push_str(&line(&mut row.iter().map(String::as_str)));
        text.push('\n');
    }
    text
}

/// The text without control characters: what others wrote must not steer a terminal.
pub(crate) fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { '\u{fffd}' } else { c })
        .collect()
}

/// A compact JSON text with line breaks and two blanks per level; order and numbers stay as they
/// were sent, which reading it into a map would not keep.
pub(crate) fn indented(text: &str) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut depth = 0_usize;
    let (mut quoted, mut escaped, mut opened) = (false, false, false);
    let new_line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    for c in text.chars() {
        if quoted {
            out.push(c);
            quoted = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        if c.is_ascii_whitespace() {
            continue;
        }
        let closes = matches!(c, '}' | ']');
        if opened && !closes {
            new_line(&mut out, depth);
        }
        if closes {
            depth = depth.saturating_sub(1);
            if !opened {
                new_line(&mut out, depth);
            }
        }
        opened = matches!(c, '{' | '[');
        out.push(c);
        match c {
            '{' | '[' => depth += 1,
            '"' => quoted = true,
            ',' => new_line(&mut out, depth),
            ':' => out.push(' '),
            _ => {}
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_indented_like_serde_does() {
        let value = serde_json::json!({
            "a": [], "b": {}, "c": [1, 2.5, {"d": "x,{\"\\"}], "e": {"f": null}
        });
        let pretty = serde_json::to_string_pretty(&value).unwrap_or_default();
        assert_eq!(indented(&value.to_string()), pretty);
        assert_eq!(indented(&pretty), pretty);
    }

    #[test]
    fn tables_line_up_and_do_not_steer_the_terminal() {
        let rows = vec![
            vec!["app".to_owned(), "测试".to_owned()],
            vec!["a\u{1b}[31m".to_owned(), String::new()],
        ];
        assert_eq!(
            table(&["NAME", "NOTE"], &rows, false),
            "NAME    NOTE\napp     测试\na\u{fffd}[31m\n"
        );
        assert!(table(&["NAME"], &rows, true).starts_with("\u{1b}[1mNAME"));
    }
}
