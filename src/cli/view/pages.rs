//! What an address below the token shows. Every page reads the store anew, since a run may be
//! writing it.

use std::path::PathBuf;

use http::StatusCode;
use maud::html;
use url::form_urlencoded;

use super::out::Out;
use crate::cli::args::StoreArgs;
use crate::cli::compare::{self, CompareArgs, Rate};
use crate::cli::exit::Exit;
use crate::cli::report::html::Unwritten;
use crate::cli::report::{self, Reporting};
use crate::cli::{reporting, runs};
use crate::diagnostic::Style;
use crate::error::Error;
use crate::report::html::runs::RunLine;
use crate::report::html::{self, choose, message};
use crate::store::{RunRow, Store};

/// Runs that the list holds; older ones are counted.
const MOST_RUNS: usize = 1000;

/// Runs that a choice of sides holds.
const MOST_CHOICES: usize = 200;

/// Flips that a comparison shows.
const MOST_FLIPS: u32 = 100;

/// Bytes of requests and responses that a report holds, compressed.
const MOST_OF_BODIES: usize = report::BODIES_MIB as usize * 1024 * 1024;

/// Whether a page grades a run, or two: such pages take turns.
pub(super) fn takes_long(path: &str, query: &str) -> bool {
    let both = || {
        let query = Query::read(query);
        query.a.is_some() && query.b.is_some()
    };
    path.starts_with("runs/") || (path == "compare" && both())
}

/// Makes pages of a store.
pub(super) struct Pages {
    pub(super) store: PathBuf,
}

/// What a query asks for.
#[derive(Debug, Default, PartialEq)]
struct Query {
    suite: Option<String>,
    from: Option<String>,
    a: Option<String>,
    b: Option<String>,
    validity: bool,
}

impl Query {
    fn read(query: &str) -> Self {
        let mut found = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = Some(value.into_owned()).filter(|value| !value.is_empty());
            match name.as_ref() {
                "suite" => found.suite = value,
                "from" => found.from = value,
                "a" => found.a = value,
                "b" => found.b = value,
                "metric" => found.validity = value.as_deref() == Some("validity"),
                _ => {}
            }
        }
        found
    }
}

impl Pages {
    /// Answers an address: the path below the token, without its first slash.
    pub(super) fn answer(&self, path: &str, query: &str, out: &mut Out) {
        let home = if path.contains('/') { "../" } else { "./" };
        let query = Query::read(query);
        let made = match path.split('/').collect::<Vec<_>>().as_slice() {
            [""] => self.list(&query).map(Some),
            ["runs", name] => self.report(&unescaped(name), out).map(|()| None),
            ["compare"] => self.compare(&query).map(Some),
            _ => {
                let html = message::page("Not found", "There is no such page.", None, home);
                return out.page(StatusCode::NOT_FOUND, &html);
            }
        };
        match made {
            Ok(Some(html)) => out.page(StatusCode::OK, &html),
            Ok(None) => out.end(),
            // What was sent cannot be taken back: the page ends where it is, and the browser says so.
            Err(_) if out.has_begun() => out.fail(),
            Err(error) => {
                let (status, html) = fault(&error, home);
                out.page(status, &html);
            }
        }
    }

    fn store(&self) -> Result<Store, Error> {
        Ok(Store::open_to_read(&self.store)?)
    }

    fn list(&self, query: &Query) -> Result<String, Error> {
        let store = self.store()?;
        let mut found = store.runs()?;
        if let Some(suite) = &query.suite {
            found.retain(|run| run.suite == *suite);
        }
        let lines = lines(&store, &found, MOST_RUNS)?;
        Ok(html::runs::page(&lines, query.suite.as_deref(), found.len() - lines.len()))
    }

