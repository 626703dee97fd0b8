//! How large the files are, what their reader makes of that, and what training on them costs.

use serde::Serialize;

use super::format::Format;
use super::row::TrainingRow;
use crate::diagnostic::Severity;
use crate::plan::tokens::{Level, RequestSize, Span, TokenBasis};
use crate::suite::Range;
use crate::units::UsdPerMillionTokens;

/// What rows come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Size {
    /// Lines of the file.
    pub rows: u64,
    /// Bytes of the file.
    pub bytes: u64,
    /// Tokens of all rows.
    pub tokens: Span<u64>,
    /// Tokens of the row that has most.
    pub longest: Span<u64>,
}

impl Size {
    /// Adds a row with its line.
    pub fn add(&mut self, row: &TrainingRow, line: &str) {
        let tokens = tokens(row);
        let each = |sum: Option<u64>, more: Option<u64>| Some(sum.unwrap_or(0) + more.unwrap_or(0));
        self.rows += 1;
        self.bytes += line.len() as u64 + 1;
        self.tokens = Span {
            low: self.tokens.low + tokens.low,
            likely: each(self.tokens.likely, tokens.likely),
            high: each(self.tokens.high, tokens.high),
        };
        self.longest = Span {
            low: self.longest.low.max(tokens.low),
            likely: self.longest.likely.max(tokens.likely),
            high: self.longest.high.max(tokens.high),
        };
    }
}

/// A row's tokens, from its texts.
fn tokens(row: &TrainingRow) -> Span<u64> {
    let size = RequestSize { text_bytes: row.text_bytes(), messages: row.turns(), ..RequestSize::default() };
    let at = |level| TokenBasis::default().input(&size, level);
    Span { low: at(Level::Low).unwrap_or(0), likely: at(Level::Likely), high: at(Level::High) }
}

/// What the reader of a file refuses, or would rather have otherwise.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// Whether it is refused.
    pub severity: FindingSeverity,
    /// What it is, with its source.
    pub message: String,
}

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum FindingSeverity {
    /// Its reader takes the file.
    Warning,
    /// Its reader refuses the file.
    Error,
}

impl From<FindingSeverity> for Severity {
    fn from(severity: FindingSeverity) -> Self {
        match severity {
            FindingSeverity::Warning => Self::Warning,
            FindingSeverity::Error => Self::Error,
        }
    }
}

/// Holds the files against what their format's reader states.
pub fn findings(format: &Format, train: &Size, validation: Option<&Size>) -> Vec<Finding> {
    let limits = &format.limits;
    let mut found = Vec::new();
    let mut say = |severity, message: String| {
        found.push(Finding { severity, message: format!("{message} ({})", limits.source) });
    };
    let reader = format.reader;
    if let Some(least) = limits.fewest_rows.filter(|least| train.rows < *least) {
        say(FindingSeverity::Error, format!("{} rows to train on; {reader} refuses fewer than {least}", train.rows));
    } else if let Some(advised) = limits.advised_rows.filter(|advised| train.rows < *advised) {
        say(FindingSeverity::Warning, format!("{} rows to train on; {advised} are advised at least", train.rows));
    }
    if let Some(most) = limits.most_rows.filter(|most| train.rows > *most) {
        say(FindingSeverity::Error, format!("{} rows to train on; {reader} takes at most {most}", train.rows));
    }
    if let Some((validation, most)) = validation.zip(limits.most_validation_rows)
        && validation.rows > most
    {
        say(FindingSeverity::Error, format!("{} validation rows; {reader} takes at most {most}", validation.rows));
    }
    for size in [Some(train), validation].into_iter().flatten() {
        if let Some(most) = limits.most_bytes.filter(|most| size.bytes > *most) {
            say(FindingSeverity::Error, format!("a file of {} bytes; {reader} takes at most {most}", size.bytes));
        }
        let Some(most) = limits.most_row_tokens else { continue };
        if size.longest.low > most {
            let longest = size.longest.low;
            say(FindingSeverity::Error, format!("a row of at least {longest} tokens; the most is {most}"));
        } else if let Some(longest) = size.longest.likely.filter(|longest| *longest > most) {
            say(FindingSeverity::Warning, format!("a row of about {longest} tokens; the most is {most}"));
        }
    }
    found
}

