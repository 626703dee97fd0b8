//! `ceiling providers check`: sends the requests of [`crate::provider_check`] and prints what it shows.

use clap::Args;
use serde_json::{Value, json};

use super::{address, key, named};
use crate::cli::assemble;
use crate::cli::exit::Exit;
use crate::cli::printer::Printer;
use crate::error::Error;
use crate::exchange::FailureKind;
use crate::provider::{Model, Provider, Service};
use crate::provider_check::{self, CacheChoice, Report, Seen, State};
use crate::run::attempt::{Call, Transport};
use crate::run::http::HttpTransport;
use crate::text::one_line;
use crate::trial::Received;
use crate::units::Usd;
use crate::wire;

/// Flags of `ceiling providers check`.
#[derive(Debug, Clone, Args)]
pub struct CheckArgs {
    /// The provider; without it every one whose key is set, and servers of your own that answer.
    #[arg(value_name = "NAME")]
    pub name: Option<String>,
    /// Ask this model row; without it the cheapest one. Without NAME: whoever has such a row.
    #[arg(long, value_name = "MODEL", env = "CEILING_MODEL")]
    pub model: Option<String>,
    /// Probe the prompt cache even where it may cost a cent or more.
    #[arg(long, conflicts_with = "no_cache", env = "CEILING_CACHE")]
    pub cache: bool,
    /// Do not look at the prompt cache: it takes two requests with a long prompt.
    #[arg(long, env = "CEILING_NO_CACHE")]
    pub no_cache: bool,
}

/// A model that is asked.
struct Subject<'a> {
    provider: &'a Provider,
    name: &'a str,
    model: &'a Model,
}

/// What came of it.
struct Checked<'a> {
    subject: Subject<'a>,
    requests: usize,
    report: Report,
}

/// Checks.
pub(super) fn check(args: &CheckArgs, printer: Printer) -> Result<Exit, Error> {
    let providers = super::load()?;
    let today = super::today();
    let subjects = match &args.name {
        Some(name) => vec![subject(named(&providers, name)?, args.model.as_deref(), &today)?],
        None => {
            let all = providers.names().filter_map(|name| providers.get(name));
            all.filter(|provider| is_ready(provider))
                .filter_map(|it| subject(it, args.model.as_deref(), &today).ok())
                .collect()
        }
    };
    let choice = match (args.cache, args.no_cache) {
        (true, _) => CacheChoice::Always,
        (_, true) => CacheChoice::Never,
        _ => CacheChoice::IfCheap,
    };
    let runtime = crate::cli::runtime()?;
    let mut all = Vec::new();
    for subject in subjects {
        printer.note(&format!("asking {}/{} …", subject.provider.id, one_line(subject.name, 80)));
        let (requests, report) = runtime.block_on(ask(&subject, choice))?;
        if args.name.is_none() && subject.provider.self_hosted && report.unreachable {
            printer.note(&format!("{}: nothing answers at {}", subject.provider.id, place(&subject)));
            continue;
        }
        let checked = Checked { subject, requests, report };
        printer.text(&text(&checked));
        all.push(checked);
    }
    let cost: Option<Usd> = all.iter().map(|checked| checked.report.cost).sum();
    printer.value(&json!({
        "providers": all.iter().map(described).collect::<Vec<_>>(),
        "cost_usd": cost.map(Usd::as_f64),
    }));
    if all.is_empty() {
        printer.text(
            "no provider's key is set, and no server of your own answers; `ceiling providers list` names the keys\n",
        );
    } else if all.len() > 1 {
        printer.text(&format!("{} providers, {}\n", all.len(), cost_text(cost)));
    }
    let usable = !all.is_empty() && all.iter().all(|checked| checked.report.usable);
    Ok(if usable { Exit::Done } else { Exit::CouldNotFinish })
}

/// Whether a provider is asked without being named: its key is set, or it is a server of one's own.
fn is_ready(provider: &Provider) -> bool {
    match &provider.service {
        Service::Replay | Service::Imported => false,
        Service::Http { base_url, .. } => {
            let key = key(provider);
            provider_check::placeholder(base_url).is_none() && (key.is_set == Some(true) || key.name.is_none())
        }
    }
}

