//! Which sizes are worth a try.

/// Links as they are: Ethernet, PPPoE, VLANs and tunnels over it, IPv6's least, and what is below.
const USUAL: [u16; 16] =
    [9000, 4352, 1500, 1492, 1480, 1460, 1440, 1420, 1400, 1380, 1360, 1340, 1300, 1280, 1006, 576];
/// Nothing below is tried at first.
const BASE: u16 = 1280;
/// How many are tried between two bounds.
const SPLIT: u16 = 8;
/// How many usual ones are tried above what was found.
const ABOVE: usize = 5;

/// Of a path that nothing is known about.
pub fn first(top: u16) -> Vec<u16> {
    unique(USUAL.into_iter().filter(|size| (BASE..=top).contains(size)).chain([top]))
}

/// The one above `low`, and more at even distances below `high`.
pub fn between(low: u16, high: u16) -> Vec<u16> {
    let step = |i| low + ((u32::from(high - low) * u32::from(i)) / u32::from(SPLIT + 1)) as u16;
    unique((1..=SPLIT).map(step).chain([low + 1]).filter(|size| *size > low && *size < high))
}

/// The least that is more than `low`, a few usual ones, and all that there may be.
pub fn above(low: u16, top: u16) -> Vec<u16> {
    let more = |size: &u16| *size > low && *size <= top;
    let usual = USUAL.into_iter().rev().filter(more).take(ABOVE);
    unique(usual.chain([low.saturating_add(1), top]).filter(more))
}

fn unique(sizes: impl Iterator<Item = u16>) -> Vec<u16> {
    let mut sizes: Vec<_> = sizes.collect();
    sizes.sort_unstable();
    sizes.dedup();
    sizes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn at_first_the_usual_ones_and_the_largest_are_tried() {
        assert_eq!(first(1450), [1280, 1300, 1340, 1360, 1380, 1400, 1420, 1440, 1450]);
        assert_eq!(first(1200), [1200]);
    }

    #[test]
    fn bounds_are_never_tried_again_and_a_small_gap_is_tried_whole() {
        assert_eq!(between(1380, 1386), [1381, 1382, 1383, 1384, 1385]);
        let wide = between(100, 1280);
        assert_eq!((wide[0], wide.len()), (101, 9));
        assert!(between(u16::MAX - 1, u16::MAX).is_empty());
    }

    #[test]
    fn above_what_was_found_the_next_and_the_last_are_tried() {
        assert_eq!(above(1380, 1500), [1381, 1400, 1420, 1440, 1460, 1480, 1500]);
        assert_eq!(above(1499, 1500), [1500]);
        assert!(above(1500, 1500).is_empty());
    }
}
