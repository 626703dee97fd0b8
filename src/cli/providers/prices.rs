//! `ceiling providers prices`: provider files against LiteLLM's price table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::named;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::diagnostic::Diagnostics;
use crate::error::Error;
use crate::provider::litellm::{self, Comparison, PriceTable};
use crate::provider::load::{self, Providers};
use crate::provider::{Model, Provider, render};
use crate::report::table::{Table, header};
use crate::text::one_line;

/// Flags of `ceiling providers prices`.
#[derive(Debug, Clone, Args)]
pub struct PricesArgs {
    /// LiteLLM's model_prices_and_context_window.json.
    #[arg(long, value_name = "FILE", required = true, env = "CEILING_IMPORT")]
    pub import: PathBuf,
    /// Only this provider.
    #[arg(long, value_name = "NAME", env = "CEILING_ONLY_PROVIDER")]
    pub provider: Option<String>,
    /// Write what differs into providers/NAME.toml of this folder.
    #[arg(long, env = "CEILING_WRITE")]
    pub write: bool,
}

/// A provider against the table.
struct Compared<'a> {
    provider: &'a Provider,
    found: Comparison,
}

/// What became of a file.
struct Written {
    path: PathBuf,
    /// The text that was not written, since a file of the user's is in the way.
    refused: Option<String>,
}

/// Compares, and writes if asked to.
pub(super) fn prices(args: &PricesArgs, printer: Printer) -> Result<Exit, Error> {
    let providers = super::load()?;
    let source = load::read_file(&args.import).map_err(|fault| Diagnostics::from(*fault))?;
    let table = PriceTable::parse(&source).map_err(|fault| Diagnostics::from(*fault))?;
    let compared = compare(&providers, &table, args.provider.as_deref())?;
    let changed: Vec<_> = compared.iter().filter(|compared| !compared.found.changed.is_empty()).collect();
    let mut written = Vec::new();
    if args.write {
        for compared in &changed {
            written.push(write(compared)?);
        }
    }
    printer.value(&described(&compared, &written));
    printer.text(&text(&compared));
    for file in &written {
        match &file.refused {
            None => printer.text(&format!("wrote {}\n", file.path.display())),
            Some(rows) => printer.text(&format!(
                "{} has keys of your own and was left as it is; put this there, `as_of` above all tables, in the place of rows of the same names:\n\n{rows}\n",
                file.path.display()
            )),
        }
    }
    if !args.write && !changed.is_empty() {
        printer.note("--write puts the changed rows into providers/ of this folder");
    }
    crate::cli::DONE
}

fn compare<'a>(
    providers: &'a Providers,
    table: &PriceTable<'_>,
    only: Option<&str>,
) -> Result<Vec<Compared<'a>>, Error> {
    let chosen: Vec<&Provider> = match only {
        Some(name) => {
            let provider = named(providers, name)?;
            if !litellm::knows(name) {
                let hint = "its prices are yours to write: see docs/reference/provider.md";
                return Err(Error::usage(format!("LiteLLM's table has no place for the models of `{name}`"), hint));
            }
            vec![provider]
        }
        None => {
            let sure = |name: &&str| litellm::knows(name) && litellm::has_own_names(name);
            providers.names().filter(sure).filter_map(|name| providers.get(name)).collect()
        }
    };
    let mut faults = Diagnostics::new();
    let mut all = Vec::new();
    for provider in chosen {
        match table.compare(provider) {
            Ok(found) => all.push(Compared { provider, found }),
            // Two providers may share the table's rows.
            Err(found) => {
                let new: Vec<_> =
                    found.into_iter().filter(|fault| !faults.iter().any(|known| known == fault)).collect();
                faults.extend(new);
            }
        }
    }
    Ok(faults.into_result().map(|_| all)?)
}

/// Writes the changed rows over the provider's, unless a file is there that this command did not write.
fn write(compared: &Compared<'_>) -> Result<Written, Error> {
    let mut rows = litellm::overrides(&compared.found);
    let today = super::today();
    let folder = Path::new("providers");
    let path = folder.join(format!("{}.toml", compared.provider.id));
    if path.exists() {
        let source = load::read_file(&path).map_err(|fault| Diagnostics::from(*fault))?;
        let (as_of, earlier) = load::rows_of(&source)?;
        if render::overrides(as_of.as_deref().unwrap_or_default(), &earlier) != source.text {
            return Ok(Written { path, refused: Some(render::overrides(&today, &rows)) });
        }
        rows = joined(earlier, rows);
    }
    let fault = |error| Error::System { what: format!("cannot write {}", path.display()), error };
    let partial = path.with_extension("toml.partial");
    #[expect(clippy::disallowed_methods, reason = "the door through which provider files are written")]
    std::fs::create_dir_all(folder)
        .and_then(|()| std::fs::write(&partial, render::overrides(&today, &rows)))
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(fault)?;
    Ok(Written { path, refused: None })
}

/// Rows that were written earlier and still hold, and the new ones over them.
fn joined(mut earlier: BTreeMap<String, Model>, new: BTreeMap<String, Model>) -> BTreeMap<String, Model> {
    earlier.extend(new);
    earlier
}

fn text(compared: &[Compared<'_>]) -> String {
    let mut rows = Vec::new();
    for Compared { provider, found } in compared {
        for row in &found.changed {
            for change in &row.changes {
                rows.push(vec![
                    format!("{}/{}", provider.id, one_line(&row.name, 80)),
                    change.field.to_owned(),
                    change.old.clone().unwrap_or_else(|| "unknown".into()),
                    change.new.clone(),
                ]);
            }
        }
    }
    let count = |of: fn(&Comparison) -> usize| compared.iter().map(|compared| of(&compared.found)).sum::<usize>();
    let (changed, same, absent) =
        (count(|it| it.changed.len()), count(|it| it.same.len()), count(|it| it.absent.len()));
    let table = if rows.is_empty() {
        String::new()
    } else {
        Table { header: header(["model", "value", "now", "in the table"]), rows }.to_text()
    };
    format!("{table}{changed} model rows differ, {same} agree, {absent} are not in the table\n")
}

fn described(compared: &[Compared<'_>], written: &[Written]) -> Value {
    let providers: Vec<Value> = compared
        .iter()
        .map(|Compared { provider, found }| {
            let changed: Vec<Value> = found
                .changed
                .iter()
                .map(|row| {
                    let changes: Vec<Value> = row
                        .changes
                        .iter()
                        .map(|change| json!({"value": change.field, "old": change.old, "new": change.new}))
                        .collect();
                    json!({"model": row.name, "changes": changes})
                })
                .collect();
            json!({"provider": provider.id, "changed": changed, "same": found.same, "absent": found.absent})
        })
        .collect();
    let files: Vec<Value> = written
        .iter()
        .map(|file| json!({"file": file.path, "written": file.refused.is_none(), "refused_text": file.refused}))
        .collect();
    json!({"providers": providers, "files": files})
}