/// The model of a provider that is asked.
fn subject<'a>(provider: &'a Provider, model: Option<&str>, today: &str) -> Result<Subject<'a>, Error> {
    let id = &provider.id;
    let file = format!("providers/{id}.toml");
    let Some(address) = address(provider) else {
        let hint = "`ceiling run` asks it; name a provider that is reached over HTTP".to_owned();
        return Err(Error::usage(format!("`{id}` answers from a suite's recording: there is no server to ask"), hint));
    };
    let found = match model {
        None => provider_check::choose(provider, today).ok_or_else(|| {
            Error::usage(
                format!("`{id}` has no model that can be asked"),
                format!("add one to {file}, or name one with --model"),
            )
        })?,
        Some(name) => {
            provider.models.get_key_value(name).map(|(name, model)| (name.as_str(), model)).ok_or_else(|| {
                let hint = match crate::text::nearest(name, provider.models.keys().map(String::as_str)) {
                    Some(near) => format!("did you mean `{near}`?"),
                    None => format!("`ceiling providers list {id}` lists them"),
                };
                Error::usage(format!("`{id}` has no model `{name}`"), hint)
            })?
        }
    };
    let (name, model) = found;
    if let Some(word) = provider_check::placeholder(model.base_url.as_deref().unwrap_or(address)) {
        let what = format!("{word} in the address of `{id}` is to be replaced by your own");
        return Err(Error::usage(
            what,
            format!("set `base_url` in {file} of this folder; the other keys stay as they are"),
        ));
    }
    Ok(Subject { provider, name, model })
}

/// Sends the requests, one after the other; the first one's failure ends it, and so
/// does one that is not answered.
async fn ask(subject: &Subject<'_>, choice: CacheChoice) -> Result<(usize, Report), Error> {
    let endpoint = match assemble::http_endpoint(subject.provider, subject.model, None) {
        Ok(endpoint) => endpoint,
        // A missing key is what is being asked about.
        Err(error @ Error::Usage { .. }) => return Ok((0, provider_check::without_key(&error.to_string()))),
        Err(other) => return Err(other),
    };
    let transport = HttpTransport::new(vec![endpoint])?;
    let target = subject.provider.target(subject.model);
    let wire = wire::wire(subject.provider.wire);
    let plan = provider_check::plan(subject.provider, subject.model, choice);
    let mut seen = Vec::new();
    for step in &plan.steps {
        let encoded = wire.encode(&step.request, &target);
        let call =
            Call { endpoint: 0, route: encoded.route, body: encoded.body, whole: None, repeat: 0, first_output: None };
        let arrived = transport.send(call).await;
        let first = arrived.reading.first_visible_event.and_then(|event| arrived.timing.event_ms.get(event).copied());
        let failed = arrived.reading.outcome.failure().map(|failure| failure.kind);
        seen.push(Seen {
            purpose: step.purpose,
            streamed: matches!(arrived.received, Received::Answer { streamed: true, .. }),
            outcome: arrived.reading.outcome,
            ttft_ms: first,
        });
        // Five more requests that each wait for their time would take half an hour.
        let silent = failed.is_some_and(FailureKind::is_silence);
        if silent || failed.is_some() && seen.len() == 1 {
            break;
        }
    }
    Ok((seen.len(), provider_check::evaluate(subject.provider, subject.model, &plan.skipped, &seen)))
}

fn place(subject: &Subject<'_>) -> String {
    one_line(subject.model.base_url.as_deref().or(address(subject.provider)).unwrap_or_default(), 120)
}

fn cost_text(cost: Option<Usd>) -> String {
    cost.map_or("cost unknown".into(), |cost| cost.to_string())
}

fn text(checked: &Checked<'_>) -> String {
    let Checked { subject, requests, report } = checked;
    let mut text = format!("{}/{} at {}\n", subject.provider.id, one_line(subject.name, 80), place(subject));
    for finding in &report.findings {
        let state = match finding.state {
            State::Ok => "ok",
            State::No => "no",
            State::Skipped => "skipped",
        };
        text.push_str(&format!("  {:<9}  {state:<7}  {}\n", finding.feature.as_str(), one_line(&finding.detail, 300)));
    }
    let ttft = report.ttft_ms.map_or(String::new(), |ms| format!(", time to first token {ms:.0} ms"));
    let plural = if *requests == 1 { "" } else { "s" };
    text.push_str(&format!("  {requests} request{plural}, {}{ttft}\n", cost_text(report.cost)));
    text
}

fn described(checked: &Checked<'_>) -> Value {
    let Checked { subject, requests, report } = checked;
    json!({
        "provider": subject.provider.id,
        "model": subject.name,
        "id": subject.model.served_as,
        "served_model": report.served_model,
        "base_url": subject.model.base_url.as_deref().or(address(subject.provider)),
        "usable": report.usable,
        "features": report.findings,
        "requests": requests,
        "cost_usd": report.cost.map(Usd::as_f64),
        "ttft_ms": report.ttft_ms,
    })
}
