//! What a run cost in earlier invocations: a suite's budget is that of the whole run.

use super::Prepared;
use crate::error::Error;
use crate::run::budget::billed_exchange;
use crate::trial::{Delivery, Provenance};
use crate::units::Usd;

impl Prepared<'_> {
    /// The most that earlier invocations of this run were billed at, where that counts: `--max-cost` is what
    /// this invocation may spend, `[budget] max_usd` what the run may.
    pub(super) fn spent_before(&self, run: i64) -> Result<Usd, Error> {
        let mut sum = Usd::ZERO;
        if self.args.max_cost.is_some() || self.allowance.max_cost.is_none() {
            return Ok(sum);
        }
        for (lane, prepared) in self.assembly.lanes.iter().zip(&self.assembly.prepared) {
            let Some(price) = self.assembly.endpoints[lane.endpoint].price else { continue };
            let most = lane.most_output_tokens.unwrap_or_default();
            self.store.each_trial_of(run, lane.id.as_str(), |trial| -> Result<(), Error> {
                if !trial.reused && trial.exchange.provenance == Provenance::Live {
                    let price = match trial.exchange.delivery {
                        Delivery::Direct => price,
                        Delivery::Batch => price.batch_bound(),
                    };
                    sum += billed_exchange(&trial.exchange, prepared.wire(), &price, most);
                }
                Ok(())
            })?;
        }
        if sum > Usd::ZERO {
            self.printer.note(&format!("earlier invocations of this run spent up to {sum} of its budget"));
        }
        Ok(sum)
    }

    /// What is left of the limit of money once vectors are bought, and `before` was spent.
    pub(super) fn max_cost(&self, before: Usd) -> Option<Usd> {
        let spent = self.retrieval.spent.as_pico() + before.as_pico();
        self.allowance.max_cost.map(|most| Usd::from_pico((most.as_pico() - spent).max(0)))
    }
}
