//! Which answers go into the files: labels, a teacher's, or pairs.

use std::collections::BTreeMap;

use serde_json::Value;

use super::{Export, ReadRun};
use crate::cli::{measuring, part};
use crate::error::Error;
use crate::store::Store;
use crate::suite::Example;
use crate::training::answers::{Dropped, GradedAnswer, PairRules, TeacherRules, pairs, taught};
use crate::training::leakage::Placed;
use crate::training::manifest::SourceKind;
use crate::training::row::answer_text;
use crate::units::Usd;

/// What is to be answered: an answer, and of a pair the worse one.
pub(super) type Wanted = (String, Option<String>);

/// The answers of a run, by example.
#[derive(Default)]
struct Answers {
    by_id: BTreeMap<String, (Example, Vec<GradedAnswer>)>,
    /// What they cost; `None` where one's cost is not known.
    spent: Option<Usd>,
}

/// Rows of the pool with what is to be answered, and how many fell to which filter.
#[derive(Default)]
pub(super) struct Chosen {
    pub(super) rows: Vec<(Placed, Wanted)>,
    pub(super) filters: BTreeMap<String, u64>,
    pub(super) spent: Option<Usd>,
}

impl Chosen {
    fn count(&mut self, filter: &str, by: u64) {
        *self.filters.entry(filter.to_owned()).or_default() += by;
    }
}

impl Export<'_> {
    /// The rows of the pool that have an answer.
    pub(super) fn choose(&self, pool: Vec<Placed>) -> Result<Chosen, Error> {
        let mut chosen = Chosen::default();
        chosen.count("pool", pool.len() as u64);
        match (&self.run, &self.store, self.kind) {
            (Some(run), Some(store), SourceKind::Teacher) => {
                let teacher = self.teacher(run)?;
                let answers = self.answers(store, run, &[teacher])?;
                self.teach(run, pool, answers, &mut chosen);
            }
            (Some(run), Some(store), SourceKind::Preferences) => {
                let answers = self.answers(store, run, &self.paired(store, run)?)?;
                self.pair(pool, answers, &mut chosen);
            }
            _ => {
                for row in pool {
                    let answer = self.label(&row.example).map(answer_text).unwrap_or_default();
                    if answer.trim().is_empty() {
                        chosen.count("empty", 1);
                        continue;
                    }
                    chosen.rows.push((row, (answer, None)));
                }
            }
        }
        Ok(chosen)
    }

    /// What the label says: the expected record whole, or the part of it that the whole answer is held against, where
    /// no schema asks for a record.
    fn label<'e>(&self, example: &'e Example) -> Option<&'e Value> {
        match self.suite.scorers.first() {
            Some(primary) if self.suite.schema.is_none() && primary.at.is_empty() => {
                example.expected.pointer(&primary.expected_at)
            }
            _ => Some(&example.expected),
        }
    }

    /// The one variant that teaches.
    pub(super) fn teacher(&self, run: &ReadRun) -> Result<String, Error> {
        match self.args.variant.as_slice() {
            [name] => Ok(name.clone()),
            [] => {
                let asked = self.store.as_ref().map(|store| store.variants_of(run.row.id)).transpose()?;
                match asked.unwrap_or_default().as_slice() {
                    [only] => Ok(only.clone()),
                    several => Err(Error::usage(
                        format!("run `{}` has {} variants, of which one is to teach", run.row.name, several.len()),
                        format!("--variant NAME says which: {}", several.join(", ")),
                    )),
                }
            }
            several => {
                Err(Error::usage(format!("one variant teaches, not {}", several.len()), "--variant NAME names it"))
            }
        }
    }

    fn paired(&self, store: &Store, run: &ReadRun) -> Result<Vec<String>, Error> {
        if self.args.variant.is_empty() { Ok(store.variants_of(run.row.id)?) } else { Ok(self.args.variant.clone()) }
    }

    /// Every answer of these variants, graded by the suite as it stands now.
    fn answers(&self, store: &Store, run: &ReadRun, variants: &[String]) -> Result<Answers, Error> {
        let (suite, grader) = (&run.suite, &run.grader);
        if grader.wants_command() {
            measuring::ask_processes(store, run.row.id, suite, grader)?;
        }
        let places = measuring::places(suite);
        let asked = store.variants_of(run.row.id)?;
        let mut answers = Answers { by_id: BTreeMap::new(), spent: Some(Usd::ZERO) };
        for name in variants {
            let Some(&place) = places.get(name.as_str()).filter(|_| asked.contains(name)) else {
                let near = crate::text::nearest(name, asked.iter().map(String::as_str));
                let near = near.map_or(String::new(), |near| format!("did you mean `{near}`? "));
                return Err(Error::usage(
                    format!("run `{}` has no variant `{}`", run.row.name, crate::text::one_line(name, 200)),
                    format!("{near}it has {}", asked.join(", ")),
                ));
            };
            measuring::each_graded(
                (store, grader),
                (run.row.id, Some(name)),
                |_| Some(place),
                |trial, graded| GradedAnswer::of(grader, place, &trial.exchange, graded),
                |_, trial, graded, answer| {
                    let cost = if graded.counts_as_missing { Some(Usd::ZERO) } else { graded.cost };
                    answers.spent = answers.spent.zip(cost).map(|(sum, cost)| sum + cost);
                    let of = || (trial.example.clone(), Vec::new());
                    answers.by_id.entry(trial.example.id.0.clone()).or_insert_with(of).1.push(answer);
                    Ok(())
                },
            )?;
        }
        Ok(answers)
    }

    fn teach(&self, run: &ReadRun, pool: Vec<Placed>, mut answers: Answers, chosen: &mut Chosen) {
        let repeats = part::options(&run.row)["repeats"].as_u64().and_then(|repeats| u32::try_from(repeats).ok());
        let rules = TeacherRules {
            least_score: self.args.least_score,
            agreement: self.args.agreement,
            repeats: repeats.unwrap_or(1),
        };
        Dropped::ALL.iter().for_each(|why| chosen.count(why.as_str(), 0));
        for row in pool {
            let Some(said) = asked_alike(&row, &mut answers, chosen) else { continue };
            match taught(&said, &rules) {
                Ok(answer) => chosen.rows.push((row, (answer, None))),
                Err(why) => chosen.count(why.as_str(), 1),
            }
        }
        chosen.spent = answers.spent;
    }

    fn pair(&self, pool: Vec<Placed>, mut answers: Answers, chosen: &mut Chosen) {
        let rules = PairRules { margin: self.args.pair_margin, most: self.args.max_pairs as usize };
        for row in pool {
            let Some(said) = asked_alike(&row, &mut answers, chosen) else { continue };
            let found = pairs(&said, &rules);
            chosen.count("without-pair", u64::from(found.is_empty()));
            chosen.rows.extend(found.into_iter().map(|(better, worse)| (row.clone(), (better, Some(worse)))));
        }
        chosen.spent = answers.spent;
    }
}

/// What was answered to a row as it stands now; a row that the run did not ask, or asked otherwise, is counted.
fn asked_alike(row: &Placed, answers: &mut Answers, chosen: &mut Chosen) -> Option<Vec<GradedAnswer>> {
    let Some((asked, said)) = answers.by_id.remove(row.example.id.0.as_str()) else {
        chosen.count("not-asked", 1);
        return None;
    };
    if asked.input != row.example.input || asked.expected != row.example.expected {
        chosen.count("changed-since", 1);
        return None;
    }
    Some(said)
}
