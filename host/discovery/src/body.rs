//! A job's targets as one JSON list: its length, and its bytes piece by piece.

use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;

use crate::group::{GroupKey, GroupResult, Stage};
use crate::snapshot::Snapshot;
use crate::view::View;

/// A piece ends with the group that makes it this long: as much as a socket takes at once, and
/// rendered in less time than one task may keep others waiting.
const PIECE: usize = 64 << 10;

/// The bytes of one view of a snapshot, rendered as they are taken: `[`, the groups' segments in
/// the order of their keys, and `]`. Nothing is kept of what was taken.
#[derive(Clone, Debug)]
pub struct BodyPieces {
    snapshot: Arc<Snapshot>,
    view: View,
    next: Next,
    /// Whether a target was rendered, so that the next one is set off by a comma.
    has_begun: bool,
}

#[derive(Clone, Debug)]
enum Next {
    First,
    After(GroupKey),
    Nothing,
}

// === impl Snapshot ===

impl Snapshot {
    /// The list of one view.
    pub fn body(self: &Arc<Self>, view: View) -> BodyPieces {
        BodyPieces {
            snapshot: Arc::clone(self),
            view,
            next: Next::First,
            has_begun: false,
        }
    }

    /// The length of the list in bytes. Each group is measured once, by rendering it, and that takes
    /// its time where nobody has asked before: nothing is returned if more than `at_most` groups
    /// would have to be.
    pub fn body_length(&self, stage: Stage, at_most: usize) -> Option<usize> {
        let (mut length, mut measured, mut scratch) = (0, 0, Vec::new());
        for result in self.groups.values() {
            let segment = match result.known_length(stage) {
                Some(segment) => segment,
                None if measured == at_most => return None,
                None => {
                    measured += 1;
                    measure(result, stage, &mut scratch)
                }
            };
            if segment > 0 {
                // One byte more for the comma before it, or for the bracket.
                length += segment + 1;
            }
        }
        Some(length.max(1) + 1)
    }
}

fn measure(result: &GroupResult, stage: Stage, scratch: &mut Vec<u8>) -> usize {
    scratch.clear();
    result.render(stage, scratch);
    scratch.len()
}

// === impl BodyPieces ===

impl Iterator for BodyPieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        let mut piece = Vec::new();
        let from: Bound<&GroupKey> = match &self.next {
            Next::Nothing => return None,
            Next::First => {
                piece.push(b'[');
                Bound::Unbounded
            }
            Next::After(key) => Bound::Excluded(key),
        };
        let mut last = None;
        for (key, result) in self
            .snapshot
            .groups
            .range::<_, GroupKey>((from, Bound::Unbounded))
        {
            let (comma, start) = (usize::from(self.has_begun), piece.len());
            piece.extend(self.has_begun.then_some(b','));
            result.render_view(&self.view, &mut piece);
            if piece.len() == start + comma {
                piece.truncate(start);
            } else {
                self.has_begun = true;
            }
            if piece.len() >= PIECE {
                last = Some(key.clone());
                break;
            }
        }
        self.next = last.map_or_else(
            || {
                piece.push(b']');
                Next::Nothing
            },
            Next::After,
        );
        Some(piece.into())
    }
}
