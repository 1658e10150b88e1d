//! Which kernel's order of operations: the shapes of its groups, and the rows of its tiles.

/// A kernel, as its arithmetic sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Path {
    /// 8 groups of 16 lanes with 8 neighbouring elements each, added one after the other; 4 rows at a time.
    WideVec,
    /// 4 groups of 32 lanes with 4 neighbouring elements each, even and odd ones added apart; 4 rows at a time.
    Ilp4,
    /// 4 groups of 32 lanes with 4 neighbouring elements each, added one after the other; 2 rows at a time.
    Pretranspose,
}

impl Path {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::WideVec, Self::Ilp4, Self::Pretranspose];

    /// Rows of V that one workgroup can be given.
    pub const fn tiles(self) -> &'static [u32] {
        match self {
            Self::WideVec => &[32, 64, 128],
            Self::Ilp4 => &[16, 32, 64, 128],
            Self::Pretranspose => &[16],
        }
    }

    /// The rows of V in the order in which a launch with tiles of `tile_v` rows computes them: by workgroup, then by
    /// group, then as the group's loop takes them. No row's bits depend on it.
    #[cfg(test)]
    pub(super) fn rows(self, tile_v: u32) -> Vec<u32> {
        let workgroups = super::shape::HEAD.div_ceil(tile_v);
        let of_group = move |group: u32| -> Vec<u32> {
            match self {
                Self::WideVec => (0..tile_v / 8).map(|row| group * (tile_v / 8) + row).collect(),
                Self::Ilp4 => (0..tile_v / 4).map(|row| group * (tile_v / 4) + row).collect(),
                Self::Pretranspose => {
                    (0..2).flat_map(|tile| (0..2).map(move |row| tile * 8 + group * 2 + row)).collect()
                }
            }
        };
        let groups = if self == Self::WideVec { 8 } else { 4 };
        let tiles = (0..workgroups)
            .flat_map(|workgroup| (0..groups).flat_map(of_group).map(move |row| workgroup * tile_v + row));
        tiles.collect()
    }

    /// Roundings that one term of a group's sum passes through: its product, where that rounds by itself, the additions
    /// in its lane, and the butterfly.
    pub const fn roundings(self) -> u32 {
        match self {
            Self::WideVec => 1 + 8 + 4,
            Self::Ilp4 => 1 + 2 + 1 + 5,
            Self::Pretranspose => 1 + 4 + 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_tile_covers_every_row_once() {
        for path in Path::ALL {
            for &tile_v in path.tiles() {
                let mut rows = path.rows(tile_v);
                rows.sort_unstable();
                assert_eq!(rows, (0..128).collect::<Vec<u32>>(), "{path:?}, {tile_v}");
            }
        }
    }

    #[test]
    fn rows_follow_the_formulas() {
        // i_v * tile_v + group * (tile_v / groups) + iteration * 4 + r; i_v * 16 + tile * 8 + group * 2 + r.
        assert_eq!(Path::WideVec.rows(32)[36..40], [36, 37, 38, 39]);
        assert_eq!(Path::Ilp4.rows(16)[16..20], [16, 17, 18, 19]);
        assert_eq!(Path::Pretranspose.rows(16)[16..24], [16, 17, 24, 25, 18, 19, 26, 27]);
    }
}
