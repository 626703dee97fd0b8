//! The files of a drafted suite, as text: suite.toml with its comments, the schema, the prompts,
//! the data, and a page that says where it all comes from.

use std::fmt::Write as _;

use serde_json::{Map, Value, json};

use super::draft::{Draft, Row};
use super::models::{Asked, Choice};
use super::split::Side;
use super::{answer::Scorer, prompts};
use crate::stats::paired::tango;
use crate::suite::{GateRules, Statistics};
use crate::text::one_line;

/// A file: its path in the suite's folder, and its text.
pub type File = (String, String);

/// Shots of the few-shot variant.
const SHOTS: usize = 5;

/// Tokens that a model may think before it answers.
const REASONING_TOKENS: u32 = 4_096;

/// Every file of the suite, suite.toml first. `from` names the file that was read.
pub fn files(draft: &Draft, choice: &Choice, from: &str) -> Vec<File> {
    let column = draft.roles.expected.as_deref().unwrap_or_default();
    let texts = prompts::files(draft.format, (&draft.roles.input, column), &draft.answer, &draft.prompts);
    let mut files = vec![("suite.toml".to_owned(), suite_toml(draft, choice, from, &texts))];
    if let Some(schema) = &draft.answer.schema {
        files.push(("schema.json".to_owned(), pretty(schema)));
    }
    files.extend(texts.into_iter().map(|(name, text)| (format!("prompts/{name}.md.j2"), text)));
    for (side, name) in SIDES {
        let rows: String = rows(draft, side).map(|row| line(row) + "\n").collect();
        if side == Side::Test || !rows.is_empty() {
            files.push((name.to_owned(), rows));
        }
    }
    if !draft.left_out.is_empty() {
        let lines = draft
            .left_out
            .iter()
            .map(|row| json!({"line": row.line, "why": row.why, "row": row.row}).to_string() + "\n");
        files.push(("left-out.jsonl".to_owned(), lines.collect()));
    }
    files.push(("README.md".to_owned(), readme(draft, from)));
    files
}

const SIDES: [(Side, &str); 3] = [(Side::Test, "test.jsonl"), (Side::Dev, "dev.jsonl"), (Side::Pool, "pool.jsonl")];

fn rows(draft: &Draft, side: Side) -> impl Iterator<Item = &Row> {
    draft.rows.iter().zip(&draft.split.sides).filter(move |(_, own)| **own == side).map(|(row, _)| row)
}

/// An example as a line of JSON.
fn line(row: &Row) -> String {
    let mut fields = Map::new();
    fields.insert("id".to_owned(), json!(row.id));
    fields.insert("input".to_owned(), row.input.clone());
    fields.insert("expected".to_owned(), row.expected.clone());
    if let Some(cluster) = &row.cluster {
        fields.insert("cluster".to_owned(), json!(cluster));
    }
    if !row.tags.is_empty() {
        fields.insert("tags".to_owned(), json!(row.tags));
    }
    Value::Object(fields).to_string()
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap_or_else(|_| value.to_string()) + "\n"
}

