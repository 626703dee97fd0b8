//! What makes a run the same run: its plan, which the store goes on with where it is unfinished.

use serde_json::{Value, json};

use super::Prepared;
use crate::cli::{early, now_ms};
use crate::digest::Digest;
use crate::error::Error;
use crate::store::{Claim, NewRun, RunRow};

impl Prepared<'_> {
    /// Everything that decides what is asked, but for the data and the shard.
    pub(super) fn options(&self) -> Value {
        let selection = &self.args.selection;
        let mut options = json!({
            "limit": selection.limit,
            "examples": self.part.examples,
            "variants": selection.variants,
            "provider": selection.provider,
            "repeats": self.suite.repeats,
            "recorded_only": self.args.recorded_only,
            "fresh": self.args.fresh,
        });
        // Keys that few runs have are there only where they say something: older runs have none of them.
        if !selection.tag.is_empty() {
            options["tag"] = json!(selection.tag);
        }
        if let Some(run) = &self.part.failures_of {
            options["only_failed"] = json!(run);
        }
        if let Some(split) = self.part.on {
            options["on"] = split.as_str().into();
        }
        if let Some(added) = &self.args.added {
            options["added"] = json!(added);
        }
        // A run by batch is another run: its answers have no times, and other prices.
        if self.args.batch {
            options["batch"] = true.into();
        }
        if let Some(side) = self.args.confirm {
            options["confirm"] = side.into();
        }
        if self.args.stop_when_decided {
            let (key, value) = early::option(self.suite.statistics.seed);
            options[key] = value;
        }
        options
    }

    /// Starts the run, or goes on with it, and keeps other processes from asking it as long as the claim
    /// lives; `data` is the digest of all examples, whatever the shard.
    pub(super) fn begin(&self, data: Digest) -> Result<(RunRow, bool, Claim), Error> {
        let variants = self.suite.variants.iter().map(|variant| variant.id.as_str()).collect::<Vec<_>>().join("\n");
        let endpoints =
            self.assembly.lanes.iter().map(|lane| self.assembly.endpoints[lane.endpoint].digest.to_string());
        let endpoints = endpoints.collect::<Vec<_>>().join("\n");
        let mut options = self.options();
        let parts = [self.suite.digest.to_string(), variants, endpoints, data.to_string(), options.to_string()];
        let whole = Digest::of_parts(parts.iter().map(String::as_bytes));
        // Shards of one run know each other by the plan of the whole, and `merge` gives it that plan.
        let plan_digest = match self.part.shard {
            None => whole,
            Some(shard) => {
                let part = shard.to_string();
                options["shard"] = json!({"part": part, "plan": whole});
                Digest::of_parts([whole.as_bytes().as_slice(), part.as_bytes()])
            }
        };
        let claim = self.store.claim(&plan_digest)?;
        let new = NewRun {
            suite: &self.suite.name,
            folder: &self.suite.folder,
            plan_digest,
            options: &options.to_string(),
            now_ms: now_ms(),
        };
        let (row, resumed) = self.store.begin_run(&new)?;
        Ok((row, resumed, claim))
    }
}
