//! A page that says what could not be shown.

use maud::html;

use super::frame;
use crate::text;

/// What went wrong in a line or several, and what to do about it.
pub fn page(title: &str, message: &str, hint: Option<&str>, home: &str) -> String {
    let content = html! {
        h1 { (title) }
        pre { (text::printable(message)) }
        @if let Some(hint) = hint { p { b { "hint: " } (text::printable(hint)) } }
        p { a href=(home) { "all runs" } }
    };
    frame::page(title, Some(home), &content)
}