/// A text as TOML writes it.
fn quoted(text: &str) -> String {
    Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

fn suite_toml(draft: &Draft, choice: &Choice, from: &str, texts: &[File]) -> String {
    let prompts: Vec<String> = texts.iter().map(|(name, _)| name.clone()).collect();
    let prompts = prompts.as_slice();
    let task = serde_json::to_value(draft.answer.task).ok();
    let task = task.as_ref().and_then(Value::as_str).unwrap_or("generation");
    let mut text = format!(
        "# Drafted by `ceiling init` from {from}. Read it once: what was concluded is marked \"assumed\".\n\
         # Every key: docs/reference/suite.md.\n\n\
         [suite]\nname = {}\ndescription = {}   # say it in a sentence of your own\ntask = \"{task}\"\n",
        quoted(&draft.name),
        quoted(&description(draft)),
    );
    let _ = write!(
        text,
        "\n[data]\nexamples = \"test.jsonl\"            # {} rows: what every figure rests on\n",
        draft.split.count(Side::Test)
    );
    if draft.split.count(Side::Dev) > 0 {
        let _ = writeln!(
            text,
            "dev = \"dev.jsonl\"                  # {} rows: look at these while you write prompts, never at the test",
            draft.split.count(Side::Dev)
        );
    }
    if draft.split.count(Side::Pool) > 0 {
        let _ = writeln!(
            text,
            "pool = \"pool.jsonl\"                # {} rows: what few-shot and a fine-tune draw from",
            draft.split.count(Side::Pool)
        );
    }
    text.push_str(
        "# audit = { checked = 100, wrong = 2 }   # check labels of the test drawn at random, and say what you found: labels\n\
         #                                        # that are wrong cap the accuracy, and no verdict knows it without this\n",
    );
    if draft.answer.schema.is_some() {
        text.push_str(
            "\n[output]\nschema = \"schema.json\"\nparse = \"strict\"                   # strict: the whole answer is JSON; fenced and lenient forgive more\n",
        );
    }
    text.push_str(&scorers(&draft.answer.scorers));
    text.push_str(
        "\n[prompts]                          # in the order in which they were written: the place is the round\n",
    );
    for name in prompts {
        let _ = writeln!(text, "{name} = \"prompts/{name}.md.j2\"");
    }
    let next = prompts.len() + 1;
    let _ = write!(
        text,
        "# v{next} = \"prompts/v{next}.md.j2\"        # the next round: a copy, better; and a variant for it below. \"Prompting has\n\
         #                                  # reached its limit\" takes a first prompt and three revisions, at the least\n"
    );
    text.push_str(&variants(draft, choice, prompts, texts));
    text.push_str(&targets(draft));
    text.push_str(&gate(draft.split.count(Side::Test)));
    text
}

/// A first sentence about the task.
fn description(draft: &Draft) -> String {
    let of = draft.roles.input.join(" and ");
    let what = draft.roles.expected.as_deref().unwrap_or("answer");
    match draft.answer.labels.len() {
        0 => format!("From `{of}`, give `{what}`"),
        n => format!("Sort `{of}` into one of {n} values of `{what}`"),
    }
}

fn scorers(scorers: &[Scorer]) -> String {
    let mut text = String::from("\n[score]\n");
    if let Some(first) = scorers.first() {
        let _ = writeln!(text, "primary = \"{}\"                  # what \"accuracy\" means", first.name);
    }
    for scorer in scorers {
        let _ = write!(text, "\n[score.scorers.{}]\nkind = \"{}\"\n", scorer.name, scorer.kind);
        if !scorer.at.is_empty() {
            let _ = writeln!(text, "at = {}", quoted(&scorer.at));
        }
        if !scorer.options.is_empty() {
            let _ = writeln!(text, "{}", scorer.options);
        }
    }
    text
}

/// One variant of the ladder.
struct Step {
    name: String,
    prompt: String,
    keys: Vec<String>,
    why: &'static str,
}

/// The ladder: the prompt alone, then one thing at a time upon it.
fn ladder(draft: &Draft, asked: &Asked, prompts: &[String], texts: &[File]) -> Vec<Step> {
    let last = prompts.last().cloned().unwrap_or_else(|| "v1".to_owned());
    let step = |name: &str, keys: Vec<String>, why| Step { name: name.to_owned(), prompt: last.clone(), keys, why };
    let mut steps: Vec<Step> = prompts
        .iter()
        .map(|prompt| Step {
            name: format!("prompt-{prompt}"),
            prompt: prompt.clone(),
            keys: Vec::new(),
            why: "the prompt alone",
        })
        .collect();
    let pool = draft.split.count(Side::Pool);
    // A pattern is no answer that a shot could show.
    let shows = draft.answer.scorers.first().is_none_or(|scorer| scorer.kind != "regex");
    if pool > 0 && shows {
        let k = SHOTS.min(pool);
        let select = if draft.answer.labels.is_empty() { "random" } else { "balanced" };
        let shots = format!("shots = {{ k = {k}, select = \"{select}\", seed = 7 }}");
        steps.push(step(&format!("few-shot-{k}"), vec![shots], "upon it, examples from the pool"));
    }
    if draft.answer.schema.is_some() {
        steps.push(step(
            "schema",
            vec!["structured = \"json-schema\"".to_owned()],
            "upon it, the schema, which the endpoint enforces",
        ));
    }
    if asked.caches && too_short(draft, asked, texts).is_none() {
        steps.push(step(
            "cached",
            vec!["cache = true".to_owned()],
            "upon it, the prompt cache: the same answers, cheaper where the prompt is long",
        ));
    }
    steps
}

/// Why the prompt cache would keep nothing of the prompt, at four characters a token.
fn too_short(draft: &Draft, asked: &Asked, texts: &[File]) -> Option<String> {
    let least = asked.cache_min_tokens.filter(|_| asked.caches)?;
    let (_, prompt) = texts.last()?;
    let system = prompt.split("--- user ---").next().unwrap_or_default();
    let labels: usize = draft.answer.labels.iter().map(|(label, _)| label.len() + 2).sum();
    let schema = draft.answer.schema.as_ref().filter(|_| system.contains("{{ schema }}"));
    let tokens = (system.len() + labels + schema.map_or(0, |schema| schema.to_string().len())) / 4;
    ((tokens as u64) < least)
        .then(|| format!("its prompt cache keeps prefixes from {least} tokens on, and this prompt has about {tokens}"))
}

fn variants(draft: &Draft, choice: &Choice, prompts: &[String], texts: &[File]) -> String {
    let mut text = String::from(
        "\n# One thing at a time, so that a difference has one cause. Only what stands in `params` is sent.\n",
    );
    if choice.asked.len() > 1 {
        text.push_str(
            "# The first endpoint's prompt is the variant in use; `[suite] incumbent = \"NAME\"` says otherwise.\n",
        );
    }
    for asked in &choice.asked {
        let _ = write!(text, "\n# {}: {}.\n", asked.endpoint, asked.why);
        let suffix = if choice.asked.len() > 1 { format!("-{}", asked.endpoint.provider) } else { String::new() };
        let twins = choice.asked.iter().filter(|other| other.endpoint.provider == asked.endpoint.provider).count();
        let suffix = if twins > 1 { format!("-{}", plain_name(&asked.endpoint.model)) } else { suffix };
        for step in ladder(draft, asked, prompts, texts) {
            let _ = write!(
                text,
                "[[variants]]                       # {}\nname = {}\nmodel = {}\nprompt = \"{}\"\n",
                step.why,
                quoted(&format!("{}{suffix}", step.name)),
                quoted(&asked.endpoint.to_string()),
                step.prompt
            );
            for key in step.keys {
                let _ = writeln!(text, "{key}");
            }
            // A limit of money can only be kept where an answer's length has one.
            let tokens = draft.answer.max_tokens + if asked.reasons { REASONING_TOKENS } else { 0 };
            let temperature = if asked.plain { "temperature = 0, " } else { "" };
            let _ = writeln!(text, "params = {{ {temperature}max_tokens = {tokens} }}");
            text.push('\n');
        }
        if let Some(why) = too_short(draft, asked, texts) {
            let _ = writeln!(text, "# No variant with `cache = true`: {why}.");
        }
    }
    if let Some(next) = &choice.next {
        let _ = writeln!(text, "# Next: {next}.");
    }
    if !choice.others.is_empty() {
        text.push_str("# Others that could be asked, by `model = …` here or by `ceiling run --provider FROM=TO`:\n");
        for other in &choice.others {
            let _ = writeln!(text, "#   {other}");
        }
    }
    text
}

/// A model's name as part of a variant's.
fn plain_name(model: &str) -> String {
    model.chars().map(|c| if c.is_ascii_alphanumeric() || "-_.".contains(c) { c } else { '-' }).collect()
}

/// A margin that so few examples can show, where the default needs more.
fn gate(examples: usize) -> String {
    // One answer in a hundred changes each way from run to run, and nothing is worse.
    let changed = (examples as f64 / 100.0).ceil();
    let low = tango(changed, changed, examples as f64, 2.0 * Statistics::default().alpha).low;
    let percent = (-100.0 * low).floor() as i64 + 1;
    if percent <= (100.0 * GateRules::default().margin).round() as i64 {
        return String::new();
    }
    format!(
        "\n[gate]                             # for `ceiling gate`, which compares with a baseline\n\
         margin = 0.{percent:02}                     # assumed: what {examples} examples can show where one answer in a hundred\n\
         #                                  # changes each way; more examples, or repeats, allow a smaller one\n"
    )
}

fn targets(draft: &Draft) -> String {
    let validity = if draft.answer.schema.is_some() {
        "schema_validity = 0.999            # assumed: the least share of answers that the schema accepts\n"
    } else {
        ""
    };
    format!(
        "\n[targets]                          # all assumed: write what your product needs, and take out what it does not\n\
         accuracy = 0.90                    # assumed: the least accuracy\n{validity}\
         ttft_p95_ms = 300                  # assumed: the most milliseconds to the first token, of 95 in 100 answers\n\
         monthly_budget_usd = 10_000        # assumed; it counts once you say how much is asked:\n\
         # monthly_requests = 100_000\n\
         # self_hosted = true               # if only models that you run yourself may serve this\n\n\
         # [economics]                      # what training would cost, as [low, high]; the break-even carries both through\n\
         # training_usd = [5_000, 15_000]\n\
         # labelling_usd = [5_000, 15_000]\n\n\
         # [budget]\n\
         # max_usd = 5                      # the most that one run may cost\n"
    )
}

fn readme(draft: &Draft, from: &str) -> String {
    let mut text = format!(
        "# {}\n\nDrafted by `ceiling init` from `{from}`: {}, {} rows that became examples.\n\n| what | from |\n|---|---|\n",
        draft.name,
        draft.format.title(),
        draft.rows.len()
    );
    let column = |name: &Option<String>| name.as_ref().map(|name| cell(name));
    let rows = [
        ("input", draft.roles.input.iter().map(|name| cell(name)).collect::<Vec<_>>().join(", ")),
        ("answer", column(&draft.roles.expected).unwrap_or_default()),
        ("id", column(&draft.roles.id).unwrap_or_else(|| "numbered by row".to_owned())),
        (
            "cluster",
            column(&draft.roles.cluster).unwrap_or_else(|| "rows whose inputs are all but the same".to_owned()),
        ),
        ("tags", draft.roles.tags.iter().map(|name| cell(name)).collect::<Vec<_>>().join(", ")),
        ("not used", draft.unused.iter().take(100).map(|name| cell(name)).collect::<Vec<_>>().join(", ")),
    ];
    for (what, from) in rows.iter().filter(|(_, from)| !from.is_empty()) {
        let _ = writeln!(text, "| {what} | {from} |");
    }
    text.push_str("\n| file | rows |\n|---|---|\n");
    for (side, name) in SIDES.iter().filter(|(side, _)| draft.split.count(*side) > 0) {
        let _ = writeln!(text, "| {name} | {} |", draft.split.count(*side));
    }
    let _ = write!(
        text,
        "\nSplit by lot (seed {}). Rows of one cluster, and rows whose inputs are all but the same, are on one side.\n",
        draft.seed
    );
    if !draft.notes.is_empty() || !draft.left_out.is_empty() {
        text.push_str("\n## Not carried over, and to know\n\n");
        for note in &draft.notes {
            let _ = writeln!(text, "- {}", one_line(note, 500));
        }
        if !draft.left_out.is_empty() {
            let _ = writeln!(
                text,
                "- {} rows became no example: `left-out.jsonl` has each with its line and the reason",
                draft.left_out.len()
            );
        }
    }
    text.push_str("\n## Licence\n\nSay here under what terms the data may be used.\n");
    text
}

/// A name in a cell of a Markdown table.
fn cell(name: &str) -> String {
    format!("`{}`", one_line(name, 80).replace('|', "\\|").replace('`', "'"))
}
