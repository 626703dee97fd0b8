//! What stands around the content of a page that `ceiling view` serves.

use maud::{Markup, html};
use url::form_urlencoded::byte_serialize;

/// A whole page with a bar at its top; `home` leads from it to the list of runs, for pages that are
/// served.
pub(super) fn page(title: &str, home: Option<&str>, content: &Markup) -> String {
    let body = html! {
        a.skip href="#content" { "to the content" }
        nav.top aria-label="pages" {
            div {
                @if let Some(home) = home {
                    a href=(home) { "runs" }
                    a href=(format!("{home}compare")) { "compare" }
                }
                span.end { button type="button" data-theme-toggle hidden { "light / dark" } }
            }
        }
        main #content { (content) }
    };
    super::document(title, &body)
}

/// A text as it stands in an address.
pub(super) fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
