//! Lists in segments: what a change costs a compressed list, or a part of one, is its segment.
//!
//! A segment is a run of groups whose ends depend on their keys and sizes alone, so that replicas
//! cut alike whatever happened before. Of each segment its length, its hash and its compressed
//! bytes are kept, never its plain bytes. Compressed segments end on a byte and look back to
//! nothing: one behind the other they are one gzip member.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::sync::Arc;

use bytes::Bytes;
use flate2::Crc;
use periplus_core::ContentHash;
use periplus_discovery::{GroupKey, GroupResult, Snapshot, View};

use crate::encoding::{self, Packer};

/// About what a segment takes beside its compressed bytes.
const SEGMENT_OVERHEAD: usize = 256;

/// A view of a job in segments, as of one snapshot.
#[derive(Debug)]
pub(crate) struct Segments {
    view: View,
    /// What they were made of; none before the first time.
    snapshot: Option<Arc<Snapshot>>,
    by_end: BTreeMap<End, Segment>,
}

/// What there is to say of a list without its bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Summary {
    /// Names the bytes.
    pub(crate) version: ContentHash,
    /// Of the plain list.
    pub(crate) length: usize,
    /// Labels whose names the reader does not take.
    pub(crate) left_out: usize,
}

/// Where a segment ends: with a group, or with the list.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum End {
    With(GroupKey),
    Last,
}

#[derive(Debug, Default)]
struct Segment {
    /// The sum of the hashes of what its groups show: it does not depend on where segments end.
    sum: u128,
    length: usize,
    left_out: usize,
    packed: Option<Packed>,
}

#[derive(Debug)]
struct Packed {
    bytes: Bytes,
    crc: Crc,
}

// === impl Segments ===

impl Segments {
    /// Segments of nothing yet.
    pub(crate) fn new(view: View) -> Self {
        Self {
            view,
            snapshot: None,
            by_end: BTreeMap::new(),
        }
    }

    /// Brings the segments up to a snapshot, compressed if they shall be; how many were made anew.
    pub(crate) fn update(&mut self, snapshot: &Arc<Snapshot>, packed: bool) -> usize {
        let mut stale = self.stale(snapshot, packed);
        let mut maker = Maker::new(packed);
        let mut made = 0;
        while let Some(first) = stale.pop_first() {
            made += self.remake(&first, &mut stale, snapshot, &mut maker);
        }
        self.snapshot = Some(Arc::clone(snapshot));
        made
    }

    /// A place in each segment that has to be made anew.
    fn stale(&self, snapshot: &Arc<Snapshot>, packed: bool) -> BTreeSet<End> {
        let Some(last) = &self.snapshot else {
            let first = snapshot.groups.keys().next();
            return BTreeSet::from([first.map_or(End::Last, |key| End::With(key.clone()))]);
        };
        let changed = snapshot.changes_from(last).cloned().map(End::With);
        let mut stale: BTreeSet<End> = changed.collect();
        if packed {
            let plain = self.by_end.iter().filter(|(_, it)| it.packed.is_none());
            stale.extend(plain.map(|(end, _)| end.clone()));
        }
        stale
    }

    /// Makes the segments around a stale place anew, up to an end that old and new ones share.
    fn remake(
        &mut self,
        place: &End,
        stale: &mut BTreeSet<End>,
        snapshot: &Snapshot,
        maker: &mut Maker,
    ) -> usize {
        let before = self.by_end.range(..place.clone()).next_back();
        let start = before.map(|(end, _)| end.clone());
        let from = match &start {
            Some(End::With(key)) => Bound::Excluded(key),
            _ => Bound::Unbounded,
        };
        let mut new = BTreeMap::new();
        let mut shared = None;
        for (key, result) in snapshot
            .groups
            .range::<_, GroupKey>((from, Bound::Unbounded))
        {
            maker.add(key, result, &self.view);
            if key.ends_segment(result) {
                let end = End::With(key.clone());
                new.insert(end.clone(), maker.finish());
                // Behind the place, and cut here before: what follows stands as it is.
                if end >= *place && self.by_end.contains_key(&end) {
                    shared = Some(end);
                    break;
                }
            }
        }
        let end = shared.unwrap_or_else(|| {
            new.insert(End::Last, maker.finish());
            End::Last
        });
        let made = new.len();
        *stale = stale.split_off(&end);
        stale.remove(&end);
        self.replace(start.as_ref(), &end, new);
        made
    }

    /// Puts segments in the place of those behind `start`, up to `end`.
    fn replace(&mut self, start: Option<&End>, end: &End, new: BTreeMap<End, Segment>) {
        let from = start.map_or(Bound::Unbounded, Bound::Excluded);
        let old = self.by_end.range::<End, _>((from, Bound::Included(end)));
        let old: Vec<End> = old.map(|(end, _)| end.clone()).collect();
        for end in old {
            self.by_end.remove(&end);
        }
        self.by_end.extend(new);
    }

    pub(crate) fn summary(&self) -> Summary {
        let mut summary = Summary::default();
        for segment in self.by_end.values() {
            let version = &mut summary.version.0;
            *version = version.wrapping_add(segment.sum);
            summary.left_out += segment.left_out;
            if segment.length > 0 {
                // One byte more for the comma before it, or for the bracket.
                summary.length += segment.length + 1;
            }
        }
        summary.length = summary.length.max(1) + 1;
        summary
    }

    /// The whole list as one gzip member, in pieces. The segments must have been compressed.
    pub(crate) fn packed(&self) -> Vec<Bytes> {
        let mut member = encoding::Member::new(b"[");
        let shown = self.by_end.values().filter(|segment| segment.length > 0);
        for (index, segment) in shown.enumerate() {
            let Some(packed) = &segment.packed else {
                continue;
            };
            if index > 0 {
                member.literal(b",");
            }
            member.append(packed.bytes.clone(), &packed.crc);
        }
        member.literal(b"]");
        member.finish()
    }

    /// About how much memory they take.
    pub(crate) fn size(&self) -> usize {
        let packed = |segment: &Segment| segment.packed.as_ref().map_or(0, |it| it.bytes.len());
        let sizes = self.by_end.values().map(packed);
        sizes.map(|size| size + SEGMENT_OVERHEAD).sum()
    }
}

/// Makes one segment after the other.
struct Maker {
    packer: Option<Packer>,
    json: Vec<u8>,
    segment: Segment,
}

// === impl Maker ===

impl Maker {
    fn new(packed: bool) -> Self {
        Self {
            packer: packed.then(Packer::default),
            json: Vec::new(),
            segment: Segment::default(),
        }
    }

    fn add(&mut self, key: &GroupKey, result: &GroupResult, view: &View) {
        let start = self.json.len();
        let comma = usize::from(start > 0);
        self.json.extend((comma > 0).then_some(b','));
        self.segment.left_out += result.render_view(view, &mut self.json);
        let shown = &self.json[start + comma..];
        if shown.is_empty() {
            self.json.truncate(start);
            return;
        }
        let hash = key.hash_with(ContentHash::of(shown));
        self.segment.sum = self.segment.sum.wrapping_add(hash.0);
    }

    fn finish(&mut self) -> Segment {
        let mut segment = std::mem::take(&mut self.segment);
        segment.length = self.json.len();
        segment.packed = self.packer.as_mut().map(|packer| {
            let mut crc = Crc::new();
            crc.update(&self.json);
            let bytes = packer.pack(&self.json);
            Packed { bytes, crc }
        });
        self.json.clear();
        segment
    }
}
