//! Fine-tuning APIs, purely: what is uploaded and asked for, and what the answers mean. Nothing here awaits.
//!
//! Answers are read leniently: a state that is not known is one in which the service works, and its own word for it
//! is kept. What the service says is text from elsewhere: names that go into a path are checked, and whoever prints
//! a message strips it.
//!
//! Source: PROVIDERS.md 8; the Python packages openai 3.57.0 and together 3.1.1, and the pages that each part names.

mod openai;
mod together;

use std::ops::RangeInclusive;

use super::batch::{BatchCall, name};
use super::{Route, malformed};
use crate::exchange::Failure;
use crate::provider::{Dialect, WireKind};
use crate::units::Usd;

/// Every call goes below the base address without further headers.
const BESIDE: Route = Route::fixed("");

/// Events that are asked for at once, where an API lets one say.
const MOST_EVENTS: usize = 100;

/// How a model is trained on a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Objective {
    /// On prompts with the answers that are wanted.
    Supervised,
    /// On pairs of answers of which one is better (DPO).
    Preference,
}

/// What an API takes, as its documentation says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TuningLimits {
    /// Fewest lines of a training file.
    pub rows: u64,
    /// Most bytes of a file that is sent in one piece.
    pub bytes: u64,
    /// Passes over the file.
    pub epochs: RangeInclusive<u32>,
    /// Most characters of a suffix of the model's name.
    pub suffix: usize,
}

/// A job to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobDraft<'a> {
    /// The model that is tuned, as the service knows it.
    pub model: &'a str,
    /// How it is trained.
    pub objective: Objective,
    /// The uploaded training file.
    pub train: &'a str,
    /// The uploaded validation file.
    pub validation: Option<&'a str>,
    /// Passes over the file; `None` leaves it to the service.
    pub epochs: Option<u32>,
    /// What the tuned model's name is told by.
    pub suffix: &'a str,
    /// The seed; `None` leaves it to the service.
    pub seed: Option<u64>,
    /// Our own mark of it, where the service keeps one.
    pub tag: &'a str,
}

/// How far a job is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The service works on it, or will. Also a state that is newer than this program.
    Working,
    /// It waits for somebody to resume it at the service.
    Paused,
    /// There is a tuned model.
    Succeeded,
    /// There is none, and there will be none.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl Phase {
    /// Its name in JSON.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Paused => "paused",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// Whether nothing more will happen.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed | Self::Cancelled)
    }
}

/// What a service says of a job. What it does not say is `None`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    /// Its name.
    pub id: String,
    /// How far it is.
    pub phase: Phase,
    /// The service's own word for that.
    pub word: String,
    /// The tuned model's name, once there is one.
    pub model: Option<String>,
    /// Tokens that are billed, passes over the file included.
    pub trained_tokens: Option<u64>,
    /// What it costs.
    pub billed: Option<Usd>,
    /// Passes over the file.
    pub epochs: Option<u64>,
    /// When it is expected to end, in seconds since 1970-01-01 UTC.
    pub expected_end_s: Option<i64>,
    /// Why it failed.
    pub error: Option<String>,
}

/// What a service says that a job would cost.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Estimate {
    /// About so much.
    Price(Usd),
    /// It still looks at the files.
    Waiting,
    /// It does not say, in its words.
    Unknown(String),
}

/// Something that happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobEvent {
    /// When, in seconds since 1970-01-01 UTC.
    pub at_s: Option<i64>,
    /// Whether it is an error.
    pub is_error: bool,
    /// What, in the service's words.
    pub message: String,
}

/// A file that the service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedFile {
    /// Its name at the service.
    pub id: String,
    /// The name under which it was uploaded.
    pub name: String,
    /// Its bytes, where the list says so.
    pub bytes: Option<u64>,
}

/// A job that the service has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedJob {
    /// Its name.
    pub id: String,
    /// Our mark, where the service keeps one; empty for a job of somebody else.
    pub tag: Option<String>,
    /// The file that it trains on.
    pub train: Option<String>,
    /// The suffix that it was given.
    pub suffix: Option<String>,
}

/// A fine-tuning API. Pure: the same bytes always mean the same.
pub trait TuningWire: Send + Sync + std::fmt::Debug {
    /// What it takes.
    fn limits(&self) -> TuningLimits;

