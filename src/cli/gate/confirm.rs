//! A regression is confirmed by asking both sides afresh (METHODS.md 10): a stored baseline is one
//! noisy draw, used again in every comparison.

use super::{Gating, Now, endpoint_digest, levels, rows_digest, text};
use crate::cli::args::SelectionArgs;
use crate::cli::assemble;
use crate::cli::exit::Exit;
use crate::cli::interrupts::Interrupts;
use crate::cli::run::RunArgs;
use crate::cli::run::asking;
use crate::error::Error;
use crate::gate::FEWEST_FROZEN_REPEATS;
use crate::gate::baseline::FrozenVariant;
use crate::gate::calls::GateSide;
use crate::gate::verdict::{GateAnswer, VariantVerdict, settle};
use crate::measure::RunProvenance;
use crate::suite::Suite;
use crate::suite::load::{Frozen, LoadOptions};
use crate::units::Usd;
use crate::variant::{Select, Variant};

/// A side that is asked afresh: its suite, and how often each example is asked.
struct Afresh {
    suite: Suite,
    side: &'static str,
}

impl Gating<'_> {
    /// Confirms every variant that regressed, or says why that cannot be.
    pub(super) fn confirm(
        &self,
        verdicts: &mut [VariantVerdict],
        now: &Now,
        interrupts: &Interrupts,
    ) -> Result<Exit, Error> {
        let mut spent: i128 = now.sides.iter().map(|side| side.spent.as_pico()).sum();
        for (verdict, side) in verdicts.iter_mut().zip(&now.sides) {
            if verdict.answer != GateAnswer::Regressed {
                continue;
            }
            let name = verdict.variant.clone();
            let then = match self.then(&name, side.facts.provenance()) {
                Ok(then) => then,
                Err(why) => {
                    verdict.leave_unconfirmed(&self.with_caution(&name, &why));
                    continue;
                }
            };
            self.printer.note(&format!("`{name}` regressed: asking both sides afresh to confirm it"));
            let sides = [Afresh { suite: then, side: "before" }, Afresh { suite: self.again(&name)?, side: "after" }];
            let mut read = Vec::new();
            for one in sides {
                let (exit, fresh) = self.ask_afresh(&one, &name, spent, interrupts)?;
                if exit == Exit::Interrupted {
                    return Ok(exit);
                }
                if exit != Exit::Done {
                    verdict.answer = GateAnswer::CouldNotRun;
                }
                read.extend(fresh);
                spent += read.last().map_or(0, |side| side.spent.as_pico());
            }
            if let ([before, after], true) = (read.as_slice(), verdict.answer == GateAnswer::Regressed) {
                let drifted = self.settled(verdict, &self.before(&name)?, &before.gate).regressed();
                let fresh = self.settled(verdict, &before.gate, &after.gate);
                verdict.take_fresh(fresh, drifted);
            }
        }
        Ok(Exit::Done)
    }

    /// Compares two sides in what had regressed.
    fn settled(&self, verdict: &VariantVerdict, before: &GateSide, after: &GateSide) -> VariantVerdict {
        let (rules, levels) = (&self.suite.gate, levels(self.suite));
        let mut one = VariantVerdict::of(&verdict.variant, before, after, rules, &levels);
        one.only(&verdict.regressed());
        let mut family = [one];
        settle(&mut family, &levels);
        let [one] = family;
        one
    }

    /// The suite of then with this variant alone, or why it cannot be asked again.
    fn then(&self, variant: &str, provenance: RunProvenance) -> Result<Suite, String> {
        if self.args.no_confirm {
            return Err("both sides were not asked afresh (--no-confirm)".to_owned());
        }
        if self.args.run.is_some() {
            return Err("a stored run was gated, and nothing is asked (--run)".to_owned());
        }
        let Some(frozen) = self.baseline.variants.get(variant) else {
            return Err("the baseline does not have it".to_owned());
        };
        if frozen.provenance != RunProvenance::Live || provenance != RunProvenance::Live {
            return Err("answers come from a recording, which gives the same however often it is asked".to_owned());
        }
        let shots = self.baseline.shots.get(variant).cloned();
        let as_it_was = Frozen { texts: self.baseline.texts(), shots };
        let options = LoadOptions { frozen: Some(as_it_was), ..self.options(variant) };
        let suite = crate::suite::load::load(&self.args.suite, self.providers, &options).map_err(|faults| {
            let first = faults.iter().next().map_or(String::new(), |fault| format!(": {}", text(&fault.message)));
            format!("the suite as it was cannot be loaded any more{first}")
        })?;
        let mut suite = suite.suite;
        suite.repeats = frozen.repeats.clamp(1, 1000);
        if suite.kept_shots.is_some() {
            take_in_order(&mut suite.variants);
        }
        self.check_same_world(variant, frozen, &suite)?;
        Ok(suite)
    }

    /// That what the suite's texts do not hold is as it was.
    fn check_same_world(&self, name: &str, frozen: &FrozenVariant, suite: &Suite) -> Result<(), String> {
        let Some(variant) = suite.variant(name) else {
            return Err("the suite as it was does not have the variant".to_owned());
        };
        let unreadable = |error: Error| format!("what it was made of cannot be read: {}", text(&error.to_string()));
        if endpoint_digest(self.providers, variant).map_err(unreadable)? != frozen.endpoint_digest {
            let (then, now) = (text(&frozen.endpoint), variant.endpoint.to_string());
            return Err(format!("the baseline was answered by `{then}`, which is not what `{now}` is now"));
        }
        let shots = variant.shots.is_some_and(|shots| shots.k > 0);
        if shots && suite.kept_shots.is_none() && rows_digest::pool(suite).map_err(unreadable)? != self.baseline.pool {
            return Err("the pool that its examples in the prompt came from has changed".to_owned());
        }
        if variant.retrieve.is_some() && rows_digest::documents(suite).map_err(unreadable)? != self.baseline.documents {
            return Err("the documents that it retrieves from have changed".to_owned());
        }
        Ok(())
    }

    /// What a baseline that cannot be asked again is worth (METHODS.md 10).
    fn with_caution(&self, variant: &str, why: &str) -> String {
        let frozen = self.baseline.variants.get(variant);
        let live = frozen.is_some_and(|frozen| frozen.provenance == RunProvenance::Live);
        let repeats = frozen.map_or(0, |frozen| frozen.repeats);
        if !live || self.args.no_confirm {
            return why.to_owned();
        }
        let few = if repeats < FEWEST_FROZEN_REPEATS {
            format!("; with {repeats} repeats, fewer than {FEWEST_FROZEN_REPEATS}, it is one noisy draw")
        } else {
            "; repeats shrink the luck of a frozen baseline without removing it".to_owned()
        };
        format!("{why}{few}: freeze a new baseline if the drop was meant")
    }

    /// Only this variant, on the examples that both sides have.
    fn options(&self, variant: &str) -> LoadOptions {
        LoadOptions { examples: self.common_ids(), ..assemble::load_options(&self.selected(variant)) }
    }

    fn selected(&self, variant: &str) -> SelectionArgs {
        super::selection(self.args, &[variant.to_owned()])
    }

    /// The ids that the baseline has, and the suite asks alike.
    fn common_ids(&self) -> Option<std::collections::BTreeSet<String>> {
        let then: std::collections::HashMap<String, String> =
            self.baseline.examples.rows().map(|example| (example.id, example.asked)).collect();
        let rows = self.suite.examples.read().filter_map(Result::ok).map(|row| row.example);
        let alike = |example: &crate::suite::Example| {
            then.get(example.id.0.as_str()).is_some_and(|asked| *asked == crate::gate::calls::asked_digest(example))
        };
        Some(rows.filter(alike).map(|example| example.id.0).collect())
    }

    /// The suite as it is now, with this variant alone.
    fn again(&self, variant: &str) -> Result<Suite, Error> {
        let mut suite = crate::suite::load::load(&self.args.suite, self.providers, &self.options(variant))?.suite;
        suite.repeats = self.suite.repeats;
        Ok(suite)
    }

    fn ask_afresh(
        &self,
        one: &Afresh,
        variant: &str,
        spent: i128,
        interrupts: &Interrupts,
    ) -> Result<(Exit, Vec<super::sides::ReadSide>), Error> {
        let left = self.args.max_cost.map(|most| Usd::from_pico((most.as_pico() - spent).max(0)));
        let args = RunArgs { fresh: true, confirm: Some(one.side), ..self.run_args(&[variant.to_owned()], left) };
        let answered = asking::ask(&args, (&one.suite, self.providers), self.printer, interrupts)?;
        if answered.exit == Exit::Interrupted {
            return Ok((Exit::Interrupted, Vec::new()));
        }
        let read = self.read(&one.suite, &answered, Some(variant))?;
        Ok((answered.exit, read))
    }
}

/// Kept rows stand in the order in which they were chosen; only `similar` chooses for each example.
fn take_in_order(variants: &mut [Variant]) {
    for shots in variants.iter_mut().filter_map(|variant| variant.shots.as_mut()) {
        if shots.select != Select::Similar {
            shots.select = Select::Fixed;
        }
    }
}
