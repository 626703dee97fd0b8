//! Results to the requests that they answer, by id and in any order; pure.

use std::collections::{HashMap, HashSet};

use crate::trial::Attempt;
use crate::wire::batch::{LineEnd, Results};

use super::super::Ask;

/// A request in a batch, with what was tried before.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) ask: Ask,
    /// What it ended with in batches of this invocation that did not answer it.
    pub(super) attempts: Vec<Attempt>,
    /// How often it was sent before, in earlier invocations too.
    pub(super) tries: u32,
    /// Whether its worst case is set aside.
    pub(super) reserved: bool,
}

/// What a batch's results came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Joined {
    /// Requests with an answer of any kind.
    pub answered: u64,
    /// Requests whose turn did not come in time.
    pub expired: u64,
    /// Requests that were cancelled.
    pub cancelled: u64,
    /// Requests without a line in the results.
    pub missing: u64,
    /// Further lines for a request that had one; the first counts.
    pub duplicate: u64,
    /// Lines with an id that is none of the batch's.
    pub unknown: u64,
    /// Lines that are not what the API's contract says.
    pub malformed: u64,
    /// Of these, requests that are asked again in another batch.
    pub again: u64,
}

impl Joined {
    /// What is wrong with the results as such, for people; empty where nothing is.
    pub fn oddities(&self) -> Vec<String> {
        let counts = [
            (self.missing, "without a result"),
            (self.duplicate, "with a second result (the first counts)"),
            (self.unknown, "of an id that was not sent"),
            (self.malformed, "unreadable"),
        ];
        counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}")).collect()
    }
}

/// Joins results to a batch's members. `ids` are all ids of the batch, also those whose trials are
/// over by now. Members without a line get `rest`, or are missing where there is none.
pub(super) fn join(
    mut members: HashMap<String, Member>,
    ids: &HashSet<String>,
    documents: impl IntoIterator<Item = Results>,
    cancelled: bool,
) -> (Vec<(Member, LineEnd)>, Joined) {
    let (mut ends, mut joined) = (Vec::with_capacity(members.len()), Joined::default());
    let mut seen: HashSet<String> = HashSet::with_capacity(ids.len());
    for results in documents {
        joined.malformed += results.malformed;
        for line in results.lines {
            if !ids.contains(&line.id) {
                joined.unknown += 1;
            } else if let Some(member) = members.remove(&line.id) {
                match line.end {
                    LineEnd::Answer { .. } => joined.answered += 1,
                    LineEnd::Expired => joined.expired += 1,
                    LineEnd::Cancelled => joined.cancelled += 1,
                }
                seen.insert(line.id);
                ends.push((member, line.end));
            } else if !seen.insert(line.id) {
                joined.duplicate += 1;
            }
        }
    }
    let mut rest: Vec<Member> = members.into_values().collect();
    rest.sort_by_key(|member| member.ask.key);
    for member in rest {
        if cancelled {
            joined.cancelled += 1;
            ends.push((member, LineEnd::Cancelled));
        } else {
            joined.missing += 1;
            ends.push((member, LineEnd::Expired));
        }
    }
    (ends, joined)
}

/// The id of a request: letters, digits and a hyphen, at most 64 of them, as every vendor takes
/// it. It follows from the response cache's key, so that it is the same after a restart.
pub(super) fn id_of(ask: &Ask) -> String {
    let key = ask.key.to_string();
    format!("c-{}", key.get(..40).unwrap_or(&key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::digest::Digest;
    use crate::run::twins::tests::ask;
    use crate::wire::batch::ResultLine;

    fn member(key: u8) -> Member {
        Member { ask: ask(key), attempts: Vec::new(), tries: 0, reserved: false }
    }

    fn line(id: &str, status: u16) -> ResultLine {
        ResultLine { id: id.into(), end: LineEnd::Answer { status, body: Vec::new() } }
    }

    #[test]
    fn results_find_their_requests_in_any_order() {
        let all = [member(1), member(2), member(3), member(4)];
        let ids: Vec<String> = all.iter().map(|member| id_of(&member.ask)).collect();
        assert!(ids.iter().all(|id| id.len() <= 64));
        let known = ids.iter().cloned().chain(["over".to_owned()]).collect();
        let members = ids.iter().cloned().zip(all).collect();
        let first = Results { lines: vec![line(&ids[2], 203), line("odd", 200), line(&ids[0], 201)], malformed: 1 };
        let expired = ResultLine { id: ids[1].clone(), end: LineEnd::Expired };
        let second = Results { lines: vec![line(&ids[0], 500), expired, line("over", 200)], malformed: 0 };
        let (ends, joined) = join(members, &known, [first, second], false);
        let status = |place: usize| match ends[place].1 {
            LineEnd::Answer { status, .. } => status,
            _ => 0,
        };
        assert_eq!((status(0), status(1)), (203, 201), "the first line of an id counts");
        assert_eq!(ends[0].0.ask.key, Digest::of(&[3]));
        let expected =
            Joined { answered: 2, expired: 1, missing: 1, duplicate: 1, unknown: 1, malformed: 1, ..Joined::default() };
        assert_eq!(joined, expected);
        assert_eq!(joined.oddities().len(), 4);
    }

    #[test]
    fn what_a_cancelled_batch_lacks_was_cancelled() {
        let one = member(1);
        let id = id_of(&one.ask);
        let (ends, joined) = join(HashMap::from([(id.clone(), one)]), &HashSet::from([id]), [Results::default()], true);
        assert_eq!((ends[0].1.clone(), joined.cancelled, joined.missing), (LineEnd::Cancelled, 1, 0));
    }
}
