//! Requests gathered to batches: one endpoint a batch, within the vendor's limits and our own.

use std::collections::HashSet;

use super::join::{Member, id_of};
use crate::wire::Route;
use crate::wire::batch::{BatchLimits, BatchWire};

/// Most requests of a batch, whatever a vendor takes: its results are read in one piece, and a
/// batch that goes wrong costs that much.
const MOST_LINES: usize = 10_000;

/// Most bytes of a batch, whatever a vendor takes: it is sent in one piece.
const MOST_BYTES: usize = 64_000_000;

/// A batch that is being gathered.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) endpoint: usize,
    pub(super) members: Vec<(String, Member)>,
    pub(super) lines: Vec<Vec<u8>>,
    bytes: usize,
}

impl Draft {
    fn new(endpoint: usize) -> Self {
        Self { endpoint, members: Vec::new(), lines: Vec::new(), bytes: 0 }
    }

    /// Where its requests would go one by one.
    pub(super) fn route(&self) -> Option<&Route> {
        self.members.first().map(|(_, member)| &member.ask.route)
    }

    pub(super) fn len(&self) -> usize {
        self.members.len()
    }
}

/// What is being gathered, an endpoint each.
#[derive(Debug, Default)]
pub(super) struct Drafts {
    open: Vec<Draft>,
}

impl Drafts {
    /// Adds a request, and hands over the batch that has no room for it.
    pub(super) fn push(&mut self, endpoint: usize, wire: &dyn BatchWire, member: Member) -> Option<Draft> {
        let id = id_of(&member.ask);
        let line = wire.line(&id, &member.ask.route, &member.ask.body);
        let limits = own_limits(wire.limits());
        let size = line.len() + 1;
        // Requests that would go elsewhere (other headers, another path) are no part of one batch.
        let place =
            self.open.iter().position(|draft| draft.endpoint == endpoint && draft.route() == Some(&member.ask.route));
        let place = place.unwrap_or_else(|| {
            self.open.push(Draft::new(endpoint));
            self.open.len() - 1
        });
        let draft = &mut self.open[place];
        let is_full = draft.len() >= limits.lines || (draft.bytes + size > limits.bytes && draft.len() > 0);
        let full = is_full.then(|| std::mem::replace(draft, Draft::new(endpoint)));
        draft.bytes += size;
        draft.lines.push(line);
        draft.members.push((id, member));
        full
    }

    /// Hands over everything.
    pub(super) fn flush(&mut self) -> Vec<Draft> {
        std::mem::take(&mut self.open).into_iter().filter(|draft| draft.len() > 0).collect()
    }

    /// Takes the requests of some variants out.
    pub(super) fn take(&mut self, variants: &HashSet<usize>) -> Vec<Member> {
        let mut taken = Vec::new();
        for draft in &mut self.open {
            let members = std::mem::take(&mut draft.members).into_iter().zip(std::mem::take(&mut draft.lines));
            for ((id, member), line) in members {
                if variants.contains(&member.ask.trial.variant) {
                    draft.bytes -= line.len() + 1;
                    taken.push(member);
                } else {
                    draft.members.push((id, member));
                    draft.lines.push(line);
                }
            }
        }
        taken
    }
}

fn own_limits(vendor: BatchLimits) -> BatchLimits {
    BatchLimits { lines: vendor.lines.min(MOST_LINES), bytes: vendor.bytes.min(MOST_BYTES) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::provider::{Dialect, WireKind};
    use crate::run::twins::tests::ask;
    use crate::wire::batch::batch_wire;

    fn member(number: usize, bytes: usize, path: &'static str) -> Member {
        let mut ask = ask(0);
        ask.key = Digest::of(&number.to_le_bytes());
        ask.trial.variant = number % 2;
        ask.route = Route::fixed(path);
        ask.body = vec![b'1'; bytes].into();
        Member { ask, attempts: Vec::new(), tries: 0, reserved: false }
    }

    #[test]
    fn a_batch_ends_where_the_vendor_s_limits_do() {
        let wire = batch_wire(WireKind::Gemini, Dialect::Plain).unwrap();
        let mut drafts = Drafts::default();
        // 19 MB take three requests of 6 MB.
        let full: Vec<Draft> =
            (0..7).filter_map(|number| drafts.push(0, wire, member(number, 6_000_000, "/a"))).collect();
        assert_eq!(full.iter().map(Draft::len).collect::<Vec<_>>(), [3, 3]);
        assert_eq!(drafts.flush().iter().map(Draft::len).collect::<Vec<_>>(), [1]);
        let full: Vec<Draft> =
            (0..MOST_LINES + 1).filter_map(|number| drafts.push(0, wire, member(number, 1, "/a"))).collect();
        assert_eq!(full[0].len(), MOST_LINES);
    }

    #[test]
    fn endpoints_and_routes_do_not_mix() {
        let wire = batch_wire(WireKind::OpenaiChat, Dialect::Openai).unwrap();
        let mut drafts = Drafts::default();
        for (number, (endpoint, path)) in [(0, "/a"), (1, "/a"), (0, "/b"), (0, "/a")].into_iter().enumerate() {
            assert!(drafts.push(endpoint, wire, member(number, 1, path)).is_none());
        }
        assert_eq!(drafts.take(&HashSet::from([1])).len(), 2);
        let flushed = drafts.flush();
        assert_eq!(flushed.iter().map(Draft::len).collect::<Vec<_>>(), [1, 1]);
        assert!(drafts.flush().is_empty());
    }
}