    /// Formats of training files (`--format` of `ceiling export`) that it reads, the likeliest first.
    fn formats(&self, objective: Objective) -> &'static [&'static str];

    /// The name that the method goes by in a suite's `tuned`.
    fn method(&self, objective: Objective) -> &'static str;

    /// Tokens that are billed for training, given those of each file; `None` where the service chooses the passes.
    fn billed_tokens(&self, train: u64, validation: Option<u64>, epochs: Option<u32>) -> Option<u64>;

    /// Uploads a file of JSON lines under this name.
    fn upload(&self, file_name: &str, data: &[u8]) -> BatchCall;

    /// The uploaded file's name at the service.
    ///
    /// # Errors
    /// An answer that breaks the API's contract.
    fn uploaded(&self, answer: &[u8]) -> Result<String, Failure> {
        let file = super::batch::document(answer, "a file")?;
        name(file.get("id"), "the file")
    }

    /// Lists the account's files for training.
    fn files(&self) -> BatchCall;

    /// What the answer to that says; what cannot be read is left out.
    fn listed_files(&self, answer: &[u8]) -> Vec<ListedFile> {
        let Ok(list) = super::batch::document(answer, "a list") else { return Vec::new() };
        let read = |file: &serde_json::Value| {
            Some(ListedFile {
                id: name(file.get("id"), "a file").ok()?,
                name: file.get("filename")?.as_str()?.to_owned(),
                bytes: super::batch::count(file.get("bytes")),
            })
        };
        rows(&list).filter_map(read).collect()
    }

    /// Asks what a job would cost, where the service answers that. Its files are uploaded by then.
    fn estimate(&self, _draft: &JobDraft<'_>) -> Option<BatchCall> {
        None
    }

    /// What the answer to that says.
    fn read_estimate(&self, _answer: &[u8]) -> Estimate {
        Estimate::Unknown(String::new())
    }

    /// What serving a tuned model takes, where a request alone does not do.
    fn serving(&self) -> Option<&'static str> {
        None
    }

    /// Makes a job.
    fn create(&self, draft: &JobDraft<'_>) -> BatchCall;

    /// The path of jobs.
    fn path(&self) -> &'static str;

    /// Asks how far a job is.
    fn job(&self, id: &str) -> BatchCall {
        BatchCall::get(format!("{}/{id}", self.path()), &BESIDE)
    }

    /// Cancels a job.
    fn cancel(&self, id: &str) -> BatchCall {
        BatchCall::post(format!("{}/{id}/cancel", self.path()), &BESIDE, "")
    }

    /// What the answer to any of the three says.
    ///
    /// # Errors
    /// An answer that breaks the API's contract.
    fn read_job(&self, answer: &[u8]) -> Result<Job, Failure>;

    /// Asks what happened to a job.
    fn events(&self, id: &str) -> BatchCall;

    /// What the answer to that says, first things first; what cannot be read is left out.
    fn read_events(&self, answer: &[u8]) -> Vec<JobEvent>;

    /// Lists the account's newest jobs.
    fn jobs(&self) -> BatchCall;

    /// What the answer to that says; what cannot be read is left out.
    fn listed_jobs(&self, answer: &[u8]) -> Vec<ListedJob>;
}

/// The fine-tuning API of a host; `None` where there is none that we know. A plain host that speaks OpenAI's chat
/// wire is taken to have OpenAI's.
pub fn tuning_wire(kind: WireKind, dialect: Dialect) -> Option<&'static dyn TuningWire> {
    match (kind, dialect) {
        (WireKind::OpenaiChat | WireKind::OpenaiResponses, Dialect::Openai | Dialect::Plain) => {
            Some(&openai::OpenaiTuning)
        }
        (WireKind::OpenaiChat, Dialect::Together) => Some(&together::TogetherTuning),
        _ => None,
    }
}

