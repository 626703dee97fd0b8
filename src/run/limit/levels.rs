//! What a server turned away, by how many requests were under way when each was sent.

/// The share turned away above a level that makes it a limit: a few among many are none.
const SHARE: f64 = 0.25;

/// Requests turned away that may be chance.
const FEW: u32 = 3;

/// Sent requests after which older ones count half.
const WINDOW: u32 = 512;

/// Requests by the number under way once they were sent.
#[derive(Debug, Default)]
pub(super) struct Levels {
    /// Sent and turned away at level 1, 2, …
    counts: Vec<(u32, u32)>,
    sent: u32,
}

impl Levels {
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
        if self.sent >= WINDOW {
            self.sent /= 2;
            for (sent, rejected) in &mut self.counts {
                (*sent, *rejected) = (*sent / 2, *rejected / 2);
            }
        }
    }

    pub(super) fn rejected(&mut self, level: usize) {
        if let Some((sent, rejected)) = self.at(level) {
            *rejected += 1;
            *sent = (*sent).max(*rejected);
        }
    }

    /// The lowest level from which on a good part is turned away; a few requests tell nothing,
    /// and neither does a level below which nothing was let in.
    pub(super) fn too_much(&self) -> Option<usize> {
        let (mut sent, mut rejected, mut found) = (0_u32, 0_u32, None);
        for (place, at) in self.counts.iter().enumerate().rev() {
            sent += at.0;
            rejected += at.1;
            if at.1 > 0 && rejected >= FEW && f64::from(rejected) >= SHARE * f64::from(sent) {
                found = Some(place + 1);
            }
        }
        found.filter(|level| *level > 1)
    }
}
