//! What is to be asked, before anything is: how many trials, of which data, and which no recording knows.

use super::Prepared;
use crate::cli::assemble;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::suite::Example;

/// What the examples of a suite come to before anything is sent.
pub(super) struct Counted {
    pub(super) examples: u64,
    /// Trials that no recording knows.
    pub(super) unknown: u64,
    /// Digest of the examples, those of other shards among them, and of the pool's rows, in order.
    pub(super) data: Digest,
}

impl Prepared<'_> {
    /// Counts the examples, and the trials that are to be left out because no recording knows
    /// them. Without --recorded-only such a trial is a fault, and all of them are named at once.
    pub(super) fn count(&self) -> Result<Counted, Error> {
        let mut examples = 0;
        let mut data = Digest::of(b"");
        for row in &assemble::pool(self.suite)? {
            data = with_row(data, b"pool", row);
        }
        data = self.retrieval.with_documents(data);
        let mut unknown: Vec<(u64, Option<String>)> = vec![(0, None); self.suite.variants.len()];
        let shard = self.part.shard;
        for row in self.suite.examples.all_shards().read() {
            let example = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example;
            data = with_row(data, b"examples", &example);
            if shard.is_some_and(|shard| !shard.has(&example)) {
                continue;
            }
            examples += 1;
            let Some(recording) = &self.assembly.recording else { continue };
            for (place, prepared) in self.assembly.prepared.iter().enumerate() {
                if !self.assembly.is_replayed(place) {
                    continue;
                }
                let digest = prepared.encode(&example)?.digest;
                for repeat in 0..self.suite.repeats {
                    if !recording.knows(prepared.wire(), &digest, repeat) {
                        unknown[place].0 += 1;
                        unknown[place].1.get_or_insert_with(|| example.id.0.clone());
                    }
                }
            }
        }
        let total = unknown.iter().map(|(count, _)| count).sum();
        if total > 0 && !self.args.recorded_only {
            return Err(self.not_recorded(total, &unknown));
        }
        Ok(Counted { examples, unknown: total, data })
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

/// Adds a row to the digest of those before it.
fn with_row(before: Digest, kind: &[u8], example: &Example) -> Digest {
    let document = serde_json::to_vec(example).unwrap_or_default();
    Digest::of_parts([before.as_bytes().as_slice(), kind, &document])
}
