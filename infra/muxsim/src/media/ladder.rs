//! Which picture sizes are made of a source, and at what bit rate.
//!
//! Sizes are named by lines, the shorter side: an upright film of 1080 by 1920 is a 1080p film, as it
//! is by Mux's count of pixels.

/// Lines of the ladder, each with its ceiling in bits per second. Up to 1080 after the table in
/// Apple's HLS Authoring Specification §1, which ends there for H.264; above in proportion to 1080, as
/// `YouTube` recommends 8, 16 and 35 Mbit/s for the three (support.google.com/youtube/answer/1722171).
const LADDER: [Rung; 5] = [
    rung(360, 800_000),
    rung(720, 3_000_000),
    rung(1080, 6_000_000),
    rung(1440, 12_000_000),
    rung(2160, 26_000_000),
];

/// One picture size to make.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rung {
    /// Pixels of the shorter side.
    pub(super) lines: u32,
    /// Ceiling of the video's bit rate, in bits per second.
    pub(super) bits: u64,
}

const fn rung(lines: u32, bits: u64) -> Rung {
    Rung { lines, bits }
}

impl Rung {
    /// A size of its own, with the bit rate of the next rung of the ladder; encoders take even sizes
    /// only.
    pub(super) fn of(lines: u32) -> Self {
        let lines = lines.max(2) & !1;
        let above = LADDER.iter().find(|rung| rung.lines >= lines);
        let bits = above.or(LADDER.last()).map_or(0, |rung| rung.bits);
        Self { lines, bits }
    }

    /// Width and height in pixels for pictures of that shape, both even.
    pub(super) fn size(self, (width, height): (u32, u32)) -> (u32, u32) {
        let longer = |long: u32, short: u32| {
            let pairs = scaled(self.lines, long, short.saturating_mul(2));
            pairs.max(1).saturating_mul(2)
        };
        if width < height {
            return (self.lines, longer(height, width));
        }
        (longer(width, height), self.lines)
    }
}

/// `number` times `numerator` over `denominator`, rounded to the nearest.
pub(super) fn scaled(number: u32, numerator: u32, denominator: u32) -> u32 {
    let denominator = u64::from(denominator.max(1));
    let product = u64::from(number) * u64::from(numerator);
    u32::try_from((product + denominator / 2) / denominator).unwrap_or(u32::MAX)
}

/// The rungs that go below a copy of a source that has so many lines.
pub(super) fn rungs_below(lines: u32, max_lines: u32) -> Vec<Rung> {
    let fits = |rung: &Rung| rung.lines < lines && rung.lines <= max_lines;
    LADDER.into_iter().filter(fits).collect()
}

/// The rungs that stand for a source of which no copy can be kept, the tallest last.
pub(super) fn rungs_for(lines: u32, max_lines: u32) -> Vec<Rung> {
    let top = Rung::of(lines.min(max_lines));
    // A rung just below the top would be the same picture twice.
    let mut rungs = rungs_below(top.lines - top.lines / 10, max_lines);
    rungs.push(top);
    rungs
}

#[cfg(test)]
mod tests {
    use super::{Rung, rungs_below, rungs_for};

    fn lines(rungs: &[Rung]) -> Vec<u32> {
        rungs.iter().map(|rung| rung.lines).collect()
    }

    #[test]
    fn the_ladder_ends_at_the_source_and_at_the_limit() {
        assert_eq!(lines(&rungs_below(2160, 2160)), [360, 720, 1080, 1440]);
        assert_eq!(lines(&rungs_below(2160, 1080)), [360, 720, 1080]);
        assert_eq!(lines(&rungs_for(4320, 2160)), [360, 720, 1080, 1440, 2160]);
        assert_eq!(lines(&rungs_for(2160, 1440)), [360, 720, 1080, 1440]);
        assert_eq!(lines(&rungs_for(1081, 2160)), [360, 720, 1080]);
        assert_eq!(lines(&rungs_for(1, 1080)), [2]);
    }

    #[test]
    fn a_size_between_two_rungs_gets_the_rate_of_the_upper() {
        assert_eq!(Rung::of(1440).bits, 12_000_000);
        assert_eq!(Rung::of(1000).bits, 6_000_000);
        assert_eq!(Rung::of(9000).bits, 26_000_000);
    }

    #[test]
    fn sizes_keep_the_shape_and_are_even() {
        assert_eq!(Rung::of(360).size((1920, 1080)), (640, 360));
        assert_eq!(Rung::of(360).size((1080, 1920)), (360, 640));
        assert_eq!(Rung::of(360).size((1234, 567)), (784, 360));
        assert_eq!(Rung::of(360).size((500, 500)), (360, 360));
    }
}
