//! What a server turned away, by how many requests were under way when each was sent.

/// The share turned away above a level that makes it a limit: a few among many are none.
const SHARE: f64 = 0.25;

/// Requests turned away that may be chance, of a server that turns hardly any away.
const FEW: u32 = 3;

/// The same of one that turns some away whatever it is asked.
const FEW_AMONG_MANY: u32 = 6;

/// A share of all requests above which a server turns some away whatever it is asked.
const BACKGROUND: f64 = 0.02;

/// Requests after which older ones count half for the share of all.
const LONG: u32 = 4096;

/// Sent requests after which older ones count half.
const WINDOW: u32 = 512;

/// Requests by the number under way once they were sent.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// Sent and turned away at level 1, 2, …
    counts: Vec<(u32, u32)>,
    sent: u32,
    /// Sent and turned away since the start, lately.
    all: (u32, u32),
}

impl Levels {
    /// Judges anew from here on.
    pub(super) fn forget(&mut self) {
        self.counts.clear();
        self.sent = 0;
    }

    fn at(&mut self, level: usize) -> Option<&mut (u32, u32)> {
        if self.counts.len() < level {
            self.counts.resize(level, (0, 0));
        }
        self.counts.get_mut(level.checked_sub(1)?)
    }

    pub(super) fn sent(&mut self, level: usize) {
        if let Some((sent, _)) = self.at(level) {
            *sent += 1;
        }
        self.sent += 1;
        self.all.0 += 1;
        if self.all.0 >= LONG {
            self.all = (self.all.0 / 2, self.all.1 / 2);
        }
        if self.sent >= WINDOW {
            self.sent /= 2;
            for (sent, rejected) in &mut self.counts {
                (*sent, *rejected) = (*sent / 2, *rejected / 2);
            }
        }
    }

    pub(super) fn rejected(&mut self, level: usize) {
        self.all.1 += 1;
        if let Some((sent, rejected)) = self.at(level) {
            *rejected += 1;
            *sent = (*sent).max(*rejected);
        }
    }

    /// The lowest level from which on a good part is turned away; a few requests tell nothing,
    /// and neither does a level below which nothing was let in.
    pub(super) fn too_much(&self) -> Option<usize> {
        let is_usual = f64::from(self.all.1) > BACKGROUND * f64::from(self.all.0);
        let few = if is_usual { FEW_AMONG_MANY } else { FEW };
        let (mut sent, mut rejected, mut found) = (0_u32, 0_u32, None);
        for (place, at) in self.counts.iter().enumerate().rev() {
            sent += at.0;
            rejected += at.1;
            if at.1 > 0 && rejected >= few && f64::from(rejected) >= SHARE * f64::from(sent) {
                found = Some(place + 1);
            }
        }
        found.filter(|level| *level > 1)
    }
}
