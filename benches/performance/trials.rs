//! What a trial costs, at several sizes, beside a load generator on the same server.

use std::path::Path;

use crate::budgets::{Budget, Budgets};
use crate::child::{self, CEILING, Took};
use crate::server::{Manner, Server};
use crate::table::{Table, verdict};
use crate::{Arguments, suite};

const CONCURRENCY: usize = 64;

/// Bounds of one trial's processor time, everything included.
const MOST_WHOLE_US: f64 = 60.0;
const MOST_STREAMED_US: f64 = 90.0;

/// The least share of the load generator's throughput.
const LEAST_SHARE: f64 = 0.3;

pub(crate) fn measure(arguments: &Arguments, budgets: &mut Budgets) -> Vec<Table> {
    let mut rows = Vec::new();
    for streams in [false, true] {
        let server = Server::start(Manner { streams, ..Manner::default() });
        for &size in &arguments.sizes {
            rows.push(one(&server, size, streams, budgets));
            eprintln!("{}", rows[rows.len() - 1].join(" | "));
        }
    }
    vec![Table {
        title: format!("A run against a loopback server that answers at once, concurrency {CONCURRENCY}"),
        heads: vec![
            "answers",
            "trials",
            "trials/s",
            "µs CPU a trial",
            "bound",
            "",
            "peak MB",
            "oha requests/s",
            "share of it",
            "bound",
            "",
        ],
        rows,
    }]
}

fn one(server: &Server, size: usize, streams: bool, budgets: &mut Budgets) -> Vec<String> {
    let folder = tempfile::tempdir().unwrap();
    suite::write(folder.path(), size, 1, &server.base_url(), CONCURRENCY);
    let before = server.requests();
    let took = child::run(CEILING, ["run", "suites/size", "--quiet", "--json"], folder.path());
    assert_eq!(took.code, 0, "{}", took.stdout);
    assert_eq!(server.requests() - before, size as u64);
    let generator = generator(server, size.max(20_000), folder.path());
    let a_second = size as f64 / took.wall.as_secs_f64();
    let cpu_us = 1e6 * took.cpu_s / size as f64;
    let (most, budget) = match streams {
        true => (MOST_STREAMED_US, Budget::StreamedTrial),
        false => (MOST_WHOLE_US, Budget::WholeTrial),
    };
    budgets.at_most(budget, cpu_us, most, format!("{cpu_us:.0} µs"));
    let (generated, share, met) = match &generator {
        Some((requests, took)) => {
            let generated = *requests as f64 / took.wall.as_secs_f64();
            let share = a_second / generated;
            budgets.at_least(Budget::Throughput, share, LEAST_SHARE, format!("{share:.2}"));
            (format!("{generated:.0}"), format!("{share:.2}"), verdict(share >= LEAST_SHARE))
        }
        None => ("not installed".into(), "unknown".into(), "not measured".into()),
    };
    vec![
        if streams { "16 chunks" } else { "whole" }.into(),
        size.to_string(),
        format!("{a_second:.0}"),
        format!("{cpu_us:.0}"),
        format!("<= {most:.0}"),
        verdict(cpu_us <= most),
        format!("{:.0}", took.peak_mb),
        generated,
        share,
        format!(">= {LEAST_SHARE}"),
        met,
    ]
}

/// A load generator that parses nothing, with one of the suite's requests.
fn generator(server: &Server, requests: usize, folder: &Path) -> Option<(usize, Took)> {
    std::process::Command::new("oha").arg("--version").output().ok()?;
    let body =
        "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"what can I do about it?\"}],\"stream\":true}";
    let url = format!("{}/chat/completions", server.base_url());
    let (requests_text, at_once) = (requests.to_string(), CONCURRENCY.to_string());
    let flags =
        ["-n", &requests_text, "-c", &at_once, "-m", "POST", "-T", "application/json", "-d", body, "--no-tui", &url];
    let before = server.requests();
    let took = child::run("oha", flags, folder);
    assert_eq!(server.requests() - before, requests as u64, "{}", took.stdout);
    Some((requests, took))
}