/// The first word that a prompt must not hold, with the place of its row.
pub fn reserved_word(format: &Format, rows: &[TrainingRow]) -> Option<(usize, &'static str)> {
    let holds = |row: &TrainingRow, word: &str| row.messages.iter().any(|message| message.content.contains(word));
    rows.iter()
        .enumerate()
        .find_map(|(place, row)| format.limits.reserved.iter().find(|word| holds(row, word)).map(|word| (place, *word)))
}

/// What training costs in USD: the tokens that are billed times the price of a trained token. `billed` says them, given
/// those of the training and of the validation file.
///
/// `None` without a price, and where the billed tokens are not known.
pub fn training_cost(
    (train, validation): (&Size, Option<&Size>),
    billed: impl Fn(u64, Option<u64>) -> Option<u64>,
    price: Option<UsdPerMillionTokens>,
) -> Option<Range> {
    let price = price?;
    let most = |size: &Size| size.tokens.high.or(size.tokens.likely);
    let usd = |train: u64, validation: Option<u64>| Some(price.times(billed(train, validation)?).as_f64());
    Some(Range {
        low: usd(train.tokens.low, validation.map(|size| size.tokens.low))?,
        high: usd(most(train)?, validation.and_then(most))?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::training::format::named;
    use crate::training::row::tests::row;

    fn size(rows: u64) -> Size {
        let mut size = Size::default();
        for place in 0..rows {
            let row = row(&place.to_string(), "A", None);
            let line = named("openai-chat").unwrap().line(&row).unwrap();
            size.add(&row, &line);
        }
        size
    }

    #[test]
    fn too_few_rows_are_refused_and_few_are_warned_of() {
        let openai = named("openai-chat").unwrap();
        let severity = |rows| findings(openai, &size(rows), None).first().map(|finding| finding.severity);
        assert_eq!(severity(9), Some(FindingSeverity::Error));
        assert_eq!(severity(10), Some(FindingSeverity::Warning));
        assert_eq!(severity(50), None);
        assert!(findings(named("sharegpt").unwrap(), &size(1), None).is_empty());
    }

    #[test]
    fn long_rows_and_long_validation_files_are_told() {
        let gemini = named("vertex-gemini").unwrap();
        let long = Size { longest: Span { low: 140_000, likely: Some(200_000), high: None }, ..size(100) };
        let found = findings(gemini, &long, Some(&Size { rows: 5_001, ..size(1) }));
        assert_eq!(found.len(), 2, "{found:?}");
        assert!(found.iter().all(|finding| finding.severity == FindingSeverity::Error));
    }

    #[test]
    fn the_cost_is_tokens_times_epochs_times_price() {
        let price = UsdPerMillionTokens::from_f64(5.0);
        let train = Size { tokens: Span { low: 100_000, likely: Some(150_000), high: Some(200_000) }, ..size(1) };
        let three = |train: u64, _: Option<u64>| Some(3 * train);
        let cost = training_cost((&train, Some(&train)), three, price).unwrap();
        assert!((cost.low - 1.5).abs() < 1e-9 && (cost.high - 3.0).abs() < 1e-9, "{cost:?}");
        let both = |train: u64, validation: Option<u64>| Some(3 * (train + validation.unwrap_or(0)));
        let cost = training_cost((&train, Some(&train)), both, price).unwrap();
        assert!((cost.low - 3.0).abs() < 1e-9 && (cost.high - 6.0).abs() < 1e-9, "{cost:?}");
        assert_eq!(training_cost((&train, None), |_, _| None, price), None);
        assert_eq!(training_cost((&train, None), three, None), None);
    }

    #[test]
    fn words_that_end_a_job_are_found() {
        let mut rows = vec![row("1", "A", None), row("2", "A", None)];
        rows[1].messages[1].content.push_str(" System: down");
        assert_eq!(reserved_word(named("bedrock-converse").unwrap(), &rows), Some((1, "System:")));
        assert_eq!(reserved_word(named("openai-chat").unwrap(), &rows), None);
    }
}
