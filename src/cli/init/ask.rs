//! The few questions that matter, one line each, with what was concluded as the answer that Enter
//! gives.

use std::io::{BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use crate::error::Error;
use crate::init::Table;
use crate::init::columns::{self, Profiles};
use crate::init::draft::{Draft, Wishes};
use crate::init::models::Choice;
use crate::suite::Task;

/// Whether somebody is there to answer.
pub(super) fn is_terminal() -> bool {
    std::io::stdin().is_terminal() && std::io::stderr().is_terminal()
}

/// One question; Enter takes the default.
fn ask(question: &str, default: &str) -> Result<String, Error> {
    let broken = |error| Error::System { what: "cannot ask".to_owned(), error };
    let mut stderr = std::io::stderr().lock();
    let shown = if default.is_empty() { String::new() } else { format!(" [{default}]") };
    write!(stderr, "{question}{shown} ").and_then(|()| stderr.flush()).map_err(broken)?;
    let mut answer = String::new();
    if std::io::stdin().lock().read_line(&mut answer).map_err(broken)? == 0 {
        return Err(Error::usage("there was no answer, and nothing was written", "--yes takes what was concluded"));
    }
    let answer = answer.trim();
    Ok(if answer.is_empty() { default.to_owned() } else { answer.to_owned() })
}

/// Asks until the answer is one of some words.
fn ask_one_of(question: &str, default: &str, known: &dyn Fn(&str) -> bool, names: &str) -> Result<String, Error> {
    loop {
        let answer = ask(question, default)?;
        if known(&answer) {
            return Ok(answer);
        }
        let _ = writeln!(std::io::stderr(), "  one of: {names}");
    }
}

/// Which columns are asked and which holds the answer, where the user has not said it.
pub(super) fn columns(table: &Table, profiles: &Profiles, wishes: &mut Wishes) -> Result<(), Error> {
    let names = profiles.names().map(|name| crate::text::one_line(name, 60)).collect::<Vec<_>>().join(", ");
    let concluded = columns::roles(profiles, &table.roles, &wishes.roles);
    if wishes.roles.expected.is_none() && table.roles.expected.is_none() {
        let default = concluded.expected.unwrap_or_default();
        let known = |answer: &str| profiles.has(answer);
        wishes.roles.expected = Some(ask_one_of("Which column holds the right answer?", &default, &known, &names)?);
    }
    if wishes.roles.input.is_empty() && table.roles.input.is_empty() {
        let default = columns::roles(profiles, &table.roles, &wishes.roles).input.join(", ");
        let listed = |answer: &str| answer.split(',').map(|name| name.trim().to_owned()).collect::<Vec<_>>();
        let known = |answer: &str| profiles.has(answer) || listed(answer).iter().all(|name| profiles.has(name));
        let answer = ask_one_of("Which column is asked (several: a, b)?", &default, &known, &names)?;
        wishes.roles.input = if profiles.has(&answer) { vec![answer] } else { listed(&answer) };
    }
    Ok(())
}

/// Whether the answers are what they look like; true if the user says otherwise.
pub(super) fn task(draft: &Draft, wishes: &mut Wishes) -> Result<bool, Error> {
    const TASKS: [(&str, Task); 3] =
        [("classification", Task::Classification), ("extraction", Task::Extraction), ("generation", Task::Generation)];
    if wishes.task.is_some() {
        return Ok(false);
    }
    let of_name = |name: &str| TASKS.iter().find(|(known, _)| *known == name).map(|(_, task)| *task);
    let default = TASKS.iter().find(|(_, task)| *task == draft.answer.task).map_or("", |(name, _)| *name);
    let question = format!("The answers are {}. Which task is it?", draft.answer.said);
    let names = "classification, extraction, generation";
    let answer = ask_one_of(&question, default, &|answer| of_name(answer).is_some(), names)?;
    wishes.task = of_name(&answer).filter(|task| *task != draft.answer.task);
    Ok(wishes.task.is_some())
}

/// Which models are asked, if not those that were found.
pub(super) fn models(choice: &Choice) -> Result<Option<Vec<String>>, Error> {
    let default = choice.asked.iter().map(|asked| asked.endpoint.to_string()).collect::<Vec<_>>().join(", ");
    let answer = ask("Which models are asked (provider/model, several: a, b)?", &default)?;
    Ok((answer != default).then(|| answer.split(',').map(|name| name.trim().to_owned()).collect()))
}

/// Whether the suite is written.
pub(super) fn goes_on(folder: &Path) -> Result<bool, Error> {
    let answer = ask(&format!("Write {}?", folder.display()), "yes")?;
    Ok(matches!(answer.to_lowercase().as_str(), "y" | "yes"))
}
