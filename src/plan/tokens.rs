//! How many tokens a request has, before a provider has counted them.
//!
//! There is no tokenizer here, since each model has its own: a request's text is turned into a
//! range. Where the store has answers of the same variant by the same endpoint, the usage that was
//! reported with them takes its place.

use serde::Serialize;

use crate::stats::cluster::mean_with_t;

/// Bytes of prompt text for one token: few where the text is dense (codes, digits, JSON, other
/// scripts), many in English prose.
///
/// Calibrated on the shipped recordings, 24 variants of three suites asked of SmolLM2: 2.1 to 4.0
/// bytes a token by variant, half of them under 3.3 (`tests/it/plan.rs` holds the range against
/// them). Tokenizers of larger vocabularies need fewer tokens, hence the 5.
pub const BYTES_PER_TOKEN: Span<f64> = Span { low: 5.0, likely: Some(3.5), high: Some(2.0) };

/// Tokens that a chat template adds for each message.
const PER_MESSAGE: Span<u64> = Span { low: 0, likely: Some(4), high: Some(8) };

/// Bytes of an answer for one token: short JSON is dense. The recorded answers have 1.2 to 4.2.
const ANSWER_BYTES_PER_TOKEN: u64 = 2;

/// Fewer answers than this measure nothing.
pub const LEAST_MEASURED: usize = 5;

/// At least, likely, at most. What is not known is `None`: the likely figure where there is no
/// ground for one, the highest where nothing bounds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize)]
pub struct Span<T> {
    /// The least.
    pub low: T,
    /// The most likely.
    pub likely: Option<T>,
    /// The most.
    pub high: Option<T>,
}

/// Which figure of a [`Span`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// The least.
    Low,
    /// The most likely.
    Likely,
    /// The most.
    High,
}

impl<T: Copy> Span<T> {
    /// The figure of a level.
    pub fn at(&self, level: Level) -> Option<T> {
        match level {
            Level::Low => Some(self.low),
            Level::Likely => self.likely,
            Level::High => self.high,
        }
    }

    /// Each figure changed alike.
    pub fn map<U>(self, change: impl Fn(T) -> U) -> Span<U> {
        Span { low: change(self.low), likely: self.likely.map(&change), high: self.high.map(&change) }
    }
}

/// A request as it was rendered, one an example and variant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RequestSize {
    /// Bytes of the HTTP body.
    pub body_bytes: u64,
    /// Bytes of all messages' text.
    pub text_bytes: u64,
    /// Bytes of the schema that goes with it; some endpoints count it as prompt, some do not.
    pub schema_bytes: u64,
    /// Bytes of the messages that are the same for every example.
    pub alike_bytes: u64,
    /// Messages.
    pub messages: u64,
    /// Bytes of the expected answer.
    pub answer_bytes: u64,
    /// Repeats of it that are to be asked.
    pub to_ask: u64,
    /// Repeats in all.
    pub repeats: u64,
    /// The most that one of them is billed at, in pico-dollars; `None` where that is not bounded.
    pub worst_case: Option<i128>,
}

impl RequestSize {
    /// Share of the prompt that is the same for every example, the schema with it: it stands in
    /// front of the messages.
    pub fn alike_share(&self) -> f64 {
        let all = self.text_bytes + self.schema_bytes;
        if all == 0 || self.alike_bytes == 0 { 0.0 } else { (self.alike_bytes + self.schema_bytes) as f64 / all as f64 }
    }
}

/// What an earlier answer of the variant reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    /// Bytes of its request's body.
    pub body_bytes: u64,
    /// Prompt tokens, cached ones among them.
    pub input_tokens: u64,
    /// Generated tokens, reasoning among them.
    pub output_tokens: u64,
}

/// What earlier answers reported together.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct MeasuredTokens {
    /// Answers with usage.
    pub answers: u64,
    /// Prompt tokens for a byte of the body.
    pub input_per_byte: Span<f64>,
    /// Generated tokens of an answer.
    pub output: Span<f64>,
}

impl MeasuredTokens {
    /// The means with their t intervals at 1 − alpha; `None` for too few answers. A prompt that has
    /// changed since is scaled by its length.
    pub fn of(answers: &[Reported], alpha: f64) -> Option<Self> {
        let bytes: f64 = answers.iter().map(|answer| answer.body_bytes as f64).sum();
        if answers.len() < LEAST_MEASURED || bytes <= 0.0 {
            return None;
        }
        let each: Vec<u32> = (0..answers.len() as u32).collect();
        let tokens: f64 = answers.iter().map(|answer| answer.input_tokens as f64).sum();
        let (ratio, mean_bytes) = (tokens / bytes, bytes / answers.len() as f64);
        // The ratio of sums, linearised.
        let linear: Vec<f64> = answers
            .iter()
            .map(|answer| ratio + (answer.input_tokens as f64 - ratio * answer.body_bytes as f64) / mean_bytes)
            .collect();
        let outputs: Vec<f64> = answers.iter().map(|answer| answer.output_tokens as f64).collect();
        let output = outputs.iter().sum::<f64>() / outputs.len() as f64;
        let span = |point: f64, values: &[f64]| {
            let interval = mean_with_t(values, &each, alpha).interval;
            let (low, high) = interval.map_or((point, point), |interval| (interval.low, interval.high));
            Span { low: low.clamp(0.0, point), likely: Some(point), high: Some(high.max(point)) }
        };
        Some(Self {
            answers: answers.len() as u64,
            input_per_byte: span(ratio, &linear),
            output: span(output, &outputs),
        })
    }
}

