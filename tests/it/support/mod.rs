//! What the tests are made of: a project in a folder of its own, and a server that follows a script.

pub(crate) mod batch;
pub(crate) mod browser;
pub(crate) mod fault_run;
pub(crate) mod project;
pub(crate) mod redact;
#[path = "../../server/mod.rs"]
pub(crate) mod server;
pub(crate) mod tuning;

pub(crate) use project::{COLOURS, Output, Project};
pub(crate) use server::{Answer, ScriptedServer, events, last_user, say, wants_schema};
