//! Which targets of a changed group stay as they are.

use rustc_hash::FxHashMap;

/// For each target of a group the one of its last version whose labels were the same, if any: what
/// the pipeline made of it stays.
#[derive(Debug)]
pub(super) struct Stays(Vec<Option<u32>>);

// === impl Stays ===

impl Stays {
    /// Nothing stays.
    pub(super) fn none() -> Self {
        Self(Vec::new())
    }

    /// Compares what the targets depend on, before and now. Mostly targets change in place or a few
    /// come and go, so only what lies between an equal beginning and an equal end is looked up.
    pub(super) fn of(before: &[u64], now: &[u64]) -> Self {
        if before.is_empty() || now.is_empty() {
            return Self::none();
        }
        let same = |pair: &(&u64, &u64)| pair.0 == pair.1;
        let head = before.iter().zip(now).take_while(same).count();
        let (old, new) = (&before[head..], &now[head..]);
        let tail = old.iter().rev().zip(new.iter().rev());
        let tail = tail.take_while(same).count();
        let (old, new) = (&old[..old.len() - tail], &new[..new.len() - tail]);
        let rows = head as u32..;
        let moved: FxHashMap<u64, u32> = old.iter().copied().zip(rows).collect();
        let first_of_tail = (before.len() - tail) as u32;
        let stays = (0..head as u32)
            .map(Some)
            .chain(new.iter().map(|input| moved.get(input).copied()))
            .chain((first_of_tail..before.len() as u32).map(Some));
        Self(stays.collect())
    }

    /// The target of the last version that stays as this one.
    pub(super) fn row(&self, row: u32) -> Option<u32> {
        self.0.get(row as usize).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(before: &[u64], now: &[u64]) -> Vec<Option<u32>> {
        let stays = Stays::of(before, now);
        (0..now.len() as u32).map(|row| stays.row(row)).collect()
    }

    #[test]
    fn targets_stay_where_their_labels_are_the_same() {
        let none = vec![None; 3];
        assert_eq!(rows(&[], &[1, 2, 3]), none);
        assert_eq!(rows(&[4, 5, 6], &[1, 2, 3]), none);
        let all = [Some(0), Some(1), Some(2)];
        assert_eq!(rows(&[1, 2, 3], &[1, 2, 3]), all);
        assert_eq!(rows(&[1, 2, 3], &[1, 9, 3]), [Some(0), None, Some(2)]);
    }

    #[test]
    fn targets_stay_when_others_come_go_and_move() {
        assert_eq!(rows(&[1, 2, 3, 4], &[1, 3, 4]), [Some(0), Some(2), Some(3)]);
        assert_eq!(rows(&[1, 3], &[1, 2, 3]), [Some(0), None, Some(1)]);
        assert_eq!(rows(&[1, 2, 3], &[3, 2, 1]), [Some(2), Some(1), Some(0)]);
        assert_eq!(rows(&[7], &[7, 7, 7]), [Some(0), None, None]);
        let twice = rows(&[7, 1, 2], &[1, 7, 7, 2]);
        assert_eq!(twice, [Some(1), Some(0), Some(0), Some(2)]);
        assert_eq!(rows(&[1, 1], &[1]), [Some(0)]);
    }
}
