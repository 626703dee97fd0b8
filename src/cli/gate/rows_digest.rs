//! Digests of the rows that requests are made of, beside the suite's own texts.

use crate::cli::assemble;
use crate::diagnostic::Diagnostics;
use crate::digest::Digest;
use crate::error::Error;
use crate::suite::{Example, Suite};

/// Of the pool; `None` where there is none.
pub(in crate::cli) fn pool(suite: &Suite) -> Result<Option<Digest>, Error> {
    if suite.pool.is_none() {
        return Ok(None);
    }
    Ok(Some(of_rows(&assemble::pool(suite)?)))
}

/// Of rows in their order.
pub(super) fn of_rows(rows: &[Example]) -> Digest {
    let rows: Vec<Vec<u8>> = rows.iter().map(|row| serde_json::to_vec(row).unwrap_or_default()).collect();
    Digest::of_parts(rows.iter().map(Vec::as_slice))
}

/// Of the documents; `None` where there are none.
pub(in crate::cli) fn documents(suite: &Suite) -> Result<Option<Digest>, Error> {
    let Some(source) = &suite.documents else { return Ok(None) };
    let mut digest = Digest::of(b"");
    for row in source.read() {
        let row = row.map_err(|fault| Error::Input(Diagnostics::from(*fault)))?;
        digest = Digest::of_parts([digest.as_bytes().as_slice(), format!("{:?}", row.document).as_bytes()]);
    }
    Ok(Some(digest))
}
