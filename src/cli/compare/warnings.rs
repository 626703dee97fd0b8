//! What a reader must know before trusting a comparison.

use super::sides::Sides;
use crate::cli::{early, part};
use crate::error::Error;
use crate::measure::RunProvenance;
use crate::measure::matching::lacks_too_many;
use crate::report::compare::{Compared, SideFacts};
use crate::stats::paired::FEWEST_CLUSTERS;
use crate::store::RunState;

/// Everything that weakens the comparison.
pub(super) fn warnings(sides: &Sides, facts: &[SideFacts], comparisons: &[Compared]) -> Result<Vec<String>, Error> {
    let mut found = Vec::new();
    let mut bounds: Vec<&str> = Vec::new();
    for (read, facts) in sides.all.iter().zip(facts) {
        let (name, counts) = (&facts.name, facts.counts);
        if lacks_too_many(&read.side) {
            found.push(format!(
                "{name}: {} of {} calls are missing (infrastructure), which is over 1%: no verdict is given",
                counts.missing, counts.trials
            ));
        }
        let variant = sides.variant(read)?;
        let is_oracle = variant.retrieve.as_ref().is_some_and(|retrieve| retrieve.is_oracle());
        if is_oracle && !bounds.contains(&variant.id.as_str()) {
            let what = "is given the right documents: a bound on retrieval, not something to ship";
            found.push(format!("{} {what}", variant.id));
            bounds.push(variant.id.as_str());
        }
        let now = variant.endpoint.to_string();
        if let Some(then) = facts.endpoints.iter().find(|then| **then != now) {
            found.push(format!(
                "{name}: its answers came from `{then}`, but the suite now names `{now}`: they are read and priced as \
                 that one's"
            ));
        }
    }
    let mut seen: Vec<&str> = Vec::new();
    for run in sides.all.iter().map(|read| &read.name.run) {
        if seen.contains(&run.name.as_str()) {
            continue;
        }
        seen.push(&run.name);
        if run.state != RunState::Finished {
            found.push(format!("run {} is not finished: what it lacks is left out", run.name));
        }
        if let Some(split) = part::asked_instead(&part::options(run)) {
            found.push(format!(
                "run {} asked the {split}, not the test examples: prompts and tuned models may have seen it, and no \
                 verdict is given",
                run.name,
                split = split.as_str()
            ));
        }
        if early::may_stop(&run.options) {
            found.push(format!(
                "run {} ended variants once their targets were settled: the intervals here are those of a number of \
                 examples that was fixed before, and too sure where that was not so",
                run.name
            ));
        }
    }
    let first = sides.graded(&sides.all[0])?;
    for read in &sides.all[1..] {
        let other = sides.graded(read)?;
        if other.grading() != first.grading() {
            found.push(format!(
                "the suites of {} and {} grade differently (scorers, schema or parsing): a difference may be the \
                 grading's; --suite grades both by one",
                first.run.name, other.run.name
            ));
            break;
        }
    }
    let few = comparisons.iter().find_map(|compared| Some((compared.contrast.clusters, compared.contrast.p_floor?)));
    if let Some((clusters, floor)) = few {
        found.push(format!(
            "only {clusters} cluster{}: the smallest p-value possible is {floor}, so that fewer than {FEWEST_CLUSTERS} \
             clusters give no verdict, however many examples they hold",
            if clusters == 1 { "" } else { "s" }
        ));
    }
    found.extend(same_answers(facts, comparisons));
    Ok(found)
}

/// A side compared with itself shows no difference, however much there is.
fn same_answers(facts: &[SideFacts], comparisons: &[Compared]) -> Option<String> {
    let shared = comparisons.iter().filter(|compared| compared.sameness.same_answers > 0);
    let first = shared.clone().next()?;
    let provenance = facts.get(first.b).map(|side| side.provenance);
    let recorded = matches!(provenance, Some(RunProvenance::Recorded | RunProvenance::Imported));
    let where_from = match provenance {
        Some(RunProvenance::Recorded) => "recorded",
        Some(RunProvenance::Imported) => "imported",
        _ => "stored",
    };
    let what = match comparisons {
        [one] => format!(
            "{} of {} examples have one and the same {where_from} answer on both sides",
            one.sameness.same_answers, one.sameness.examples
        ),
        many => format!(
            "in {} of {} comparisons examples have one and the same {where_from} answer on both sides",
            shared.count(),
            many.len()
        ),
    };
    let again = match recorded {
        true => "only a live server can be asked again (`ceiling run --provider FROM=TO`)",
        false => "`ceiling run --fresh` asks again",
    };
    Some(format!("{what}, which says nothing of a difference: {again}"))
}