/// On what a variant's token counts rest.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct TokenBasis {
    /// Reported usage, where the store has some.
    pub measured: Option<MeasuredTokens>,
    /// Most output tokens of a request, where they are bounded.
    pub most_output: Option<u64>,
    /// Whether the model reasons before it answers: how long is not known before it has.
    pub reasons: bool,
}

impl TokenBasis {
    /// Prompt tokens of one request; `None` only for a level without a figure.
    pub fn input(&self, size: &RequestSize, level: Level) -> Option<u64> {
        if let Some(measured) = &self.measured {
            return Some((size.body_bytes as f64 * measured.input_per_byte.at(level)?).round() as u64);
        }
        // At the least the schema is a grammar of the server's and no part of the prompt.
        let schema = if level == Level::Low { 0 } else { size.schema_bytes };
        let text = ((size.text_bytes + schema) as f64 / BYTES_PER_TOKEN.at(level)?).ceil() as u64;
        Some(text + PER_MESSAGE.at(level)? * size.messages)
    }

    /// Generated tokens of one request: nothing, about the expected answer, and the limit.
    pub fn output(&self, size: &RequestSize, level: Level) -> Option<u64> {
        let most = self.most_output.unwrap_or(u64::MAX);
        if let Some(measured) = &self.measured {
            return Some((measured.output.at(level)?.ceil() as u64).min(most));
        }
        match level {
            Level::Low => Some(0),
            Level::Likely if self.reasons => None,
            Level::Likely => Some((size.answer_bytes.div_ceil(ANSWER_BYTES_PER_TOKEN) + 1).min(most)),
            Level::High => self.most_output,
        }
    }

    /// The mean tokens of a request, prompt and answer.
    pub fn means(&self, sizes: &[RequestSize]) -> (Span<f64>, Span<f64>) {
        let mean = |tokens: &dyn Fn(&RequestSize) -> Option<u64>| {
            let sum = sizes.iter().map(tokens).sum::<Option<u64>>()?;
            (!sizes.is_empty()).then(|| sum as f64 / sizes.len() as f64)
        };
        let span = |tokens: &dyn Fn(&RequestSize, Level) -> Option<u64>| {
            let at = |level| mean(&|size: &RequestSize| tokens(size, level));
            Span { low: at(Level::Low).unwrap_or(0.0), likely: at(Level::Likely), high: at(Level::High) }
        };
        (span(&|size, level| self.input(size, level)), span(&|size, level| self.output(size, level)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn size() -> RequestSize {
        RequestSize {
            body_bytes: 1000,
            text_bytes: 700,
            schema_bytes: 140,
            alike_bytes: 560,
            messages: 2,
            answer_bytes: 18,
            to_ask: 1,
            repeats: 1,
            worst_case: None,
        }
    }

    #[test]
    fn without_usage_the_text_gives_a_range() {
        let basis = TokenBasis { most_output: Some(32), ..TokenBasis::default() };
        // 700 / 5; (700 + 140) / 3.5 + 2 x 4; (700 + 140) / 2 + 2 x 8.
        assert_eq!(basis.input(&size(), Level::Low), Some(140));
        assert_eq!(basis.input(&size(), Level::Likely), Some(248));
        assert_eq!(basis.input(&size(), Level::High), Some(436));
        // Nothing; 18 / 2 + 1; the limit.
        let output = [Level::Low, Level::Likely, Level::High].map(|level| basis.output(&size(), level));
        assert_eq!(output, [Some(0), Some(10), Some(32)]);
        assert!((size().alike_share() - 700.0 / 840.0).abs() < 1e-12);
        assert_eq!(RequestSize { alike_bytes: 0, ..size() }.alike_share(), 0.0);
    }

    #[test]
    fn what_nothing_bounds_is_unknown() {
        let open = TokenBasis::default();
        assert_eq!((open.output(&size(), Level::Likely), open.output(&size(), Level::High)), (Some(10), None));
        let reasons = TokenBasis { reasons: true, ..open };
        assert_eq!(reasons.output(&size(), Level::Likely), None);
        let (input, output) = open.means(&[size(), RequestSize { text_bytes: 1400, ..size() }]);
        assert_eq!((input.low, output.likely, output.high), (210.0, Some(10.0), None));
    }

    #[test]
    fn reported_usage_takes_the_place_of_the_guess() {
        let answer = |body_bytes, input_tokens, output_tokens| Reported { body_bytes, input_tokens, output_tokens };
        let answers = [
            answer(1000, 250, 9),
            answer(1000, 250, 11),
            answer(1000, 250, 10),
            answer(1000, 250, 10),
            answer(1000, 250, 10),
        ];
        let measured = MeasuredTokens::of(&answers, 0.05).unwrap();
        assert_eq!((measured.answers, measured.input_per_byte.likely), (5, Some(0.25)));
        let basis = TokenBasis { measured: Some(measured), most_output: Some(10), reasons: true };
        assert_eq!(basis.input(&size(), Level::High), Some(250));
        // The interval of the mean ends above 10, the limit does not.
        assert_eq!(basis.output(&size(), Level::High), Some(10));
        assert_eq!(basis.output(&size(), Level::Likely), Some(10));
        assert_eq!(MeasuredTokens::of(&answers[..4], 0.05), None);
    }
}
