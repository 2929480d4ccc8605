//! A session's life: drawn as a picture, and told as a list of the same points.

use std::fmt::Write as _;

use crate::time::Timestamp;

/// One thing that happened to a session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimelinePoint {
    /// When.
    pub at: Timestamp,
    /// What.
    pub kind: PointKind,
    /// More about it, such as the network's fingerprint or why the session ended.
    pub detail: Option<String>,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PointKind {
    /// The person signed in.
    Start,
    /// So many refreshes of which only the number is kept.
    Earlier {
        /// How many.
        count: u32,
    },
    /// A refresh.
    Rotation {
        /// The generation that it made.
        generation: u32,
    },
    /// The last spent token was presented again and was answered with the same successor.
    Replay {
        /// The generation that was presented.
        generation: u32,
    },
    /// The session was seen from a new network or with a new user agent.
    Network,
    /// A spent token was presented by someone who should not have it.
    Reuse {
        /// The generation that was presented.
        generation: u32,
    },
    /// The session ended.
    End,
}

impl PointKind {
    /// The class of its line in the list.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Earlier { .. } | Self::Rotation { .. } => "rotation",
            Self::Replay { .. } => "replay",
            Self::Network => "network",
            Self::Reuse { .. } => "reuse",
            Self::End => "end",
        }
    }
}

/// The points as a picture: `<svg>`, coloured by the stylesheet. The sign-in is a ring, refreshes are filled
/// dots on a line, replays hollow ones, a reuse a red fork that leaves the line, the end a bar.
///
/// The points are evenly spaced: seconds and weeks have to fit beside each other. `title` is what a screen
/// reader says; all else about the points is said by the list beside the picture.
pub fn timeline_svg(title: &str, points: &[TimelinePoint]) -> String {
    let x = |place: usize| MARGIN + STEP * place;
    let width = x(points.len().saturating_sub(1)) + MARGIN;
    let mut svg = format!(
        "<svg role=\"img\" viewBox=\"0 0 {width} {HEIGHT}\" width=\"{}\" height=\"136\"><title>{}</title>",
        width * 136 / HEIGHT,
        escape(title)
    );
    for (place, pair) in points.windows(2).enumerate() {
        let earlier = pair.iter().any(|point| matches!(point.kind, PointKind::Earlier { .. }));
        let class = if earlier { "tl-line tl-earlier" } else { "tl-line" };
        part(&mut svg, format_args!("<path class=\"{class}\" d=\"M{} {LINE}H{}\"/>", x(place), x(place + 1)));
    }
    // Forks lie under the dots of their neighbours.
    for (place, point) in points.iter().enumerate() {
        if let PointKind::Reuse { generation } = point.kind {
            fork(&mut svg, x(place), x(origin(points, place, generation)), generation);
        }
    }
    for (place, point) in points.iter().enumerate() {
        mark(&mut svg, x(place), point.kind);
    }
    svg.push_str("</svg>");
    svg
}

/// Where a stolen token was made: the fork leaves the line there. The sign-in makes generation 1.
fn origin(points: &[TimelinePoint], reuse: usize, stolen: u32) -> usize {
    let made = |point: &TimelinePoint| match point.kind {
        PointKind::Rotation { generation } => generation == stolen,
        PointKind::Start => stolen == 1,
        _ => false,
    };
    points.iter().take(reuse).rposition(made).unwrap_or_else(|| reuse.saturating_sub(1))
}

/// From the line where the token was made, up and along, and back down to where it was used: the crossed end.
fn fork(svg: &mut String, at: usize, from: usize, generation: u32) {
    let (turn, top) = (from + 26, LINE - 34);
    part(
        svg,
        format_args!(
            "<path class=\"tl-reuse\" d=\"M{from} {LINE}C{} {LINE} {} {top} {turn} {top}H{}\"/>",
            from + 14,
            from + 12,
            at.saturating_sub(9).max(turn)
        ),
    );
    let (left, right, high, low) = (at - 7, at + 7, top - 7, top + 7);
    part(
        svg,
        format_args!(
            "<path class=\"tl-reuse\" d=\"M{left} {high}L{right} {low}M{left} {low}L{right} {high}\"/>"
        ),
    );
    part(svg, format_args!("<path class=\"tl-reuse\" d=\"M{at} {}V{}\"/>", top + 16, LINE - 10));
    part(svg, format_args!("<text class=\"tl-bad\" x=\"{at}\" y=\"{TEXT}\">{generation}!</text>"));
}

