//! Has prompting truly hit its ceiling on a task, or is a cheaper step than a fine-tune left?
//!
//! Data flows one way, and only the two bracketed steps touch the world:
//!
//! ```text
//! suite ─► plan ─► prompt ─► wire ─► [ run ] ─► wire ─► [ store ] ─► score ─► measure ─► decide ─► report
//! files    trials  request   bytes    HTTP      outcome            scores   estimates   verdict   bytes
//! ```
//!
//! Left of the store costs money and happens once; right of it is free and may happen any number
//! of times. Measured things are stored, derived things never are.
//!
//! | module | what it does |
//! |---|---|
//! | [`stats`] | numbers in, estimates out; knows nothing of the rest |
//! | [`units`], [`digest`], [`text`], [`diagnostic`], [`document`], `pipeline` | exact money, digests, untrusted text, faults with their place, TOML files as written, work on all cores |
//! | [`exchange`], [`trial`], [`provider`], [`variant`], [`suite`] | the nouns, and the two doors that read their files |
//! | [`prompt`], [`plan`], [`wire`], [`score`], [`measure`] | pure steps of the line |
//! | [`init`] | labelled data to the files of a suite |
//! | [`import`] | other tools' results, read row by row |
//! | [`provider_check`] | what a provider can do: a few requests as data, and what their answers show |
//! | [`training`] | training data for a fine-tune, and the frozen test of the tuned model |
//! | [`decide`], [`calc`], [`report`] | the ladder's verdict; the statistics by name, as a calculator; what people and machines read |
//! | [`run`], [`replay`], [`store`] | the shell: HTTP, the recording's server, SQLite |
//! | [`cli`] | the commands |
//!
//! Start with [`suite`], [`exchange`] and [`trial`], then [`wire`], [`run`], [`measure`] and [`decide`].

#![cfg_attr(test, expect(clippy::disallowed_methods, reason = "tests make their own files and clocks"))]

pub mod calc;
pub mod cli;
pub mod decide;
pub mod diagnostic;
pub mod digest;
pub mod document;
pub mod error;
pub mod exchange;
pub mod gate;
pub mod import;
pub mod init;
pub mod measure;
mod pipeline;
pub mod plan;
pub mod prompt;
pub mod provider;
pub mod provider_check;
pub mod replay;
pub mod report;
pub mod run;
pub mod score;
pub mod stats;
pub mod store;
pub mod suite;
pub mod text;
pub mod training;
pub mod trial;
pub mod units;
pub mod variant;
pub mod wire;
