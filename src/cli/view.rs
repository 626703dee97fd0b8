//! `ceiling view`: the store's runs in a browser, for who looks at many of them.

mod out;
mod pages;
mod server;

use std::sync::Arc;

use clap::Args;
use serde_json::json;

use super::args::StoreArgs;
use super::exit::Exit;
use super::interrupts::Interrupts;
use super::printer::Printer;
use crate::error::Error;
use crate::store::Store;
use pages::Pages;
use server::Server;

/// Bytes of the secret part of the address.
const TOKEN_BYTES: usize = 16;

/// Flags of `ceiling view`.
#[derive(Debug, Clone, Args)]
pub struct ViewArgs {
    /// The port on loopback; 0 takes any that is free.
    #[arg(long, value_name = "PORT", default_value_t = 0, env = "CEILING_PORT")]
    pub port: u16,
    /// Where runs are kept.
    #[command(flatten)]
    pub store: StoreArgs,
}

/// Serves until Ctrl-C.
pub(super) fn view(args: &ViewArgs, printer: Printer) -> Result<Exit, Error> {
    // What is wrong with the store is said before there is an address to open.
    drop(Store::open_existing(&args.store.store)?);
    let pages = Arc::new(Pages { store: args.store.store.clone() });
    let token = token()?;
    let runtime = super::runtime()?;
    let served = runtime.block_on(async {
        let server = Server::bind(args.port, &token, pages)
            .await
            .map_err(|error| Error::System { what: format!("failed to listen on 127.0.0.1:{}", args.port), error })?;
        let interrupts = Interrupts::default();
        let (stop, _) = interrupts.sending();
        let watch =
            interrupts.watch().map_err(|error| Error::System { what: "failed to listen for Ctrl-C".into(), error })?;
        tokio::spawn(watch);
        let url = server.url();
        printer.text(&format!("{url}\n"));
        printer.value(&json!({"url": url}));
        printer.note("Ctrl-C ends it; whoever has the address can read the runs");
        tokio::select! {
            () = server.serve() => {}
            () = stop.cancelled() => {}
        }
        Ok(())
    });
    // A page that is still being made is not waited for.
    runtime.shutdown_background();
    served.and(super::DONE)
}

/// What nobody can guess, in hexadecimal digits.
fn token() -> Result<String, Error> {
    let mut bytes = [0_u8; TOKEN_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| Error::System {
        what: "failed to get random bytes".into(),
        error: std::io::Error::other(error.to_string()),
    })?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[cfg(test)]
mod tests {
    #[test]
    fn a_token_is_long_and_never_the_same() {
        let (one, other) = (super::token().unwrap(), super::token().unwrap());
        assert!(one.len() == 32 && one.bytes().all(|digit| digit.is_ascii_hexdigit()) && one != other);
    }
}
