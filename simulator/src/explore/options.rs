//! What to explore, and how.

/// In which order workgroups get their slots.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Start {
    /// In index order: the lowest that has not started gets the next free slot.
    #[default]
    InOrder,
    /// In any order.
    AnyOrder,
    /// In index order, and only when all slots are free: as many as there are slots start together.
    Waves,
}

/// Which workgroups a device promises to let advance, by the names of Sorensen, Evrard and Donaldson, "GPU schedulers:
/// how fair is fair enough?", CONCUR 2018. Whoever is promised nothing may be left out for ever.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Progress {
    /// All: nobody waits for a slot for ever.
    Fair,
    /// Occupancy-bound execution: those that have started. Any of them may start first.
    Obe,
    /// Linear occupancy-bound execution: those that have started, and they start in index order.
    #[default]
    Lobe,
    /// The one of lowest index that has not ended (HSA: a workgroup may wait for those of lower index).
    Hsa,
    /// Those that have started, and the one of lowest index that has not ended.
    HsaObe,
}

impl Progress {
    /// Every model.
    pub const ALL: [Self; 5] = [Self::Fair, Self::Obe, Self::Lobe, Self::Hsa, Self::HsaObe];

    /// Its name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Fair => "fair",
            Self::Obe => "obe",
            Self::Lobe => "lobe",
            Self::Hsa => "hsa",
            Self::HsaObe => "hsa+obe",
        }
    }

    /// In which order workgroups start under it.
    pub const fn start(self) -> Start {
        match self {
            Self::Obe | Self::HsaObe => Start::AnyOrder,
            Self::Fair | Self::Lobe | Self::Hsa => Start::InOrder,
        }
    }

    /// Whether slots are limited under it. Where they are not, everyone can take turns at any time.
    pub const fn has_slots(self) -> bool {
        matches!(self, Self::Obe | Self::Lobe | Self::HsaObe)
    }

    /// Whether the workgroup of lowest index is promised to advance, and those that only have started are not or need
    /// not have.
    pub const fn favours_lowest(self) -> bool {
        matches!(self, Self::Hsa | Self::HsaObe)
    }
}

/// How schedules are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// All of them, up to what cannot matter.
    Exhaustive,
    /// Drawn: probabilistic concurrency testing.
    Random {
        /// Seed of the draws.
        seed: u64,
        /// Depth d: how many ordering constraints a bug may need.
        depth: u32,
    },
}

/// One exploration. See [`super::explore`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ExploreOptions {
    /// How schedules are chosen.
    pub engine: Engine,
    /// Who is promised to advance.
    pub progress: Progress,
    /// Workgroups resident at the same time, where the progress model has slots.
    pub slots: u32,
    /// Executions at most.
    pub executions: u64,
    /// Choices in one execution at most; a longer one is cut, and the exploration is not complete.
    pub turns: usize,
    /// Instructions times invocations of all executions, after which no other is begun.
    pub effort: u64,
    /// Whether workgroups that the program cannot tell apart are taken as one.
    pub symmetry: bool,
    /// Whether orders of turns that cannot matter are left out. Without it every order is run: for measuring what is
    /// saved, and for showing that nothing is lost.
    pub reduction: bool,
}

impl Default for ExploreOptions {
    fn default() -> Self {
        Self {
            engine: Engine::Exhaustive,
            progress: Progress::default(),
            slots: 512,
            executions: 100_000,
            turns: 20_000,
            effort: u64::MAX,
            symmetry: true,
            reduction: true,
        }
    }
}
