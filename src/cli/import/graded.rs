//! By what imported answers are graded: as their tool states it, or anew by a suite of the user's.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::Path;

use super::names_text;
use crate::cli::args::SelectionArgs;
use crate::cli::assemble;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::import::Row;
use crate::import::survey::{Count, Named};
use crate::suite::{Example, ExampleId};

/// What grades.
pub(super) enum Grading {
    /// The scores that the file states.
    Stated {
        /// The one that stands for accuracy.
        primary: String,
    },
    /// A suite.
    Suite(Box<BySuite>),
}

/// A suite's examples, found by their input or by their id.
pub(super) struct BySuite {
    name: String,
    /// The score that the suite takes as stated, where it grades by one.
    stated: Option<String>,
    examples: Vec<Example>,
    by_id: HashMap<String, usize>,
    /// Inputs that one example alone has.
    by_input: HashMap<Digest, Option<usize>>,
    seen: HashSet<(usize, usize, u32)>,
    /// Rows found by their input, and by their id alone.
    pub(super) found: [u64; 2],
    /// Rows that are no part of the run, by why.
    pub(super) left_out: BTreeMap<&'static str, Count>,
}

/// Where a row belongs.
pub(super) struct Placed {
    pub(super) example: Example,
    pub(super) repeat: u32,
}

impl Grading {
    /// As the tool states it.
    pub(super) fn as_stated(primary: String) -> Self {
        Self::Stated { primary }
    }

    /// By a suite that has these variants.
    pub(super) fn by_suite(folder: &Path, variants: &[String]) -> Result<Self, Error> {
        let providers = assemble::providers(folder)?;
        let selection =
            SelectionArgs { variants: None, limit: None, examples: None, tag: Vec::new(), provider: Vec::new() };
        let suite = crate::suite::load::load(folder, &providers, &assemble::load_options(&selection))?.suite;
        if let Some(unknown) = variants.iter().find(|name| suite.variant(name).is_none()) {
            let known: Vec<String> = suite.variants.iter().map(|variant| variant.id.0.clone()).collect();
            return Err(Error::usage(
                format!("the suite has no variant `{unknown}`; it has {}", names_text(&known)),
                "--variant THEIRS=OURS says which variant of the suite answered",
            ));
        }
        let mut by = BySuite {
            name: suite.name.clone(),
            stated: suite.scorers.first().filter(|_| suite.takes_stated_scores()).map(|scorer| scorer.id.clone()),
            examples: Vec::new(),
            by_id: HashMap::new(),
            by_input: HashMap::new(),
            seen: HashSet::new(),
            found: [0; 2],
            left_out: BTreeMap::new(),
        };
        for row in suite.examples.read() {
            let example = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?.example;
            let place = by.examples.len();
            let input = Digest::of(example.input.to_string().as_bytes());
            by.by_input.entry(input).and_modify(|known| *known = None).or_insert(Some(place));
            by.by_id.insert(example.id.0.clone(), place);
            by.examples.push(example);
        }
        Ok(Self::Suite(Box::new(by)))
    }

    /// The score that stands for accuracy, where it is taken as the file states it.
    pub(super) fn stated(&self) -> Option<&str> {
        match self {
            Self::Stated { primary } => Some(primary),
            Self::Suite(by) => by.stated.as_deref(),
        }
    }

    /// The suite's name, where one is named.
    pub(super) fn suite_name(&self) -> Option<&str> {
        match self {
            Self::Stated { .. } => None,
            Self::Suite(by) => Some(&by.name),
        }
    }

    /// The example of a row; `None` where the suite has none, or had it before.
    pub(super) fn place(&mut self, row: &Row, named: &Named, variant: usize) -> Option<Placed> {
        match self {
            Self::Stated { .. } => {
                let example = Example {
                    id: ExampleId(named.id.clone()),
                    input: row.input.clone(),
                    expected: row.expected.clone(),
                    cluster: row.cluster.clone(),
                    tags: row.tags.clone(),
                    documents: Vec::new(),
                };
                Some(Placed { example, repeat: named.repeat })
            }
            Self::Suite(by) => by.place(row, named, variant),
        }
    }
}

impl BySuite {
    fn place(&mut self, row: &Row, named: &Named, variant: usize) -> Option<Placed> {
        let input = Digest::of(row.input.to_string().as_bytes());
        let by_input = self.by_input.get(&input).copied().flatten();
        let Some(place) = by_input.or_else(|| self.by_id.get(&named.id).copied()) else {
            self.leave_out("rows of examples that the suite does not have", row.place);
            return None;
        };
        if !self.seen.insert((variant, place, named.repeat)) {
            self.leave_out("rows of an example that a row before had", row.place);
            return None;
        }
        self.found[usize::from(by_input.is_none())] += 1;
        Some(Placed { example: self.examples.get(place)?.clone(), repeat: named.repeat })
    }

    fn leave_out(&mut self, why: &'static str, place: u64) {
        self.left_out.entry(why).or_insert(Count { count: 0, first: place }).count += 1;
    }
}
