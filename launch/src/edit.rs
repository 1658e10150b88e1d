//! A change to what a module says: to ask what one of its barriers or guards is good for.
//!
//! An edit names a place of the source, as reports print it, and holds for every instruction that was made of it.
//! Only the simulator can run an edited module: a device takes the source as it is, and refuses.

use std::fmt;
use std::str::FromStr;

use crate::LaunchError;

/// What stands at a place and can be done without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Construct {
    /// A barrier of the workgroup or of a subgroup, a fence, or a wait for asynchronous copies.
    Barrier,
    /// A condition under which accesses to memory are left out.
    Guard,
}

impl Construct {
    /// Both.
    pub const ALL: [Self; 2] = [Self::Barrier, Self::Guard];

    /// The name on the command line and in reports.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Barrier => "barrier",
            Self::Guard => "guard",
        }
    }
}

/// What is done to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Change {
    /// It is left out: nobody waits at the barrier, the guarded accesses always happen.
    Remove,
    /// The kernel stops itself where it matters: at the barrier, or where the guard leaves accesses out. Shows whether
    /// that ever happens.
    Trap,
}

/// A place of the source.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Site {
    /// File, by the name that reports print.
    pub file: String,
    /// Line, counted from 1.
    pub line: u32,
    /// Column in characters, counted from 1; 0 where the compiler did not say.
    pub column: u32,
    /// What stands there.
    pub construct: Construct,
}

impl fmt::Display for Site {
    /// `barrier@kernel.wgsl:12:5`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}:{}:{}", self.construct.name(), self.file, self.line, self.column)
    }
}

impl FromStr for Site {
    type Err = LaunchError;

    fn from_str(text: &str) -> Result<Self, LaunchError> {
        let refuse = || LaunchError::Site { text: text.to_owned() };
        let (construct, place) = text.split_once('@').ok_or_else(refuse)?;
        let construct = Construct::ALL.into_iter().find(|known| known.name() == construct).ok_or_else(refuse)?;
        let (rest, column) = place.rsplit_once(':').ok_or_else(refuse)?;
        let (file, line) = rest.rsplit_once(':').ok_or_else(refuse)?;
        let number = |digits: &str| digits.parse().map_err(|_| refuse());
        Ok(Self { file: file.to_owned(), line: number(line)?, column: number(column)?, construct })
    }
}

/// A change at a place.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Edit {
    /// Where.
    pub site: Site,
    /// What.
    pub change: Change,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sites_are_read_back_and_others_refused() {
        let site = Site { file: "a b:c.wgsl".to_owned(), line: 12, column: 0, construct: Construct::Guard };
        assert_eq!(site.to_string(), "guard@a b:c.wgsl:12:0");
        assert_eq!(site.to_string().parse(), Ok(site));
        for wrong in ["", "barrier", "fence@a:1:1", "barrier@a:1", "barrier@a:x:1", "barrier@a:1:-1"] {
            assert_eq!(wrong.parse::<Site>(), Err(LaunchError::Site { text: wrong.to_owned() }));
        }
    }
}
