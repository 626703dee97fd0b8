//! Whom a suite may send keys to: a suite comes from others, and its provider files could name any
//! variable or file of the user's, and any host to send it to.

use std::collections::BTreeSet;
use std::path::Path;

use url::Url;

use super::Providers;
use crate::diagnostic::{Diagnostic, Diagnostics};
use crate::provider::{KeySource, Provider, Service};

/// Scheme, host and port, which a key is for.
type Origin = String;

/// Refuses providers that send a key where no provider of the user's own, nor one that ships, sends it.
/// An address of this machine is nobody else's.
pub(super) fn check(whole: &Providers, own: &Providers, suite: &Path) -> Result<(), Diagnostics> {
    let trusted: BTreeSet<(String, Origin)> = own.served.values().flat_map(sent_to).collect();
    let mut faults = Diagnostics::new();
    for (name, provider) in &whole.served {
        let foreign = sent_to(provider).into_iter().find(|sent| !trusted.contains(sent));
        let Some((key, origin)) = foreign else { continue };
        let file = suite.join("providers").join(format!("{name}.toml"));
        let message = format!("a provider file of the suite's folder sends {key} to `{origin}`");
        faults.push(Diagnostic::error("provider/foreign-host", file, message).help(
            "whoever wrote the suite would get the key: if that is you, move the file to `providers/` of the folder \
             where you start ceiling",
        ));
    }
    faults.into_result().map(drop)
}

/// Each key of a provider with each place that it goes to, but for this machine.
fn sent_to(provider: &Provider) -> Vec<(String, Origin)> {
    let Service::Http { base_url, key, .. } = &provider.service else { return Vec::new() };
    let key = match key {
        KeySource::None => return Vec::new(),
        KeySource::Environment(variable) => format!("`{variable}`"),
        KeySource::File(path) => format!("the file `{}`", path.display()),
        KeySource::Aws => "the keys of AWS".to_owned(),
    };
    let addresses = provider.models.values().filter_map(|model| model.base_url.as_ref()).chain([base_url]);
    let origins: BTreeSet<Origin> = addresses.filter_map(|address| origin(address)).collect();
    origins.into_iter().map(|origin| (key.clone(), origin)).collect()
}

/// Where an address leads; `None` for this machine. What is no address leads to itself alone.
fn origin(address: &str) -> Option<Origin> {
    let Ok(url) = Url::parse(address) else { return Some(address.to_owned()) };
    let here = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost",
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    (!here).then(|| url.origin().ascii_serialization())
}