    /// The report of a run, sent while it is read.
    fn report(&self, run: &str, out: &mut Out) -> Result<(), Error> {
        let store = self.store()?;
        let measured = reporting::measured_run(&store, run, None)?;
        let report = measured.report(&store, crate::cli::today())?;
        let reporting = Reporting { store: &store, measured: &measured, report };
        match report::html::write(&reporting, MOST_OF_BODIES, Some("../"), out) {
            Err(Unwritten::Made(error)) => Err(error),
            // A browser that has gone away needs it no more.
            Ok(_) | Err(Unwritten::Taken(_)) => Ok(()),
        }
    }

    fn compare(&self, query: &Query) -> Result<String, Error> {
        let store = self.store()?;
        let (Some(a), Some(b)) = (&query.a, &query.b) else { return choice(&store, query) };
        let metric = if query.validity { Rate::Validity } else { Rate::Accuracy };
        let args = CompareArgs {
            sides: vec![a.clone(), b.clone()],
            metric,
            all_pairs: false,
            flips: MOST_FLIPS,
            tag: None,
            suite: None,
            store: StoreArgs { store: self.store.clone() },
        };
        let found = compare::comparison(&store, &args, false)?;
        let link = |a: &str, b: &str, metric: &str| address(&[("a", a), ("b", b), ("metric", metric)]);
        let (this, other) = if query.validity { ("validity", "accuracy") } else { ("accuracy", "validity") };
        let more = html! {
            p {
                a href=(link(a, b, other)) { "compare " (other) " instead" } " · "
                a href=(link(b, a, this)) { "swap A and B" } " · "
                a href=(address(&[("a", a)])) { "another B" }
            }
        };
        Ok(html::compare::served(&found, "./", &more))
    }
}

/// The address of a comparison.
fn address(query: &[(&str, &str)]) -> String {
    format!("compare?{}", form_urlencoded::Serializer::new(String::new()).extend_pairs(query).finish())
}

/// Two sides are still to be chosen, or one.
fn choice(store: &Store, query: &Query) -> Result<String, Error> {
    let mut found = store.runs()?;
    if let Some(a) = &query.a {
        let run = store.run(a.split_once(':').map_or(a.as_str(), |(run, _)| run))?;
        found.retain(|other| other.suite == run.suite);
    } else if let Some(from) = &query.from {
        let run = store.run(from)?;
        found.retain(|other| other.id == run.id);
    }
    Ok(choose::page(&lines(store, &found, MOST_CHOICES)?, query.a.as_deref()))
}

fn lines(store: &Store, found: &[RunRow], most: usize) -> Result<Vec<RunLine>, Error> {
    let line = |run: &RunRow| {
        Ok(RunLine {
            name: run.name.clone(),
            suite: run.suite.clone(),
            folder: run.folder.clone(),
            state: runs::state(run.state),
            trials: run.trials,
            began: runs::began(run),
            variants: store.variants_of(run.id)?,
        })
    };
    found.iter().take(most).map(line).collect()
}

fn unescaped(segment: &str) -> String {
    let whole = format!("name={segment}");
    form_urlencoded::parse(whole.as_bytes()).next().map_or_else(String::new, |(_, name)| name.into_owned())
}

/// What went wrong, readable: what was asked for is not there, or something else failed.
fn fault(error: &Error, home: &str) -> (StatusCode, String) {
    let said = match error {
        Error::Input(faults) => faults.render(Style::Plain),
        error => error.to_string(),
    };
    let (status, title) = match error.exit() {
        Exit::WrongInput => (StatusCode::NOT_FOUND, "This cannot be shown"),
        _ => (StatusCode::INTERNAL_SERVER_ERROR, "Something failed"),
    };
    (status, message::page(title, &said, error.hint().as_deref(), home))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_query_is_read_and_what_is_unknown_is_not() {
        let query = Query::read("a=run-1%3Aplain&b=x+y&metric=validity&suite=&other=1");
        assert_eq!((query.a.as_deref(), query.b.as_deref()), (Some("run-1:plain"), Some("x y")));
        assert!(query.validity && query.suite.is_none());
        assert_eq!(unescaped("a%20b%2Fc+d"), "a b/c d");
    }
}