/// Finds a job of ours that we have no name of: by its mark, or, where the service keeps none, by the training file,
/// which is in no other job but those that are known.
pub fn recognise_job(jobs: &[ListedJob], draft: &JobDraft<'_>, known: &[String]) -> Option<String> {
    let is_ours = |job: &&ListedJob| {
        let same_suffix = job.suffix.as_deref().is_none_or(|suffix| is_alike(suffix, draft.suffix));
        match &job.tag {
            Some(tag) => tag == draft.tag,
            None => job.train.as_deref() == Some(draft.train) && same_suffix,
        }
    };
    jobs.iter().filter(|job| !known.contains(&job.id)).find(is_ours).map(|job| job.id.clone())
}

/// Whether a service that puts names into a form of its own may have made the one of the other.
fn is_alike(listed: &str, sent: &str) -> bool {
    let core = |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    let (listed, sent) = (core(listed), core(sent));
    sent.starts_with(&listed) || listed.starts_with(&sent)
}

/// Finds a file that we uploaded: its name tells its content, so that any that is as long is the same.
pub fn recognise_file(files: &[ListedFile], file_name: &str, bytes: u64) -> Option<String> {
    let is_ours = |file: &&ListedFile| file.name == file_name && file.bytes.is_none_or(|listed| listed == bytes);
    files.iter().find(is_ours).map(|file| file.id.clone())
}

/// The rows of a list.
fn rows(list: &serde_json::Value) -> impl Iterator<Item = &serde_json::Value> {
    list.get("data").or(Some(list)).and_then(serde_json::Value::as_array).into_iter().flatten()
}

/// A text that is not empty.
fn text(value: Option<&serde_json::Value>) -> Option<String> {
    value.and_then(serde_json::Value::as_str).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The fault of a job without a state.
fn stateless() -> Failure {
    malformed("the answer is not a fine-tuning job: it has no status")
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAFT: JobDraft<'_> = JobDraft {
        model: "m",
        objective: Objective::Supervised,
        train: "file-1",
        validation: None,
        epochs: Some(3),
        suffix: "tickets",
        seed: None,
        tag: "t",
    };

    fn listed(id: &str, tag: Option<&str>, train: &str, suffix: Option<&str>) -> ListedJob {
        let owned = |text: &str| text.to_owned();
        ListedJob { id: id.into(), tag: tag.map(owned), train: Some(train.into()), suffix: suffix.map(owned) }
    }

    #[test]
    fn a_job_is_found_again_by_its_mark_or_by_its_file() {
        let find = |jobs: &[ListedJob]| recognise_job(jobs, &DRAFT, &["known".to_owned()]);
        assert_eq!(find(&[listed("a", Some(""), "file-1", None), listed("b", Some("t"), "x", None)]), Some("b".into()));
        assert_eq!(find(&[listed("a", Some("u"), "file-1", None)]), None, "another one on the same file");
        assert_eq!(find(&[listed("a", None, "file-1", Some("tickets"))]), Some("a".into()));
        assert_eq!(find(&[listed("a", None, "file-1", Some("Tick_ets"))]), Some("a".into()), "in a form of its own");
        assert_eq!(find(&[listed("a", None, "file-1", Some("other"))]), None);
        assert_eq!(find(&[listed("known", None, "file-1", None), listed("a", None, "file-2", None)]), None);
    }

    #[test]
    fn a_file_is_found_again_by_its_name_and_length() {
        let file = |id: &str, name: &str, bytes| ListedFile { id: id.into(), name: name.into(), bytes };
        let files = [file("1", "a", Some(3)), file("2", "b", Some(4)), file("3", "c", None)];
        assert_eq!(recognise_file(&files, "b", 4), Some("2".into()));
        assert_eq!(recognise_file(&files, "a", 4), None);
        assert_eq!(recognise_file(&files, "c", 4), Some("3".into()));
    }

    #[test]
    fn hosts_whose_api_is_another_have_none() {
        assert!(tuning_wire(WireKind::OpenaiChat, Dialect::Openai).is_some());
        assert!(tuning_wire(WireKind::OpenaiChat, Dialect::Together).is_some());
        for dialect in [Dialect::Azure, Dialect::Vllm, Dialect::Mistral, Dialect::LlamaCpp] {
            assert!(tuning_wire(WireKind::OpenaiChat, dialect).is_none(), "{dialect:?}");
        }
        assert!(tuning_wire(WireKind::Anthropic, Dialect::Plain).is_none());
        assert!(tuning_wire(WireKind::Gemini, Dialect::Vertex).is_none());
    }
}
