//! The one integration binary: the program as its users run it, in folders of their own, against
//! servers that follow a script. Each test is a sentence of [`support::Project`].

#![expect(clippy::disallowed_methods, reason = "the doors are the product's; tests make the files that it reads")]
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on has failed")]

mod accept;
mod architecture;
mod batch;
mod browser;
mod budget;
mod calc;
mod calibration;
mod check;
mod compare;
mod conformance;
mod decide;
mod docs;
mod drive;
mod evidence;
mod export;
mod faults;
mod fit;
mod flips;
mod fuzz;
mod gate;
mod guide;
mod hostile;
mod import;
mod import_further;
mod init;
mod json_torture;
mod keys;
#[cfg(unix)]
mod kill;
mod labels;
#[cfg(unix)]
mod output;
mod page;
mod part;
mod plan;
mod probe;
mod prompt_cache;
mod providers;
mod providers_command;
mod published_costs;
mod replay_wires;
mod report;
mod resume;
mod retrieval;
mod run;
mod schemas;
mod scorers;
mod secrets;
mod shards;
mod show;
mod stopping;
mod store_command;
#[cfg(unix)]
mod store_faults;
mod stored;
mod support;
mod terminal;
mod tune;
mod view;
