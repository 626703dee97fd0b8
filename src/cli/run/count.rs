//! What is to be asked, before anything is: how many trials, of which data, and which no recording knows.

use super::Prepared;
use crate::cli::assemble;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::prompt;
use crate::replay::Recording;
use crate::suite::Example;
use crate::suite::check::data::{self, DataCount};
use crate::suite::examples::{Row, RowFault};

/// What the examples of a suite come to before anything is sent.
pub(super) struct Counted {
    pub(super) examples: u64,
    /// Trials that no recording knows.
    pub(super) unknown: u64,
    /// Digest of the examples, those of other shards among them, and of the pool's rows, in order.
    pub(super) data: Digest,
}

/// The variants that a recording is to answer.
struct Recorded<'a> {
    recording: Option<&'a Recording>,
    variants: Vec<(usize, &'a prompt::Prepared)>,
    repeats: u32,
}

impl Recorded<'_> {
    /// What the recording does not know of an example: a variant's place, and how many repeats.
    fn unknown(&self, example: &Example) -> Result<Vec<(usize, u64)>, Error> {
        let Some(recording) = self.recording else { return Ok(Vec::new()) };
        let mut unknown = Vec::new();
        for (place, prepared) in &self.variants {
            let digest = prepared.encode(example)?.digest;
            let repeats = 0..self.repeats;
            let count = repeats.filter(|&repeat| !recording.knows(prepared.wire(), &digest, repeat)).count() as u64;
            if count > 0 {
                unknown.push((*place, count));
            }
        }
        Ok(unknown)
    }
}

impl Prepared<'_> {
    /// Counts the examples, and the trials that are to be left out because no recording knows
    /// them. Without --recorded-only such a trial is a fault, and all of them are named at once.
    pub(super) fn count(&self) -> Result<Counted, Error> {
        if let Some(count) = self.counted.clone().filter(|_| self.assembly.recording.is_none()) {
            return Ok(Counted { examples: count.examples(), unknown: 0, data: count.digest() });
        }
        let mut count = DataCount::default();
        for row in &assemble::pool(self.suite)? {
            count.add_pool(&data::document(row));
        }
        if let Some(documents) = self.retrieval.documents() {
            count.add_part(b"documents", documents.as_bytes());
        }
        let mut unknown: Vec<(u64, Option<String>)> = vec![(0, None); self.suite.variants.len()];
        let shard = self.part.shard;
        let recorded = self.recorded();
        let work = |row: Result<Row, RowFault>| {
            let example = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example;
            let in_shard = shard.is_none_or(|shard| shard.has(&example));
            let unknown = if in_shard { recorded.unknown(&example)? } else { Vec::new() };
            Ok::<_, Error>((data::document(&example), in_shard, unknown, example.id))
        };
        let mut fault = None;
        self.suite.examples.all_shards().each(work, |counted| match counted {
            Err(error) => drop(fault.get_or_insert(error)),
            Ok((document, in_shard, more, id)) => {
                count.add(&document, in_shard);
                for (place, repeats) in more {
                    unknown[place].0 += repeats;
                    unknown[place].1.get_or_insert_with(|| id.0.clone());
                }
            }
        });
        if let Some(error) = fault {
            return Err(error);
        }
        let total = unknown.iter().map(|(count, _)| count).sum();
        if total > 0 && !self.args.recorded_only {
            return Err(self.not_recorded(total, &unknown));
        }
        Ok(Counted { examples: count.examples(), unknown: total, data: count.digest() })
    }

    fn recorded(&self) -> Recorded<'_> {
        let replayed = (0..self.suite.variants.len()).filter(|&place| self.assembly.is_replayed(place));
        Recorded {
            recording: self.assembly.recording.as_deref(),
            variants: replayed.map(|place| (place, &*self.assembly.prepared[place])).collect(),
            repeats: self.suite.repeats,
        }
    }

    fn not_recorded(&self, total: u64, unknown: &[(u64, Option<String>)]) -> Error {
        let each = self.suite.variants.iter().zip(unknown).filter_map(|(variant, (count, first))| {
            first.as_ref().map(|first| format!("  variant `{}`: {count}, the first for example `{first}`", variant.id))
        });
        let list = each.collect::<Vec<_>>().join("\n");
        Error::usage(
            format!("the recording of `{}` does not know {total} of the requests\n{list}", self.suite.name),
            "--recorded-only leaves them out; --provider FROM=TO asks a live server (then `ceiling record` records it)",
        )
    }
}
