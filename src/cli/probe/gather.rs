//! The rows of a suite, read whole: what is learned from is learned from many times.

use crate::cli::assemble;
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::probe::Material;
use crate::suite::Suite;

/// Pool and test examples, whatever part of them a run asked.
pub(in crate::cli) fn rows(suite: &Suite) -> Result<Material<'_>, Error> {
    let test = suite.examples.all_shards();
    let test = test.read().map(|row| row.map(|row| row.example).map_err(|fault| Diagnostics::from(*fault)));
    let test = test.collect::<Result<Vec<_>, _>>()?;
    Ok(Material { suite, pool: assemble::pool(suite)?, test })
}

/// That there is nothing to train on.
pub(super) fn no_pool(suite: &Suite) -> Error {
    Error::usage(
        format!("the suite `{}` has no pool to train a classifier on", suite.name),
        "name labelled rows that are no test examples as `pool` under `[data]` in suite.toml",
    )
}
