//! QR codes as pictures, in a page and in a terminal.

use std::fmt::Write as _;

use qrcode::{Color, EcLevel, QrCode};

/// Modules of white around the code (ISO/IEC 18004 section 6.3.8).
const QUIET: usize = 4;

/// A QR code as `<svg>`, black on white in any colour scheme, since cameras want it so. It has no
/// name of its own: the page around it says in the reader's language what it is. `None` for a text
/// that is too long for one.
pub fn svg(text: &str) -> Option<String> {
    let code = code(text)?;
    let width = code.width();
    let size = width + 2 * QUIET;
    let mut path = String::new();
    for (y, row) in code.to_colors().chunks(width).enumerate() {
        let mut x = QUIET;
        // Neighbours as one stroke: between two of them some renderers leave a hairline.
        for run in row.chunk_by(|a, b| a == b) {
            if run.first() == Some(&Color::Dark) {
                // Writing to a string does not fail.
                let _ = write!(path, "M{x} {}h{}v1h-{}z", y + QUIET, run.len(), run.len());
            }
            x += run.len();
        }
    }
    Some(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"qr\" role=\"img\" aria-label=\"QR\" viewBox=\"0 0 {size} {size}\" shape-rendering=\"crispEdges\">\
         <path fill=\"#fff\" d=\"M0 0h{size}v{size}H0z\"/><path fill=\"#000\" d=\"{path}\"/></svg>"
    ))
}

/// The same for a terminal, two rows of modules to a line. The colours are set, since a terminal's
/// own may be the other way round.
pub fn lines(text: &str) -> Option<String> {
    let code = code(text)?;
    let size = code.width() + 2 * QUIET;
    let is_dark = |x: usize, y: usize| {
        let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.width());
        matches!((inside(x), inside(y)), (Some(x), Some(y)) if code[(x, y)] == Color::Dark)
    };
    let mut lines = String::new();
    for y in (0..size).step_by(2) {
        lines.push_str("\x1b[38;5;16;48;5;231m");
        lines.extend((0..size).map(|x| match (is_dark(x, y), is_dark(x, y + 1)) {
            (false, false) => ' ',
            (true, false) => '▀',
            (false, true) => '▄',
            (true, true) => '█',
        }));
        lines.push_str("\x1b[0m\n");
    }
    Some(lines)
}

fn code(text: &str) -> Option<QrCode> {
    QrCode::with_error_correction_level(text, EcLevel::M).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_a_picture_without_the_text() {
        let picture = svg("otpauth://totp/Shop:ana?secret=GEZDGNBVGY3TQOJQ").unwrap();
        assert!(picture.starts_with("<svg") && picture.ends_with("</svg>"));
        assert!(!picture.contains("GEZD") && !picture.contains("style="));
        assert_eq!(svg(&"x".repeat(5000)), None);
    }

    #[test]
    fn a_terminal_shows_what_a_page_shows() {
        let text = "https://login.example/device?user_code=WDJB-MJHT";
        let shown = lines(text).unwrap();
        let mut rows = Vec::new();
        for line in shown.lines() {
            let line = line.strip_prefix("\x1b[38;5;16;48;5;231m").unwrap().strip_suffix("\x1b[0m").unwrap();
            rows.push(line.chars().map(|c| matches!(c, '▀' | '█')).collect());
            rows.push(line.chars().map(|c| matches!(c, '▄' | '█')).collect());
        }
        // A code has an odd number of rows.
        assert!(rows.pop().is_some_and(|last: Vec<bool>| last.iter().all(|dark| !dark)));
        assert_eq!(rows, modules(&svg(text).unwrap()));
    }

    /// The picture as rows of modules, read back from its path.
    fn modules(picture: &str) -> Vec<Vec<bool>> {
        let size =
            picture.split("viewBox=\"0 0 ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap();
        let mut rows = vec![vec![false; size]; size];
        let path = picture.split("fill=\"#000\" d=\"").nth(1).unwrap().split('"').next().unwrap();
        for stroke in path.split('z').filter(|stroke| !stroke.is_empty()) {
            let numbers: Vec<usize> =
                stroke.split(['M', ' ', 'h', 'v', '-']).filter_map(|n| n.parse().ok()).collect();
            let [x, y, length, 1, back] = numbers[..] else { panic!("{stroke}") };
            assert_eq!(length, back);
            rows[y][x..x + length].fill(true);
        }
        rows
    }

    #[test]
    fn the_picture_is_the_code_with_white_around_it() {
        let text = "https://login.example/device?user_code=WDJB-MJHT";
        let rows = modules(&svg(text).unwrap());
        let code = QrCode::with_error_correction_level(text, EcLevel::M).unwrap();
        assert_eq!(rows.len(), code.width() + 2 * QUIET);
        for (y, row) in rows.iter().enumerate() {
            for (x, is_dark) in row.iter().enumerate() {
                let inside = |at: usize| at.checked_sub(QUIET).filter(|at| *at < code.width());
                let expected = match (inside(x), inside(y)) {
                    (Some(x), Some(y)) => code[(x, y)] == Color::Dark,
                    _ => false,
                };
                assert_eq!(*is_dark, expected, "{x} {y}");
            }
        }
    }
}
