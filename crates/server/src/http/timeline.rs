//! A session's life, from what the server tells of it to what is drawn.

use crate::flows::Reason;
use crate::flows::explain::Explanation;
use crate::pages::{PointKind, TimelinePoint};

/// The points of a timeline. Of old refreshes the store keeps only the number, so that the gap
/// before the first that it knows is a point of its own.
pub(super) fn points(told: Explanation) -> Vec<TimelinePoint> {
    let mut generation = 1;
    let mut points: Vec<TimelinePoint> = Vec::new();
    for moment in told.timeline {
        let kind = match moment.kind {
            "start" => PointKind::Start,
            "refresh" => {
                let made = moment.generation.unwrap_or(generation);
                let missed = made.saturating_sub(generation).saturating_sub(1);
                if missed > 0 {
                    let kind = PointKind::Earlier { count: missed };
                    points.push(TimelinePoint { at: moment.at, kind, detail: None });
                }
                generation = made.max(generation);
                PointKind::Rotation { generation }
            }
            // What is presented again is the one before the current one, or an older one still.
            "replay" => PointKind::Replay { generation: generation.saturating_sub(1) },
            "reuse" => PointKind::Reuse { generation: generation.saturating_sub(1) },
            "network" => PointKind::Network,
            "end" => PointKind::End,
            _ => continue,
        };
        points.push(TimelinePoint { at: moment.at, kind, detail: beyond(kind, moment.detail) });
    }
    points
}

/// What a detail says that the point's own sentence does not.
fn beyond(kind: PointKind, detail: String) -> Option<String> {
    match kind {
        PointKind::Start => Some(detail).filter(|detail| detail != "the session began"),
        PointKind::Rotation { .. } => detail.split_once(", from ").map(|(_, place)| place.to_owned()),
        PointKind::Reuse { .. } => Some(detail).filter(|detail| detail != Reason::Reuse.sentence()),
        _ => Some(detail),
    }
}
