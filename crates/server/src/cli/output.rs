//! All that a command writes goes through here: results to standard output, everything that is
//! said about them to standard error, so that a pipe gets results alone.

use std::io::Write;

use clap::builder::styling::{AnsiColor, Style};
use comfy_table::{ContentArrangement, Table};
use serde_json::Value;

use super::failure::Failure;
use super::words::Words;

/// The two streams, and how results are wanted.
pub(crate) struct Output {
    out: Box<dyn Write + Send>,
    err: Box<dyn Write + Send>,
    /// Whether results are printed as JSON.
    pub(crate) json: bool,
    /// How times are told.
    pub(crate) words: Words,
    terminal: bool,
}

/// What is emphasised, and how; the stream takes it away where it is not wanted (no terminal,
/// `NO_COLOR`).
pub(crate) const BOLD: Style = Style::new().bold();
/// Of less interest.
pub(crate) const DIM: Style = Style::new().dimmed();
/// Good.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Worth a look.
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
/// Bad.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();

/// Columns that the names of a block may take: one long name does not push all values to the side.
const WIDEST_NAME: usize = 32;
/// Columns that a table may take where there is no terminal to fit.
const WIDTH_WITHOUT_TERMINAL: u16 = 200;

impl Output {
    /// The process's own streams.
    pub(crate) fn standard(json: bool, words: Words) -> Self {
        use std::io::IsTerminal as _;
        Self {
            terminal: std::io::stdout().is_terminal(),
            out: Box::new(anstream::AutoStream::auto(std::io::stdout())),
            err: Box::new(anstream::AutoStream::auto(std::io::stderr())),
            json,
            words,
        }
    }

    /// A line of the result.
    pub(crate) fn line(&mut self, text: &str) -> Result<(), Failure> {
        Ok(writeln!(self.out, "{text}")?)
    }

    /// A heading of the result.
    pub(crate) fn heading(&mut self, text: &str) -> Result<(), Failure> {
        self.line(&paint(BOLD, text))
    }

    /// Bytes of the result as they are.
    pub(crate) fn raw(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        self.out.write_all(bytes)?;
        Ok(self.out.flush()?)
    }

    /// A sentence about the result, on standard error.
    pub(crate) fn note(&mut self, text: &str) {
        // Whoever closed standard error does not want to be told.
        let _ = writeln!(self.err, "{}", safe(text));
    }

    /// A sentence of warning, on standard error.
    pub(crate) fn warn(&mut self, text: &str) {
        let _ = writeln!(self.err, "{} {}", paint(WARN, "warning:"), safe(text));
    }

    /// The reason of a failure, on standard error.
    pub(crate) fn error(&mut self, text: &str) {
        let _ = writeln!(self.err, "{} {}", paint(BAD, "error:"), safe(text));
    }

    /// A result for a program.
    pub(crate) fn json(&mut self, value: &Value) -> Result<(), Failure> {
        let text = serde_json::to_string_pretty(value)
            .map_err(|error| Failure::refused(format!("the answer cannot be printed: {error}")))?;
        self.line(&escaped(&text))
    }

    /// Rows under headings, fitted to the terminal.
    pub(crate) fn table(&mut self, headings: &[&str], rows: &[Vec<String>]) -> Result<(), Failure> {
        let mut table = Table::new();
        table
            .load_style(comfy_table::presets::NOTHING)
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_header(headings.iter().map(|heading| heading.to_uppercase()));
        if !self.terminal {
            table.set_width(WIDTH_WITHOUT_TERMINAL);
        }
        for column in table.column_iter_mut() {
            column.set_padding((0, 2));
        }
        for row in rows {
            table.add_row(row.iter().map(|cell| safe(cell)));
        }
        for line in table.lines() {
            writeln!(self.out, "{}", line.trim_end())?;
        }
        Ok(())
    }

    /// Names and values, one a line, the values in one column.
    pub(crate) fn block(&mut self, rows: &[(String, String)]) -> Result<(), Failure> {
        let rows: Vec<_> = rows.iter().map(|(name, value)| (safe_line(name), safe(value))).collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default();
        let width = width.min(WIDEST_NAME);
        for (name, value) in rows {
            let indented = value.replace('\n', &format!("\n{:width$}  ", ""));
            let name = paint(DIM, &format!("{name:width$}"));
            writeln!(self.out, "{name}  {indented}")?;
        }
        Ok(())
    }

    /// Hands over everything that was written.
    pub(crate) fn finish(&mut self) -> Result<(), Failure> {
        Ok(self.out.flush()?)
    }
}

/// The text in a style.
pub(crate) fn paint(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// The text without control characters: names, devices and tokens are other people's text, and a
/// terminal obeys what it is sent.
pub(crate) fn safe(text: &str) -> String {
    text.chars()
        .map(|c| match c {
            '\n' => c,
            '\t' => ' ',
            c if c.is_control() || is_format(c) => '\u{fffd}',
            c => c,
        })
        .collect()
}

/// The same without line breaks, for what must not look like a line of ours.
pub(crate) fn safe_line(text: &str) -> String {
    safe(text).replace('\n', "\u{fffd}")
}

/// JSON in which those characters are escaped: the same to a program, and harmless on a terminal.
/// Between its tokens JSON that we write has line feeds and spaces only.
fn escaped(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if c != '\n' && (c.is_control() || is_format(c)) {
            // RFC 8259 section 7: what is beyond the basic plane as a surrogate pair.
            for unit in c.encode_utf16(&mut [0; 2]) {
                text.push_str(&format!("\\u{unit:04x}"));
            }
        } else {
            text.push(c);
        }
    }
    text
}

/// Characters that reorder or hide what stands beside them, or are not seen themselves.
fn is_format(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{feff}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_peoples_text_cannot_steer_the_terminal() {
        assert_eq!(safe("a\u{1b}[2Jb\r\u{7}"), "a\u{fffd}[2Jb\u{fffd}\u{fffd}");
        assert_eq!(safe("user\u{202e}gpj"), "user\u{fffd}gpj");
        assert_eq!(safe("pay\u{ad}pal\u{e0041}"), "pay\u{fffd}pal\u{fffd}");
        assert_eq!(safe("Zoë ☃\nb\tc"), "Zoë ☃\nb c");
        assert_eq!(safe_line("a\nbad: b"), "a\u{fffd}bad: b");
    }

    #[test]
    fn json_says_the_same_and_steers_no_terminal() {
        let value =
            serde_json::json!({ "a\u{9b}31m": ["\u{1b}[2J\u{7f}", "user\u{202e}gpj\u{e0041}", "Zoë\n☃"] });
        let text = escaped(&serde_json::to_string_pretty(&value).unwrap());
        assert!(!text.chars().any(|c| c != '\n' && (c.is_control() || is_format(c))), "{text:?}");
        assert!(text.contains("user\\u202egpj\\udb40\\udc41") && text.contains("Zoë\\n☃"), "{text}");
        assert_eq!(serde_json::from_str::<Value>(&text).unwrap(), value);
    }
}
