//! Flags that several commands share, with their environment names.

use std::path::PathBuf;

use clap::Args;

/// What is printed, and how.
#[derive(Debug, Clone, Args)]
pub struct OutputArgs {
    /// Print one JSON document on stdout, and nothing else there.
    #[arg(long, global = true, env = "CEILING_JSON")]
    pub json: bool,
    /// No progress and no notes.
    #[arg(short, long, global = true, env = "CEILING_QUIET")]
    pub quiet: bool,
    /// Say more: `run` shows every section, and stderr what is done; twice for details of every request.
    #[arg(short, long, global = true, action = clap::ArgAction::Count, env = "CEILING_VERBOSE")]
    pub verbose: u8,
}

/// Where runs are kept.
#[derive(Debug, Clone, Args)]
pub struct StoreArgs {
    /// The store that runs are kept in.
    #[arg(long, value_name = "PATH", default_value = ".ceiling/store.db", env = "CEILING_STORE")]
    pub store: PathBuf,
}

/// Which part of a suite, asked of whom.
#[derive(Debug, Clone, Args)]
pub struct SelectionArgs {
    /// Only these variants (comma-separated).
    #[arg(long, value_name = "NAME", value_delimiter = ',', env = "CEILING_VARIANTS")]
    pub variants: Option<Vec<String>>,
    /// Only the first N examples.
    #[arg(long, value_name = "N", env = "CEILING_LIMIT")]
    pub limit: Option<u64>,
    /// Only these examples (comma-separated ids).
    #[arg(long, value_name = "ID", value_delimiter = ',', env = "CEILING_EXAMPLES")]
    pub examples: Option<Vec<String>>,
    /// Only examples with this tag, such as `region=north`; of several, only those with all of them.
    #[arg(long, value_name = "NAME=VALUE", value_parser = parse_tag, env = "CEILING_TAG")]
    pub tag: Vec<(String, String)>,
    /// Ask another provider for the same models: `smollm2=llama-cpp` sends a suite's recorded
    /// models to a live server.
    #[arg(long, value_name = "FROM=TO", value_parser = parse_override, env = "CEILING_PROVIDER", value_delimiter = ',')]
    pub provider: Vec<(String, String)>,
}

fn parse_tag(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE, such as region=north".into()),
    }
}

pub(super) fn parse_override(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((from, to)) if !from.is_empty() && !to.is_empty() => Ok((from.to_owned(), to.to_owned())),
        _ => Err("expected FROM=TO, such as smollm2=llama-cpp".into()),
    }
}
