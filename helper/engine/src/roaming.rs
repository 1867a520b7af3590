//! When a move of a peer is told: the first one at once, later ones at the next look of the timers, so that a peer that
//! flits between two addresses doesn't make an event of every packet.

/// What has been told of one peer's moves since the last look.
#[derive(Debug, Default)]
pub struct Roaming {
    told: bool,
    untold: bool,
}

impl Roaming {
    /// True when this move is to be told at once.
    pub fn moved(&mut self) -> bool {
        self.untold = self.told;
        !std::mem::replace(&mut self.told, true)
    }

    /// True when there is a move that is still to be told.
    pub fn look(&mut self) -> bool {
        self.told = std::mem::take(&mut self.untold);
        self.told
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flitting_is_told_once_a_look() {
        let mut roaming = Roaming::default();
        assert!(roaming.moved());
        assert!((0..100).all(|_| !roaming.moved()));
        assert!(roaming.look());
        assert!(!roaming.moved());
        assert!(roaming.look());
        assert!(!roaming.look());
        assert!(roaming.moved());
    }
}