fn mark(svg: &mut String, x: usize, kind: PointKind) {
    let mut dot = |class: &str, radius: u8, text: &str| {
        part(svg, format_args!("<circle class=\"{class}\" cx=\"{x}\" cy=\"{LINE}\" r=\"{radius}\"/>"));
        if !text.is_empty() {
            part(svg, format_args!("<text x=\"{x}\" y=\"{TEXT}\">{text}</text>"));
        }
    };
    match kind {
        PointKind::Start => dot("tl-start", 10, "1"),
        PointKind::Earlier { count } => dot("tl-dot", 4, &format!("+{count}")),
        PointKind::Rotation { generation } => dot("tl-dot", 8, &generation.to_string()),
        PointKind::Replay { generation } => dot("tl-hollow", 7, &format!("{generation}\u{21ba}")),
        PointKind::Network => dot("tl-network", 6, ""),
        PointKind::Reuse { .. } => dot("tl-reuse-dot", 8, ""),
        PointKind::End => {
            let (high, low) = (LINE - 20, LINE + 20);
            part(svg, format_args!("<path class=\"tl-end\" d=\"M{x} {high}V{low}\"/>"));
        }
    }
}

/// Writing to a string does not fail.
fn part(svg: &mut String, arguments: std::fmt::Arguments<'_>) {
    let _ = svg.write_fmt(arguments);
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

const HEIGHT: usize = 110;
const LINE: usize = 62;
const TEXT: usize = 96;
const MARGIN: usize = 32;
const STEP: usize = 72;

#[cfg(test)]
mod tests {
    use super::{PointKind, TimelinePoint, timeline_svg};
    use crate::time::Timestamp;

    fn points(kinds: &[PointKind]) -> Vec<TimelinePoint> {
        kinds.iter().map(|kind| TimelinePoint { at: Timestamp(0), kind: *kind, detail: None }).collect()
    }

    #[test]
    fn each_kind_has_its_own_mark() {
        let svg = timeline_svg(
            "<title> & more",
            &points(&[
                PointKind::Start,
                PointKind::Earlier { count: 41 },
                PointKind::Rotation { generation: 42 },
                PointKind::Rotation { generation: 43 },
                PointKind::Replay { generation: 42 },
                PointKind::Network,
                PointKind::Reuse { generation: 42 },
                PointKind::End,
            ]),
        );
        for class in ["tl-start", "tl-earlier", "tl-dot", "tl-hollow", "tl-network", "tl-reuse", "tl-end"] {
            assert!(svg.contains(&format!("class=\"{class}\"")) || svg.contains(class), "{class}");
        }
        assert!(svg.contains("<title>&lt;title&gt; &amp; more</title>"));
        assert!(!svg.contains("style") && svg.ends_with("</svg>"));
    }

    #[test]
    fn the_fork_leaves_the_line_where_the_stolen_token_was_made() {
        let kinds = [
            PointKind::Start,
            PointKind::Rotation { generation: 2 },
            PointKind::Rotation { generation: 3 },
            PointKind::Reuse { generation: 2 },
        ];
        assert!(timeline_svg("", &points(&kinds)).contains("class=\"tl-reuse\" d=\"M104 62C"));
        let first =
            [PointKind::Start, PointKind::Rotation { generation: 2 }, PointKind::Reuse { generation: 1 }];
        assert!(timeline_svg("", &points(&first)).contains("class=\"tl-reuse\" d=\"M32 62C"));
        // Its making is not among the points: it leaves just before.
        let unknown = [PointKind::Start, PointKind::Reuse { generation: 7 }];
        assert!(timeline_svg("", &points(&unknown)).contains("class=\"tl-reuse\" d=\"M32 62C"));
    }

    #[test]
    fn nothing_and_very_much_can_be_drawn() {
        assert!(timeline_svg("", &[]).ends_with("</svg>"));
        let alone = timeline_svg("", &points(&[PointKind::Reuse { generation: u32::MAX }]));
        assert!(alone.contains("4294967295!"));
        let many: Vec<_> = (1..2000).map(|generation| PointKind::Rotation { generation }).collect();
        assert_eq!(timeline_svg("", &points(&many)).matches("tl-dot").count(), 1999);
    }
}
